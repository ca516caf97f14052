//! The registry: which nodes there are, who owns them, and whether they are alive.
//!
//! An owner registers a node with its keys, a proof that the node possesses its BLS key, and the node's own consent.
//! It joins the next committee, under a salt that nobody could know when it was registered. It leaves the same way.
//! A member that more than two thirds of all validators report dead makes the epoch end early.
//! Specification: docs/spec/ledger.md, "Registry".

use holdfast_core::codec::{Bounded, Text};
use holdfast_core::id::{BoxKey, Epoch, NodeId, Salt};
use holdfast_core::purpose::{Purpose, Signable};
use holdfast_core::{bls, ed25519};
use holdfast_proofs::genesis::{Member, Weight};
use holdfast_proofs::header::Height;
use holdfast_proofs::validators::VALIDATORS_MAX;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::account::AccountId;
use crate::context::Context;
use crate::epoch::Running;
use crate::execute::Halt;
use crate::receipt::{Event, Failure, NodeChanged};
use crate::state::{Row, RowsError, State, Table};

/// What a node may be asked for: bit 0 keeps pieces, bit 1 may be made an authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Roles(u8);

impl Roles {
    /// It keeps pieces.
    pub const PROVIDER: Self = Self(1);
    /// It may be made an authority.
    pub const VALIDATOR: Self = Self(2);
    /// Both.
    pub const ALL: Self = Self(3);

    /// Whether all of `other` are among these.
    pub fn include(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl<'de> Deserialize<'de> for Roles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            bits @ 1..=3 => Ok(Self(bits)),
            other => Err(de::Error::custom(format!("unknown roles {other}"))),
        }
    }
}

/// Whether a node serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "u8")]
#[repr(u8)]
pub enum Status {
    /// It serves, or will from the next epoch on.
    Active = 1,
    /// It serves until the epoch ends.
    Leaving = 2,
    /// It left.
    Gone = 3,
    /// The validators report that it does not answer.
    Dead = 4,
    /// It broke a rule under its own signature, and will not serve again.
    Expelled = 5,
}

impl From<Status> for u8 {
    fn from(status: Status) -> Self {
        status as u8
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match u8::deserialize(deserializer)? {
            1 => Self::Active,
            2 => Self::Leaving,
            3 => Self::Gone,
            4 => Self::Dead,
            5 => Self::Expelled,
            other => return Err(de::Error::custom(format!("unknown status {other}"))),
        })
    }
}

/// A registered node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Node {
    /// Who registered it, pays and is paid for it.
    pub owner: AccountId,
    /// What it may be asked for.
    pub roles: Roles,
    /// Whether it serves.
    pub status: Status,
    /// The block in which it was registered or came back.
    pub since: Height,
    /// Its public entry. The salt is zero until it was a member.
    pub member: Member,
    /// Places of the validators who report it dead in this epoch.
    pub reports: Reports,
}

/// Who reported a node dead, and in which epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Reports {
    /// The epoch for which they count.
    pub epoch: Epoch,
    /// The reporting validators, ascending.
    pub from: Bounded<NodeId, VALIDATORS_MAX>,
}

impl Reports {
    fn none(epoch: Epoch) -> Self {
        Self { epoch, from: Bounded::new(Vec::new()).expect("nobody") }
    }
}

impl Row for Node {
    const TABLE: Table = Table::NODES;
    const BYTES_MAX: usize = 8 << 10;
}

impl Node {
    /// A node that serves from the beginning.
    pub(crate) fn of_genesis(owner: AccountId, member: Member) -> Self {
        let reports = Reports::none(Epoch::GENESIS);
        Self { owner, roles: Roles::ALL, status: Status::Active, since: Height(0), member, reports }
    }

    /// A node's row.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn get(state: &State<'_>, node: &NodeId) -> Result<Option<Self>, RowsError> {
        state.get(node.as_bytes())
    }

    /// Whether it shall be a member of the next committee.
    pub fn is_to_serve(&self) -> bool {
        self.status == Status::Active && self.roles.include(Roles::PROVIDER)
    }

    /// Whether it may decide about blocks.
    pub fn may_vote(&self) -> bool {
        matches!(self.status, Status::Active | Status::Dead) && self.roles.include(Roles::VALIDATOR)
    }

    fn store(&self, state: &mut State<'_>) {
        state.put(self.member.node.as_bytes(), self);
    }

    fn changed(&self) -> Event {
        Event::NodeChanged(NodeChanged { node: self.member.node, status: self.status })
    }
}

