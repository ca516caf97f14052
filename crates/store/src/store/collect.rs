//! Collection: pieces that nobody was promised any more are removed, and the log gives back the room of dead records.

use std::io;
use std::sync::atomic::Ordering;

use holdfast_core::block::BlockId;
use holdfast_core::id::Epoch;

use super::commit::Change;
use super::files::{self, LOG};
use super::open::Segment;
use super::{CommitError, Store, lock, taken};
use crate::disk::remove_if_there;
use crate::index::{Applied, IndexError, PieceRow, Place};
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
            let applied = Applied { segment: writer.segment, offset: writer.end };
            if !writer.stopped {
                self.shared.index.apply(applied, false, |changes| changes.sweep())?;
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
            let Some(segment) = Segment::open(&*self.shared.disk, number)? else { continue };
            if dead * 2 > segment.bytes - SEGMENT_HEAD_BYTES {
                self.rewrite(number, &segment)?;
                segments += 1;
            }
        }
        Ok(segments)
    }

    /// Appends what is still needed of a segment to the log, and removes the segment.
    fn rewrite(&self, number: u32, segment: &Segment) -> Result<(), CollectError> {
        let mut offset = SEGMENT_HEAD_BYTES;
        while let Some(window) = segment.window(offset)? {
            for (record, body, extent) in window.records(&segment.key) {
                let from = Place::new(number, extent);
                // What came after a removal, a certificate or the piece itself, must not come before it now.
                let record = match record {
                    Record::Removal(cid) => Record::MovedRemoval(cid, from.position()),
                    record => record,
                };
                if self.is_needed(&record, from)? {
                    self.settle(Change::Move { record, body: body.to_vec(), from })?;
                }
            }
            offset = window.end;
        }
        // The index must know the new places for good before the old ones go.
        let writer = lock(&self.shared.writer);
        let applied = Applied { segment: writer.segment, offset: writer.end };
        self.shared.index.apply(applied, true, |changes| changes.forget_segment(number))?;
        drop(writer);
        lock(&self.shared.segments).remove(&number);
        remove_if_there(&*self.shared.disk, &files::segment(number))?;
        Ok(self.shared.disk.sync_folder(LOG)?)
    }

    fn is_needed(&self, record: &Record, place: Place) -> Result<bool, IndexError> {
        let index = &self.shared.index;
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
        let listed = self.shared.disk.list(LOG);
        // If it cannot be told, the record stays.
        Ok(listed.map_or(true, |entries| {
            entries
                .iter()
                .filter_map(|entry| files::parse_segment(&entry.name))
                .any(|number| number < segment)
        }))
    }
}
