//! The ledger after one block, for whoever reads.

use holdfast_ledger::block::{Header, Height};
use holdfast_ledger::execute::Parent;
use holdfast_ledger::state::{RowKey, Rows, RowsError};
use holdfast_ledger::tree::{Child, Page, PageKey, Pages};

use crate::error::ChainError;
use crate::history::HistoryView;
use crate::state::StateView;

/// The ledger after one block, whatever is committed meanwhile.
pub struct View {
    header: Header,
    state: StateView,
    history: HistoryView,
}

impl View {
    /// The history may be newer than the state; what is newer is not shown.
    pub(crate) fn new(state: StateView, history: HistoryView) -> Result<Self, ChainError> {
        let header = history.header(state.tip.height)?;
        let header = header.ok_or(ChainError::Damaged("the state is of a block that is not there"))?;
        if *header.state.as_bytes() != state.tip.top.hash() {
            return Err(ChainError::Damaged("the state is not the one of its block"));
        }
        Ok(Self { header, state, history })
    }

    /// The header of the last block.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What the next block follows.
    pub fn parent(&self) -> Parent<'_> {
        Parent { header: &self.header, rows: self, pages: self }
    }

    /// The header at a height, if there is one.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn header_at(&self, height: Height) -> Result<Option<Header>, ChainError> {
        if height > self.header.height { Ok(None) } else { self.history.header(height) }
    }

    /// The bytes of the block at a height, if there is one; genesis has none.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn block_at(&self, height: Height) -> Result<Option<Vec<u8>>, ChainError> {
        if height > self.header.height { Ok(None) } else { self.history.block(height) }
    }

    /// What shows that the block at a height is final, if there is one; genesis has none.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn finality_at(&self, height: Height) -> Result<Option<Vec<u8>>, ChainError> {
        if height > self.header.height { Ok(None) } else { self.history.finality(height) }
    }
}

impl Rows for View {
    fn get(&self, key: &RowKey) -> Result<Option<Vec<u8>>, RowsError> {
        self.state.get(key)
    }

    fn after(&self, key: &RowKey) -> Result<Option<(RowKey, Vec<u8>)>, RowsError> {
        self.state.after(key)
    }
}

impl Pages for View {
    fn page(&self, key: &PageKey) -> Result<Option<Page>, RowsError> {
        self.state.page(key)
    }

    fn top(&self) -> Result<Child, RowsError> {
        self.state.top()
    }
}
