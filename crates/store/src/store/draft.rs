//! A piece that is still arriving.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use holdfast_core::Fault;
use holdfast_core::block::BlockId;
use holdfast_core::check::{Checked, PieceChecker, Placed};
use holdfast_core::id::PieceRoot;
use holdfast_core::planted::{self, Bug};

use super::commit::{Addition, Change, Synced};
use super::files::{self, Part};
use super::partial::{Claim, Partial};
use super::{Options, PutError, SMALL_BYTES, Shared, Store, lock, taken};
use crate::log::Promise;
use crate::spill::{SpillLog, WalkMemory};

/// Key, offset and length of a placed block.
pub(super) const PLACED_LEN: usize = BlockId::KEY_LEN + 8 + 4;

/// A piece that is still arriving. Dropping it gives everything back; see [`PieceDraft::suspend`].
pub struct PieceDraft {
    store: Store,
    cid: BlockId,
    announced: u64,
    received: u64,
    checker: PieceChecker<WalkMemory>,
    content: Content,
    placed: SpillLog<PLACED_LEN>,
    reservation: Reservation,
    synced: Option<Synced>,
}

/// Where the bytes go meanwhile.
enum Content {
    /// Memory: it will lie in the log.
    Small { data: Vec<u8>, outboard: Vec<u8> },
    /// Files that will become its own.
    Own(Partial),
}

impl PieceDraft {
    pub(super) fn open(store: Store, cid: BlockId, bytes: u64) -> Result<Self, PutError> {
        // A piece whose files were lost is counted already.
        let counted = store.shared.index.piece(&cid)?;
        let claim = (bytes > SMALL_BYTES).then(|| Claim::new(&store, cid));
        let reservation = Reservation::new(&store, bytes, counted.map(|row| row.bytes))?;
        let content = match claim {
            None => Content::Small { data: Vec::new(), outboard: Vec::new() },
            Some(claim) => Content::Own(Partial::open(claim).map_err(PutError::Write)?),
        };
        let mut draft = Self {
            cid,
            announced: bytes,
            received: 0,
            checker: PieceChecker::new(cid, WalkMemory::new(&store.shared.options.scratch))?,
            content,
            placed: SpillLog::new(&store.shared.options.scratch),
            reservation,
            store,
            synced: None,
        };
        if let Err(error) = draft.prepare() {
            if let (Content::Own(partial), Fault::Local) = (&mut draft.content, error.fault()) {
                partial.leave(); // it is not its fault
            }
            return Err(error);
        }
        Ok(draft)
    }

    /// Bytes that are here, checked: what an interrupted put left, and what was pushed since.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Takes over what is there, and sets room aside for the rest: cutting what is there would give it back.
    fn prepare(&mut self) -> Result<(), PutError> {
        self.resume()?;
        match &self.content {
            Content::Small { .. } => Ok(()),
            Content::Own(partial) => partial.reserve(self.announced).map_err(PutError::Write),
        }
    }

    /// Checks again the whole blocks that an interrupted put left. If one is not of the piece, all are forgotten.
    fn resume(&mut self) -> Result<(), PutError> {
        let Content::Own(partial) = &mut self.content else { return Ok(()) };
        let mut left = partial.cut_to_blocks(self.announced).map_err(PutError::Write)?;
        let mut buffer = vec![0; usize::try_from(left.min(SMALL_BYTES)).expect("at most 256 KiB")];
        while left > 0 {
            let Content::Own(partial) = &mut self.content else { break };
            let length = left.min(SMALL_BYTES);
            let part = &mut buffer[..usize::try_from(length).expect("at most 256 KiB")];
            partial.read(self.received, part).map_err(PutError::Write)?;
            let (mut placed, mut outboard) = (Vec::new(), Vec::new());
            if let Err(error) = self.checker.push(part, &mut placed, &mut outboard) {
                let error = PutError::from(error);
                if error.fault() != Fault::Peer {
                    return Err(error);
                }
                tracing::warn!(cid = %self.cid, "the beginning of an interrupted piece is damaged; starting again");
                let scratch = &self.store.shared.options.scratch;
                self.checker = PieceChecker::new(self.cid, WalkMemory::new(scratch))?;
                self.placed = SpillLog::new(scratch);
                self.received = 0;
                return partial.restart().map_err(PutError::Write);
            }
            partial.write_outboard(&outboard).map_err(PutError::Write)?;
            self.note(&placed)?;
            self.received += length;
            left -= length;
        }
        Ok(())
    }

