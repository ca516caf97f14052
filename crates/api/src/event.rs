//! What happened on the ledger.

use holdfast_core::block::BlockId;
use holdfast_core::id::{Amount, CommitteeId, Epoch, NodeId, OrderId};
use holdfast_ledger::account::AccountId;
use holdfast_ledger::block::Height;
use holdfast_ledger::governance::MotionId;
use holdfast_ledger::receipt;
use holdfast_ledger::transaction::TransactionId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::node::NodeStatus;
use crate::position::Position;
use crate::schema::{AccountText, AmountText, CidText, Hash, name};

name!(EventsSchema, "holdfast/events/1");
name!(EventSchema, "holdfast/event/1");

/// Events in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Events {
    /// What this object is.
    pub schema: EventsSchema,
    /// Some of them.
    pub events: Vec<EventAt>,
    /// The `from` with which the next ones are asked for. It equals the one that was asked if there are no more yet.
    pub next: Position,
}

/// An event and where it stands. Who has seen a position has seen the event, however often it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventAt {
    /// What this object is.
    pub schema: EventSchema,
    /// Where it stands: the name of the event for good.
    pub position: Position,
    /// The transaction that brought it about; null if the block itself did.
    #[schema(value_type = Option<Hash>)]
    pub transaction: Option<TransactionId>,
    /// What happened.
    pub event: Event,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// Money went from one account to another.
    Transferred {
        /// Who paid.
        #[serde(with = "crate::text")]
        #[schema(value_type = AccountText)]
        from: AccountId,
        /// Who got it.
        #[serde(with = "crate::text")]
        #[schema(value_type = AccountText)]
        to: AccountId,
        /// How much.
        #[schema(value_type = AmountText)]
        amount: Amount,
    },
    /// The proposer of the block was paid.
    Rewarded {
        /// Who.
        #[serde(with = "crate::text")]
        #[schema(value_type = AccountText)]
        to: AccountId,
        /// New money.
        #[schema(value_type = AmountText)]
        issued: Amount,
        /// Fees of the block's transactions.
        #[schema(value_type = AmountText)]
        fees: Amount,
    },
    /// A node was registered, or its status is another.
    NodeChanged {
        /// Which.
        #[schema(value_type = Hash)]
        node: NodeId,
        /// What it is now.
        status: NodeStatus,
    },
    /// A node's bond is another.
    Bonded {
        /// Whose.
        #[schema(value_type = Hash)]
        node: NodeId,
        /// What counts for it now.
        #[schema(value_type = AmountText)]
        bonded: Amount,
    },
    /// A node was expelled for an offence.
    Slashed {
        /// Which.
        #[schema(value_type = Hash)]
        node: NodeId,
        /// What its owner lost.
        #[schema(value_type = AmountText)]
        taken: Amount,
        /// What of it nobody got.
        #[schema(value_type = AmountText)]
        burned: Amount,
    },
    /// An order was made, renewed or cancelled.
    OrderChanged {
        /// Which.
        #[schema(value_type = Hash)]
        order: OrderId,
        /// The first epoch that is not paid.
        #[schema(value_type = u64)]
        until: Epoch,
        /// The money that is left for it.
        #[schema(value_type = AmountText)]
        escrow: Amount,
    },
    /// An order's piece is kept.
    OrderActive {
        /// Which.
        #[schema(value_type = Hash)]
        order: OrderId,
        /// The piece.
        #[schema(value_type = CidText)]
        cid: BlockId,
        /// How many providers signed.
        signers: u32,
        /// The first epoch for which they do not promise.
        #[schema(value_type = u64)]
        promised: Epoch,
    },
    /// A provider was paid.
    OrderPaid {
        /// For which order.
        #[schema(value_type = Hash)]
        order: OrderId,
        /// The provider's owner.
        #[serde(with = "crate::text")]
        #[schema(value_type = AccountText)]
        to: AccountId,
        /// How much.
        #[schema(value_type = AmountText)]
        amount: Amount,
    },
    /// An order ended.
    OrderEnded {
        /// Which.
        #[schema(value_type = Hash)]
        order: OrderId,
        /// What came back to whoever made it.
        #[schema(value_type = AmountText)]
        refunded: Amount,
    },
    /// A motion was accepted.
    Decided {
        /// Which.
        #[schema(value_type = Hash)]
        motion: MotionId,
    },
    /// An epoch begins with the next block.
    EpochBegan {
        /// Which.
        #[schema(value_type = u64)]
        epoch: Epoch,
        /// Its committee.
        #[schema(value_type = Hash)]
        committee: CommitteeId,
        /// Its first block.
        #[schema(value_type = u64)]
        first: Height,
        /// Members of the committee.
        members: u32,
    },
}

impl Event {
    /// What stands in `kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Transferred { .. } => "transferred",
            Self::Rewarded { .. } => "rewarded",
            Self::NodeChanged { .. } => "node_changed",
            Self::Bonded { .. } => "bonded",
            Self::Slashed { .. } => "slashed",
            Self::OrderChanged { .. } => "order_changed",
            Self::OrderActive { .. } => "order_active",
            Self::OrderPaid { .. } => "order_paid",
            Self::OrderEnded { .. } => "order_ended",
            Self::Decided { .. } => "decided",
            Self::EpochBegan { .. } => "epoch_began",
        }
    }
}

impl From<&receipt::Event> for Event {
    fn from(event: &receipt::Event) -> Self {
        use receipt::Event as Ledger;
        match event.clone() {
            Ledger::Transferred(receipt::Transferred { from, to, amount }) => {
                Self::Transferred { from, to, amount }
            }
            Ledger::Rewarded(receipt::Rewarded { to, issued, fees }) => Self::Rewarded { to, issued, fees },
            Ledger::NodeChanged(receipt::NodeChanged { node, status }) => {
                Self::NodeChanged { node, status: status.into() }
            }
            Ledger::Bonded(receipt::Bonded { node, bonded }) => Self::Bonded { node, bonded },
            Ledger::Slashed(receipt::Slashed { node, taken, burned }) => {
                Self::Slashed { node, taken, burned }
            }
            Ledger::OrderChanged(receipt::OrderChanged { order, until, escrow }) => {
                Self::OrderChanged { order, until, escrow }
            }
            Ledger::OrderActive(receipt::OrderActive { order, cid, signers, promised }) => {
                Self::OrderActive { order, cid, signers, promised }
            }
            Ledger::OrderPaid(receipt::OrderPaid { order, to, amount }) => {
                Self::OrderPaid { order, to, amount }
            }
            Ledger::OrderEnded(receipt::OrderEnded { order, refunded }) => {
                Self::OrderEnded { order, refunded }
            }
            Ledger::Decided(receipt::Decided { motion }) => Self::Decided { motion },
            Ledger::EpochBegan(receipt::EpochBegan { epoch, committee, first, members }) => {
                Self::EpochBegan { epoch, committee, first, members }
            }
        }
    }
}
