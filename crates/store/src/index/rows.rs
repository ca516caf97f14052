//! Changes of the index: what records of the log mean for its rows.

use holdfast_core::block::BlockId;
use holdfast_core::check::Placed;
use holdfast_core::codec;
use holdfast_core::id::Epoch;
use redb::{Durability, ReadableTable, WriteTransaction};

use super::{
    APPLIED, Applied, BLOCKS, BlockPlace, CERTIFICATES, Index, IndexError, PIECES, PROMISES, PieceRow, Place,
    PromiseRow, SEGMENTS, decode,
};
use crate::log::{Position, Promise, Record};

/// Changes that become visible in one step.
pub struct Changes<'a>(&'a WriteTransaction);

impl Index {
    /// Applies changes and notes how far the log is in the index, all or nothing. With `checkpoint`, everything
    /// applied so far is on stable storage when this returns.
    ///
    /// # Errors
    /// If it failed; then nothing has changed.
    pub fn apply(
        &self,
        applied: Applied,
        checkpoint: bool,
        change: impl FnOnce(&Changes<'_>) -> Result<(), redb::Error>,
    ) -> Result<(), IndexError> {
        let durability = if checkpoint { Durability::Immediate } else { Durability::None };
        self.write("write", durability, |write| {
            change(&Changes(write))?;
            write.open_table(APPLIED)?.insert(&b""[..], &codec::encode(&applied)[..])?;
            Ok(())
        })
    }
}

impl Changes<'_> {
    /// A piece is here, with all its blocks. If it was here before, it now lies where `row` says.
    ///
    /// # Errors
    /// If the rows cannot be written.
    pub fn add(
        &self,
        cid: &BlockId,
        row: &PieceRow,
        blocks: impl Iterator<Item = std::io::Result<Placed>>,
    ) -> Result<(), redb::Error> {
        let mut table = self.0.open_table(BLOCKS)?;
        for placed in blocks {
            let placed = placed.map_err(redb::Error::Io)?;
            let mut value = [0; 12];
            value[..8].copy_from_slice(&placed.offset.to_be_bytes());
            value[8..].copy_from_slice(&placed.bytes.to_be_bytes());
            table.insert(&block_key(&placed.id, cid)[..], &value[..])?;
        }
        let before = self.piece(cid)?;
        if let Some(before) = before.filter(|before| before.place != row.place) {
            self.bury(before.place)?;
        }
        // A promise may stand before its piece in the log, if the piece was written again.
        let (start, end) = (promise_key(cid, &[0; 32]), promise_key(cid, &[0xff; 32]));
        let mut until = row.until;
        for promise in self.0.open_table(PROMISES)?.range(&start[..]..=&end[..])? {
            let promise = decode::<PromiseRow>(promise?.1.value());
            until = until.max(promise.map_or(until, |promise| promise.until));
        }
        self.put_piece(cid, &PieceRow { until, ..*row })
    }

    /// Something was promised about a piece that is here.
    ///
    /// # Errors
    /// If the rows cannot be written.
    pub fn promise(&self, cid: &BlockId, promise: &Promise, place: Place) -> Result<(), redb::Error> {
        let key = promise_key(cid, blake3::hash(&promise.statement).as_bytes());
        let before = {
            let mut table = self.0.open_table(PROMISES)?;
            let row = PromiseRow { until: promise.until, place };
            let before = table.insert(&key[..], &codec::encode(&row)[..])?;
            before.and_then(|before| decode::<PromiseRow>(before.value()))
        };
        if let Some(before) = before.filter(|before| before.place != place) {
            self.bury(before.place)?;
        }
        match self.piece(cid)? {
            Some(row) if row.until < promise.until => {
                self.put_piece(cid, &PieceRow { until: promise.until, ..row })
            }
            _ => Ok(()),
        }
    }

    /// A larger certificate of a piece is known.
    ///
    /// # Errors
    /// If the row cannot be written.
    pub fn certificate(&self, cid: &BlockId, place: Place) -> Result<(), redb::Error> {
        let before = {
            let mut table = self.0.open_table(CERTIFICATES)?;
            let before = table.insert(&cid.to_key()[..], &codec::encode(&place)[..])?;
            before.and_then(|before| decode::<Place>(before.value()))
        };
        before.filter(|before| *before != place).map_or(Ok(()), |before| self.bury(before))
    }

    /// A record that is still needed was written again elsewhere; one that is not needed any more stays dead there.
    ///
    /// # Errors
    /// If the rows cannot be written.
    pub fn relocate(&self, record: &Record, from: Place, to: Place) -> Result<(), redb::Error> {
        match record {
            Record::Piece(head) | Record::Own(head) => match self.piece(&head.cid)? {
                Some(row) if row.place == from => self.put_piece(&head.cid, &PieceRow { place: to, ..row }),
                _ => self.bury(to),
            },
            Record::Promise(cid, promise) => {
                let key = promise_key(cid, blake3::hash(&promise.statement).as_bytes());
                let mut table = self.0.open_table(PROMISES)?;
                let row = table.get(&key[..])?.and_then(|row| decode::<PromiseRow>(row.value()));
                let Some(row) = row.filter(|row| row.place == from) else { return self.bury(to) };
                table.insert(&key[..], &codec::encode(&PromiseRow { place: to, ..row })[..])?;
                Ok(())
            }
            Record::Certificate(cid, _) => {
                let mut table = self.0.open_table(CERTIFICATES)?;
                let place = table.get(&cid.to_key()[..])?.and_then(|place| decode::<Place>(place.value()));
                if place != Some(from) {
                    return self.bury(to);
                }
                table.insert(&cid.to_key()[..], &codec::encode(&to)[..])?;
                Ok(())
            }
            // The record of a removal has no row; it counts as dead from the start.
            Record::Removal(_) | Record::MovedRemoval(..) => self.bury(to),
        }
    }

