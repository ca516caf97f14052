//! What transactions do.

use holdfast_core::block::BlockId;
use holdfast_core::id::{Amount, Epoch, NodeId, OrderId, PieceRoot};
use holdfast_ledger::account::AccountId;
use holdfast_ledger::evidence::{Accuse, Offence};
use holdfast_ledger::governance::{self, Allow, Measurement, SetAuthority, Support};
use holdfast_ledger::registry::{Register, Registration, ReportDead, Update};
use holdfast_ledger::stake::{Lock, Unlock, Withdraw};
use holdfast_ledger::storage::{Activate, Cancel, Claim, PlaceOrder, Renew};
use holdfast_ledger::transaction::{self, Transfer};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::node::{NodeRole, roles};
use crate::params::{Params, Profile};
use crate::schema::{AccountText, AmountText, CidText, Hash, Hex};

/// What a transaction does. Keys, signatures and certificates in it stand in the transaction's `encoded`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Payload {
    /// Gives money to another account.
    Transfer {
        /// Who gets it.
        #[serde(with = "crate::text")]
        #[schema(value_type = AccountText)]
        to: AccountId,
        /// How much.
        #[schema(value_type = AmountText)]
        amount: Amount,
    },
    /// Registers a node.
    Register {
        /// Its id.
        #[schema(value_type = Hash)]
        node: NodeId,
        /// The account that will own it.
        #[serde(with = "crate::text")]
        #[schema(value_type = AccountText)]
        owner: AccountId,
        /// What it may be asked for.
        roles: Vec<NodeRole>,
        /// Who runs it.
        operator: String,
        /// What can fail together.
        failure_domain: String,
        /// How often it is drawn.
        weight: u8,
        /// The libp2p peer id of its host.
        peer: String,
    },
    /// Changes a node's entry.
    Update {
        /// Which.
        #[schema(value_type = Hash)]
        node: NodeId,
        /// Who runs it.
        operator: String,
        /// What can fail together.
        failure_domain: String,
        /// How often it is drawn.
        weight: u8,
        /// Whether it shall serve.
        serve: bool,
    },
    /// Reports that a member does not answer.
    ReportDead {
        /// The reporting validator.
        #[schema(value_type = Hash)]
        by: NodeId,
        /// Who does not answer.
        #[schema(value_type = Hash)]
        node: NodeId,
        /// The epoch in which it does not.
        #[schema(value_type = u64)]
        epoch: Epoch,
    },
    /// Locks money for a node.
    Lock {
        /// Which.
        #[schema(value_type = Hash)]
        node: NodeId,
        /// How much.
        #[schema(value_type = AmountText)]
        amount: Amount,
    },
    /// Asks for locked money back.
    Unlock {
        /// Which node's.
        #[schema(value_type = Hash)]
        node: NodeId,
        /// How much.
        #[schema(value_type = AmountText)]
        amount: Amount,
    },
    /// Takes back what is free by now.
    Withdraw {
        /// Which node's.
        #[schema(value_type = Hash)]
        node: NodeId,
    },
    /// Shows an offence.
    Accuse {
        /// Who did it.
        #[schema(value_type = Hash)]
        node: NodeId,
        /// What was signed twice.
        offence: OffenceKind,
    },
    /// Orders storage.
    Order {
        /// The piece.
        #[schema(value_type = CidText)]
        cid: BlockId,
        /// Its length.
        piece_bytes: u64,
        /// How many copies.
        profile: Profile,
        /// For how many epochs.
        epochs: u64,
        /// The highest price for each byte, copy and epoch.
        #[schema(value_type = AmountText)]
        price_max: Amount,
    },
    /// Shows that an order's piece is kept.
    Activate {
        /// Which order.
        #[schema(value_type = Hash)]
        order: OrderId,
        /// The piece that the certificate names.
        #[schema(value_type = CidText)]
        cid: BlockId,
        /// Its piece root.
        #[schema(value_type = Hash)]
        piece_root: PieceRoot,
        /// The epoch whose committee signed.
        #[schema(value_type = u64)]
        epoch: Epoch,
        /// The first epoch for which it does not promise.
        #[schema(value_type = u64)]
        promised: Epoch,
    },
    /// Pays for more epochs.
    Renew {
        /// Which order.
        #[schema(value_type = Hash)]
        order: OrderId,
        /// How many more.
        epochs: u64,
        /// The highest price for each byte, copy and epoch.
        #[schema(value_type = AmountText)]
        price_max: Amount,
    },
    /// Ends an order.
    Cancel {
        /// Which.
        #[schema(value_type = Hash)]
        order: OrderId,
    },
    /// Has an order's providers paid.
    Claim {
        /// Which order.
        #[schema(value_type = Hash)]
        order: OrderId,
    },
    /// Supports a motion.
    Support {
        /// The supporting validator.
        #[schema(value_type = Hash)]
        by: NodeId,
        /// What shall be done.
        action: Action,
    },
}

