//! Blocks: a header, which says what comes out, and the transactions that go in.

use holdfast_core::codec::{self, Bounded, DecodeError};
use holdfast_core::id::NetworkId;
pub use holdfast_proofs::header::{BlockHash, BlockTime, Header, Height, Round};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::transaction::{CheckedTransaction, Transaction, TransactionError};

/// Longest block, in bytes. It must cross the network well within a second.
pub const BLOCK_BYTES_MAX: usize = 4 << 20;
/// Most transactions of a block.
pub const BLOCK_TRANSACTIONS_MAX: usize = 1 << 15;

/// A block as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Block {
    /// What it says of itself.
    pub header: Header,
    /// In the order in which they are executed.
    pub transactions: Bounded<Transaction, BLOCK_TRANSACTIONS_MAX>,
}

/// Why a block cannot be looked at any further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedBlock {
    /// Not a block, or too long.
    #[error("not a block")]
    Decode(#[from] DecodeError),
    /// One of its transactions is none.
    #[error("transaction {index} is refused")]
    Transaction {
        /// Its place in the block.
        index: usize,
        /// Why.
        source: TransactionError,
    },
}

impl Block {
    /// Reads a block; [`Block::check`] looks at its transactions.
    ///
    /// # Errors
    /// If the bytes are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes, BLOCK_BYTES_MAX)
    }

    /// The one encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Checks the signatures of all transactions, which is most of the work of a block. Who has several processors gives
    /// each a part of them, see [`Transaction::check`].
    ///
    /// # Errors
    /// See [`MalformedBlock`].
    pub fn check(self, network: &NetworkId) -> Result<CheckedBlock, MalformedBlock> {
        let checked = self.transactions.into_inner().into_iter().enumerate().map(|(index, transaction)| {
            transaction.check(network).map_err(|source| MalformedBlock::Transaction { index, source })
        });
        Ok(CheckedBlock { header: self.header, transactions: checked.collect::<Result<_, _>>()? })
    }
}

/// A block whose transactions are signed by their senders. Whether it may follow another says [`crate::execute`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedBlock {
    /// What it says of itself: nothing of that is checked.
    pub header: Header,
    /// In their order.
    pub transactions: Vec<CheckedTransaction>,
}

impl CheckedBlock {
    /// As it travels.
    ///
    /// # Panics
    /// If there are more than [`BLOCK_TRANSACTIONS_MAX`] transactions, which no executed block has.
    pub fn to_block(&self) -> Block {
        let transactions = self.transactions.iter().map(|checked| checked.transaction().clone()).collect();
        let transactions = Bounded::new(transactions).expect("no more were executed");
        Block { header: self.header.clone(), transactions }
    }

    /// The encoding of [`CheckedBlock::to_block`], without the copy.
    pub fn to_bytes(&self) -> Vec<u8> {
        let transactions: Vec<_> = self.transactions.iter().map(CheckedTransaction::transaction).collect();
        codec::encode(&(&self.header, transactions))
    }
}
