//! `state.redb`: all rows and the tree over them after one block. Every commit is seen at once; one in a while is a *save*,
//! which makes durable what came before it.
//!
//! | table | key | value |
//! |---|---|---|
//! | `rows` | table number ‖ key | the row in DAG-CBOR |
//! | `pages` | path, a byte for every four bits | [`Page`] |
//! | `tip` | `""` | height ‖ what stands at the top of the tree |

use std::ops::Bound::{Excluded, Unbounded};

use holdfast_ledger::block::Height;
use holdfast_ledger::state::{Changes, RowKey, Rows, RowsError};
use holdfast_ledger::tree::{Child, Page, PageKey, Pages, TreeChanges};
use redb::{Database, Durability, ReadOnlyTable, ReadableDatabase, TableDefinition};

use crate::Bytes;
use crate::error::{ChainError, failed};

const ROWS: TableDefinition<'static, Bytes, Bytes> = TableDefinition::new("rows");
const PAGES: TableDefinition<'static, Bytes, Bytes> = TableDefinition::new("pages");
const TIP: TableDefinition<'static, Bytes, Bytes> = TableDefinition::new("tip");

/// Rows and tree on disk.
pub(crate) struct StateFile(Database);

/// What a block changes.
#[derive(Clone, Copy)]
pub(crate) struct Step<'a> {
    pub(crate) height: Height,
    pub(crate) changes: &'a Changes,
    pub(crate) tree: &'a TreeChanges,
}

impl StateFile {
    pub(crate) fn new(database: Database) -> Self {
        Self(database)
    }

    /// Takes a block; a crash may take it back.
    pub(crate) fn apply(&self, step: Step<'_>) -> Result<(), ChainError> {
        self.write(Some(step), Durability::None)
    }

    /// Takes a block and makes durable all that was taken so far.
    pub(crate) fn apply_and_save(&self, step: Step<'_>) -> Result<(), ChainError> {
        self.write(Some(step), Durability::Immediate)
    }

    /// Makes durable what was taken so far.
    pub(crate) fn save(&self) -> Result<(), ChainError> {
        self.write(None, Durability::Immediate)
    }

    fn write(&self, step: Option<Step<'_>>, durability: Durability) -> Result<(), ChainError> {
        let fill = || -> Result<(), redb::Error> {
            let mut write = self.0.begin_write()?;
            write.set_durability(durability)?;
            write.set_quick_repair(true); // or opening after a crash would read every page
            if let Some(step) = step {
                let mut rows = write.open_table(ROWS)?;
                for (key, row) in step.changes {
                    match row {
                        Some(row) => rows.insert(key.as_bytes(), &row[..])?,
                        None => rows.remove(key.as_bytes())?,
                    };
                }
                let mut pages = write.open_table(PAGES)?;
                for (key, page) in &step.tree.pages {
                    match page {
                        Some(page) => pages.insert(key.as_bytes(), &page.to_bytes()[..])?,
                        None => pages.remove(key.as_bytes())?,
                    };
                }
                let mut tip = step.height.0.to_be_bytes().to_vec();
                step.tree.top.write(&mut tip);
                write.open_table(TIP)?.insert(&b""[..], &tip[..])?;
            }
            write.commit()?;
            Ok(())
        };
        fill().map_err(failed("write"))
    }

    /// Rows and tree as they are now, or `None` if there are none yet.
    pub(crate) fn read(&self) -> Result<Option<StateView>, ChainError> {
        let read = self.0.begin_read().map_err(failed("read"))?;
        let tip = match read.open_table(TIP) {
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
            tip => tip.map_err(failed("read"))?.get(&b""[..]).map_err(failed("read"))?,
        };
        let tip = tip.ok_or(ChainError::Damaged("the state is of no block"))?;
        let (height, top) = parse_tip(tip.value()).ok_or(ChainError::Damaged("the tip cannot be read"))?;
        let open = |table| read.open_table(table).map_err(failed("read"));
        Ok(Some(StateView { height, top, rows: open(ROWS)?, pages: open(PAGES)? }))
    }
}

fn parse_tip(bytes: &[u8]) -> Option<(Height, Child)> {
    let (height, top) = bytes.split_first_chunk()?;
    let (top, rest) = Child::read(top)?;
    rest.is_empty().then_some((Height(u64::from_be_bytes(*height)), top))
}

/// Rows and tree after one block.
pub(crate) struct StateView {
    pub(crate) height: Height,
    pub(crate) top: Child,
    rows: ReadOnlyTable<Bytes, Bytes>,
    pages: ReadOnlyTable<Bytes, Bytes>,
}

impl Rows for StateView {
    fn get(&self, key: &RowKey) -> Result<Option<Vec<u8>>, RowsError> {
        let row = self.rows.get(key.as_bytes()).map_err(RowsError::new)?;
        Ok(row.map(|row| row.value().to_vec()))
    }

    fn after(&self, key: &RowKey) -> Result<Option<(RowKey, Vec<u8>)>, RowsError> {
        let mut range =
            self.rows.range::<&[u8]>((Excluded(key.as_bytes()), Unbounded)).map_err(RowsError::new)?;
        let Some(next) = range.next() else { return Ok(None) };
        let (key, row) = next.map_err(RowsError::new)?;
        let key = RowKey::from_bytes(key.value().to_vec());
        Ok(key.map(|key| (key, row.value().to_vec())))
    }
}

impl Pages for StateView {
    fn page(&self, key: &PageKey) -> Result<Option<Page>, RowsError> {
        let Some(bytes) = self.pages.get(key.as_bytes()).map_err(RowsError::new)? else { return Ok(None) };
        let page = Page::from_bytes(bytes.value());
        page.map(Some).ok_or_else(|| RowsError::new("a page of the state tree cannot be read"))
    }

    fn top(&self) -> Result<Child, RowsError> {
        Ok(self.top)
    }
}