    fn note(&mut self, placed: &[Placed]) -> Result<(), PutError> {
        placed.iter().try_for_each(|placed| self.placed.push(&to_record(placed))).map_err(PutError::Write)
    }

    /// Checks and writes the next bytes. After an error the draft must be dropped.
    ///
    /// # Errors
    /// If the bytes cannot belong to the piece, or cannot be written.
    pub fn push(&mut self, data: &[u8]) -> Result<(), PutError> {
        let received = self.received + data.len() as u64;
        if received > self.announced {
            return Err(PutError::Length { announced: self.announced, found: received });
        }
        let (mut placed, mut outboard) = (Vec::new(), Vec::new());
        self.checker.push(data, &mut placed, &mut outboard)?;
        match &mut self.content {
            Content::Small { data: kept, outboard: kept_outboard } => {
                kept.extend_from_slice(data);
                kept_outboard.extend(outboard);
            }
            Content::Own(partial) => partial
                .write(self.received, data)
                .and_then(|()| partial.write_outboard(&outboard))
                .map_err(PutError::Write)?,
        }
        self.received = received;
        self.note(&placed)
    }

    /// Whether it will lie in the log, so that no call but [`PieceDraft::suspend`] waits for the disk.
    pub fn is_small(&self) -> bool {
        matches!(self.content, Content::Small { .. })
    }

    /// Writing to the disk that can be done beside the draft while more arrives, if there is some. An error it meets is
    /// met by the next `push` or by [`PieceDraft::seal`].
    pub fn write_beside(&self) -> Option<impl FnOnce() + Send + 'static> {
        match &self.content {
            Content::Small { .. } => None,
            Content::Own(partial) => partial.write_beside(),
        }
    }

    /// Keeps what is here, synced, for the next put of the same piece. A small piece is simply dropped.
    ///
    /// # Errors
    /// If it cannot be synced; then it is dropped.
    pub fn suspend(self) -> io::Result<()> {
        match self.content {
            Content::Own(partial) if self.received > 0 => {
                let kept = partial.keep(self.received);
                drop(self.reservation); // afterwards: what is kept takes a part of that room
                kept
            }
            _ => Ok(()),
        }
    }

    /// Has `synced` called when the seal has brought piece and promise to stable storage, which is a little sooner than
    /// they are found by others; it must be quick. It is dropped uncalled if that fails, or if the piece is here already.
    pub fn on_synced(&mut self, synced: impl FnOnce() + Send + 'static) {
        self.synced = Some(Box::new(synced));
    }

    /// Ends the piece, whose root the sender says is `claimed`, and adds it to the store together with `promise`.
    /// `done` is called when both are on stable storage and in the index, or with the reason why nothing was kept; it must be quick.
    pub fn seal(
        self,
        claimed: &PieceRoot,
        promise: Option<Promise>,
        done: impl FnOnce(Result<Checked, PutError>) + Send + 'static,
    ) {
        let store = self.store.clone();
        match self.finish(claimed, promise) {
            Ok(addition) => {
                let checked = addition.checked;
                let done =
                    move |result: Result<(), _>| done(result.map(|()| checked).map_err(PutError::Commit));
                store.submit(Change::Add(addition), Box::new(done));
            }
            Err(error) => done(Err(error)),
        }
    }

    /// Checks the end of the piece, and brings the files of a large one to their place.
    fn finish(self, claimed: &PieceRoot, promise: Option<Promise>) -> Result<Addition, PutError> {
        let Self { store, cid, announced, checker, content, placed, reservation, synced, .. } = self;
        let promise = promise.filter(|_| !planted::is(Bug::ForgetReceipt));
        let mut last = Vec::new();
        let checked = checker.finish(&mut last)?;
        if checked.bytes != announced {
            return Err(PutError::Length { announced, found: checked.bytes });
        }
        if checked.root != *claimed {
            return Err(PutError::Root { found: checked.root, claimed: *claimed });
        }
        let content = match content {
            Content::Small { data, mut outboard } => {
                outboard.extend(last);
                Some((data, outboard))
            }
            Content::Own(mut partial) => {
                partial
                    .write_outboard(&last)
                    .and_then(|()| partial.publish(&store, &checked))
                    .map_err(PutError::Write)?;
                None
            }
        };
        let (blocks, reserved) = (placed, reservation);
        Ok(Addition { cid, checked, blocks, content, promise, reserved, before: None, synced })
    }
}

