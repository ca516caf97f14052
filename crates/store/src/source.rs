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
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdfast_core::block::{BlockId, Codec};
use holdfast_core::car;
use holdfast_core::walk::{Walk, WalkError};

use crate::spill::{SpillLog, SpillMap, WalkMemory};

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

/// Bytes appended to one unlinked temporary file and read back at any place.
struct Scratch {
    file: File,
    written: u64,
    tail: Vec<u8>,
}

impl Scratch {
    fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self { file: tempfile::tempfile_in(folder)?, written: 0, tail: Vec::new() })
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
        self.file.write_all_at(&self.tail, self.written)?;
        self.written += self.tail.len() as u64;
        self.tail.clear();
        Ok(())
    }
}

/// Records where the blocks of a DAG lie, in any order.
pub struct DagBuilder {
    folder: PathBuf,
    places: SpillMap<PLACE_LEN>,
    scratch: Option<Scratch>,
    content_bytes: u64,
}

impl DagBuilder {
    /// A DAG without blocks, whose temporary files go to `folder`.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.into(), places: SpillMap::new(folder), scratch: None, content_bytes: 0 }
    }

    fn scratch(&mut self) -> io::Result<&mut Scratch> {
        match &mut self.scratch {
            Some(scratch) => Ok(scratch),
            none => Ok(none.insert(Scratch::new(&self.folder)?)),
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
        self.scratch()?.append(&record).map(FileIndex)
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
        let offset = self.scratch()?.append(data)?;
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

fn to_place(source: u64, offset: u64, bytes: usize) -> [u8; PLACE_LEN] {
    let mut place = [0; PLACE_LEN];
    place[..8].copy_from_slice(&source.to_be_bytes());
    place[8..16].copy_from_slice(&offset.to_be_bytes());
    let bytes = u32::try_from(bytes).expect("blocks are at most 2 MiB");
    place[16..].copy_from_slice(&bytes.to_be_bytes());
    place
}

/// Where a block lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    source: u64,
    offset: u64,
    bytes: usize,
}

impl Place {
    fn read(place: &[u8; PLACE_LEN]) -> Self {
        let number = |at: usize| u64::from_be_bytes(place[at..at + 8].try_into().expect("eight bytes"));
        let bytes = u32::from_be_bytes(place[16..].try_into().expect("four bytes"));
        Self { source: number(0), offset: number(8), bytes: usize::try_from(bytes).expect("at most 2 MiB") }
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
    pub fn plan(mut self) -> Result<Plan, SourceError> {
        self.builder.scratch()?.flush()?;
        let Self { root, builder } = self;
        let DagBuilder { folder, places, scratch, .. } = builder;
        let known = places.len();
        let scratch = scratch.expect("made above").file;
        let mut files = Files { scratch: scratch.try_clone()?, open: None };
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

/// A piece whose order and length are known.
pub struct Plan {
    root: BlockId,
    piece_bytes: u64,
    order: SpillLog<RECORD_LEN>,
    scratch: File,
    unreachable: u64,
}

impl Plan {
    /// The root's name.
    pub fn root(&self) -> BlockId {
        self.root
    }

    /// Length of the piece.
    pub fn piece_bytes(&self) -> u64 {
        self.piece_bytes
    }

    /// How many blocks the piece has.
    pub fn blocks(&self) -> u64 {
        self.order.len()
    }

    /// How many blocks were left out because nothing links to them.
    pub fn unreachable(&self) -> u64 {
        self.unreachable
    }

    /// Reads the piece from its first byte.
    ///
    /// # Errors
    /// If temporary space fails.
    pub fn reader(self: &Arc<Self>) -> io::Result<PlanReader> {
        let files = Files { scratch: self.scratch.try_clone()?, open: None };
        let head = car::header(&self.root);
        Ok(PlanReader { plan: self.clone(), files, next: 0, head, head_taken: 0, data: None })
    }

    /// Reads the piece from a byte on. Finding the place costs one look at every block before it.
    ///
    /// # Errors
    /// If temporary space fails.
    pub fn reader_at(self: &Arc<Self>, offset: u64) -> Result<PlanReader, SourceError> {
        let mut reader = self.reader()?;
        reader.skip(offset)?;
        Ok(reader)
    }
}

/// Streams the bytes of a piece.
pub struct PlanReader {
    plan: Arc<Plan>,
    files: Files,
    next: u64,
    /// Header or section prefix that comes before the data.
    head: Vec<u8>,
    head_taken: usize,
    /// The block being read, and how much of it was.
    data: Option<(Place, u64)>,
}

impl PlanReader {
    /// Appends up to `bytes` bytes of the piece to `out`; fewer only at its end.
    ///
    /// # Errors
    /// If a file cannot be read or has changed.
    pub fn read_into(&mut self, out: &mut Vec<u8>, bytes: usize) -> Result<(), SourceError> {
        let goal = out.len() + bytes;
        while out.len() < goal {
            let head = &self.head[self.head_taken..];
            if !head.is_empty() {
                let taken = head.len().min(goal - out.len());
                out.extend_from_slice(&head[..taken]);
                self.head_taken += taken;
            } else if let Some((place, done)) = &mut self.data {
                let left = place.bytes - usize::try_from(*done).expect("within a block");
                let taken = left.min(goal - out.len());
                let start = out.len();
                out.resize(start + taken, 0);
                self.files.read(place, *done, &mut out[start..])?;
                *done += taken as u64;
                if taken == left {
                    self.data = None;
                }
            } else if self.next < self.plan.order.len() {
                self.open_block()?;
            } else {
                self.files.finish()?;
                break;
            }
        }
        Ok(())
    }

    /// Whether the last byte was read.
    pub fn is_at_end(&self) -> bool {
        self.head_taken == self.head.len() && self.data.is_none() && self.next == self.plan.order.len()
    }

    fn skip(&mut self, mut bytes: u64) -> Result<(), SourceError> {
        while bytes > 0 {
            let head = (self.head.len() - self.head_taken) as u64;
            if head > 0 {
                let taken = head.min(bytes);
                self.head_taken += usize::try_from(taken).expect("within a header");
                bytes -= taken;
            } else if let Some((place, done)) = &mut self.data {
                let left = place.bytes as u64 - *done;
                let taken = left.min(bytes);
                *done += taken;
                bytes -= taken;
                if taken == left {
                    self.data = None;
                }
            } else if self.next < self.plan.order.len() {
                self.open_block()?;
            } else {
                break;
            }
        }
        Ok(())
    }

    fn open_block(&mut self) -> Result<(), SourceError> {
        let record = self.plan.order.get(self.next)?;
        self.next += 1;
        let (key, place) = record.split_first_chunk().expect("the key comes first");
        let id = BlockId::from_key(key).expect("only keys were written");
        let place = Place::read(place.try_into().expect("the place is the rest"));
        self.head = car::section_prefix(&id, place.bytes);
        self.head_taken = 0;
        self.data = (place.bytes > 0).then_some((place, 0));
        Ok(())
    }
}

/// What a file was when it was imported: length, seconds and nanoseconds of its last change, inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp([u64; 4]);

impl Stamp {
    #[allow(clippy::cast_sign_loss)] // compared for equality only
    fn of(metadata: &Metadata) -> Self {
        Self([metadata.len(), metadata.mtime() as u64, metadata.mtime_nsec() as u64, metadata.ino()])
    }
}

/// The temporary file, and the one file of the user's that is being read.
struct Files {
    scratch: File,
    open: Option<OpenFile>,
}

struct OpenFile {
    index: u64,
    path: PathBuf,
    file: File,
    stamp: Stamp,
}

impl OpenFile {
    fn check(&self) -> Result<(), SourceError> {
        let metadata =
            self.file.metadata().map_err(|source| SourceError::Read { path: self.path.clone(), source })?;
        if Stamp::of(&metadata) == self.stamp {
            Ok(())
        } else {
            Err(SourceError::Changed { path: self.path.clone() })
        }
    }
}

impl Files {
    /// Fills `buffer` from a block, starting `skip` bytes into it.
    fn read(&mut self, place: &Place, skip: u64, buffer: &mut [u8]) -> Result<(), SourceError> {
        if place.source == IN_SCRATCH {
            return Ok(self.scratch.read_exact_at(buffer, place.offset + skip)?);
        }
        if self.open.as_ref().is_none_or(|open| open.index != place.source) {
            self.finish()?;
            self.open = Some(self.describe(place.source)?);
        }
        let open = self.open.as_ref().expect("opened above");
        open.file.read_exact_at(buffer, place.offset + skip).map_err(|source| {
            if source.kind() == io::ErrorKind::UnexpectedEof {
                return SourceError::Changed { path: open.path.clone() };
            }
            SourceError::Read { path: open.path.clone(), source }
        })
    }

    /// Closes the open file, after a last look whether it changed.
    fn finish(&mut self) -> Result<(), SourceError> {
        self.open.take().map_or(Ok(()), |open| open.check())
    }

    fn describe(&self, index: u64) -> Result<OpenFile, SourceError> {
        let mut head = [0; 40];
        self.scratch.read_exact_at(&mut head, index)?;
        let number =
            |at: usize| u64::from_be_bytes(head[at * 8..at * 8 + 8].try_into().expect("eight bytes"));
        let mut name = vec![0; usize::try_from(number(4)).expect("a path fits memory")];
        self.scratch.read_exact_at(&mut name, index + 40)?;
        let path = PathBuf::from(std::ffi::OsString::from_vec(name));
        let file = File::open(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => SourceError::Changed { path: path.clone() },
            _ => SourceError::Read { path: path.clone(), source },
        })?;
        let open = OpenFile { index, path, file, stamp: Stamp([number(0), number(1), number(2), number(3)]) };
        open.check()?;
        Ok(open)
    }
}

#[cfg(test)]
mod tests;
