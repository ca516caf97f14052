//! Beginning in the middle: a ledger made of the rows of one state, without the blocks that led there.
//!
//! 1. [`Restore::begin`] with a header that is known to be final.
//! 2. [`Restore::take`] every chunk of [`View::snapshot`](crate::View::snapshot), in order. Rows go into a state file of its
//!    own beside the ledger's folder, the tree over them is made as they come.
//! 3. [`Restore::finish`] compares the root with the header's. Only then the folder gets its name, in one step.
//!
//! What was interrupted or fed lies never has that name, and is removed when a restore begins again.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use holdfast_core::Fault;
use holdfast_core::codec::DecodeError;
use holdfast_ledger::block::{Header, Height};
use holdfast_ledger::chunk::Chunk;
use holdfast_ledger::genesis::Founded;
use holdfast_ledger::state::{Changes, RowKey, RowsError};
use holdfast_ledger::tree::{Child, Page, PageKey, Pages, TreeChanges};

use crate::error::ChainError;
use crate::history::{Entry, FINALITY_BYTES_MAX, History};
use crate::open_database;
use crate::overlay::Overlay;
use crate::rows::{SavedView, StateFile, Tip};

/// Bytes of rows that become durable at once. Each such step changes pages all over the tree, so that many small ones would
/// write them again and again.
const BATCH_BYTES: usize = 16 << 20;

/// Why a ledger could not be restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Bytes that are no chunk.
    #[error("not a chunk of a state")]
    Chunk(#[from] DecodeError),
    /// A chunk that does not go on where the one before ended.
    #[error("the chunk is out of order")]
    Order,
    /// All chunks together are another state.
    #[error("the chunks are not the state of block {height}")]
    Root {
        /// The block whose state was wanted.
        height: Height,
    },
    /// The header is of height 0, and not the genesis.
    #[error("the header is of another genesis")]
    Genesis,
    /// There is a ledger in the folder.
    #[error("there is something in {}", folder.display())]
    Occupied {
        /// Which folder.
        folder: PathBuf,
    },
    /// Folders could not be made, named or removed.
    #[error("could not make the ledger's folder")]
    Folder(#[source] io::Error),
    /// The database failed.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// What was written could not be read.
    #[error(transparent)]
    Rows(#[from] RowsError),
}

impl RestoreError {
    /// Whose fault it is. Which of the peers gave a part of another state, nobody can say.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Chunk(_) | Self::Order | Self::Root { .. } => Fault::Peer,
            _ => Fault::Local,
        }
    }
}

/// A ledger that is being restored.
pub struct Restore {
    folder: PathBuf,
    work: PathBuf,
    header: Header,
    state: StateFile,
    /// Rows that are not yet in the state file.
    batch: Changes,
    batch_bytes: usize,
    last: Option<RowKey>,
}

