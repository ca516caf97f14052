//! What can go wrong with the ledger on disk.

use std::io;

use holdfast_core::Fault;
use holdfast_ledger::block::Height;
use holdfast_ledger::execute::BlockError;
use holdfast_ledger::state::RowsError;

/// Why the ledger on disk could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The folder could not be made, or its entries not be made durable.
    #[error("could not make the ledger's folder")]
    Folder(#[source] io::Error),
    /// A database failed.
    #[error("could not {what} the ledger's database")]
    Database {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: Box<redb::Error>,
    },
    /// A row of the state.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// Something in it was not written by this program.
    #[error("the ledger's database is damaged: {0}")]
    Damaged(&'static str),
    /// It belongs to another network.
    #[error("the ledger in this folder began with another genesis")]
    Genesis,
    /// The block was executed on another one than the last.
    #[error("the block does not follow the last one")]
    Parent,
    /// What shows that a block is final is too long.
    #[error("{bytes} bytes of finality, the limit is {max}")]
    Finality {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        max: usize,
    },
    /// The state was lost from a block on that is no longer kept.
    #[error("the saved state ends before block {height}, which is not kept")]
    Missing {
        /// The block that would have to be executed again.
        height: Height,
    },
    /// A block that was committed does not follow any more.
    #[error("block {height} of the ledger on disk cannot be executed again")]
    Replay {
        /// Which.
        height: Height,
        /// Which rule it breaks; none if it cannot even be read.
        source: Option<Box<BlockError>>,
    },
    /// An earlier commit failed half way.
    #[error("an earlier commit failed; the ledger must be opened again")]
    Stopped,
}

impl ChainError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Finality { .. } => Fault::Peer,
            _ => Fault::Local,
        }
    }
}

pub(crate) fn failed<E: Into<redb::Error>>(what: &'static str) -> impl Fn(E) -> ChainError {
    move |error| ChainError::Database { what, source: Box::new(error.into()) }
}