/// Registers a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Register {
    /// What the node agreed to.
    pub registration: Registration,
    /// Over {node id, BLS key}, by the BLS key, under `holdfast/pop/1`.
    pub possession: bls::Signature,
    /// Over the registration, by the node key.
    pub consent: ed25519::Signature,
}

/// What a node signs, so that nobody registers it without its consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Registration {
    /// The account that will own it.
    pub owner: AccountId,
    /// What it may be asked for.
    pub roles: Roles,
    /// Its node key; the hash of it is its id.
    pub ed25519: ed25519::PublicKey,
    /// Signs statements and votes.
    pub bls: bls::PublicKeyBytes,
    /// Receives secrets.
    pub box_key: BoxKey,
    /// Who runs it.
    pub operator: Text<64>,
    /// What can fail together.
    pub failure_domain: Text<64>,
    /// How often it is drawn.
    pub weight: Weight,
    /// The libp2p peer id of its host.
    pub peer: Text<64>,
}

impl Signable for Registration {
    const PURPOSE: Purpose = Purpose::REGISTRATION;
}

/// Changes what is not a key, from the next epoch on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Update {
    /// Which node.
    pub node: NodeId,
    /// Who runs it.
    pub operator: Text<64>,
    /// What can fail together.
    pub failure_domain: Text<64>,
    /// How often it is drawn.
    pub weight: Weight,
    /// Serve: takes back that it shall leave, or that it is dead. Else it leaves with the end of the epoch.
    pub serve: bool,
}

/// A validator's report that a member does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct ReportDead {
    /// The validator's node, which the sender owns.
    pub by: NodeId,
    /// Who does not answer.
    pub node: NodeId,
    /// The epoch in which it does not.
    pub epoch: Epoch,
}

/// A key or peer id belongs to one node for good: this row says to which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Claim(NodeId);

impl Row for Claim {
    const TABLE: Table = Table::CLAIMS;
    const BYTES_MAX: usize = 34;
}

/// Names that no two nodes share, each under a byte for its kind.
fn names(member: &Member) -> [Vec<u8>; 3] {
    [
        name(1, member.bls.as_bytes()),
        name(2, member.box_key.as_bytes()),
        name(3, member.peer.as_str().as_bytes()),
    ]
}

fn name(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let mut key = vec![kind];
    key.extend_from_slice(blake3::hash(bytes).as_bytes());
    key
}

/// Whether a node holds all its names.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn holds_its_names(state: &State<'_>, member: &Member) -> bool {
    names(member).iter().all(|name| state.get(name).ok().flatten() == Some(Claim(member.node)))
}

/// Which node a libp2p peer is the host of, if it is registered.
///
/// # Errors
/// If the row cannot be read.
pub fn hosted_by(state: &State<'_>, peer: &str) -> Result<Option<NodeId>, RowsError> {
    let claim: Option<Claim> = state.get(&name(3, peer.as_bytes()))?;
    Ok(claim.map(|Claim(node)| node))
}

/// How many names are taken.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn names_taken(state: &State<'_>) -> usize {
    crate::testing::audit::rows::<Claim>(state).len()
}

/// Takes the names of a node, or says that another one has one of them.
pub(crate) fn claim(state: &mut State<'_>, member: &Member) -> Result<(), Halt> {
    for name in names(member) {
        if state.get::<Claim>(&name)?.is_some_and(|Claim(other)| other != member.node) {
            return Err(Failure::Taken.into());
        }
        state.put(&name, &Claim(member.node));
    }
    Ok(())
}