    /// A piece goes, with its promises and certificate, as far as they stand `before` a place in the log; `record` says
    /// so. Its blocks stay until [`Changes::sweep`]; nobody looks at them, and they are right again if the piece comes
    /// back.
    ///
    /// # Errors
    /// If the rows cannot be removed.
    pub fn remove(&self, cid: &BlockId, before: Position, record: Place) -> Result<(), redb::Error> {
        self.bury(record)?;
        let mut gone = Vec::new();
        let mut until = Epoch(0);
        let (start, end) = (promise_key(cid, &[0; 32]), promise_key(cid, &[0xff; 32]));
        self.0.open_table(PROMISES)?.retain_in(&start[..]..=&end[..], |_, value| {
            let Some(row) = decode::<PromiseRow>(value) else { return false };
            if row.place.position() < before {
                gone.push(row.place);
                return false;
            }
            until = until.max(row.until);
            true
        })?;
        let certificate = {
            let table = self.0.open_table(CERTIFICATES)?;
            let row = table.get(&cid.to_key()[..])?;
            row.and_then(|row| decode::<Place>(row.value()))
        };
        if let Some(place) = certificate.filter(|place| place.position() < before) {
            self.0.open_table(CERTIFICATES)?.remove(&cid.to_key()[..])?;
            gone.push(place);
        }
        match self.piece(cid)? {
            Some(row) if row.place.position() < before => {
                self.0.open_table(PIECES)?.remove(&cid.to_key()[..])?;
                gone.push(row.place);
            }
            // It came back since, and so much was promised since.
            Some(row) => self.put_piece(cid, &PieceRow { until, ..row })?,
            None => {}
        }
        gone.into_iter().try_for_each(|place| self.bury(place))
    }

    /// A piece is lost; its promises and certificate stay, because they are still owed. Its blocks stay as in
    /// [`Changes::remove`].
    ///
    /// # Errors
    /// If the row cannot be removed.
    pub fn lose(&self, cid: &BlockId) -> Result<(), redb::Error> {
        let Some(row) = self.piece(cid)? else { return Ok(()) };
        self.bury(row.place)?;
        self.0.open_table(PIECES)?.remove(&cid.to_key()[..])?;
        Ok(())
    }

    /// Removes the blocks of pieces that are gone. It looks at every block, so it ends a collection rather than a
    /// removal.
    ///
    /// # Errors
    /// If the rows cannot be removed.
    pub fn sweep(&self) -> Result<(), redb::Error> {
        let pieces = self.0.open_table(PIECES)?;
        let mut failure = None;
        self.0.open_table(BLOCKS)?.retain(|key, _| {
            match key.get(BlockId::KEY_LEN..).map(|cid| pieces.get(cid)) {
                Some(Ok(found)) => found.is_some(),
                Some(Err(error)) => {
                    failure.get_or_insert(error);
                    true
                }
                None => false,
            }
        })?;
        failure.map_or(Ok(()), |error| Err(error.into()))
    }

    /// A segment was written again elsewhere and is gone.
    ///
    /// # Errors
    /// If the row cannot be removed.
    pub fn forget_segment(&self, segment: u32) -> Result<(), redb::Error> {
        self.0.open_table(SEGMENTS)?.remove(segment)?;
        Ok(())
    }

    /// What is known of a piece, changes included.
    ///
    /// # Errors
    /// If the row cannot be read.
    pub fn piece(&self, cid: &BlockId) -> Result<Option<PieceRow>, redb::Error> {
        let table = self.0.open_table(PIECES)?;
        let Some(row) = table.get(&cid.to_key()[..])? else { return Ok(None) };
        decode(row.value()).map(Some).ok_or_else(|| redb::Error::Corrupted("a row of a piece".into()))
    }

    fn put_piece(&self, cid: &BlockId, row: &PieceRow) -> Result<(), redb::Error> {
        self.0.open_table(PIECES)?.insert(&cid.to_key()[..], &codec::encode(row)[..])?;
        Ok(())
    }

    /// Counts a record as dead.
    fn bury(&self, place: Place) -> Result<(), redb::Error> {
        let mut table = self.0.open_table(SEGMENTS)?;
        let dead = table.get(place.segment)?.map_or(0, |dead| dead.value());
        table.insert(place.segment, dead + place.bytes)?;
        Ok(())
    }
}

pub(super) fn block_key(id: &BlockId, cid: &BlockId) -> [u8; 2 * BlockId::KEY_LEN] {
    let mut key = [0; 2 * BlockId::KEY_LEN];
    key[..BlockId::KEY_LEN].copy_from_slice(&id.to_key());
    key[BlockId::KEY_LEN..].copy_from_slice(&cid.to_key());
    key
}

pub(super) fn parse_block(key: &[u8], value: &[u8]) -> Option<BlockPlace> {
    let (_, cid) = key.split_last_chunk::<{ BlockId::KEY_LEN }>()?;
    let (offset, bytes) = value.split_first_chunk::<8>()?;
    Some(BlockPlace {
        cid: BlockId::from_key(cid)?,
        offset: u64::from_be_bytes(*offset),
        bytes: u32::from_be_bytes(bytes.try_into().ok()?),
    })
}

pub(super) fn promise_key(cid: &BlockId, statement: &[u8; 32]) -> [u8; BlockId::KEY_LEN + 32] {
    let mut key = [0; BlockId::KEY_LEN + 32];
    key[..BlockId::KEY_LEN].copy_from_slice(&cid.to_key());
    key[BlockId::KEY_LEN..].copy_from_slice(statement);
    key
}
