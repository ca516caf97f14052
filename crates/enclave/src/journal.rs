//! What the enclave has signed. A row is on stable storage before the signature leaves.
//!
//! The journal is also the set of pieces that the node has promised to hold: a false receipt therefore becomes
//! a loss that later reports must own up to.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use holdfast_consensus::engine::ToSign;
use holdfast_consensus::guard::{GUARD_BYTES_MAX, Guard, Refusal};
use holdfast_core::block::BlockId;
use holdfast_core::codec;
use holdfast_core::id::{Epoch, NetworkId, PieceRoot};
use holdfast_proofs::statement::Statement;
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

/// Memory that the journal may use for pages.
const CACHE_BYTES: usize = 1 << 20;

/// How long another process may still hold the journal, and how often that is looked at.
const LOCK_WINDOW: Duration = Duration::from_secs(2);
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Network id (32) ‖ CID key (34) → [`Promise`] in DAG-CBOR.
const PROMISES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("promises");

const PROMISE_BYTES_MAX: usize = 128;

/// Network id (32) → [`Guard`] in DAG-CBOR: the highest place at which a vote or proposal was signed.
const BALLOTS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("ballots");

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
    /// The journal cannot be read or written.
    #[error("could not use the journal")]
    Database(#[from] Box<redb::Error>),
    /// The folder cannot be synced.
    #[error("could not sync the folder of the journal")]
    Folder(#[from] io::Error),
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
    /// Opens or creates the journal in `folder`. Only one process can have it open; one that is just ending, because
    /// its host was killed, is waited for.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        let deadline = Instant::now() + LOCK_WINDOW;
        let database = loop {
            let opened = Database::builder().set_cache_size(CACHE_BYTES).create(folder.join("journal.redb"));
            match opened {
                Err(DatabaseError::DatabaseAlreadyOpen) if Instant::now() < deadline => {
                    std::thread::sleep(LOCK_PAUSE);
                }
                opened => break opened?,
            }
        };
        let write = database.begin_write()?;
        write.open_table(PROMISES)?;
        write.open_table(BALLOTS)?;
        write.commit()?;
        // A journal without a name after a power cut would let a second root be signed.
        File::open(folder)?.sync_all()?;
        Ok(Self(database))
    }

    /// Whether nothing was ever promised or voted.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub fn is_empty(&self) -> Result<bool, JournalError> {
        let read = self.0.begin_read()?;
        for table in [PROMISES, BALLOTS] {
            if !redb::ReadableTableMetadata::is_empty(&read.open_table(table)?)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Journals a vote or proposal that is about to be signed, and says whether it may be. What was journaled last costs no
    /// write.
    ///
    /// # Errors
    /// If the journal cannot be read or written; then it must not be signed.
    pub fn ballot(&self, network: &NetworkId, what: &ToSign) -> Result<Result<(), Refusal>, JournalError> {
        let write = self.0.begin_write()?;
        {
            let mut table = write.open_table(BALLOTS)?;
            let before = match table.get(&network.as_bytes()[..])? {
                Some(row) => {
                    codec::decode(row.value(), GUARD_BYTES_MAX).map_err(|_| JournalError::Damaged)?
                }
                None => Guard::default(),
            };
            let mut guard = before;
            if let Err(refusal) = guard.allow_any(what) {
                return Ok(Err(refusal)); // and the transaction is dropped
            }
            if guard == before {
                return Ok(Ok(()));
            }
            table.insert(&network.as_bytes()[..], &codec::encode(&guard)[..])?;
        }
        write.commit()?;
        Ok(Ok(()))
    }

    /// Journals statements that are about to be signed, with one sync for all, and says of each whether it may be.
    /// Statements that were journaled before cost no write.
    ///
    /// # Errors
    /// If the journal cannot be read or written; then none may be signed.
    pub fn promise(
        &self,
        network: &NetworkId,
        statements: &[Statement],
    ) -> Result<Vec<Result<(), SecondRoot>>, JournalError> {
        let write = self.0.begin_write()?;
        let mut verdicts = Vec::new();
        let mut changed = false;
        {
            let mut table = write.open_table(PROMISES)?;
            for statement in statements {
                let key = key(network, &statement.cid);
                let before = match table.get(&key[..])? {
                    Some(row) => Some(
                        codec::decode(row.value(), PROMISE_BYTES_MAX).map_err(|_| JournalError::Damaged)?,
                    ),
                    None => None,
                };
                verdicts.push(match Promise::after(before, statement) {
                    Ok(promise) if before == Some(promise) => Ok(()),
                    Ok(promise) => {
                        table.insert(&key[..], &codec::encode(&promise)[..])?;
                        changed = true;
                        Ok(())
                    }
                    Err(refusal) => Err(refusal),
                });
            }
        }
        if changed {
            write.commit()?;
        } else {
            write.abort()?;
        }
        Ok(verdicts)
    }
}

#[cfg(test)]
impl Journal {
    /// Makes every row unreadable.
    pub(crate) fn damage(&self) {
        let write = self.0.begin_write().unwrap();
        {
            let mut table = write.open_table(PROMISES).unwrap();
            let keys: Vec<_> = table.iter().unwrap().map(|row| row.unwrap().0.value().to_vec()).collect();
            for key in keys {
                table.insert(&key[..], &b"?"[..]).unwrap();
            }
        }
        write.commit().unwrap();
    }
}

impl Promise {
    /// What stands in the journal once this statement is signed.
    fn after(before: Option<Self>, statement: &Statement) -> Result<Self, SecondRoot> {
        let (root, bytes) = (statement.piece_root, statement.piece_bytes);
        let retain_until = match before {
            Some(before) if (before.root, before.bytes) != (root, bytes) => {
                return Err(SecondRoot { signed: before.root, asked: root });
            }
            Some(before) => before.retain_until.max(statement.retain_until),
            None => statement.retain_until,
        };
        Ok(Self { root, bytes, retain_until })
    }
}

/// Another piece root, or another length, was signed for this CID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this CID was signed with root {signed}; root {asked}, or another length, is refused")]
pub struct SecondRoot {
    /// The root signed before.
    pub signed: PieceRoot,
    /// The root asked for.
    pub asked: PieceRoot,
}

fn key(network: &NetworkId, cid: &BlockId) -> Vec<u8> {
    [&network.as_bytes()[..], &cid.to_key()].concat()
}
