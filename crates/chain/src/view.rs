//! The ledger after one block, for whoever reads.

use holdfast_ledger::block::{Header, Height};
use holdfast_ledger::chunk::Chunk;
use holdfast_ledger::execute::Parent;
use holdfast_ledger::receipt::{Event, EventPosition, Receipts};
use holdfast_ledger::state::{RowKey, Rows, RowsError};
use holdfast_ledger::tree::{Child, Page, PageKey, Pages};

use crate::error::ChainError;
use crate::history::HistoryView;
use crate::state::StateView;

/// Most entries of one answer.
pub const PAGE_MAX: usize = 1024;

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

    /// For whoever lays the next block over it, see [`StateView::under_layer`].
    pub(crate) fn under_layer(self) -> Self {
        Self { state: self.state.under_layer(), ..self }
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

    /// The height of the oldest block that is kept, or `None` if there is none; older ones were pruned, or never here.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn first_block(&self) -> Result<Option<Height>, ChainError> {
        Ok(self.history.first_block()?.filter(|height| *height <= self.header.height))
    }

    /// What became of the block at a height, if that is kept; genesis has none.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn receipts_at(&self, height: Height) -> Result<Option<Receipts>, ChainError> {
        if height > self.header.height { Ok(None) } else { self.history.receipts(height) }
    }

    /// Events from a position on, at most `max` and at most [`PAGE_MAX`]. Fewer, or none, if there are no more yet; who
    /// asks again goes on behind the last. `None` if events of that height are no longer kept.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn events(
        &self,
        from: EventPosition,
        max: usize,
    ) -> Result<Option<Vec<(EventPosition, Event)>>, ChainError> {
        let max = max.min(PAGE_MAX);
        let mut found = Vec::new();
        // Nothing happened in genesis. Every block has an event, so that no more than `max` are read.
        for height in (from.height.0.max(1)..=self.header.height.0).map(Height) {
            if found.len() >= max {
                break;
            }
            let Some(receipts) = self.history.receipts(height)? else { return Ok(None) };
            let first = if height == from.height { from.index } else { 0 };
            let events = (0..).zip(receipts.events()).skip_while(|(index, _)| *index < first);
            let events = events.map(|(index, event)| (EventPosition { height, index }, event.clone()));
            found.extend(events.take(max - found.len()));
        }
        Ok(Some(found))
    }

    /// All rows as chunks, from which [`Restore`](crate::Restore) makes a ledger: those behind `after`, or all.
    pub fn snapshot(&self, after: Option<RowKey>) -> impl Iterator<Item = Result<Chunk, RowsError>> {
        let mut after = after;
        std::iter::from_fn(move || {
            let chunk = Chunk::fill(self, after.as_ref()).transpose()?;
            if let Ok(chunk) = &chunk {
                after = chunk.rows().last().map(|(key, _)| key.clone());
            }
            Some(chunk)
        })
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
