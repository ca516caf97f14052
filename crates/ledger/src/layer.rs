//! A block that is executed and not yet committed, laid over what is.
//!
//! While a database makes one block durable, the next can be executed over a [`Layer`] of the two, and over layers of
//! layers. What is read is what will be read once the block is committed.

use std::ops::Bound;

use crate::block::Header;
use crate::execute::{Executed, Parent};
use crate::state::{Changes, RowKey, Rows, RowsError};
use crate::tree::{Child, Page, PageKey, Pages, TreeChanges};

/// Committed rows and tree, with what one more block changes.
#[derive(Clone, Copy)]
pub struct Layer<'a> {
    below: Parent<'a>,
    header: &'a Header,
    changes: &'a Changes,
    tree: &'a TreeChanges,
}

impl<'a> Layer<'a> {
    /// Lays a block over what it was executed on.
    ///
    /// # Panics
    /// If it was executed on something else.
    pub fn new(below: Parent<'a>, executed: &'a Executed) -> Self {
        let header = &executed.block().header;
        assert_eq!(header.parent, below.header.hash(), "the block follows another one");
        Self { below, header, changes: executed.changes(), tree: executed.tree() }
    }

    /// What the next block follows.
    pub fn parent(&self) -> Parent<'_> {
        Parent { header: self.header, rows: self, pages: self }
    }
}

impl Rows for Layer<'_> {
    fn get(&self, key: &RowKey) -> Result<Option<Vec<u8>>, RowsError> {
        match self.changes.get(key) {
            Some(changed) => Ok(changed.clone()),
            None => self.below.rows.get(key),
        }
    }

    fn after(&self, key: &RowKey) -> Result<Option<(RowKey, Vec<u8>)>, RowsError> {
        after(self.below.rows, self.changes, key)
    }
}

impl Pages for Layer<'_> {
    fn page(&self, key: &PageKey) -> Result<Option<Page>, RowsError> {
        match self.tree.pages.get(key) {
            Some(changed) => Ok(changed.clone()),
            None => self.below.pages.page(key),
        }
    }

    fn top(&self) -> Result<Child, RowsError> {
        Ok(self.tree.top)
    }
}

/// The first row after `key`, of whatever table, in rows with changes over them.
pub(crate) fn after(
    rows: &dyn Rows,
    changes: &Changes,
    key: &RowKey,
) -> Result<Option<(RowKey, Vec<u8>)>, RowsError> {
    let mut from = key.clone();
    loop {
        let below = rows.after(&from)?;
        let changed = changes.range((Bound::Excluded(&from), Bound::Unbounded)).next();
        match (below, changed) {
            (Some((key, row)), Some((other, _))) if key < *other => return Ok(Some((key, row))),
            (_, Some((key, Some(row)))) => return Ok(Some((key.clone(), row.clone()))),
            (_, Some((key, None))) => from = key.clone(), // it is gone
            (below, None) => return Ok(below),
        }
    }
}

#[cfg(test)]
mod tests;
