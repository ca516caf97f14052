//! A piece that is still arriving.

use std::io::{self, Write};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use holdfast_core::block::BlockId;
use holdfast_core::check::{Checked, PieceChecker, Placed};
use holdfast_core::id::PieceRoot;

use super::{PutError, Store};
use crate::index::PieceRow;
use crate::spill::{SpillLog, WalkMemory};
use crate::volume::{Draft, Name, Part};

/// Key, offset and length of a placed block.
const PLACED_LEN: usize = BlockId::KEY_LEN + 8 + 4;

/// A piece that is still arriving. Dropping it gives everything back.
pub struct PieceDraft {
    store: Store,
    cid: BlockId,
    announced: u64,
    received: u64,
    checker: PieceChecker<WalkMemory>,
    data: Box<dyn Draft>,
    outboard: Box<dyn Draft>,
    placed: SpillLog<PLACED_LEN>,
    reservation: Reservation,
}

impl PieceDraft {
    pub(super) fn new(store: Store, cid: BlockId, bytes: u64) -> Result<Self, PutError> {
        // A piece whose files were lost is counted already.
        let counted = store.piece(&cid)?.map_or(0, |row| row.bytes);
        let reservation = Reservation::new(&store, bytes.saturating_sub(counted))?;
        let volume = &store.0.volume;
        let scratch = volume.scratch();
        Ok(Self {
            cid,
            announced: bytes,
            received: 0,
            checker: PieceChecker::new(cid, WalkMemory::new(scratch))?,
            data: volume.draft().map_err(PutError::Write)?,
            outboard: volume.draft().map_err(PutError::Write)?,
            placed: SpillLog::new(scratch),
            reservation,
            store,
        })
    }

    /// Checks and writes the next bytes. After an error the draft must be dropped.
    ///
    /// # Errors
    /// If the bytes cannot belong to the piece, or cannot be written.
    pub fn push(&mut self, data: &[u8]) -> Result<(), PutError> {
        self.received += data.len() as u64;
        if self.received > self.announced {
            return Err(PutError::Length { announced: self.announced, found: self.received });
        }
        let (mut placed, mut outboard) = (Vec::new(), Vec::new());
        self.checker.push(data, &mut placed, &mut outboard)?;
        self.data.write_all(data).map_err(PutError::Write)?;
        self.outboard.write_all(&outboard).map_err(PutError::Write)?;
        for placed in placed {
            self.placed.push(&to_record(&placed)).map_err(PutError::Write)?;
        }
        Ok(())
    }

    /// Ends the piece, whose root the sender says is `claimed`: when this returns, data and index row are on
    /// stable storage.
    ///
    /// # Errors
    /// If the piece is incomplete or has another root, or something cannot be synced; then nothing is kept.
    pub fn seal(self, claimed: &PieceRoot) -> Result<Checked, PutError> {
        let Self { store, cid, announced, checker, data, mut outboard, placed, reservation, .. } = self;
        let mut last = Vec::new();
        let checked = checker.finish(&mut last)?;
        if checked.bytes != announced {
            return Err(PutError::Length { announced, found: checked.bytes });
        }
        if checked.root != *claimed {
            return Err(PutError::Root { found: checked.root, claimed: *claimed });
        }
        outboard.write_all(&last).map_err(PutError::Write)?;

        let name = |part| Name { root: checked.root, part };
        let published = data
            .publish(&name(Part::Data))
            .and_then(|()| outboard.publish(&name(Part::Outboard)))
            .map_err(PutError::Write);
        let added = published.and_then(|()| add(&store, &cid, &checked, &placed, reservation));
        if let Err(error) = added {
            store.remove_unindexed(&cid, &checked.root);
            return Err(error);
        }
        Ok(checked)
    }
}

/// Adds the index row, unless another put of the same piece has added it.
fn add(
    store: &Store,
    cid: &BlockId,
    checked: &Checked,
    placed: &SpillLog<PLACED_LEN>,
    reservation: Reservation,
) -> Result<(), PutError> {
    // Two puts of one piece publish the same bytes under the same name; only the first adds a row.
    let _one = store.0.sealing.lock().unwrap_or_else(PoisonError::into_inner);
    if store.piece(cid)?.is_some() {
        return Ok(());
    }
    let row = PieceRow { root: checked.root, bytes: checked.bytes, blocks: checked.blocks };
    let blocks = (0..placed.len()).map(|place| placed.get(place).and_then(|record| from_record(&record)));
    store.0.index.add(cid, &row, blocks)?;
    store.0.pieces.fetch_add(1, Ordering::Relaxed);
    reservation.keep();
    Ok(())
}

fn to_record(placed: &Placed) -> [u8; PLACED_LEN] {
    let mut record = [0; PLACED_LEN];
    record[..BlockId::KEY_LEN].copy_from_slice(&placed.id.to_key());
    record[BlockId::KEY_LEN..][..8].copy_from_slice(&placed.offset.to_be_bytes());
    record[BlockId::KEY_LEN + 8..].copy_from_slice(&placed.bytes.to_be_bytes());
    record
}

fn from_record(record: &[u8; PLACED_LEN]) -> io::Result<Placed> {
    let (key, rest) = record.split_first_chunk().expect("the key comes first");
    let (offset, bytes) = rest.split_first_chunk().expect("the offset comes second");
    let id = BlockId::from_key(key).ok_or(io::ErrorKind::InvalidData)?;
    let bytes = u32::from_be_bytes(bytes.try_into().expect("four bytes are left"));
    Ok(Placed { id, offset: u64::from_be_bytes(*offset), bytes })
}

/// Bytes set aside for a draft, given back unless kept.
struct Reservation {
    store: Store,
    bytes: u64,
}

impl Reservation {
    fn new(store: &Store, bytes: u64) -> Result<Self, PutError> {
        let quota = store.0.quota;
        let mut used = store.used();
        match used.checked_add(bytes).filter(|sum| *sum <= quota) {
            Some(sum) => *used = sum,
            None => {
                let free = quota.saturating_sub(*used);
                return Err(PutError::Quota { needed: bytes, free, quota });
            }
        }
        drop(used);
        Ok(Self { store: store.clone(), bytes })
    }

    fn keep(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        *self.store.used() -= self.bytes;
    }
}
