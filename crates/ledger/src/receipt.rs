//! What became of transactions, and what happened on the ledger.

use holdfast_core::block::BlockId;
use holdfast_core::codec::Bounded;
use holdfast_core::id::{Amount, CommitteeId, Epoch, NodeId, OrderId};
use holdfast_core::tagged_enum;
use holdfast_proofs::list::ListRoot;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::account::AccountId;
use crate::block::{BLOCK_TRANSACTIONS_MAX, Height};
use crate::governance::MotionId;
use crate::registry::Status;
use crate::transaction::TransactionId;

/// Most events of a transaction. An order that is settled pays 255 providers, and says one thing more.
pub const EVENTS_MAX: usize = 258;
/// Most events of all transactions of a block. A payload that would bring about more fails.
pub const PAYLOAD_EVENTS_MAX: usize = 1 << 16;
/// Most events at the end of a block. What is due at a height is spread so that there are never more.
pub const BLOCK_EVENTS_MAX: usize = 4096;
/// Longest encoding of what became of a block, in bytes: with the most of everything, no event has more than 112.
pub const RECEIPTS_BYTES_MAX: usize = 16 << 20;

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
    /// A sum, or a number of epochs, of nothing.
    #[error("nothing is paid")]
    Nothing = 3,
    /// A node, order or measurement that is not there.
    #[error("there is nothing of that name")]
    Unknown = 4,
    /// Somebody else's.
    #[error("it belongs to somebody else")]
    Owner = 5,
    /// A key or peer id that another node has, or something that was done already.
    #[error("it is taken, or was done already")]
    Taken = 6,
    /// A key that cannot be used, or a node id that is not its hash.
    #[error("a key of the node cannot be used")]
    Key = 7,
    /// A signature in the payload.
    #[error("a signature in it does not verify")]
    Signature = 8,
    /// What is asked is not possible as things stand.
    #[error("it is not possible as things stand")]
    Status = 9,
    /// Too late, or too far ahead.
    #[error("it comes too late, or reaches too far")]
    Late = 10,
    /// No more fit.
    #[error("there are too many already")]
    Full = 11,
    /// Parameters that break a rule.
    #[error("the parameters break a rule")]
    Params = 12,
    /// Two objects that do not contradict each other.
    #[error("it is no offence")]
    Evidence = 13,
    /// A certificate that is not one of this order.
    #[error("the certificate does not fit the order")]
    Certificate = 14,
    /// An epoch that has no committee, or ends before it begins.
    #[error("there is no such epoch")]
    Epoch = 15,
    /// A profile that is not allowed.
    #[error("the profile is not allowed in this epoch")]
    Profile = 16,
    /// A price above what the sender agrees to.
    #[error("the price is higher than the sender agrees to")]
    Price = 17,
}

impl Failure {
    /// All of them, in order of their numbers.
    pub const ALL: [Self; 17] = [
        Self::Balance,
        Self::Recipient,
        Self::Nothing,
        Self::Unknown,
        Self::Owner,
        Self::Taken,
        Self::Key,
        Self::Signature,
        Self::Status,
        Self::Late,
        Self::Full,
        Self::Params,
        Self::Evidence,
        Self::Certificate,
        Self::Epoch,
        Self::Profile,
        Self::Price,
    ];

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
        /// A node was registered, or serves no longer, or again.
        3 => NodeChanged(NodeChanged),
        /// A node's bond is another.
        4 => Bonded(Bonded),
        /// A node was expelled for an offence.
        5 => Slashed(Slashed),
        /// An order was made, renewed or cancelled.
        6 => OrderChanged(OrderChanged),
        /// An order's piece is kept.
        7 => OrderActive(OrderActive),
        /// A provider was paid.
        8 => OrderPaid(OrderPaid),
        /// An order ended.
        9 => OrderEnded(OrderEnded),
        /// A motion was accepted.
        10 => Decided(Decided),
        /// An epoch begins with the next block.
        11 => EpochBegan(EpochBegan),
    }
}

impl Event {
    /// Accounts whose history it belongs to.
    pub fn accounts(&self) -> Vec<AccountId> {
        match self {
            Self::Transferred(Transferred { from, to, .. }) => vec![*from, *to],
            Self::Rewarded(Rewarded { to, .. }) | Self::OrderPaid(OrderPaid { to, .. }) => vec![*to],
            Self::NodeChanged(_)
            | Self::Bonded(_)
            | Self::Slashed(_)
            | Self::OrderChanged(_)
            | Self::OrderActive(_)
            | Self::OrderEnded(_)
            | Self::Decided(_)
            | Self::EpochBegan(_) => Vec::new(),
        }
    }
}

/// A node was registered, or serves no longer, or again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct NodeChanged {
    /// Which.
    pub node: NodeId,
    /// What it is now.
    pub status: Status,
}

/// A node's bond is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Bonded {
    /// Which node's.
    pub node: NodeId,
    /// What counts for it now.
    pub bonded: Amount,
}

/// A node was expelled for an offence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Slashed {
    /// Which.
    pub node: NodeId,
    /// What its owner lost.
    pub taken: Amount,
    /// What of it nobody got.
    pub burned: Amount,
}

/// An order was made, renewed or cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct OrderChanged {
    /// Which.
    pub order: OrderId,
    /// The first epoch that is not paid.
    pub until: Epoch,
    /// The money that is left for it.
    pub escrow: Amount,
}

/// An order's piece is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct OrderActive {
    /// Which.
    pub order: OrderId,
    /// The piece.
    pub cid: BlockId,
    /// How many providers signed.
    pub signers: u32,
    /// The first epoch for which they do not promise.
    pub promised: Epoch,
}

/// A provider was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct OrderPaid {
    /// For which order.
    pub order: OrderId,
    /// The owner of the provider.
    pub to: AccountId,
    /// How much.
    pub amount: Amount,
}

/// An order ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct OrderEnded {
    /// Which.
    pub order: OrderId,
    /// What came back to whoever made it.
    pub refunded: Amount,
}

/// A motion was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Decided {
    /// Which.
    pub motion: MotionId,
}

/// An epoch begins with the next block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct EpochBegan {
    /// Which.
    pub epoch: Epoch,
    /// Its committee.
    pub committee: CommitteeId,
    /// Its first block.
    pub first: Height,
    /// Members of the committee.
    pub members: u32,
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
        let empty = (full.transaction, full.failure, [0_u8; 0]);
        let events = encode(&event()).len() * (PAYLOAD_EVENTS_MAX + BLOCK_EVENTS_MAX);
        let bytes = (encode(&empty).len() + 2) * BLOCK_TRANSACTIONS_MAX + events;
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
