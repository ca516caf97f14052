//! State: rows in tables, and a layer of changes over what is committed.
//!
//! Every row is one of a table and lies under a key; all rows of all tables form one ordered map from
//! `table ‖ key` to the row's DAG-CBOR. Transactions change a [`State`], which reads through to committed rows and keeps
//! changes to itself, so that a transaction can be undone and a block be thrown away.
//! Specification: docs/spec/ledger.md.

use std::collections::BTreeMap;
use std::ops::Bound;

use holdfast_core::codec;
pub use holdfast_proofs::row::{RowKey, Table};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::layer;

/// Longest address of a row, in bytes.
pub const KEY_BYTES_MAX: usize = 256;
/// Longest row of any table, in bytes: the record of a committee of 1,024 members.
pub const ROW_BYTES_MAX: usize = 1 << 20;

/// What stands in a table.
pub trait Row: Serialize + DeserializeOwned {
    /// The table.
    const TABLE: Table;
    /// The longest encoding of a row.
    const BYTES_MAX: usize;
}

/// Rows that are committed. Reading them may fail, and that is never a transaction's fault.
pub trait Rows {
    /// One row.
    ///
    /// # Errors
    /// If it cannot be read.
    fn get(&self, key: &RowKey) -> Result<Option<Vec<u8>>, RowsError>;

    /// The first row after `key`, of whatever table.
    ///
    /// # Errors
    /// If it cannot be read.
    fn after(&self, key: &RowKey) -> Result<Option<(RowKey, Vec<u8>)>, RowsError>;
}

/// Committed rows could not be read, or are not what was written.
#[derive(Debug, thiserror::Error)]
#[error("could not read the ledger's state")]
pub struct RowsError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl RowsError {
    /// Wraps the reason.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

/// Rows that differ from what is committed; `None` is a row that is gone.
pub type Changes = BTreeMap<RowKey, Option<Vec<u8>>>;

/// Committed rows and changes over them.
pub struct State<'a> {
    committed: &'a dyn Rows,
    changes: Changes,
    /// What each change since the last savepoint took the place of.
    undo: Vec<(RowKey, Option<Option<Vec<u8>>>)>,
}

impl<'a> State<'a> {
    /// No changes yet.
    pub fn over(committed: &'a dyn Rows) -> Self {
        Self { committed, changes: Changes::new(), undo: Vec::new() }
    }

    /// A row.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn get<R: Row>(&self, key: &[u8]) -> Result<Option<R>, RowsError> {
        let key = RowKey::new(R::TABLE, key);
        let bytes = match self.changes.get(&key) {
            Some(changed) => changed.clone(),
            None => self.committed.get(&key)?,
        };
        bytes.map(|bytes| decode(&bytes)).transpose()
    }

    /// The first row of a table whose key is greater than `key`, with its key.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn after<R: Row>(&self, key: &[u8]) -> Result<Option<(Vec<u8>, R)>, RowsError> {
        let next = layer::after(self.committed, &self.changes, &RowKey::new(R::TABLE, key))?;
        let next = next.filter(|(key, _)| key.table() == R::TABLE);
        next.map(|(key, bytes)| Ok((key.key().to_vec(), decode(&bytes)?))).transpose()
    }

    /// Writes a row.
    pub fn put<R: Row>(&mut self, key: &[u8], row: &R) {
        const { assert!(R::BYTES_MAX <= ROW_BYTES_MAX, "no chunk would hold such a row") };
        let bytes = codec::encode(row);
        debug_assert!(bytes.len() <= R::BYTES_MAX, "a row of {} bytes", bytes.len());
        self.change(RowKey::new(R::TABLE, key), Some(bytes));
    }

    /// Removes a row, if it is there.
    pub fn remove<R: Row>(&mut self, key: &[u8]) {
        self.change(RowKey::new(R::TABLE, key), None);
    }

    fn change(&mut self, key: RowKey, bytes: Option<Vec<u8>>) {
        let before = self.changes.insert(key.clone(), bytes);
        self.undo.push((key, before));
    }

    /// From here on, changes can be undone together.
    pub fn savepoint(&mut self) {
        self.undo.clear();
    }

    /// Undoes everything since the last savepoint.
    pub fn roll_back(&mut self) {
        while let Some((key, before)) = self.undo.pop() {
            match before {
                Some(before) => self.changes.insert(key, before),
                None => self.changes.remove(&key),
            };
        }
    }

    /// All changes.
    pub fn into_changes(self) -> Changes {
        self.changes
    }
}

fn decode<R: Row>(bytes: &[u8]) -> Result<R, RowsError> {
    codec::decode(bytes, R::BYTES_MAX).map_err(RowsError::new)
}

/// Rows in memory, for tests, simulators and the rows of genesis.
impl Rows for BTreeMap<RowKey, Vec<u8>> {
    fn get(&self, key: &RowKey) -> Result<Option<Vec<u8>>, RowsError> {
        Ok(BTreeMap::get(self, key).cloned())
    }

    fn after(&self, key: &RowKey) -> Result<Option<(RowKey, Vec<u8>)>, RowsError> {
        let next = self.range((Bound::Excluded(key), Bound::Unbounded)).next();
        Ok(next.map(|(key, bytes)| (key.clone(), bytes.clone())))
    }
}

#[cfg(test)]
mod tests;
