//! The store of a provider: drafts that become pieces, verified reads, quota, collection, repair.
//!
//! A piece comes into being in this order, so that no index row ever points nowhere and nothing is signed that is
//! not on stable storage: its bytes are checked while they arrive; a small piece is then appended to the log
//! ([`crate::log`]) together with what is promised about it, a large one is synced and named in files of its own before
//! its record is appended; the log is synced, once for everything that waits; only then the index shows it.
//!
//! - [`PieceDraft`] is a piece that is still arriving; one that was interrupted is kept for [`KEEP_PARTIAL`].
//! - Changes are gathered and made durable in groups (`commit`), by a thread of the store's own in a node and by
//!   [`Store::commit`] where there are no threads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use holdfast_core::block::BlockId;

use crate::disk::{Disk, DiskFile, RealDisk};
use crate::index::{Index, PieceRow};
use crate::log::{Key, Promise};

mod check;
mod collect;
mod commit;
mod draft;
mod error;
mod files;
mod open;
mod partial;
mod read;
mod stream;

pub use check::{Damage, Report};
pub use collect::{CollectError, Collected};
pub use draft::PieceDraft;
pub use error::{CommitError, OpenError, PutError, ReadError};

/// Pieces up to this length lie in the log: below it a file costs more than it holds.
pub const SMALL_BYTES: u64 = 256 << 10;

/// How long the beginning of an interrupted piece is kept.
pub const KEEP_PARTIAL: Duration = Duration::from_secs(600);

/// [`Options::headroom`] of a store in a folder.
const HEADROOM_BYTES: u64 = 64 << 20;

/// What a store is opened with.
#[derive(Clone)]
pub struct Options {
    /// Bytes that pieces, their outboards and interrupted puts may take.
    pub quota: u64,
    /// Bytes of the disk that pieces leave free, so that all that is said about them has room.
    pub headroom: u64,
    /// A folder for temporary files of what does not fit memory.
    pub scratch: PathBuf,
    /// Draws the secret of a new segment.
    pub draw_key: Arc<dyn Fn() -> std::io::Result<Key> + Send + Sync>,
}

/// How full a store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Pieces held.
    pub pieces: u64,
    /// Bytes held and reserved.
    pub bytes: u64,
    /// Bytes that may be held.
    pub quota: u64,
}

/// Pieces on a disk. Clones share one store; all calls may block on the disk.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    /// None where the caller commits.
    _committer: Option<Arc<commit::Committer>>,
}

struct Shared {
    disk: Arc<dyn Disk>,
    options: Options,
    index: Index,
    /// Whether the index was made again when the store was opened.
    made_again: bool,
    used: Mutex<u64>,
    pieces: AtomicU64,
    /// Beginnings of interrupted pieces, and how many bytes of each count as used.
    partials: Mutex<BTreeMap<BlockId, u64>>,
    /// Pieces that arrive under a name that can be resumed.
    arriving: Mutex<BTreeSet<BlockId>>,
    drafts: AtomicU64,
    queue: Mutex<commit::Queue>,
    wake: Condvar,
    writer: Mutex<commit::Writer>,
    segments: Mutex<BTreeMap<u32, Arc<dyn DiskFile>>>,
}

impl Store {
    /// Opens the store in `folder`. The caller sees to it that no other process has it open.
    ///
    /// # Errors
    /// If disk or index cannot be used.
    pub fn open(folder: &Path, quota: u64) -> Result<Self, OpenError> {
        let scratch = folder.join("scratch");
        files::empty_folder(&scratch).map_err(OpenError::Disk)?;
        let draw_key = Arc::new(|| {
            let mut key = [0; 32];
            getrandom::fill(&mut key).map_err(std::io::Error::other)?;
            Ok(key)
        });
        let disk = RealDisk::at(folder).map_err(OpenError::Disk)?;
        let store =
            Self::over(Arc::new(disk), Options { quota, headroom: HEADROOM_BYTES, scratch, draw_key })?;
        let committer = commit::Committer::start(&store.shared).map_err(OpenError::Disk)?;
        Ok(Self { _committer: Some(Arc::new(committer)), ..store })
    }

    /// What is known of a piece.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn piece(&self, cid: &BlockId) -> Result<Option<PieceRow>, ReadError> {
        Ok(self.shared.index.piece(cid)?)
    }

    /// All pieces.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn pieces(&self) -> Result<Vec<(BlockId, PieceRow)>, ReadError> {
        Ok(self.shared.index.pieces()?)
    }

    /// How full the store is.
    pub fn usage(&self) -> Usage {
        Usage {
            pieces: self.shared.pieces.load(Ordering::Relaxed),
            bytes: *lock(&self.shared.used),
            quota: self.shared.options.quota,
        }
    }

    /// The folder for temporary files of what does not fit memory.
    pub fn scratch(&self) -> &Path {
        &self.shared.options.scratch
    }

    /// Opens a draft of a piece of `bytes` bytes, with room reserved for it. If an earlier put of it was interrupted,
    /// the draft starts with what that left.
    ///
    /// # Errors
    /// If there is no room, or no draft can be made.
    pub fn draft(&self, cid: BlockId, bytes: u64) -> Result<PieceDraft, PutError> {
        PieceDraft::open(self.clone(), cid, bytes)
    }

    /// Promises something about a piece that is here. `done` is called when the promise is on stable storage; it
    /// must be quick.
    pub fn promise(
        &self,
        cid: BlockId,
        promise: Promise,
        done: impl FnOnce(Result<(), CommitError>) + Send + 'static,
    ) {
        self.submit(commit::Change::Promise { cid, promise }, Box::new(done));
    }

    /// Keeps the first certificate of a piece some time soon, together with whatever is made durable next: nobody was told
    /// that it is kept.
    pub fn certify_lazily(&self, cid: BlockId, certificate: Vec<u8>) {
        let replaces = Box::new(|kept: Option<&[u8]>| kept.is_none());
        self.submit_lazily(commit::Change::Certificate { cid, bytes: certificate, replaces });
    }

    /// Keeps the certificate of a piece, if it `replaces` the one that is kept when its turn comes, or none. `done` is called
    /// when either is on stable storage. `replaces` is asked while nothing else is committed.
    pub fn certify(
        &self,
        cid: BlockId,
        certificate: Vec<u8>,
        replaces: impl Fn(Option<&[u8]>) -> bool + Send + 'static,
        done: impl FnOnce(Result<(), CommitError>) + Send + 'static,
    ) {
        let change = commit::Change::Certificate { cid, bytes: certificate, replaces: Box::new(replaces) };
        self.submit(change, Box::new(done));
    }
}

/// Bytes that a piece takes: itself and its outboard.
fn taken(bytes: u64) -> u64 {
    bytes.saturating_add(holdfast_core::tree::outboard_bytes(bytes))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