impl Partial {
    /// Syncs both files and gives them the name of the piece, durably. What it could not finish is removed.
    fn publish(mut self, store: &Store, piece: &Checked) -> io::Result<()> {
        let (disk, root) = (&store.shared.disk, &piece.root);
        self.sync(piece.bytes)?;
        disk.make_folder(&files::folder(root))?;
        let name = || {
            for part in Part::ALL {
                disk.rename(&self.path(part), &files::own(root, part))?;
            }
            if planted::is(Bug::DropFolderSync) {
                return Ok(());
            }
            disk.sync_folder(&files::folder(root))
        };
        let named = name();
        if named.is_err() {
            let _still = lock(&store.shared.writer);
            store.shared.remove_unfinished(self.cid(), root);
        }
        named
    }
}

fn to_record(placed: &Placed) -> [u8; PLACED_LEN] {
    let mut record = [0; PLACED_LEN];
    record[..BlockId::KEY_LEN].copy_from_slice(&placed.id.to_key());
    record[BlockId::KEY_LEN..][..8].copy_from_slice(&placed.offset.to_be_bytes());
    record[BlockId::KEY_LEN + 8..].copy_from_slice(&placed.bytes.to_be_bytes());
    record
}

pub(super) fn from_record(record: &[u8; PLACED_LEN]) -> io::Result<Placed> {
    let (key, rest) = record.split_first_chunk().expect("the key comes first");
    let (offset, bytes) = rest.split_first_chunk().expect("the offset comes second");
    let id = BlockId::from_key(key).ok_or(io::ErrorKind::InvalidData)?;
    let bytes = u32::from_be_bytes(bytes.try_into().expect("four bytes are left"));
    Ok(Placed { id, offset: u64::from_be_bytes(*offset), bytes })
}

/// Bytes set aside for a draft, given back unless they come to be held.
pub(super) struct Reservation {
    shared: Arc<Shared>,
    bytes: u64,
}

impl Reservation {
    /// Sets aside what a piece of `bytes` bytes takes beyond what is counted for it already.
    fn new(store: &Store, bytes: u64, counted: Option<u64>) -> Result<Self, PutError> {
        let Options { quota, headroom, .. } = store.shared.options;
        // Log, index and journal must still grow; what others write to this disk nobody can foresee.
        let free = store.shared.disk.free_bytes().map_err(PutError::Write)?;
        if free < bytes.saturating_add(headroom) {
            return Err(PutError::Write(io::ErrorKind::StorageFull.into()));
        }
        let mut used = lock(&store.shared.used);
        let needed = taken(bytes).saturating_sub(counted.map_or(0, taken));
        let Some(sum) = used.checked_add(needed).filter(|sum| *sum <= quota) else {
            return Err(PutError::Quota { needed, free: quota.saturating_sub(*used), quota });
        };
        *used = sum;
        Ok(Self { shared: store.shared.clone(), bytes: needed })
    }

    /// The piece of `bytes` bytes is held from now on, in place of a row of `before` bytes if there was one. What was
    /// counted when the draft began may have gone since.
    pub(super) fn become_held(mut self, bytes: u64, before: Option<u64>) {
        let mut used = lock(&self.shared.used);
        *used = *used - std::mem::take(&mut self.bytes) + taken(bytes) - before.map_or(0, taken);
        drop(used);
        if before.is_none() {
            self.shared.pieces.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        *lock(&self.shared.used) -= self.bytes;
    }
}
