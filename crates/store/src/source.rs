//! A DAG whose blocks lie in files becomes the byte stream of its piece.
//!
//! 1. [`DagBuilder`] records where each block lies: in a file at an offset, or in a temporary file of inner nodes.
//! 2. [`Dag::plan`] walks the DAG once in canonical order, reading inner nodes only, and writes down the order. Now
//!    the length of the piece is known.
//! 3. [`Plan::reader`] streams the bytes, any number of times, also for several readers at once.
//!
//! Nothing is hashed a second time. A file that changes between import and reading is noticed by its length,
//! time and inode when it is opened and again when it was read; a change that hides from those is caught by
//! every receiver, who checks every block.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdfast_core::block::{BlockId, Codec};
use holdfast_core::car;
use holdfast_core::walk::{Walk, WalkError};

use crate::spill::{SpillLog, SpillMap, WalkMemory};

mod files;
mod plan;

use files::{Files, Place, Stamp, to_place};
pub use plan::{Plan, PlanReader};

/// Source ‖ offset ‖ length of a block.
const PLACE_LEN: usize = 8 + 8 + 4;
/// Key and place.
const RECORD_LEN: usize = BlockId::KEY_LEN + PLACE_LEN;
/// Bytes a plan reader reads at once.
const READ_BYTES: usize = 256 << 10;

/// Why a piece could not be planned or read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A block is linked but not there.
    #[error("block {id} is linked but missing")]
    Missing {
        /// The block.
        id: BlockId,
    },
    /// A block's links cannot be read, or there are too many blocks.
    #[error(transparent)]
    Walk(#[from] WalkError<io::Error>),
    /// A file cannot be read.
    #[error("could not read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not what it was when its CID was computed.
    #[error("{} changed while it was being stored; nothing of it was stored, try again", path.display())]
    Changed {
        /// Which.
        path: PathBuf,
    },
    /// Temporary space failed.
    #[error("could not use temporary data")]
    Scratch(#[from] io::Error),
}

/// A file of a DAG: where its description starts in the temporary file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileIndex(u64);

/// Blocks that are inner nodes kept in the temporary file, not in a file of the user's.
const IN_SCRATCH: u64 = u64::MAX;

/// Bytes that are appended, and read back at any place when all are there: in memory while they are few, in one
/// unlinked temporary file beyond that.
struct Scratch {
    folder: PathBuf,
    file: Option<File>,
    written: u64,
    tail: Vec<u8>,
}

/// What a [`Scratch`] holds in the end.
enum Kept {
    Memory(Arc<[u8]>),
    File(File),
}

impl Kept {
    fn share(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Memory(bytes) => Self::Memory(bytes.clone()),
            Self::File(file) => Self::File(file.try_clone()?),
        })
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        match self {
            Self::Memory(bytes) => {
                let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
                let found = bytes.get(start..start + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
                buffer.copy_from_slice(found);
                Ok(())
            }
            Self::File(file) => file.read_exact_at(buffer, offset),
        }
    }
}

impl Scratch {
    fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), file: None, written: 0, tail: Vec::new() }
    }

    fn append(&mut self, data: &[u8]) -> io::Result<u64> {
        let at = self.written + self.tail.len() as u64;
        self.tail.extend_from_slice(data);
        if self.tail.len() >= READ_BYTES {
            self.flush()?;
        }
        Ok(at)
    }

    fn flush(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile_in(&self.folder)?),
        };
        file.write_all_at(&self.tail, self.written)?;
        self.written += self.tail.len() as u64;
        self.tail.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<Kept> {
        if self.file.is_none() {
            return Ok(Kept::Memory(self.tail.into()));
        }
        self.flush()?;
        Ok(Kept::File(self.file.expect("seen above")))
    }
}

/// Records where the blocks of a DAG lie, in any order.
pub struct DagBuilder {
    folder: PathBuf,
    places: SpillMap<PLACE_LEN>,
    scratch: Scratch,
    content_bytes: u64,
}

impl DagBuilder {
    /// A DAG without blocks, whose temporary files go to `folder`.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.into(),
            places: SpillMap::new(folder),
            scratch: Scratch::new(folder),
            content_bytes: 0,
        }
    }

    /// Adds a file in which blocks lie, as it is now.
    ///
    /// # Errors
    /// If temporary space fails.
    pub fn add_file(&mut self, path: &Path, metadata: &Metadata) -> io::Result<FileIndex> {
        let path = std::path::absolute(path)?;
        let mut record = Vec::new();
        for number in Stamp::of(metadata).0 {
            record.extend(number.to_be_bytes());
        }
        let name = path.as_os_str().as_bytes();
        record.extend((name.len() as u64).to_be_bytes());
        record.extend(name);
        self.scratch.append(&record).map(FileIndex)
    }

    /// Adds a block that lies in a file. A block that is known already stays where it was.
    ///
    /// # Errors
    /// If temporary space fails.
    pub fn add_leaf(&mut self, id: BlockId, file: FileIndex, offset: u64, bytes: usize) -> io::Result<()> {
        self.content_bytes += bytes as u64;
        self.places.insert_new(&id, to_place(file.0, offset, bytes)).map(drop)
    }

    /// Adds a block that lies nowhere yet; its bytes are kept in temporary space.
    ///
    /// # Errors
    /// If temporary space fails.
    pub fn add_node(&mut self, id: BlockId, data: &[u8]) -> io::Result<()> {
        let offset = self.scratch.append(data)?;
        self.places.insert_new(&id, to_place(IN_SCRATCH, offset, data.len())).map(drop)
    }

    /// How many different blocks were added.
    pub fn blocks(&self) -> u64 {
        self.places.len()
    }

    /// Names the root.
    pub fn finish(self, root: BlockId) -> Dag {
        Dag { root, builder: self }
    }
}

/// A DAG whose blocks all lie somewhere.
pub struct Dag {
    root: BlockId,
    builder: DagBuilder,
}

impl Dag {
    /// The root's name.
    pub fn root(&self) -> BlockId {
        self.root
    }

    /// Bytes of leaves that were read, repeated if repeated.
    pub fn content_bytes(&self) -> u64 {
        self.builder.content_bytes
    }

    /// Walks the DAG in canonical order and writes the order down.
    ///
    /// # Errors
    /// If a block is missing, its links cannot be read, or it cannot be read.
    pub fn plan(self) -> Result<Plan, SourceError> {
        let Self { root, builder } = self;
        let DagBuilder { folder, places, scratch, .. } = builder;
        let known = places.len();
        let scratch = scratch.finish()?;
        let mut files = Files::new(scratch.share()?);
        let mut order = SpillLog::new(&folder);
        let mut piece_bytes = car::header(&root).len() as u64;
        let mut walk = Walk::new(root, WalkMemory::new(&folder))?;
        let mut data = Vec::new();
        while let Some(id) = walk.next()? {
            let place = places.get(&id)?.ok_or(SourceError::Missing { id })?;
            let at = Place::read(&place);
            if id.codec() != Codec::Raw {
                data.resize(at.bytes, 0);
                files.read(&at, 0, &mut data)?;
                walk.enter(&id, &data)?;
            }
            piece_bytes += (car::section_prefix(&id, at.bytes).len() + at.bytes) as u64;
            let mut record = [0; RECORD_LEN];
            record[..BlockId::KEY_LEN].copy_from_slice(&id.to_key());
            record[BlockId::KEY_LEN..].copy_from_slice(&place);
            order.push(&record)?;
        }
        let unreachable = known - order.len();
        Ok(Plan { root, piece_bytes, order, scratch, unreachable })
    }
}

#[cfg(test)]
mod tests;
