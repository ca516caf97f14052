//! Evidence: two signatures of one node that no honest node makes.
//!
//! Whoever shows it gets a tenth of what the node loses; the rest is burned. The node is expelled, so the same evidence, or
//! other about it, is good once. Specification: docs/spec/ledger.md, "Evidence".

use holdfast_core::bls::{self, Signature};
use holdfast_core::id::{Amount, Epoch, NetworkId, NodeId};
use holdfast_core::purpose::Signable;
use holdfast_core::tagged_enum;
use holdfast_proofs::header::Height;
use holdfast_proofs::statement::Statement;
use holdfast_proofs::vote::Vote;
use serde::{Deserialize, Serialize};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::account::AccountId;
use crate::accounts;
use crate::context::Context;
use crate::execute::Halt;
use crate::params::Params;
use crate::receipt::{Event, Failure, Slashed};
use crate::registry::{Node, Status};
use crate::stake;
use crate::state::{Row, RowsError, State, Table};
use crate::supply::Supply;

/// The part of a penalty that goes to whoever shows the evidence: one in so many.
const REPORTER_SHARE: u128 = 10;

tagged_enum! {
    /// Two things that one node signed.
    pub enum Offence {
        /// Two votes in the same step of the same round of the same height.
        1 => Votes(Pair<Vote>),
        /// Two statements that give one CID different pieces.
        2 => Statements(Pair<Statement>),
    }
}

/// Two signed objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair<T>(
    /// The one.
    pub Signed<T>,
    /// The other.
    pub Signed<T>,
);

/// An object and a BLS signature over it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed<T>(
    /// What was signed.
    pub T,
    /// By the offender.
    pub Signature,
);

/// Shows an offence. Anybody may send it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Accuse {
    /// Who did it.
    pub node: NodeId,
    /// What.
    pub offence: Offence,
}

/// The first block of an epoch, by which the age of a vote is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FirstBlock(pub Height);

impl Row for FirstBlock {
    const TABLE: Table = Table::FIRST_BLOCKS;
    const BYTES_MAX: usize = 9;
}

impl Offence {
    /// Whether the two contradict each other.
    pub fn is_one(&self) -> bool {
        match self {
            Self::Votes(Pair(Signed(one, _), Signed(other, _))) => {
                one.block != other.block && Vote { block: other.block, ..*one } == *other
            }
            Self::Statements(Pair(Signed(one, _), Signed(other, _))) => {
                one.cid == other.cid
                    && (one.piece_root, one.piece_bytes) != (other.piece_root, other.piece_bytes)
            }
        }
    }

    /// Whether both were signed by this key.
    pub fn is_signed(&self, key: &bls::PublicKey, network: &NetworkId) -> bool {
        match self {
            Self::Votes(pair) => pair.is_signed(key, network),
            Self::Statements(pair) => pair.is_signed(key, network),
        }
    }

    /// Whether the older of the two was signed before everything that can still be shown.
    fn is_late(&self, state: &State<'_>, now: Epoch, params: &Params) -> Result<bool, RowsError> {
        let oldest = Epoch(now.0.saturating_sub(params.evidence_epochs));
        Ok(match self {
            Self::Votes(Pair(Signed(vote, _), _)) => {
                let first: Option<FirstBlock> = state.get(&oldest.0.to_be_bytes())?;
                first.is_some_and(|FirstBlock(first)| vote.height < first)
            }
            Self::Statements(Pair(Signed(one, _), Signed(other, _))) => one.epoch.min(other.epoch) < oldest,
        })
    }
}

impl<T: Signable> Pair<T> {
    fn is_signed(&self, key: &bls::PublicKey, network: &NetworkId) -> bool {
        let Self(one, other) = self;
        [one, other]
            .iter()
            .all(|Signed(object, signature)| key.verify(&object.signing_input(network), signature).is_ok())
    }
}

pub(crate) fn accuse(
    state: &mut State<'_>,
    context: &Context,
    params: &Params,
    sender: AccountId,
    Accuse { node: id, offence }: &Accuse,
    events: &mut Vec<Event>,
) -> Result<(), Halt> {
    let mut node = Node::get(state, id)?.ok_or(Failure::Unknown)?;
    if node.status == Status::Expelled {
        return Err(Failure::Status.into());
    }
    if !offence.is_one() {
        return Err(Failure::Evidence.into());
    }
    if offence.is_late(state, context.epoch, params)? {
        return Err(Failure::Late.into());
    }
    let key = node.member.bls.admitted().map_err(|_| Failure::Key)?;
    if !offence.is_signed(&key, &context.network) {
        return Err(Failure::Signature.into());
    }
    node.status = Status::Expelled;
    state.put(id.as_bytes(), &node);
    let taken = stake::slash(state, params, id)?;
    let reward = Amount(taken.0 / REPORTER_SHARE);
    let burned = taken.minus(reward).expect("a part of it");
    let mut supply = Supply::of(state)?;
    supply.burned = supply.burned.plus(burned).expect("less than was issued");
    state.put(&[], &supply);
    accounts::credit(state, &sender, reward)?;
    events.push(Event::Slashed(Slashed { node: *id, taken, burned }));
    Ok(())
}
