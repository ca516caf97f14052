//! What grows with a piece lives here: in memory while it is small, in unlinked temporary files beyond that.
//!
//! A piece may have 2^20 blocks. Remembering their names would take some 100 MB per put, so beyond
//! [`MEMORY_ENTRIES`] names move to disk.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use holdfast_core::block::BlockId;
use holdfast_core::walk;
use redb::{Database, Durability, ReadableDatabase, TableDefinition};

/// Names kept in memory: enough for 16 GiB of 1 MiB leaves, in about two megabytes.
pub const MEMORY_ENTRIES: usize = 1 << 14;

/// Memory that the database of a spilled map may use.
const CACHE_BYTES: usize = 4 << 20;

type Key = [u8; BlockId::KEY_LEN];

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("spill");

/// A map from block names to small values of `N` bytes.
pub struct SpillMap<const N: usize> {
    folder: PathBuf,
    fresh: HashMap<Key, [u8; N]>,
    spilled: Option<Database>,
    len: u64,
}

impl<const N: usize> SpillMap<N> {
    /// An empty map that spills into `folder`.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), fresh: HashMap::new(), spilled: None, len: 0 }
    }

    /// How many names it holds.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value of a name.
    ///
    /// # Errors
    /// If the spilled part cannot be read.
    pub fn get(&self, id: &BlockId) -> io::Result<Option<[u8; N]>> {
        let key = id.to_key();
        if let Some(value) = self.fresh.get(&key) {
            return Ok(Some(*value));
        }
        let Some(database) = &self.spilled else { return Ok(None) };
        let table =
            database.begin_read().map_err(io::Error::other)?.open_table(TABLE).map_err(io::Error::other)?;
        let value = table.get(&key[..]).map_err(io::Error::other)?;
        Ok(value.map(|value| value.value().try_into().expect("every value has N bytes")))
    }

    /// Adds a name unless it is known, and says whether it was new.
    ///
    /// # Errors
    /// If the spilled part cannot be read or written.
    pub fn insert_new(&mut self, id: &BlockId, value: [u8; N]) -> io::Result<bool> {
        if self.get(id)?.is_some() {
            return Ok(false);
        }
        self.fresh.insert(id.to_key(), value);
        self.len += 1;
        if self.fresh.len() == MEMORY_ENTRIES {
            self.spill()?;
        }
        Ok(true)
    }

    fn spill(&mut self) -> io::Result<()> {
        let database = match &mut self.spilled {
            Some(database) => database,
            none => none.insert(
                Database::builder()
                    .set_cache_size(CACHE_BYTES)
                    .create_file(tempfile::tempfile_in(&self.folder)?)
                    .map_err(io::Error::other)?,
            ),
        };
        let mut write = database.begin_write().map_err(io::Error::other)?;
        write.set_durability(Durability::None).map_err(io::Error::other)?;
        {
            let mut table = write.open_table(TABLE).map_err(io::Error::other)?;
            // In order, because that is what a tree writes fastest.
            let mut fresh: Vec<_> = self.fresh.drain().collect();
            fresh.sort_unstable();
            for (key, value) in fresh {
                table.insert(&key[..], &value[..]).map_err(io::Error::other)?;
            }
        }
        write.commit().map_err(io::Error::other)
    }
}

/// A stack of fixed-length records whose deep end lies on disk.
pub struct SpillStack<const N: usize> {
    folder: PathBuf,
    top: Vec<[u8; N]>,
    file: Option<File>,
    spilled: u64,
}

/// Records that move to disk and back at once.
const STACK_CHUNK: usize = 4096;

