//! The ledger on disk: rows, the state tree, headers and blocks in one database, one atomic commit for each block.
//!
//! | table | key | value |
//! |---|---|---|
//! | `rows` | table number ‖ key | the row in DAG-CBOR |
//! | `pages` | path, a byte for every four bits | [`Page`] |
//! | `headers` | height | [`Header`] in DAG-CBOR |
//! | `blocks` | height | the block as it travels; genesis has none |
//! | `tip` | `""` | height ‖ what stands at the top of the tree |
//!
//! Whoever reads has a [`View`]: the ledger after one block, whatever is committed meanwhile.
//! Specification: docs/spec/ledger.md, "On disk".

use std::path::Path;

use holdfast_core::codec;
use holdfast_ledger::block::{Header, Height};
use holdfast_ledger::execute::{Executed, Parent};
use holdfast_ledger::genesis::Founded;
use holdfast_ledger::state::{Changes, RowKey, Rows, RowsError};
use holdfast_ledger::tree::{Child, Page, PageKey, Pages, TreeChanges};
use redb::{Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, TableDefinition, WriteTransaction};

mod import;

pub use import::{ImportError, import};

type Bytes = &'static [u8];

const ROWS: TableDefinition<'static, Bytes, Bytes> = TableDefinition::new("rows");
const PAGES: TableDefinition<'static, Bytes, Bytes> = TableDefinition::new("pages");
const HEADERS: TableDefinition<'static, u64, Bytes> = TableDefinition::new("headers");
const BLOCKS: TableDefinition<'static, u64, Bytes> = TableDefinition::new("blocks");
const TIP: TableDefinition<'static, Bytes, Bytes> = TableDefinition::new("tip");

/// Longest header, in bytes.
const HEADER_BYTES_MAX: usize = 4 << 10;

/// Why the ledger on disk could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The database failed.
    #[error("could not {what} the ledger's database")]
    Database {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: Box<redb::Error>,
    },
    /// Something in it was not written by this program.
    #[error("the ledger's database is damaged: {0}")]
    Damaged(&'static str),
    /// It belongs to another network.
    #[error("the ledger in this folder began with another genesis")]
    Genesis,
    /// The block was executed on another one than the last.
    #[error("the block does not follow the last one")]
    Parent,
}

fn failed<E: Into<redb::Error>>(what: &'static str) -> impl Fn(E) -> ChainError {
    move |error| ChainError::Database { what, source: Box::new(error.into()) }
}

/// A ledger on disk. One process has it open at a time.
pub struct Chain(Database);

impl Chain {
    /// Opens the ledger in a file, or begins it with genesis. `cache_bytes` of memory hold pages of the database.
    ///
    /// # Errors
    /// If it cannot be opened, or began with another genesis.
    pub fn open(path: &Path, cache_bytes: usize, founded: &Founded) -> Result<Self, ChainError> {
        let database = Database::builder().set_cache_size(cache_bytes).create(path);
        let chain = Self(database.map_err(failed("open"))?);
        match chain.genesis()? {
            Some(header) if header == founded.header => Ok(chain),
            Some(_) => Err(ChainError::Genesis),
            None => {
                chain.write(&founded.header, None, &founded.changes, &founded.tree)?;
                Ok(chain)
            }
        }
    }

    fn genesis(&self) -> Result<Option<Header>, ChainError> {
        let read = self.0.begin_read().map_err(failed("read"))?;
        match read.open_table(HEADERS) {
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(failed("read")(error)),
            Ok(headers) => header(&headers, Height(0)),
        }
    }

    /// The ledger as it is now.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn view(&self) -> Result<View, ChainError> {
        View::of(&self.0.begin_read().map_err(failed("read"))?)
    }

    /// Takes the next block: when this returns, the block and all that it changes are on stable storage.
    ///
    /// # Errors
    /// If it follows another block than the last, or cannot be written; then nothing has changed.
    pub fn commit(&self, executed: &Executed) -> Result<(), ChainError> {
        let block = executed.block();
        if self.view()?.header.hash() != block.header.parent {
            return Err(ChainError::Parent);
        }
        let bytes = block.to_bytes();
        self.write(&block.header, Some(&bytes), executed.changes(), executed.tree())
    }

    fn write(
        &self,
        header: &Header,
        block: Option<&[u8]>,
        changes: &Changes,
        tree: &TreeChanges,
    ) -> Result<(), ChainError> {
        let write = self.0.begin_write().map_err(failed("write"))?;
        fill(&write, header, block, changes, tree).map_err(failed("write"))?;
        write.commit().map_err(failed("write"))
    }
}