impl Restore {
    /// Begins to restore the state after the block with this header into a folder, which must be empty or not exist.
    /// `memory_bytes` hold pages of the database, beside some 100 MiB for the rows of one step.
    ///
    /// # Errors
    /// If the folder cannot be used.
    pub fn begin(folder: &Path, memory_bytes: usize, header: Header) -> Result<Self, RestoreError> {
        match fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
            Ok(false) => return Err(RestoreError::Occupied { folder: folder.to_owned() }),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(RestoreError::Folder(error)),
            _ => {}
        }
        let work = beside(folder)?;
        remove(&work)?;
        fs::create_dir_all(&work).map_err(RestoreError::Folder)?;
        let state = StateFile::new(open_database(&work, "state.redb", memory_bytes)?);
        let folder = folder.to_owned();
        Ok(Self { folder, work, header, state, batch: Changes::new(), batch_bytes: 0, last: None })
    }

    /// Takes the next chunk.
    ///
    /// # Errors
    /// If it is none, or out of order: then nothing has changed, and another may be tried. Or if our own disk fails.
    pub fn take(&mut self, chunk: &[u8]) -> Result<(), RestoreError> {
        let parsed = Chunk::from_bytes(chunk)?;
        let first = parsed.rows().first().map(|(key, _)| key);
        if self.last.as_ref() >= first {
            return Err(RestoreError::Order);
        }
        for (key, row) in parsed.into_rows() {
            self.last = Some(key.clone());
            self.batch.insert(key, Some(row));
        }
        self.batch_bytes += chunk.len();
        if self.batch_bytes >= BATCH_BYTES {
            self.write()?;
        }
        Ok(())
    }

    /// The last row that was taken, behind which the next chunk begins.
    pub fn last(&self) -> Option<&RowKey> {
        self.last.as_ref()
    }

    /// Makes durable what was taken so far.
    pub(crate) fn write(&mut self) -> Result<Child, RestoreError> {
        let changes = std::mem::take(&mut self.batch);
        self.batch_bytes = 0;
        let tree = TreeChanges::of(&Built(self.state.read()?), &changes)?;
        let overlay = Overlay::default();
        overlay.take(self.header.height, &changes, &tree, None);
        self.state.save(&overlay, Tip { height: self.header.height, top: tree.top })?;
        Ok(tree.top)
    }

    /// Ends with all chunks taken: the folder becomes a ledger whose last block has the header. That block is in it only by
    /// its header and what shows that it is final; and so are those of `earlier`, by ascending height, which somebody who
    /// begins at genesis needs to follow changes of validators.
    ///
    /// # Errors
    /// If the rows are not the state of that header. Nothing is left then.
    pub fn finish(
        mut self,
        founded: &Founded,
        earlier: &[(Header, Vec<u8>)],
        finality: &[u8],
    ) -> Result<(), RestoreError> {
        let height = self.header.height;
        if height == Height(0) && self.header != founded.header {
            return Err(RestoreError::Genesis);
        }
        if finality.len() > FINALITY_BYTES_MAX {
            return Err(ChainError::Finality { bytes: finality.len(), max: FINALITY_BYTES_MAX }.into());
        }
        if self.write()?.hash() != *self.header.state.as_bytes() {
            let work = self.work.clone();
            drop(self);
            remove(&work)?;
            return Err(RestoreError::Root { height });
        }
        let Self { folder, work, header, state, .. } = self;
        drop(state);
        let history = History::new(open_database(&work, "blocks.redb", 1 << 20)?);
        history.append(&Entry { header: &founded.header, body: None, finality: None })?;
        for (header, finality) in earlier {
            history.append(&Entry { header, body: None, finality: Some(finality) })?;
        }
        if height > Height(0) {
            history.append(&Entry { header: &header, body: None, finality: Some(finality) })?;
        }
        drop(history);
        let name_it = || {
            fs::rename(&work, &folder)?;
            parent(&folder).map_or(Ok(()), |parent| File::open(parent)?.sync_all())
        };
        name_it().map_err(RestoreError::Folder)
    }
}

/// The folder where a ledger is made, before it has its name.
fn beside(folder: &Path) -> Result<PathBuf, RestoreError> {
    let name = folder.file_name().ok_or_else(|| RestoreError::Folder(ErrorKind::InvalidInput.into()))?;
    let mut name = OsString::from(name);
    name.push(".restoring");
    Ok(folder.with_file_name(name))
}

fn parent(folder: &Path) -> Option<&Path> {
    let parent = folder.parent()?;
    Some(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
}

fn remove(work: &Path) -> Result<(), RestoreError> {
    match fs::remove_dir_all(work) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(RestoreError::Folder(error)),
        _ => Ok(()),
    }
}

/// The tree over the rows that were written so far.
struct Built(Option<SavedView>);

impl Pages for Built {
    fn page(&self, key: &PageKey) -> Result<Option<Page>, RowsError> {
        self.0.as_ref().map_or(Ok(None), |saved| saved.page(key))
    }

    fn top(&self) -> Result<Child, RowsError> {
        Ok(self.0.as_ref().map_or(Child::Empty, |saved| saved.tip.top))
    }
}
