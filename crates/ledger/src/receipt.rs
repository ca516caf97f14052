//! What became of transactions, and what happened on the ledger.

use holdfast_core::id::Amount;
use holdfast_core::tagged_enum;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::account::AccountId;
use crate::block::Height;
use crate::list::ListRoot;
use crate::transaction::TransactionId;

/// Why the payload of a transaction had no effect. Its fee is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[repr(u8)]
pub enum Failure {
    /// The sender has less than it wants to spend.
    #[error("the sender's balance is too small")]
    Balance = 1,
    /// Nobody can hold the key of the account that is paid.
    #[error("the recipient is no usable key")]
    Recipient = 2,
    /// A sum of nothing.
    #[error("nothing is paid")]
    Nothing = 3,
}

impl Failure {
    /// All of them, in order of their numbers.
    pub const ALL: [Self; 3] = [Self::Balance, Self::Recipient, Self::Nothing];

    /// How it travels.
    pub fn number(self) -> u8 {
        self as u8
    }
}

impl Serialize for Failure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.number())
    }
}

impl<'de> Deserialize<'de> for Failure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u8::deserialize(deserializer)?;
        let known = Self::ALL.into_iter().find(|failure| failure.number() == number);
        known.ok_or_else(|| de::Error::custom(format!("unknown failure {number}")))
    }
}

tagged_enum! {
    /// Something that happened.
    pub enum Event {
        /// Money went from one account to another.
        1 => Transferred(Transferred),
        /// The proposer of a block was paid.
        2 => Rewarded(Rewarded),
    }
}

/// Money went from one account to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Transferred {
    /// Who paid.
    pub from: AccountId,
    /// Who got it.
    pub to: AccountId,
    /// How much.
    pub amount: Amount,
}

/// The proposer of a block was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Rewarded {
    /// Who.
    pub to: AccountId,
    /// New money.
    pub issued: Amount,
    /// What the senders of the block's transactions paid.
    pub fees: Amount,
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Receipt {
    /// Which.
    pub transaction: TransactionId,
    /// Null if it did what it says.
    pub failure: Option<Failure>,
    /// What it brought about; nothing if it failed.
    pub events: Vec<Event>,
}

/// What became of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Receipts {
    /// In the order of the transactions.
    pub transactions: Vec<Receipt>,
    /// What happened at the end of the block.
    pub events: Vec<Event>,
}

/// Where an event stands: who has seen one has seen it, however often it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize_tuple, Deserialize_tuple)]
pub struct EventPosition {
    /// The block.
    pub height: Height,
    /// Events of the block before this one.
    pub index: u32,
}

impl Receipts {
    /// The hash that the header holds: of the receipts, and last of the block's own events.
    pub fn root(&self) -> ListRoot {
        use holdfast_core::codec::digest;
        ListRoot::of(self.transactions.iter().map(digest).chain([digest(&self.events)]))
    }

    /// All events of the block, in order.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.transactions.iter().flat_map(|receipt| &receipt.events).chain(&self.events)
    }
}
