//! Blocks: a header, which says what comes out, and the transactions that go in.

use std::fmt;

use holdfast_core::codec::{self, Bounded, DecodeError};
use holdfast_core::fixed_bytes;
use holdfast_core::id::NetworkId;
use serde::{Deserialize, Serialize};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::account::AccountId;
use crate::list::ListRoot;
use crate::transaction::{CheckedTransaction, Transaction, TransactionError};
use crate::tree::StateRoot;

/// Longest block, in bytes. It must cross the network well within a second.
pub const BLOCK_BYTES_MAX: usize = 4 << 20;
/// Most transactions of a block.
pub const BLOCK_TRANSACTIONS_MAX: usize = 1 << 15;

fixed_bytes!(
    /// BLAKE3 of a header; zero is the parent of the first block.
    BlockHash, 32
);

/// How many blocks stand before a block. Genesis stands at 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Height(pub u64);

impl Height {
    /// The next one, or `None` at the end of `u64`.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Milliseconds since 1970-01-01 00:00:00 UTC, by the proposer's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlockTime(pub u64);

/// What a block says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Header {
    /// One more than the parent's.
    pub height: Height,
    /// The block before.
    pub parent: BlockHash,
    /// Later than the parent's.
    pub time: BlockTime,
    /// Gets reward and fees.
    pub proposer: AccountId,
    /// Ids of the transactions, in their order.
    pub transactions: ListRoot,
    /// What became of them, and what else happened.
    pub receipts: ListRoot,
    /// All rows after this block.
    pub state: StateRoot,
}

impl Header {
    /// The block's name.
    pub fn hash(&self) -> BlockHash {
        BlockHash::new(codec::digest(self))
    }
}

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