impl<const N: usize> SpillStack<N> {
    /// An empty stack that spills into `folder`.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), top: Vec::new(), file: None, spilled: 0 }
    }

    /// Puts a record on top.
    ///
    /// # Errors
    /// If older records cannot be written out.
    pub fn push(&mut self, record: [u8; N]) -> io::Result<()> {
        if self.top.len() == 2 * STACK_CHUNK {
            let file = match &mut self.file {
                Some(file) => file,
                none => none.insert(tempfile::tempfile_in(&self.folder)?),
            };
            let chunk: Vec<u8> = self.top.drain(..STACK_CHUNK).flatten().collect();
            file.write_all_at(&chunk, self.spilled * N as u64)?;
            self.spilled += STACK_CHUNK as u64;
        }
        self.top.push(record);
        Ok(())
    }

    /// Takes the record on top.
    ///
    /// # Errors
    /// If older records cannot be read back.
    pub fn pop(&mut self) -> io::Result<Option<[u8; N]>> {
        if self.top.is_empty() && self.spilled > 0 {
            let file = self.file.as_ref().expect("spilled records have a file");
            self.spilled -= STACK_CHUNK as u64;
            let mut chunk = vec![0; STACK_CHUNK * N];
            file.read_exact_at(&mut chunk, self.spilled * N as u64)?;
            let (records, _) = chunk.as_chunks::<N>();
            self.top.extend_from_slice(records);
        }
        Ok(self.top.pop())
    }
}

/// A growing list of fixed-length records, written once and read from the start.
pub struct SpillLog<const N: usize> {
    folder: PathBuf,
    tail: Vec<u8>,
    file: Option<File>,
    spilled_bytes: u64,
}

/// Bytes that move to disk at once.
const LOG_CHUNK_BYTES: usize = 256 << 10;

impl<const N: usize> SpillLog<N> {
    /// An empty log that spills into `folder`.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), tail: Vec::new(), file: None, spilled_bytes: 0 }
    }

    /// How many records it holds.
    pub fn len(&self) -> u64 {
        (self.spilled_bytes + self.tail.len() as u64) / N as u64
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends a record.
    ///
    /// # Errors
    /// If earlier ones cannot be written out.
    pub fn push(&mut self, record: &[u8; N]) -> io::Result<()> {
        self.tail.extend_from_slice(record);
        if self.tail.len() >= LOG_CHUNK_BYTES {
            let file = match &mut self.file {
                Some(file) => file,
                none => none.insert(tempfile::tempfile_in(&self.folder)?),
            };
            file.seek(SeekFrom::Start(self.spilled_bytes))?;
            file.write_all(&self.tail)?;
            self.spilled_bytes += self.tail.len() as u64;
            self.tail.clear();
        }
        Ok(())
    }

    /// Reads the record at a place.
    ///
    /// # Errors
    /// If it cannot be read.
    ///
    /// # Panics
    /// If there is no such record.
    pub fn get(&self, place: u64) -> io::Result<[u8; N]> {
        let start = place * N as u64;
        let mut record = [0; N];
        match start.checked_sub(self.spilled_bytes) {
            Some(in_tail) => {
                let at = usize::try_from(in_tail).expect("the tail is in memory");
                record.copy_from_slice(&self.tail[at..at + N]);
            }
            None => {
                let file = self.file.as_ref().expect("spilled records have a file");
                file.read_exact_at(&mut record, start)?;
            }
        }
        Ok(record)
    }
}

/// The memory of a walk over a piece of any size.
pub struct WalkMemory {
    stack: SpillStack<{ BlockId::KEY_LEN }>,
    seen: SpillMap<0>,
}

impl WalkMemory {
    /// An empty memory that spills into `folder`.
    pub fn new(folder: &Path) -> Self {
        Self { stack: SpillStack::new(folder), seen: SpillMap::new(folder) }
    }
}

impl walk::Memory for WalkMemory {
    type Error = io::Error;

    fn push(&mut self, id: BlockId) -> io::Result<()> {
        self.stack.push(id.to_key())
    }

    fn pop(&mut self) -> io::Result<Option<BlockId>> {
        let key = self.stack.pop()?;
        Ok(key.map(|key| BlockId::from_key(&key).expect("only keys were pushed")))
    }

    fn see(&mut self, id: &BlockId) -> io::Result<bool> {
        self.seen.insert_new(id, [])
    }
}

#[cfg(test)]
mod tests;
