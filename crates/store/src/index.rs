//! Which piece and which block lies where. Every row is durable when the call returns.
//!
//! The index holds no content. It lives in one `redb` file:
//!
//! | table | key | value |
//! |---|---|---|
//! | `pieces` | CID key (34) | [`PieceRow`] in DAG-CBOR |
//! | `blocks` | CID key of the block (34) ‖ piece root (32) | offset u64 ‖ length u32, big-endian |
//! | `records` | CID key of the piece (34) ‖ kind (1) ‖ name | bytes that belong to layers above |

use std::path::Path;

use holdfast_core::block::BlockId;
use holdfast_core::check::Placed;
use holdfast_core::codec;
use holdfast_core::id::PieceRoot;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

/// Memory that the index may use for pages.
const CACHE_BYTES: usize = 8 << 20;

const PIECES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("pieces");
const BLOCKS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("blocks");
const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");

const ROW_BYTES_MAX: usize = 128;
const BLOCK_KEY_LEN: usize = BlockId::KEY_LEN + 32;

/// What is known of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct PieceRow {
    /// BLAKE3 of the piece.
    pub root: PieceRoot,
    /// Its length.
    pub bytes: u64,
    /// Its number of blocks.
    pub blocks: u32,
}

/// Where a block's bytes lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockPlace {
    /// The piece.
    pub root: PieceRoot,
    /// First byte.
    pub offset: u64,
    /// Length.
    pub bytes: u32,
}

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RecordKind {
    /// A receipt that was signed for the piece.
    Receipt = 1,
    /// The largest certificate of the piece.
    Certificate = 2,
}

/// The index could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The database failed.
    #[error("could not {what} the index")]
    Database {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: Box<redb::Error>,
    },
    /// A row that this program did not write.
    #[error("damaged row in the index")]
    Damaged,
}

fn failed<E: Into<redb::Error>>(what: &'static str) -> impl Fn(E) -> IndexError {
    move |error| IndexError::Database { what, source: Box::new(error.into()) }
}

/// The index of one store.
pub struct Index(Database);

impl Index {
    /// Opens or creates the index file.
    ///
    /// # Errors
    /// If it cannot be opened, or another process has it open.
    pub fn open(path: &Path) -> Result<Self, IndexError> {
        let open = failed("open");
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create(path)
            .map_err(|error| open(redb::Error::from(error)))?;
        Self::prepare(database)
    }

    /// An index in memory, for tests.
    ///
    /// # Errors
    /// If the database cannot be made.
    pub fn in_memory() -> Result<Self, IndexError> {
        let open = failed("open");
        let database = Database::builder()
            .create_with_backend(redb::backends::InMemoryBackend::new())
            .map_err(|error| open(redb::Error::from(error)))?;
        Self::prepare(database)
    }

    /// Makes the tables, so that readers find them.
    fn prepare(database: Database) -> Result<Self, IndexError> {
        let index = Self(database);
        index.write("prepare", |write| {
            write.open_table(PIECES)?;
            write.open_table(BLOCKS)?;
            write.open_table(RECORDS)?;
            Ok(())
        })?;
        Ok(index)
    }

    fn write(
        &self,
        what: &'static str,
        change: impl FnOnce(&redb::WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), IndexError> {
        let run = || -> Result<(), redb::Error> {
            let write = self.0.begin_write()?;
            change(&write)?;
            Ok(write.commit()?)
        };
        run().map_err(failed(what))
    }

    fn get<T>(
        &self,
        table: TableDefinition<'static, &'static [u8], &'static [u8]>,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, IndexError> {
        let find = || -> Result<_, redb::Error> { Ok(self.0.begin_read()?.open_table(table)?.get(key)?) };
        match find().map_err(failed("read"))? {
            Some(value) => read(value.value()).map(Some).ok_or(IndexError::Damaged),
            None => Ok(None),
        }
    }

    /// Adds a piece and all its blocks in one durable step.
    ///
    /// # Errors
    /// If the step failed; then nothing was added.
    pub fn add(
        &self,
        cid: &BlockId,
        row: &PieceRow,
        blocks: impl Iterator<Item = std::io::Result<Placed>>,
    ) -> Result<(), IndexError> {
        self.write("write", |write| {
            let mut table = write.open_table(BLOCKS)?;
            for placed in blocks {
                let placed = placed.map_err(redb::Error::Io)?;
                let mut value = [0; 12];
                value[..8].copy_from_slice(&placed.offset.to_be_bytes());
                value[8..].copy_from_slice(&placed.bytes.to_be_bytes());
                table.insert(&block_key(&placed.id, &row.root)[..], &value[..])?;
            }
            write.open_table(PIECES)?.insert(&cid.to_key()[..], &codec::encode(row)[..])?;
            Ok(())
        })
    }

    /// What is known of a piece.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn piece(&self, cid: &BlockId) -> Result<Option<PieceRow>, IndexError> {
        self.get(PIECES, &cid.to_key(), |bytes| codec::decode(bytes, ROW_BYTES_MAX).ok())
    }

