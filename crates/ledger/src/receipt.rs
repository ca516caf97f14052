//! What became of transactions, and what happened on the ledger.

use holdfast_core::codec::Bounded;
use holdfast_core::id::Amount;
use holdfast_core::tagged_enum;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::account::AccountId;
use crate::block::{BLOCK_TRANSACTIONS_MAX, Height};
use crate::list::ListRoot;
use crate::transaction::TransactionId;

/// Most events of a transaction. What a payload may list is bounded so that it never brings about more.
pub const EVENTS_MAX: usize = 16;
/// Most events at the end of a block. What is due at a height is spread so that there are never more.
pub const BLOCK_EVENTS_MAX: usize = 4096;
/// Longest encoding of what became of a block, in bytes: with the most of everything, events have 112 on average.
pub const RECEIPTS_BYTES_MAX: usize = 64 << 20;

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

impl Event {
    /// Accounts whose history it belongs to.
    pub fn accounts(&self) -> Vec<AccountId> {
        match self {
            Self::Transferred(Transferred { from, to, .. }) => vec![*from, *to],
            Self::Rewarded(Rewarded { to, .. }) => vec![*to],
        }
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
    pub events: Bounded<Event, EVENTS_MAX>,
}

/// What became of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Receipts {
    /// In the order of the transactions.
    pub transactions: Bounded<Receipt, BLOCK_TRANSACTIONS_MAX>,
    /// What happened at the end of the block.
    pub events: Bounded<Event, BLOCK_EVENTS_MAX>,
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
        self.transactions.iter().flat_map(|receipt| receipt.events.iter()).chain(self.events.iter())
    }
}

#[cfg(test)]
mod tests {
    use holdfast_core::codec::{decode, encode};
    use holdfast_core::ed25519::PublicKey;

    use super::*;

    fn event() -> Event {
        let account = AccountId::of(PublicKey::new([0xff; 32]));
        Event::Transferred(Transferred { from: account, to: account, amount: Amount(u128::MAX) })
    }

    /// The longest receipts that there can be are accepted, and one event or receipt more is not.
    #[test]
    fn receipts_are_bounded() {
        let full = Receipt {
            transaction: TransactionId::new([0xff; 32]),
            failure: Some(Failure::Nothing),
            events: Bounded::new(vec![event(); EVENTS_MAX]).unwrap(),
        };
        let bytes = encode(&full).len() * BLOCK_TRANSACTIONS_MAX + encode(&event()).len() * BLOCK_EVENTS_MAX;
        assert!(bytes + 16 <= RECEIPTS_BYTES_MAX, "{bytes}");

        let long = encode(&(full.transaction, full.failure, vec![event(); EVENTS_MAX + 1]));
        assert!(decode::<Receipt>(&long, RECEIPTS_BYTES_MAX).is_err());
        let few = Receipts { transactions: Bounded::new(vec![full]).unwrap(), ..Receipts::default() };
        assert_eq!(decode(&encode(&few), RECEIPTS_BYTES_MAX), Ok(few));
        let none: Vec<Receipt> = Vec::new();
        let long = encode(&(none, vec![event(); BLOCK_EVENTS_MAX + 1]));
        assert!(decode::<Receipts>(&long, RECEIPTS_BYTES_MAX).is_err());
    }
}
