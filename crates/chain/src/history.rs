//! `blocks.redb`: what was decided, never to change. A block is committed once it is durable in here.
//!
//! | table | key | value |
//! |---|---|---|
//! | `headers` | height | [`Header`] in DAG-CBOR |
//! | `blocks` | height | the block as it travels; genesis has none |
//! | `receipts` | height | what became of the block, [`Receipts`] in DAG-CBOR; genesis has none |
//! | `finality` | height | what shows that the block is final; genesis has none |
//!
//! Receipts follow from blocks, but only together with the state before them, which is not kept.

use holdfast_core::codec;
use holdfast_ledger::block::{Header, Height};
use holdfast_ledger::receipt::{RECEIPTS_BYTES_MAX, Receipts};
use holdfast_proofs::header::HEADER_BYTES_MAX;
use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable, TableDefinition};

use crate::Bytes;
use crate::error::{ChainError, failed};

type ByHeight = TableDefinition<'static, u64, Bytes>;

const HEADERS: ByHeight = TableDefinition::new("headers");
const BLOCKS: ByHeight = TableDefinition::new("blocks");
const RECEIPTS: ByHeight = TableDefinition::new("receipts");
const FINALITY: ByHeight = TableDefinition::new("finality");

/// Longest certificate of finality, in bytes: a signature that is a sum, and a bit for each of some thousand validators.
pub const FINALITY_BYTES_MAX: usize = 8 << 10;

/// Blocks and headers on disk.
pub(crate) struct History(Database);

/// Blocks that are pruned in one go, of at most a few GiB.
const PRUNE_BLOCKS_MAX: usize = 256;

/// A block, ready to be written. Genesis has a header and nothing else.
pub(crate) struct Entry<'a> {
    pub(crate) header: &'a Header,
    /// The block as it travels, and what became of it.
    pub(crate) body: Option<(&'a [u8], &'a Receipts)>,
    pub(crate) finality: Option<&'a [u8]>,
}

impl History {
    pub(crate) fn new(database: Database) -> Self {
        Self(database)
    }

    /// Makes a block durable. Its parent is durable, as the caller knows.
    ///
    /// The allocator's state goes with every commit, so that opening after a crash does not read all of history.
    pub(crate) fn append(&self, entry: &Entry<'_>) -> Result<(), ChainError> {
        let fill = || -> Result<(), redb::Error> {
            let mut write = self.0.begin_write()?;
            write.set_quick_repair(true);
            let height = entry.header.height.0;
            write.open_table(HEADERS)?.insert(height, &codec::encode(entry.header)[..])?;
            // Genesis makes the tables, so that whoever reads finds them.
            let (mut blocks, mut receipts) = (write.open_table(BLOCKS)?, write.open_table(RECEIPTS)?);
            if let Some((block, outcome)) = entry.body {
                blocks.insert(height, block)?;
                receipts.insert(height, &codec::encode(outcome)[..])?;
            }
            drop((blocks, receipts));
            let mut finality = write.open_table(FINALITY)?;
            if let Some(certificate) = entry.finality {
                finality.insert(height, certificate)?;
            }
            drop(finality);
            write.commit()?;
            Ok(())
        };
        fill().map_err(failed("write"))
    }

    /// Removes blocks and receipts below a height, the oldest first, and not more than a bounded number.
    pub(crate) fn prune(&self, below: Height) -> Result<(), ChainError> {
        let fill = || -> Result<(), redb::Error> {
            let mut write = self.0.begin_write()?;
            write.set_quick_repair(true);
            let (mut blocks, mut receipts) = (write.open_table(BLOCKS)?, write.open_table(RECEIPTS)?);
            let mut heights = Vec::new();
            for entry in blocks.range(..below.0)?.take(PRUNE_BLOCKS_MAX) {
                heights.push(entry?.0.value());
            }
            for height in heights {
                blocks.remove(height)?;
                receipts.remove(height)?;
            }
            drop((blocks, receipts));
            write.commit()?;
            Ok(())
        };
        fill().map_err(failed("write"))
    }

    /// What is durable now, or `None` if there is nothing yet.
    pub(crate) fn read(&self) -> Result<Option<HistoryView>, ChainError> {
        let read = self.0.begin_read().map_err(failed("read"))?;
        let headers = match read.open_table(HEADERS) {
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
            headers => headers.map_err(failed("read"))?,
        };
        let open = |table| read.open_table(table).map_err(failed("read"));
        Ok(Some(HistoryView {
            headers,
            blocks: open(BLOCKS)?,
            receipts: open(RECEIPTS)?,
            finality: open(FINALITY)?,
        }))
    }
}

/// Blocks and headers, as they were at one time.
pub(crate) struct HistoryView {
    headers: ReadOnlyTable<u64, Bytes>,
    blocks: ReadOnlyTable<u64, Bytes>,
    receipts: ReadOnlyTable<u64, Bytes>,
    finality: ReadOnlyTable<u64, Bytes>,
}

impl HistoryView {
    /// The last header.
    pub(crate) fn last(&self) -> Result<Header, ChainError> {
        let last = self.headers.last().map_err(failed("read"))?;
        let (_, bytes) = last.ok_or(ChainError::Damaged("there is no header"))?;
        header(bytes.value())
    }

    pub(crate) fn header(&self, height: Height) -> Result<Option<Header>, ChainError> {
        let bytes = self.headers.get(height.0).map_err(failed("read"))?;
        bytes.map(|bytes| header(bytes.value())).transpose()
    }

    pub(crate) fn block(&self, height: Height) -> Result<Option<Vec<u8>>, ChainError> {
        bytes(&self.blocks, height)
    }

    /// The height of the oldest block that is kept.
    pub(crate) fn first_block(&self) -> Result<Option<Height>, ChainError> {
        let first = self.blocks.first().map_err(failed("read"))?;
        Ok(first.map(|(height, _)| Height(height.value())))
    }

    pub(crate) fn receipts(&self, height: Height) -> Result<Option<Receipts>, ChainError> {
        let Some(bytes) = self.receipts.get(height.0).map_err(failed("read"))? else { return Ok(None) };
        let receipts = codec::decode(bytes.value(), RECEIPTS_BYTES_MAX);
        receipts.map(Some).map_err(|_| ChainError::Damaged("receipts cannot be read"))
    }

    pub(crate) fn finality(&self, height: Height) -> Result<Option<Vec<u8>>, ChainError> {
        bytes(&self.finality, height)
    }
}

fn header(bytes: &[u8]) -> Result<Header, ChainError> {
    codec::decode(bytes, HEADER_BYTES_MAX).map_err(|_| ChainError::Damaged("a header cannot be read"))
}

fn bytes(table: &ReadOnlyTable<u64, Bytes>, height: Height) -> Result<Option<Vec<u8>>, ChainError> {
    let bytes = table.get(height.0).map_err(failed("read"))?;
    Ok(bytes.map(|bytes| bytes.value().to_vec()))
}