    /// All pieces.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn pieces(&self) -> Result<Vec<(BlockId, PieceRow)>, IndexError> {
        let read = || -> Result<_, redb::Error> { Ok(self.0.begin_read()?.open_table(PIECES)?) };
        let table = read().map_err(failed("read"))?;
        let mut pieces = Vec::new();
        for row in table.iter().map_err(failed("read"))? {
            let (key, value) = row.map_err(failed("read"))?;
            let cid = key.value().try_into().ok().and_then(BlockId::from_key).ok_or(IndexError::Damaged)?;
            let row = codec::decode(value.value(), ROW_BYTES_MAX).map_err(|_| IndexError::Damaged)?;
            pieces.push((cid, row));
        }
        Ok(pieces)
    }

    /// Where a block lies, in every piece that has it.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn block(&self, id: &BlockId) -> Result<Vec<BlockPlace>, IndexError> {
        let (low, high) =
            (block_key(id, &PieceRoot::new([0; 32])), block_key(id, &PieceRoot::new([0xff; 32])));
        let find = || -> Result<_, redb::Error> {
            let table = self.0.begin_read()?.open_table(BLOCKS)?;
            let rows = table.range(&low[..]..=&high[..])?;
            let rows = rows.map(|row| row.map(|(key, value)| parse_block(key.value(), value.value())));
            Ok(rows.collect::<Result<Option<Vec<_>>, _>>()?)
        };
        find().map_err(failed("read"))?.ok_or(IndexError::Damaged)
    }

    /// Keeps a record of a piece, replacing one of the same name.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep(&self, cid: &BlockId, kind: RecordKind, name: &[u8], bytes: &[u8]) -> Result<(), IndexError> {
        self.write("write", |write| {
            write.open_table(RECORDS)?.insert(&record_key(cid, kind, name)[..], bytes)?;
            Ok(())
        })
    }

    /// A record of a piece.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn record(
        &self,
        cid: &BlockId,
        kind: RecordKind,
        name: &[u8],
    ) -> Result<Option<Vec<u8>>, IndexError> {
        self.get(RECORDS, &record_key(cid, kind, name), |bytes| Some(bytes.to_vec()))
    }
}

fn block_key(id: &BlockId, root: &PieceRoot) -> [u8; BLOCK_KEY_LEN] {
    let mut key = [0; BLOCK_KEY_LEN];
    key[..BlockId::KEY_LEN].copy_from_slice(&id.to_key());
    key[BlockId::KEY_LEN..].copy_from_slice(root.as_bytes());
    key
}

fn parse_block(key: &[u8], value: &[u8]) -> Option<BlockPlace> {
    let (_, root) = key.split_last_chunk::<32>()?;
    let (offset, bytes) = value.split_first_chunk::<8>()?;
    Some(BlockPlace {
        root: PieceRoot::new(*root),
        offset: u64::from_be_bytes(*offset),
        bytes: u32::from_be_bytes(bytes.try_into().ok()?),
    })
}

fn record_key(cid: &BlockId, kind: RecordKind, name: &[u8]) -> Vec<u8> {
    [&cid.to_key()[..], &[kind as u8], name].concat()
}
