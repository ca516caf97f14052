//! Registered nodes.

use holdfast_core::bls::PublicKeyBytes;
use holdfast_core::ed25519::PublicKey;
use holdfast_core::id::{Amount, BoxKey, Epoch, NodeId, Salt};
use holdfast_ledger::account::AccountId;
use holdfast_ledger::block::Height;
use holdfast_ledger::registry::{self, Roles, Status};
use holdfast_ledger::stake::Bond;
use holdfast_proofs::genesis;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema::{AccountText, AmountText, Hash, Hex, name};

name!(NodeSchema, "holdfast/node/1");
name!(NodesSchema, "holdfast/nodes/1");

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeAnswer {
    /// What this object is.
    pub schema: NodeSchema,
    /// After which block.
    #[schema(value_type = u64)]
    pub height: Height,
    /// The node.
    pub node: Node,
}

/// Nodes, ascending by id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Nodes {
    /// What this object is.
    pub schema: NodesSchema,
    /// After which block.
    #[schema(value_type = u64)]
    pub height: Height,
    /// Some of them.
    pub nodes: Vec<Node>,
    /// The `after` with which the next ones are asked for; null if there are none.
    #[schema(value_type = Option<Hash>)]
    pub next: Option<NodeId>,
}

/// A registered node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Node {
    /// Who registered it.
    #[serde(with = "crate::text")]
    #[schema(value_type = AccountText)]
    pub owner: AccountId,
    /// What it may be asked for.
    pub roles: Vec<NodeRole>,
    /// Whether it serves.
    pub status: NodeStatus,
    /// The block in which it was registered or came back.
    #[schema(value_type = u64)]
    pub since: Height,
    /// What counts as its bond.
    #[schema(value_type = AmountText)]
    pub bonded: Amount,
    /// Parts of the bond on their way back.
    pub unbonding: Vec<Unbonding>,
    /// Its public entry.
    pub member: Member,
    /// Validators who report it dead in the epoch beside.
    #[schema(value_type = Vec<Hash>)]
    pub reported_by: Vec<NodeId>,
    /// The epoch for which these reports count.
    #[schema(value_type = u64)]
    pub reported_in: Epoch,
}

/// A part of a bond on its way back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Unbonding {
    /// How much.
    #[schema(value_type = AmountText)]
    pub amount: Amount,
    /// From this epoch on it can be taken.
    #[schema(value_type = u64)]
    pub free: Epoch,
}

/// A node's public entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// Its id.
    #[schema(value_type = Hash)]
    pub node: NodeId,
    /// Signs its own messages; the id is the hash of it.
    #[schema(value_type = Hash)]
    pub ed25519: PublicKey,
    /// Signs statements and votes.
    #[schema(value_type = Hex)]
    pub bls: PublicKeyBytes,
    /// Receives secrets.
    #[schema(value_type = Hash)]
    pub box_key: BoxKey,
    /// Who runs it, as its owner says.
    pub operator: String,
    /// What can fail together, as its owner says.
    pub failure_domain: String,
    /// How often it is drawn.
    pub weight: u8,
    /// Part of its draw that it cannot choose.
    #[schema(value_type = Hash)]
    pub salt: Salt,
    /// The libp2p peer id of its host.
    pub peer: String,
}

/// What a node may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeRole {
    /// It keeps pieces.
    Provider,
    /// It may be made an authority.
    Validator,
}

/// Whether a node serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeStatus {
    /// It serves, or will from the next epoch on.
    Active,
    /// It serves until the epoch ends.
    Leaving,
    /// It left.
    Gone,
    /// The validators report that it does not answer.
    Dead,
    /// It committed an offence.
    Expelled,
}

impl From<Status> for NodeStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Active => Self::Active,
            Status::Leaving => Self::Leaving,
            Status::Gone => Self::Gone,
            Status::Dead => Self::Dead,
            Status::Expelled => Self::Expelled,
        }
    }
}

/// What these roles are, one by one.
pub(crate) fn roles(roles: Roles) -> Vec<NodeRole> {
    let all = [(Roles::PROVIDER, NodeRole::Provider), (Roles::VALIDATOR, NodeRole::Validator)];
    all.into_iter().filter(|(role, _)| roles.include(*role)).map(|(_, name)| name).collect()
}

impl From<&genesis::Member> for Member {
    fn from(member: &genesis::Member) -> Self {
        Self {
            node: member.node,
            ed25519: member.ed25519,
            bls: member.bls,
            box_key: member.box_key,
            operator: member.operator.to_string(),
            failure_domain: member.failure_domain.to_string(),
            weight: member.weight.get(),
            salt: member.salt,
            peer: member.peer.to_string(),
        }
    }
}

impl Node {
    /// A node and what is locked for it.
    pub fn new(node: &registry::Node, bond: &Bond) -> Self {
        let unbonding = bond.unbonding.iter();
        Self {
            owner: node.owner,
            roles: roles(node.roles),
            status: node.status.into(),
            since: node.since,
            bonded: bond.bonded,
            unbonding: unbonding.map(|part| Unbonding { amount: part.amount, free: part.free }).collect(),
            member: (&node.member).into(),
            reported_by: node.reports.from.to_vec(),
            reported_in: node.reports.epoch,
        }
    }
}
