//! What the enclave has signed. A row is on stable storage before the signature leaves.
//!
//! The journal is also the set of pieces that the node has promised to hold: a false receipt therefore becomes
//! a loss that later reports must own up to.

use std::path::Path;

use holdfast_core::block::BlockId;
use holdfast_core::codec;
use holdfast_core::id::{Epoch, NetworkId, PieceRoot};
use holdfast_proofs::statement::Statement;
use redb::{Database, ReadableDatabase, TableDefinition};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

/// Memory that the journal may use for pages.
const CACHE_BYTES: usize = 1 << 20;

/// Network id (32) ‖ CID key (34) → [`Promise`] in DAG-CBOR.
const PROMISES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("promises");

const PROMISE_BYTES_MAX: usize = 128;

/// What was promised about a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
struct Promise {
    root: PieceRoot,
    bytes: u64,
    retain_until: Epoch,
}

/// Why something was not journaled.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another piece root, or another length, was signed for this CID.
    #[error("this CID was signed with root {signed}; root {asked}, or another length, is refused")]
    SecondRoot {
        /// The root signed before.
        signed: PieceRoot,
        /// The root asked for.
        asked: PieceRoot,
    },
    /// The journal cannot be read or written.
    #[error("could not use the journal")]
    Database(#[from] Box<redb::Error>),
    /// A row that this program did not write.
    #[error("damaged row in the journal")]
    Damaged,
}

impl<E> From<E> for JournalError
where
    redb::Error: From<E>,
    E: IsRedb,
{
    fn from(error: E) -> Self {
        Self::Database(Box::new(error.into()))
    }
}

/// The errors of `redb` operations.
trait IsRedb {}
impl IsRedb for redb::DatabaseError {}
impl IsRedb for redb::TransactionError {}
impl IsRedb for redb::TableError {}
impl IsRedb for redb::StorageError {}
impl IsRedb for redb::CommitError {}

/// The journal of one enclave.
pub struct Journal(Database);

impl Journal {
    /// Opens or creates the journal in `folder`. Only one process can have it open.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        let database = Database::builder().set_cache_size(CACHE_BYTES).create(folder.join("journal.redb"))?;
        let write = database.begin_write()?;
        write.open_table(PROMISES)?;
        write.commit()?;
        Ok(Self(database))
    }

    /// Whether nothing was ever promised.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub fn is_empty(&self) -> Result<bool, JournalError> {
        let table = self.0.begin_read()?.open_table(PROMISES)?;
        Ok(redb::ReadableTableMetadata::is_empty(&table)?)
    }

    /// Journals a statement that is about to be signed. One that was journaled before costs no write.
    ///
    /// # Errors
    /// If another root was promised for this CID, or the row cannot be written.
    pub fn promise(&self, network: &NetworkId, statement: &Statement) -> Result<(), JournalError> {
        let key = key(network, &statement.cid);
        let promise = Promise {
            root: statement.piece_root,
            bytes: statement.piece_bytes,
            retain_until: statement.retain_until,
        };
        let table = self.0.begin_read()?.open_table(PROMISES)?;
        let mut promise_now = promise;
        if let Some(row) = table.get(&key[..])? {
            let before: Promise =
                codec::decode(row.value(), PROMISE_BYTES_MAX).map_err(|_| JournalError::Damaged)?;
            if (before.root, before.bytes) != (promise.root, promise.bytes) {
                return Err(JournalError::SecondRoot { signed: before.root, asked: promise.root });
            }
            promise_now.retain_until = before.retain_until.max(promise.retain_until);
            if promise_now == before {
                return Ok(());
            }
        }
        let write = self.0.begin_write()?;
        write.open_table(PROMISES)?.insert(&key[..], &codec::encode(&promise_now)[..])?;
        Ok(write.commit()?)
    }
}

fn key(network: &NetworkId, cid: &BlockId) -> Vec<u8> {
    [&network.as_bytes()[..], &cid.to_key()].concat()
}
