//! `state.redb`: all rows and the tree over them, as they were when they were last saved.
//!
//! | table | key | value |
//! |---|---|---|
//! | `rows` | table number ‖ key | the row in DAG-CBOR |
//! | `pages` | path, a byte for every four bits | [`Page`] |
//! | `tip` | `""` | height ‖ what stands at the top of the tree |

use std::ops::Bound::{Excluded, Unbounded};

use holdfast_ledger::block::Height;
use holdfast_ledger::state::{RowKey, RowsError};
use holdfast_ledger::tree::{Child, Page, PageKey};
use redb::{Database, ReadOnlyTable, ReadableDatabase, TableDefinition};

use crate::Bytes;
use crate::error::{ChainError, failed};
use crate::overlay::Overlay;

const ROWS: TableDefinition<'static, Bytes, Bytes> = TableDefinition::new("rows");
const PAGES: TableDefinition<'static, Bytes, Bytes> = TableDefinition::new("pages");
const TIP: TableDefinition<'static, Bytes, Bytes> = TableDefinition::new("tip");

/// The block after which a state stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tip {
    pub(crate) height: Height,
    /// What stands at the top of the tree.
    pub(crate) top: Child,
}

/// Rows and tree on disk.
#[derive(Debug)]
pub(crate) struct StateFile(Database);

impl StateFile {
    pub(crate) fn new(database: Database) -> Self {
        Self(database)
    }

    /// Makes all that changed durable, in one step.
    ///
    /// The allocator's state goes with it, so that opening after a crash does not read every page.
    pub(crate) fn save(&self, changed: &Overlay, tip: Tip) -> Result<(), ChainError> {
        let fill = || -> Result<(), redb::Error> {
            let mut write = self.0.begin_write()?;
            write.set_quick_repair(true);
            let mut rows = write.open_table(ROWS)?;
            changed.each_row(|key, row| {
                match row {
                    Some(row) => rows.insert(key.as_bytes(), &row[..])?,
                    None => rows.remove(key.as_bytes())?,
                };
                Ok::<(), redb::Error>(())
            })?;
            let mut pages = write.open_table(PAGES)?;
            changed.each_page(|key, page| {
                match page {
                    Some(page) => pages.insert(key.as_bytes(), &page.to_bytes()[..])?,
                    None => pages.remove(key.as_bytes())?,
                };
                Ok::<(), redb::Error>(())
            })?;
            let mut bytes = tip.height.0.to_be_bytes().to_vec();
            tip.top.write(&mut bytes);
            write.open_table(TIP)?.insert(&b""[..], &bytes[..])?;
            drop((rows, pages));
            write.commit()?;
            Ok(())
        };
        fill().map_err(failed("write"))
    }

    /// Rows and tree as they were saved, or `None` if they never were.
    pub(crate) fn read(&self) -> Result<Option<SavedView>, ChainError> {
        let read = self.0.begin_read().map_err(failed("read"))?;
        let tip = match read.open_table(TIP) {
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
            tip => tip.map_err(failed("read"))?.get(&b""[..]).map_err(failed("read"))?,
        };
        let tip = tip.ok_or(ChainError::Damaged("the state is of no block"))?;
        let tip = parse_tip(tip.value()).ok_or(ChainError::Damaged("the tip cannot be read"))?;
        let open = |table| read.open_table(table).map_err(failed("read"));
        Ok(Some(SavedView { tip, rows: open(ROWS)?, pages: open(PAGES)? }))
    }
}

fn parse_tip(bytes: &[u8]) -> Option<Tip> {
    let (height, top) = bytes.split_first_chunk()?;
    let (top, rest) = Child::read(top)?;
    rest.is_empty().then_some(Tip { height: Height(u64::from_be_bytes(*height)), top })
}

/// Rows and tree, as they were saved at one time.
pub(crate) struct SavedView {
    pub(crate) tip: Tip,
    rows: ReadOnlyTable<Bytes, Bytes>,
    pages: ReadOnlyTable<Bytes, Bytes>,
}

impl SavedView {
    pub(crate) fn row(&self, key: &RowKey) -> Result<Option<Vec<u8>>, RowsError> {
        let row = self.rows.get(key.as_bytes()).map_err(RowsError::new)?;
        Ok(row.map(|row| row.value().to_vec()))
    }

    pub(crate) fn row_after(&self, key: &RowKey) -> Result<Option<(RowKey, Vec<u8>)>, RowsError> {
        let mut range =
            self.rows.range::<&[u8]>((Excluded(key.as_bytes()), Unbounded)).map_err(RowsError::new)?;
        let Some(next) = range.next() else { return Ok(None) };
        let (key, row) = next.map_err(RowsError::new)?;
        let key = RowKey::from_bytes(key.value().to_vec());
        Ok(key.map(|key| (key, row.value().to_vec())))
    }

    pub(crate) fn page(&self, key: &PageKey) -> Result<Option<Page>, RowsError> {
        let Some(bytes) = self.pages.get(key.as_bytes()).map_err(RowsError::new)? else { return Ok(None) };
        let page = Page::from_bytes(bytes.value());
        page.map(Some).ok_or_else(|| RowsError::new("a page of the state tree cannot be read"))
    }
}