/// What was signed twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OffenceKind {
    /// Two votes in one step.
    Votes,
    /// Two pieces under one CID.
    Statements,
}

/// What a motion would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Action {
    /// Change the parameters.
    Params {
        /// To these.
        params: Params,
    },
    /// Make a node an authority, change its weight, or remove it.
    Authority {
        /// Which.
        #[schema(value_type = Hash)]
        node: NodeId,
        /// What its vote counts; null removes it.
        weight: Option<u8>,
    },
    /// Allow a measurement.
    Allow {
        /// Which.
        #[schema(value_type = Hex)]
        measurement: Measurement,
        /// From this epoch on.
        #[schema(value_type = u64)]
        from: Epoch,
        /// Until this one, exclusive; null for good.
        #[schema(value_type = Option<u64>)]
        until: Option<Epoch>,
    },
    /// Forbid a measurement, at once.
    Revoke {
        /// Which.
        #[schema(value_type = Hex)]
        measurement: Measurement,
    },
}

impl From<&transaction::Payload> for Payload {
    fn from(payload: &transaction::Payload) -> Self {
        use transaction::Payload as Ledger;
        match payload {
            Ledger::Transfer(Transfer { to, amount }) => Self::Transfer { to: *to, amount: *amount },
            Ledger::Register(Register { registration, .. }) => register(registration),
            Ledger::Update(Update { node, operator, failure_domain, weight, serve }) => Self::Update {
                node: *node,
                operator: operator.to_string(),
                failure_domain: failure_domain.to_string(),
                weight: weight.get(),
                serve: *serve,
            },
            Ledger::ReportDead(ReportDead { by, node, epoch }) => {
                Self::ReportDead { by: *by, node: *node, epoch: *epoch }
            }
            Ledger::Lock(Lock { node, amount }) => Self::Lock { node: *node, amount: *amount },
            Ledger::Unlock(Unlock { node, amount }) => Self::Unlock { node: *node, amount: *amount },
            Ledger::Withdraw(Withdraw { node }) => Self::Withdraw { node: *node },
            Ledger::Accuse(Accuse { node, offence }) => {
                let offence = match offence {
                    Offence::Votes(_) => OffenceKind::Votes,
                    Offence::Statements(_) => OffenceKind::Statements,
                };
                Self::Accuse { node: *node, offence }
            }
            Ledger::PlaceOrder(PlaceOrder { cid, piece_bytes, profile, epochs, price_max }) => Self::Order {
                cid: *cid,
                piece_bytes: *piece_bytes,
                profile: profile.into(),
                epochs: *epochs,
                price_max: *price_max,
            },
            Ledger::Activate(Activate { order, certificate }) => {
                let statement = &certificate.statement;
                Self::Activate {
                    order: *order,
                    cid: statement.cid,
                    piece_root: statement.piece_root,
                    epoch: statement.epoch,
                    promised: statement.retain_until,
                }
            }
            Ledger::Renew(Renew { order, epochs, price_max }) => {
                Self::Renew { order: *order, epochs: *epochs, price_max: *price_max }
            }
            Ledger::Cancel(Cancel { order }) => Self::Cancel { order: *order },
            Ledger::Claim(Claim { order }) => Self::Claim { order: *order },
            Ledger::Support(Support { by, action }) => Self::Support { by: *by, action: action.into() },
        }
    }
}

fn register(registration: &Registration) -> Payload {
    Payload::Register {
        node: NodeId::of(&registration.ed25519),
        owner: registration.owner,
        roles: roles(registration.roles),
        operator: registration.operator.to_string(),
        failure_domain: registration.failure_domain.to_string(),
        weight: registration.weight.get(),
        peer: registration.peer.to_string(),
    }
}

impl From<&governance::Action> for Action {
    fn from(action: &governance::Action) -> Self {
        use governance::Action as Ledger;
        match action {
            Ledger::Params(params) => Self::Params { params: params.into() },
            Ledger::Authority(SetAuthority { node, weight }) => {
                Self::Authority { node: *node, weight: weight.map(|weight| weight.get()) }
            }
            Ledger::Allow(Allow { measurement, from, until }) => {
                Self::Allow { measurement: *measurement, from: *from, until: *until }
            }
            Ledger::Revoke(measurement) => Self::Revoke { measurement: *measurement },
        }
    }
}