pub(crate) fn register(
    state: &mut State<'_>,
    context: &Context,
    sender: AccountId,
    register: &Register,
    events: &mut Vec<Event>,
) -> Result<(), Halt> {
    let Register { registration, possession, consent } = register;
    if registration.owner != sender {
        return Err(Failure::Owner.into());
    }
    let id = NodeId::of(&registration.ed25519);
    let member = Member {
        node: id,
        ed25519: registration.ed25519,
        bls: registration.bls,
        box_key: registration.box_key,
        operator: registration.operator.clone(),
        failure_domain: registration.failure_domain.clone(),
        weight: registration.weight,
        salt: Salt::new([0; 32]),
        peer: registration.peer.clone(),
    };
    // One node is registered once; who left comes back by an update.
    if Node::get(state, &id)?.is_some() {
        return Err(Failure::Taken.into());
    }
    member.validate().map_err(|_| Failure::Key)?;
    let input = registration.signing_input(&context.network);
    registration.ed25519.verify(&input, consent).map_err(|_| Failure::Signature)?;
    member.bls.prove_possession(id, &context.network, possession).map_err(|_| Failure::Signature)?;
    claim(state, &member)?;
    let node = Node {
        owner: sender,
        roles: registration.roles,
        status: Status::Active,
        since: context.height,
        member,
        reports: Reports::none(context.epoch),
    };
    node.store(state);
    events.push(node.changed());
    Ok(())
}

/// The node, if the sender owns it.
pub(crate) fn owned(state: &State<'_>, sender: AccountId, node: &NodeId) -> Result<Node, Halt> {
    let node = Node::get(state, node)?.ok_or(Failure::Unknown)?;
    if node.owner == sender { Ok(node) } else { Err(Failure::Owner.into()) }
}

pub(crate) fn update(
    state: &mut State<'_>,
    context: &Context,
    sender: AccountId,
    update: &Update,
    events: &mut Vec<Event>,
) -> Result<(), Halt> {
    let mut node = owned(state, sender, &update.node)?;
    node.member.operator = update.operator.clone();
    node.member.failure_domain = update.failure_domain.clone();
    node.member.weight = update.weight;
    match (node.status, update.serve) {
        (Status::Expelled, _) => return Err(Failure::Status.into()),
        (Status::Active | Status::Leaving, serve) => {
            node.status = if serve { Status::Active } else { Status::Leaving };
        }
        // As a newcomer, with a new salt.
        (Status::Gone | Status::Dead, true) => {
            node.status = Status::Active;
            node.since = context.height;
            node.reports = Reports::none(context.epoch);
        }
        (Status::Gone | Status::Dead, false) => node.status = Status::Gone,
    }
    node.store(state);
    events.push(node.changed());
    Ok(())
}

pub(crate) fn report_dead(
    state: &mut State<'_>,
    context: &mut Context,
    sender: AccountId,
    report: &ReportDead,
    events: &mut Vec<Event>,
) -> Result<(), Halt> {
    owned(state, sender, &report.by)?;
    let validators = &context.validators;
    if validators.place(&report.by).is_none() {
        return Err(Failure::Owner.into());
    }
    if report.epoch != context.epoch {
        return Err(Failure::Late.into());
    }
    let mut node = Node::get(state, &report.node)?.ok_or(Failure::Unknown)?;
    if !matches!(node.status, Status::Active | Status::Leaving) {
        return Err(Failure::Status.into());
    }
    if node.reports.epoch != context.epoch {
        node.reports = Reports::none(context.epoch);
    }
    let mut from = node.reports.from.to_vec();
    match from.binary_search(&report.by) {
        Ok(_) => return Err(Failure::Taken.into()),
        Err(at) => from.insert(at, report.by),
    }
    if validators.decides(from.iter().filter_map(|by| validators.place(by))) {
        node.status = Status::Dead;
        // Whoever is no member keeps nothing, so nobody needs another committee.
        let committee = context.committee(state, context.epoch)?;
        if committee.is_some_and(|committee| committee.place(&report.node).is_some()) {
            let running = Running::of(state)?;
            state.put(&[], &Running { ending: true, ..running });
        }
        events.push(node.changed());
    }
    node.reports.from = Bounded::new(from).expect("no more than validators in one epoch");
    node.store(state);
    Ok(())
}

#[cfg(test)]
mod tests;
