//! A ledger in memory, for tests and simulators.

use std::collections::BTreeMap;

use crate::block::Header;
use crate::execute::{Executed, Parent};
use crate::genesis::Founded;
use crate::state::{Changes, RowKey, Rows, RowsError};
use crate::tree::{Child, Page, PageKey, Pages, TreeChanges};

/// All rows, the tree over them, and the header of the last block.
#[derive(Clone, Debug)]
pub struct MemoryLedger {
    header: Header,
    rows: BTreeMap<RowKey, Vec<u8>>,
    top: Child,
    pages: BTreeMap<PageKey, Page>,
}

impl MemoryLedger {
    /// After the first block.
    pub fn new(founded: Founded) -> Self {
        let mut ledger =
            Self { header: founded.header, rows: BTreeMap::new(), top: Child::Empty, pages: BTreeMap::new() };
        ledger.apply(&founded.changes, &founded.tree);
        ledger
    }

    /// The header of the last block.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What the next block follows.
    pub fn parent(&self) -> Parent<'_> {
        Parent { header: &self.header, rows: self, pages: self }
    }

    /// Takes the next block.
    ///
    /// # Panics
    /// If it was executed on another one than the last.
    pub fn commit(&mut self, executed: &Executed) {
        let header = &executed.block().header;
        assert_eq!(header.parent, self.header.hash(), "the block follows another one");
        self.apply(executed.changes(), executed.tree());
        self.header = header.clone();
    }

    pub(crate) fn apply(&mut self, changes: &Changes, tree: &TreeChanges) {
        for (key, row) in changes {
            match row {
                Some(row) => self.rows.insert(key.clone(), row.clone()),
                None => self.rows.remove(key),
            };
        }
        for (key, page) in &tree.pages {
            match page {
                Some(page) => self.pages.insert(key.clone(), page.clone()),
                None => self.pages.remove(key),
            };
        }
        self.top = tree.top;
    }
}

impl Rows for MemoryLedger {
    fn get(&self, key: &RowKey) -> Result<Option<Vec<u8>>, RowsError> {
        Rows::get(&self.rows, key)
    }

    fn after(&self, key: &RowKey) -> Result<Option<(RowKey, Vec<u8>)>, RowsError> {
        self.rows.after(key)
    }
}

impl Pages for MemoryLedger {
    fn page(&self, key: &PageKey) -> Result<Option<Page>, RowsError> {
        Ok(self.pages.get(key).cloned())
    }

    fn top(&self) -> Result<Child, RowsError> {
        Ok(self.top)
    }
}