fn fill(
    write: &WriteTransaction,
    header: &Header,
    block: Option<&[u8]>,
    changes: &Changes,
    tree: &TreeChanges,
) -> Result<(), redb::Error> {
    let mut rows = write.open_table(ROWS)?;
    for (key, row) in changes {
        match row {
            Some(row) => rows.insert(key.as_bytes(), &row[..])?,
            None => rows.remove(key.as_bytes())?,
        };
    }
    let mut pages = write.open_table(PAGES)?;
    for (key, page) in &tree.pages {
        match page {
            Some(page) => pages.insert(key.as_bytes(), &page.to_bytes()[..])?,
            None => pages.remove(key.as_bytes())?,
        };
    }
    let height = header.height.0;
    write.open_table(HEADERS)?.insert(height, &codec::encode(header)[..])?;
    let mut blocks = write.open_table(BLOCKS)?;
    if let Some(block) = block {
        blocks.insert(height, block)?;
    }
    let mut tip = height.to_be_bytes().to_vec();
    tree.top.write(&mut tip);
    write.open_table(TIP)?.insert(&b""[..], &tip[..])?;
    Ok(())
}

fn header(table: &ReadOnlyTable<u64, Bytes>, height: Height) -> Result<Option<Header>, ChainError> {
    let Some(bytes) = table.get(height.0).map_err(failed("read"))? else { return Ok(None) };
    let header = codec::decode(bytes.value(), HEADER_BYTES_MAX);
    header.map(Some).map_err(|_| ChainError::Damaged("a header cannot be read"))
}

/// The ledger after one block.
pub struct View {
    header: Header,
    top: Child,
    rows: ReadOnlyTable<Bytes, Bytes>,
    pages: ReadOnlyTable<Bytes, Bytes>,
    headers: ReadOnlyTable<u64, Bytes>,
    blocks: ReadOnlyTable<u64, Bytes>,
}

impl View {
    fn of(read: &ReadTransaction) -> Result<Self, ChainError> {
        let open = |table| read.open_table(table).map_err(failed("read"));
        let headers = read.open_table(HEADERS).map_err(failed("read"))?;
        let tip = open(TIP)?.get(&b""[..]).map_err(failed("read"))?;
        let tip = tip.ok_or(ChainError::Damaged("there is no last block"))?;
        let (height, top) = parse_tip(tip.value()).ok_or(ChainError::Damaged("the tip cannot be read"))?;
        let header = header(&headers, height)?.ok_or(ChainError::Damaged("the last header is missing"))?;
        let blocks = read.open_table(BLOCKS).map_err(failed("read"))?;
        Ok(Self { header, top, rows: open(ROWS)?, pages: open(PAGES)?, headers, blocks })
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
        header(&self.headers, height)
    }

    /// The bytes of the block at a height, if there is one.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn block_at(&self, height: Height) -> Result<Option<Vec<u8>>, ChainError> {
        let block = self.blocks.get(height.0).map_err(failed("read"))?;
        Ok(block.map(|bytes| bytes.value().to_vec()))
    }
}

fn parse_tip(bytes: &[u8]) -> Option<(Height, Child)> {
    let (height, top) = bytes.split_first_chunk()?;
    let (top, rest) = Child::read(top)?;
    rest.is_empty().then_some((Height(u64::from_be_bytes(*height)), top))
}

impl Rows for View {
    fn get(&self, key: &RowKey) -> Result<Option<Vec<u8>>, RowsError> {
        let row = self.rows.get(key.as_bytes()).map_err(RowsError::new)?;
        Ok(row.map(|row| row.value().to_vec()))
    }

    fn after(&self, key: &RowKey) -> Result<Option<(RowKey, Vec<u8>)>, RowsError> {
        use std::ops::Bound::{Excluded, Unbounded};
        let mut range =
            self.rows.range::<&[u8]>((Excluded(key.as_bytes()), Unbounded)).map_err(RowsError::new)?;
        let Some(next) = range.next() else { return Ok(None) };
        let (key, row) = next.map_err(RowsError::new)?;
        let key = RowKey::from_bytes(key.value().to_vec());
        Ok(key.map(|key| (key, row.value().to_vec())))
    }
}

impl Pages for View {
    fn page(&self, key: &PageKey) -> Result<Option<Page>, RowsError> {
        let Some(bytes) = self.pages.get(key.as_bytes()).map_err(RowsError::new)? else { return Ok(None) };
        let page = Page::from_bytes(bytes.value());
        page.map(Some).ok_or_else(|| RowsError::new("a page of the state tree cannot be read"))
    }

    fn top(&self) -> Result<Child, RowsError> {
        Ok(self.top)
    }
}

#[cfg(test)]
mod tests;
