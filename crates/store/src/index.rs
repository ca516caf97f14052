//! The view of the log that finds things. It holds no content, only places; it lives in one `redb` file.
//!
//! | table | key | value |
//! |---|---|---|
//! | `pieces` | CID key (34) | [`PieceRow`] in DAG-CBOR |
//! | `blocks` | CID key of the block (34) ‖ CID key of the piece (34) | offset u64 ‖ length u32, big-endian |
//! | `promises` | CID key of the piece (34) ‖ BLAKE3 of the statement (32) | [`PromiseRow`] in DAG-CBOR |
//! | `certificates` | CID key of the piece (34) | [`Place`] in DAG-CBOR |
//! | `segments` | number u32 | bytes of dead records u64 |
//! | `applied` | `""` | [`Applied`] in DAG-CBOR: the log up to here is in this view |
//!
//! A change is applied after the log was synced, so no row ever points at what a crash can take away. The changes
//! themselves need no sync: what a crash takes from the index is read from the log again. Every so often, a
//! *checkpoint* is synced, so that little is read again.

use std::fmt;
use std::io;

use holdfast_core::block::BlockId;
use holdfast_core::codec;
use holdfast_core::id::{Epoch, PieceRoot};
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::disk::{Disk, DiskFile};
use crate::log::{Extent, Position};

mod rows;

pub use rows::Changes;
use rows::{parse_block, promise_key};

/// Memory that the index may use for pages.
const CACHE_BYTES: usize = 8 << 20;

type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;

const PIECES: Table = TableDefinition::new("pieces");
const BLOCKS: Table = TableDefinition::new("blocks");
const PROMISES: Table = TableDefinition::new("promises");
const CERTIFICATES: Table = TableDefinition::new("certificates");
const SEGMENTS: TableDefinition<'static, u32, u64> = TableDefinition::new("segments");
const APPLIED: Table = TableDefinition::new("applied");

const ROW_BYTES_MAX: usize = 256;

/// Where a record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize_tuple, Deserialize_tuple)]
pub struct Place {
    /// Number of the segment.
    pub segment: u32,
    /// First byte of the record.
    pub start: u64,
    /// First byte of its body.
    pub body: u64,
    /// Length of the record.
    pub bytes: u64,
}

impl Place {
    /// The place of a record in a segment.
    pub fn new(segment: u32, extent: Extent) -> Self {
        Self { segment, start: extent.start, body: extent.body, bytes: extent.bytes }
    }

    /// Where it starts.
    pub fn position(&self) -> Position {
        Position { segment: self.segment, start: self.start }
    }
}

/// What is known of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct PieceRow {
    /// BLAKE3 of the piece.
    pub root: PieceRoot,
    /// Its length.
    pub bytes: u64,
    /// Its number of blocks.
    pub blocks: u32,
    /// The last promise about it ends then; 0 if nothing was promised.
    pub until: Epoch,
    /// The record that holds it, or that says that it has files of its own.
    pub place: Place,
    /// Whether it has files of its own.
    pub own: bool,
}

/// What is known of a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct PromiseRow {
    /// When it ends, exclusive.
    pub until: Epoch,
    /// Its record.
    pub place: Place,
}

/// Where a block's bytes lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockPlace {
    /// The piece.
    pub cid: BlockId,
    /// First byte in the piece.
    pub offset: u64,
    /// Length.
    pub bytes: u32,
}

/// How far the log is in the index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize_tuple, Deserialize_tuple)]
pub struct Applied {
    /// Number of a segment.
    pub segment: u32,
    /// The first byte of it that is not in the index.
    pub offset: u64,
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
    /// What is in the index cannot be read.
    #[error("the index is damaged; `holdfast node check --repair` makes it again from the log")]
    Damaged,
}

fn failed<E: Into<redb::Error>>(what: &'static str) -> impl Fn(E) -> IndexError {
    move |error| match error.into() {
        redb::Error::Corrupted(_) | redb::Error::UpgradeRequired(_) => IndexError::Damaged,
        redb::Error::Io(error)
            if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
        {
            IndexError::Damaged
        }
        source => IndexError::Database { what, source: Box::new(source) },
    }
}

/// The index of one store.
pub struct Index(Database);

