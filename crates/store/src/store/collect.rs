//! Collection: pieces that nobody was promised any more are removed, and the log gives back the room of dead records.

use std::io;
use std::sync::atomic::Ordering;

use holdfast_core::block::BlockId;
use holdfast_core::id::Epoch;

use super::commit::Change;
use super::files::{self, LOG};
use super::open::Segment;
use super::{CommitError, Shared, Store, lock, taken};
use crate::disk::remove_if_there;
use crate::index::{IndexError, PieceRow, Place};
use crate::log::{Record, SEGMENT_HEAD_BYTES};

/// What a collection removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Pieces.
    pub pieces: u64,
    /// Their bytes, with outboards.
    pub bytes: u64,
    /// Segments that were written again without their dead records.
    pub segments: u64,
}

/// Why a collection stopped; what it removed before stays removed.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The log.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The disk.
    #[error("could not use the disk")]
    Disk(#[from] io::Error),
}

impl Store {
    /// Removes every piece of which no promise lasts beyond `epoch`, the running one, and rewrites segments that are more
    /// than half dead. Reads go on meanwhile.
    ///
    /// # Errors
    /// See [`CollectError`].
    pub fn collect(&self, epoch: Epoch) -> Result<Collected, CollectError> {
        let mut collected = Collected::default();
        for (cid, row) in self.shared.index.pieces()?.into_iter().filter(|(_, row)| row.until <= epoch) {
            if self.remove(cid, &row, epoch)? {
                collected.pieces += 1;
                collected.bytes += taken(row.bytes);
            }
        }
        if collected.pieces > 0 {
            let writer = lock(&self.shared.writer);
            if !writer.stopped {
                self.shared.index.apply(writer.applied(), false, |changes| changes.sweep())?;
            }
        }
        collected.segments = self.compact()?;
        Ok(collected)
    }

    /// Removes a piece, first from log and index, durably, then its files. Says whether it is gone: something may
    /// just have been promised about it.
    fn remove(&self, cid: BlockId, row: &PieceRow, epoch: Epoch) -> Result<bool, CollectError> {
        self.settle(Change::Remove { cid, epoch })?;
        // Nothing is committed meanwhile: the piece may be on its way back.
        let _still = lock(&self.shared.writer);
        if self.shared.index.piece(&cid)?.is_some() {
            return Ok(false);
        }
        *lock(&self.shared.used) -= taken(row.bytes);
        self.shared.pieces.fetch_sub(1, Ordering::Relaxed);
        if row.own {
            files::remove_own(&*self.shared.disk, &row.root)?;
        }
        Ok(true)
    }

    /// Gives up a piece that is damaged, so that it can be put or fetched again. Its certificate and what was promised
    /// about it stay: [`Store::wanted`] and [`Store::lost`] name it. Says whether it was here.
    ///
    /// The log is not told, and need not be: an index made again from it leaves out a small piece whose record fails its
    /// checksum, and a large one whose files are gone.
    ///
    /// # Errors
    /// See [`CollectError`].
    pub fn discard(&self, cid: &BlockId) -> Result<bool, CollectError> {
        // Nothing is committed meanwhile.
        let writer = lock(&self.shared.writer);
        let index = &self.shared.index;
        let Some(row) = index.piece(cid)? else { return Ok(false) };
        if writer.stopped {
            return Err(CommitError::Stopped.into());
        }
        // The row first: no row ever points nowhere, and files without one are removed by the next start.
        index.apply(index.applied()?, true, |changes| changes.lose(cid))?;
        *lock(&self.shared.used) -= taken(row.bytes);
        self.shared.pieces.fetch_sub(1, Ordering::Relaxed);
        if row.own {
            files::remove_own(&*self.shared.disk, &row.root)?;
        }
        Ok(true)
    }

