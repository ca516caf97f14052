//! The journal of orders: what this machine ordered, written down before it is sent.
//!
//! An order is named by its transaction, so it has a name before anybody has it. Its file holds the signed transaction: whoever
//! is killed at any moment sends the same one again, which happens once.
//!
//! ```text
//! FOLDER/NETWORK ID/ORDER ID.toml    transaction = "hex", proof = "path", done = false
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use holdfast_core::id::{NetworkId, OrderId};
use holdfast_ledger::account::AccountId;
use holdfast_ledger::storage::{PlaceOrder, order_id};
use holdfast_ledger::transaction::{Payload, Transaction};
use serde::{Deserialize, Serialize};

use crate::send::Signed;

/// What the names of records end with.
const EXTENSION: &str = "toml";

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A file or folder.
    #[error("could not use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that holds no order, so that nobody knows what was paid.
    #[error("{} holds no order: {why}; move it away if you know that nothing is open", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// One order that this machine made, or tried to make.
#[derive(Clone, Debug)]
pub struct Record {
    /// The transaction that makes it.
    pub signed: Signed,
    /// Where its proof goes.
    pub proof: Option<PathBuf>,
    /// The put that it pays for came to its end.
    pub done: bool,
}

/// A record's file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    transaction: String,
    proof: Option<PathBuf>,
    done: bool,
}

impl Record {
    /// The order's name.
    pub fn id(&self) -> OrderId {
        order_id(self.signed.id)
    }

    /// Who pays.
    pub fn account(&self) -> AccountId {
        self.signed.transaction.body.sender
    }

    /// What was ordered.
    ///
    /// # Panics
    /// Never for a record of a journal, which holds nothing else.
    pub fn place(&self) -> &PlaceOrder {
        match &self.signed.transaction.body.payload {
            Payload::PlaceOrder(place) => place,
            other => unreachable!("a journal of orders holds {other:?}"),
        }
    }

    fn read(text: &str) -> Result<Self, String> {
        let Entry { transaction, proof, done } =
            toml::from_str(text).map_err(|error| error.message().to_owned())?;
        let bytes = HEXLOWER.decode(transaction.as_bytes()).map_err(|error| error.to_string())?;
        let transaction = Transaction::from_bytes(&bytes).map_err(|error| error.to_string())?;
        match transaction.body.payload {
            Payload::PlaceOrder(_) => Ok(Self { signed: Signed::of(transaction), proof, done }),
            _ => Err("its transaction makes no order".to_owned()),
        }
    }

    fn text(&self) -> String {
        let transaction = HEXLOWER.encode(&self.signed.transaction.to_bytes());
        let entry = Entry { transaction, proof: self.proof.clone(), done: self.done };
        toml::to_string(&entry).expect("plain data")
    }
}

/// The records of one network.
#[derive(Clone, Debug)]
pub struct Journal(PathBuf);

impl Journal {
    /// The journal of a network, below the folder of all journals. The first record makes the folder.
    pub fn open(folder: &Path, network: &NetworkId) -> Self {
        Self(folder.join(network.to_string()))
    }

    fn path(&self, id: &OrderId) -> PathBuf {
        self.0.join(format!("{id}.{EXTENSION}"))
    }

    /// Makes a record durable.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, record: &Record) -> Result<(), JournalError> {
        let path = self.path(&record.id());
        let written = fs::create_dir_all(&self.0)
            .and_then(|()| holdfast_store::write_file(&path, record.text().as_bytes()));
        written.map_err(|source| JournalError::File { path, source })
    }

    /// Forgets a record.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn remove(&self, id: &OrderId) -> Result<(), JournalError> {
        let path = self.path(id);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(JournalError::File { path, source })
            }
            _ => Ok(()),
        }
    }

    /// The record of an order; none if this machine did not make it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn get(&self, id: &OrderId) -> Result<Option<Record>, JournalError> {
        let path = self.path(id);
        match fs::read_to_string(&path) {
            Ok(text) => Record::read(&text).map(Some).map_err(|why| JournalError::Damaged { path, why }),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(JournalError::File { path, source }),
        }
    }

    /// All records of an account, by the names of their orders. What is no record by its name is passed by.
    ///
    /// # Errors
    /// If one cannot be read: then nobody knows whether something is open.
    pub fn of(&self, account: &AccountId) -> Result<Vec<Record>, JournalError> {
        let ids = || -> io::Result<Vec<OrderId>> {
            let mut ids = Vec::new();
            for entry in fs::read_dir(&self.0)? {
                let path = PathBuf::from(entry?.file_name());
                let stem = path.file_stem().and_then(|stem| stem.to_str());
                if path.extension().is_some_and(|extension| extension == EXTENSION) {
                    ids.extend(stem.and_then(|stem| stem.parse::<OrderId>().ok()));
                }
            }
            ids.sort();
            Ok(ids)
        };
        let ids = match ids() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            ids => ids.map_err(|source| JournalError::File { path: self.0.clone(), source })?,
        };
        let mut records = Vec::new();
        for id in ids {
            records.extend(self.get(&id)?.filter(|record| record.account() == *account));
        }
        Ok(records)
    }
}

#[cfg(test)]
mod tests;