impl Index {
    /// Opens the index in a file of the disk, which is made if it is not there. The caller sees to it that nobody
    /// else has it open.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(disk: &dyn Disk, path: &str) -> Result<Self, IndexError> {
        let unusable = failed("open");
        let file = match disk.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                disk.create(path).map_err(|error| unusable(redb::Error::Io(error)))?
            }
            opened => opened.map_err(|error| unusable(redb::Error::Io(error)))?,
        };
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(Backend(file))
            .map_err(failed("open"))?;
        let index = Self(database);
        // The tables are made at once, so that readers find them.
        index.write("prepare", Durability::Immediate, |write| {
            for table in [PIECES, BLOCKS, PROMISES, CERTIFICATES, APPLIED] {
                write.open_table(table)?;
            }
            write.open_table(SEGMENTS)?;
            Ok(())
        })?;
        Ok(index)
    }

    /// Checks every page against its checksum. Takes as long as reading the index.
    ///
    /// # Errors
    /// If one is not what was written.
    pub fn checked(mut self) -> Result<Self, IndexError> {
        match self.0.check_integrity().map_err(failed("check"))? {
            true => Ok(self),
            false => Err(IndexError::Damaged),
        }
    }

    fn write(
        &self,
        what: &'static str,
        durability: Durability,
        change: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), IndexError> {
        let run = || -> Result<(), redb::Error> {
            let mut write = self.0.begin_write()?;
            write.set_durability(durability)?;
            // The next start need not walk the whole index.
            write.set_quick_repair(matches!(durability, Durability::Immediate));
            change(&write)?;
            Ok(write.commit()?)
        };
        run().map_err(failed(what))
    }

    fn get<T>(
        &self,
        table: Table,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, IndexError> {
        let find = || -> Result<_, redb::Error> { Ok(self.0.begin_read()?.open_table(table)?.get(key)?) };
        match find().map_err(failed("read"))? {
            Some(value) => read(value.value()).map(Some).ok_or(IndexError::Damaged),
            None => Ok(None),
        }
    }

    fn all<T>(&self, table: Table, read: impl Fn(&[u8], &[u8]) -> Option<T>) -> Result<Vec<T>, IndexError> {
        let open = || -> Result<_, redb::Error> { Ok(self.0.begin_read()?.open_table(table)?) };
        let mut found = Vec::new();
        for row in open().map_err(failed("read"))?.iter().map_err(failed("read"))? {
            let (key, value) = row.map_err(failed("read"))?;
            found.push(read(key.value(), value.value()).ok_or(IndexError::Damaged)?);
        }
        Ok(found)
    }

    /// How far the log is in the index.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn applied(&self) -> Result<Applied, IndexError> {
        Ok(self.get(APPLIED, b"", decode)?.unwrap_or_default())
    }

    /// What is known of a piece.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn piece(&self, cid: &BlockId) -> Result<Option<PieceRow>, IndexError> {
        self.get(PIECES, &cid.to_key(), decode)
    }

    /// All pieces.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn pieces(&self) -> Result<Vec<(BlockId, PieceRow)>, IndexError> {
        self.all(PIECES, |key, value| Some((cid(key)?, decode(value)?)))
    }

    /// Where a block lies, in every piece that has it.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn block(&self, id: &BlockId) -> Result<Vec<BlockPlace>, IndexError> {
        self.under(BLOCKS, &id.to_key(), parse_block)
    }

    /// The promises about a piece.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn promises(&self, cid: &BlockId) -> Result<Vec<PromiseRow>, IndexError> {
        self.under(PROMISES, &cid.to_key(), |_, value| decode(value))
    }

    /// All pieces about which something was promised, which need not be here.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn promised(&self) -> Result<Vec<BlockId>, IndexError> {
        let mut promised = self.all(PROMISES, |key, _| cid(key.get(..BlockId::KEY_LEN)?))?;
        promised.dedup(); // rows come in the order of their keys
        Ok(promised)
    }

    /// The promise about a piece whose statement has this hash.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn promise(&self, cid: &BlockId, statement: &[u8; 32]) -> Result<Option<PromiseRow>, IndexError> {
        self.get(PROMISES, &promise_key(cid, statement), decode)
    }

    /// The largest certificate of a piece, which need not be here.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn certificate(&self, cid: &BlockId) -> Result<Option<Place>, IndexError> {
        self.get(CERTIFICATES, &cid.to_key(), decode)
    }

    /// All pieces of which a certificate is known.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn certificates(&self) -> Result<Vec<(BlockId, Place)>, IndexError> {
        self.all(CERTIFICATES, |key, value| Some((cid(key)?, decode(value)?)))
    }

    /// Dead bytes per segment.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn dead(&self) -> Result<Vec<(u32, u64)>, IndexError> {
        let read = || -> Result<_, redb::Error> {
            let table = self.0.begin_read()?.open_table(SEGMENTS)?;
            let rows = table.iter()?.map(|row| row.map(|(segment, dead)| (segment.value(), dead.value())));
            Ok(rows.collect::<Result<_, _>>()?)
        };
        read().map_err(failed("read"))
    }

    /// Whether any row says that its record lies in a segment. It looks at every row.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn points_into(&self, segment: u32) -> Result<bool, IndexError> {
        let piece = |_: &[u8], value: &[u8]| decode::<PieceRow>(value).map(|row| row.place.segment);
        let promise = |_: &[u8], value: &[u8]| decode::<PromiseRow>(value).map(|row| row.place.segment);
        let certificate = |_: &[u8], value: &[u8]| decode::<Place>(value).map(|place| place.segment);
        Ok(self.all(PIECES, piece)?.contains(&segment)
            || self.all(PROMISES, promise)?.contains(&segment)
            || self.all(CERTIFICATES, certificate)?.contains(&segment))
    }

    /// Rows whose key starts with a CID key.
    fn under<T>(
        &self,
        table: Table,
        prefix: &[u8; BlockId::KEY_LEN],
        read: impl Fn(&[u8], &[u8]) -> Option<T>,
    ) -> Result<Vec<T>, IndexError> {
        // Every longer key of this CID lies between the CID alone and the CID followed by more than any key has.
        let end = [&prefix[..], &[0xff; BlockId::KEY_LEN + 1]].concat();
        let find = || -> Result<_, redb::Error> {
            let table = self.0.begin_read()?.open_table(table)?;
            let rows = table.range(&prefix[..]..&end[..])?;
            Ok(rows
                .map(|row| row.map(|(key, value)| read(key.value(), value.value())))
                .collect::<Result<_, _>>()?)
        };
        let rows: Option<Vec<T>> = find().map_err(failed("read"))?;
        rows.ok_or(IndexError::Damaged)
    }
}

fn decode<T: serde::de::DeserializeOwned + serde::Serialize>(bytes: &[u8]) -> Option<T> {
    codec::decode(bytes, ROW_BYTES_MAX).ok()
}

fn cid(key: &[u8]) -> Option<BlockId> {
    key.try_into().ok().and_then(BlockId::from_key)
}

/// A file of the disk, as the database wants it.
struct Backend(Box<dyn DiskFile>);

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Backend")
    }
}

impl redb::StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.0.bytes()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_bytes(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, data)
    }
}