    /// Rewrites segments that are more than half dead, but for the one that is written now.
    fn compact(&self) -> Result<u64, CollectError> {
        let mut segments = 0;
        for (number, dead) in self.shared.index.dead()? {
            if number >= lock(&self.shared.writer).segment {
                continue;
            }
            let segment = match Segment::open(&*self.shared.disk, number) {
                // It went before its row did: see `rewrite`.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.forget_segment(number)?;
                    continue;
                }
                Err(error) => return Err(error.into()),
                Ok(None) => continue,
                Ok(Some(segment)) => segment,
            };
            if dead * 2 > segment.bytes - SEGMENT_HEAD_BYTES {
                segments += u64::from(self.rewrite(number, &segment)?);
            }
        }
        Ok(segments)
    }

    /// Appends what is still needed of a segment to the log, and removes the segment. Says whether it is gone: it stays if
    /// something in it is needed that cannot be read.
    fn rewrite(&self, number: u32, segment: &Segment) -> Result<bool, CollectError> {
        let (mut offset, mut clean) = (SEGMENT_HEAD_BYTES, true);
        while let Some(window) = segment.window(offset)? {
            let mut moves = Vec::new();
            for (record, body, extent) in window.records(&segment.key) {
                let from = Place::new(number, extent);
                // What came after a removal, a certificate or the piece itself, must not come before it now.
                let record = match record {
                    Record::Removal(cid) => Record::MovedRemoval(cid, from.position()),
                    record => record,
                };
                if self.shared.is_needed(&record, from)? {
                    moves.push(Change::Move { record, body: body.to_vec(), from });
                }
            }
            self.settle_all(moves)?;
            clean &= window.skipped == 0;
            offset = window.end;
        }
        if !clean && self.shared.index.points_into(number)? {
            tracing::error!(segment = number, "something that is needed is damaged; `node check` says what");
            return Ok(false);
        }
        // The index must know the new places for good before the old ones go, and forgets the segment last: one that it
        // never heard of would stay for ever.
        let writer = lock(&self.shared.writer);
        if writer.stopped {
            return Err(CommitError::Stopped.into());
        }
        self.shared.index.apply(writer.applied(), true, |_| Ok(()))?;
        drop(writer);
        remove_if_there(&*self.shared.disk, &files::segment(number))?;
        lock(&self.shared.segments).remove(&number);
        self.shared.disk.sync_folder(LOG)?;
        self.forget_segment(number)?;
        Ok(true)
    }

    fn forget_segment(&self, number: u32) -> Result<(), CollectError> {
        let writer = lock(&self.shared.writer);
        if writer.stopped {
            return Err(CommitError::Stopped.into());
        }
        Ok(self.shared.index.apply(writer.applied(), false, |changes| changes.forget_segment(number))?)
    }
}

impl Shared {
    /// Whether what is said of a record still goes by the one at this place.
    pub(super) fn is_needed(&self, record: &Record, place: Place) -> Result<bool, IndexError> {
        let index = &self.index;
        Ok(match record {
            Record::Piece(head) | Record::Own(head) => {
                index.piece(&head.cid)?.is_some_and(|row| row.place == place)
            }
            Record::Promise(cid, promise) => {
                let row = index.promise(cid, blake3::hash(&promise.statement).as_bytes())?;
                row.is_some_and(|row| row.place == place)
            }
            Record::Certificate(cid, _) => index.certificate(cid)? == Some(place),
            // It keeps older records from coming back when the index is made again.
            Record::Removal(_) => self.has_older(place.segment)?,
            Record::MovedRemoval(_, first) => self.has_older(first.segment)?,
        })
    }

    fn has_older(&self, segment: u32) -> Result<bool, IndexError> {
        let listed = self.disk.list(LOG);
        // If it cannot be told, the record stays.
        Ok(listed.map_or(true, |entries| {
            entries
                .iter()
                .filter_map(|entry| files::parse_segment(&entry.name))
                .any(|number| number < segment)
        }))
    }
}
