//! What a change comes to, beside what is there already and the changes before it in its group.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use holdfast_core::block::BlockId;

use super::{Addition, Change, CommitError, ReadError, Shared};
use crate::index::PieceRow;

/// Pieces that the changes of a group are about, so far.
#[derive(Default)]
pub(super) struct Touched {
    kept: BTreeSet<BlockId>,
    removed: BTreeSet<BlockId>,
    certified: BTreeMap<BlockId, Vec<u8>>,
}

impl Touched {
    /// A change was not made after all.
    pub(super) fn forget(&mut self, change: &Change) {
        match change {
            Change::Add(addition) => drop(self.kept.remove(&addition.cid)),
            Change::Certificate { cid, .. } => drop(self.certified.remove(cid)),
            _ => {}
        }
    }
}

impl Shared {
    /// What a change comes to, beside the index and the changes before it in its group.
    pub(super) fn resolve(
        &self,
        change: Change,
        touched: &mut Touched,
    ) -> Result<Option<Change>, CommitError> {
        if !change.fits() {
            return Err(CommitError::TooLong);
        }
        let row = |cid: &BlockId| self.index.piece(cid).map_err(|error| CommitError::Index(Arc::new(error)));
        let is_here = |row: &Option<PieceRow>| match row {
            Some(row) => self.is_there(row).map_err(|error| CommitError::Disk(Arc::new(error))),
            None => Ok(false),
        };
        match change {
            Change::Add(mut addition) => {
                let cid = addition.cid;
                let before = row(&cid)?;
                addition.before = before.map(|row| row.bytes);
                // A piece that is here already only needs its promise.
                if touched.kept.contains(&cid) || is_here(&before)? && !touched.removed.contains(&cid) {
                    touched.kept.insert(cid);
                    return match addition.promise {
                        Some(promise) => self.resolve(Change::Promise { cid, promise }, touched),
                        None => Ok(None),
                    };
                }
                touched.kept.insert(cid);
                Ok(Some(Change::Add(addition)))
            }
            Change::Promise { cid, promise } => {
                let here =
                    touched.kept.contains(&cid) || is_here(&row(&cid)?)? && !touched.removed.contains(&cid);
                if !here {
                    return Err(CommitError::NotHeld { cid });
                }
                touched.kept.insert(cid);
                let statement = blake3::hash(&promise.statement);
                let before = self.index.promise(&cid, statement.as_bytes());
                match before.map_err(|error| CommitError::Index(Arc::new(error)))? {
                    Some(before) if before.until == promise.until => Ok(None), // promised already
                    _ => Ok(Some(Change::Promise { cid, promise })),
                }
            }
            Change::Remove { cid, epoch } => {
                let row = row(&cid)?;
                if touched.kept.contains(&cid) || row.is_none_or(|row| row.until > epoch) {
                    return Ok(None);
                }
                touched.removed.insert(cid);
                Ok(Some(Change::Remove { cid, epoch }))
            }
            Change::Certificate { cid, bytes, replaces } => {
                let kept = match touched.certified.get(&cid) {
                    Some(bytes) => Some(bytes.clone()),
                    None => match self.certificate(&cid) {
                        Ok(kept) => kept,
                        Err(ReadError::Index(error)) => return Err(CommitError::Index(Arc::new(error))),
                        Err(_) => None, // its record is damaged
                    },
                };
                if !replaces(kept.as_deref()) {
                    return Ok(None);
                }
                touched.certified.insert(cid, bytes.clone());
                Ok(Some(Change::Certificate { cid, bytes, replaces }))
            }
            Change::Move { record, body, from } => {
                // Something newer may have come since this was read.
                let needed = self.is_needed(&record, from);
                let needed = needed.map_err(|error| CommitError::Index(Arc::new(error)))?;
                Ok(needed.then_some(Change::Move { record, body, from }))
            }
        }
    }

    /// A large piece is only added while its files are there.
    pub(super) fn admit(&self, change: &Change) -> Result<(), CommitError> {
        match change {
            Change::Add(Addition { checked, content: None, .. }) => {
                match self.own_is_there(&checked.root, checked.bytes) {
                    Ok(true) => Ok(()),
                    Ok(false) => Err(CommitError::Files { root: checked.root }),
                    Err(error) => Err(CommitError::Disk(Arc::new(error))),
                }
            }
            _ => Ok(()),
        }
    }
}
