//! Epochs: spans of blocks with one committee and one set of authorities.
//!
//! The first block whose time is at or after the planned end of an epoch is the last block of it, or one that somebody's
//! death made the last. At its end motions come into force, the next committee's record is written, and the validators
//! of the next block are those that are authorities then. Specification: docs/spec/ledger.md, "Epochs".

use std::collections::BTreeSet;

use holdfast_core::codec::Bounded;
use holdfast_core::id::{CommitteeId, Epoch, NetworkId, NodeId, Salt, Timestamp};
use holdfast_proofs::committee::CommitteeRecord;
use holdfast_proofs::genesis::{MEMBERS_MAX, Member};
use holdfast_proofs::header::Height;
use holdfast_proofs::validators::{Validator, ValidatorSet};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::beacon;
use crate::context::Context;
use crate::evidence::FirstBlock;
use crate::governance::{self, Authority};
use crate::params::Params;
use crate::receipt::{EpochBegan, Event};
use crate::registry::{Node, Status};
use crate::stake;
use crate::state::{Row, RowsError, State, Table};

/// The running epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Running {
    /// Whose ledger this is.
    pub network: NetworkId,
    /// The epoch.
    pub epoch: Epoch,
    /// Its committee.
    pub committee: CommitteeId,
    /// Its first block.
    pub first: Height,
    /// When it is planned to end.
    pub end: Timestamp,
    /// It ends with the next block, for a member died.
    pub ending: bool,
}

impl Row for Running {
    const TABLE: Table = Table::EPOCH;
    const BYTES_MAX: usize = 128;
}

impl Row for CommitteeRecord {
    const TABLE: Table = Table::COMMITTEES;
    const BYTES_MAX: usize = 1 << 20;
}

impl Row for ValidatorSet {
    const TABLE: Table = Table::VALIDATORS;
    const BYTES_MAX: usize = 32 << 10;
}

impl Running {
    /// The row, which genesis writes.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn of(state: &State<'_>) -> Result<Self, RowsError> {
        state.get(&[])?.ok_or_else(|| RowsError::new("the ledger has no running epoch"))
    }
}

/// Who decides about the next block.
///
/// # Errors
/// If the row cannot be read.
pub fn validators(state: &State<'_>) -> Result<ValidatorSet, RowsError> {
    state.get(&[])?.ok_or_else(|| RowsError::new("the ledger has no validators"))
}

/// Makes a set decide from a height on. It is also kept under that height, for those who follow headers alone.
pub(crate) fn decide_from(state: &mut State<'_>, first: Height, validators: &ValidatorSet) {
    state.put(&[], validators);
    state.put(&first.0.to_be_bytes(), validators);
}

/// A set of validators after the one that began at `after`: the first height about which it decides, and the set. From
/// `None` on, these are all that there ever were.
///
/// # Errors
/// If a row cannot be read.
pub fn validators_after(
    state: &State<'_>,
    after: Option<Height>,
) -> Result<Option<(Height, ValidatorSet)>, RowsError> {
    let key = after.map(|height| height.0.to_be_bytes().to_vec()).unwrap_or_default();
    let Some((key, set)) = state.after::<ValidatorSet>(&key)? else { return Ok(None) };
    let height = key.try_into().map_err(|_| RowsError::new("validators under a key that is no height"))?;
    Ok(Some((Height(u64::from_be_bytes(height)), set)))
}

/// Ends the epoch if it is time. Nothing happens in most blocks.
pub(crate) fn end_of_block(
    state: &mut State<'_>,
    context: &Context,
    events: &mut Vec<Event>,
) -> Result<(), RowsError> {
    let running = Running::of(state)?;
    if context.time.second() < running.end && !running.ending {
        return Ok(());
    }
    let Some(epoch) = running.epoch.next() else { return Ok(()) };
    governance::come_into_force(state, running.epoch)?;
    let record = next_record(state, context, &running, epoch)?;
    let committee = record.id();
    state.put(&epoch.0.to_be_bytes(), &record);
    settle_statuses(state, &record)?;
    let first = Height(context.height.0.saturating_add(1));
    if let Some(next) = next_validators(state)?
        && next != validators(state)?
    {
        decide_from(state, first, &next);
    }
    let members = u32::try_from(record.members.len()).expect("members are bounded");
    let end = record.end;
    state.put(&epoch.0.to_be_bytes(), &FirstBlock(first));
    state.put(&[], &Running { epoch, committee, first, end, ending: false, ..running });
    events.push(Event::EpochBegan(EpochBegan { epoch, committee, first, members }));
    Ok(())
}

/// The committee of the next epoch: who was a member and still is to be one, and who registered before the parent block, so that
/// it could not know the beacon that is its salt. Where there are too many, newcomers wait: nobody drives out a member.
fn next_record(
    state: &mut State<'_>,
    context: &Context,
    running: &Running,
    epoch: Epoch,
) -> Result<CommitteeRecord, RowsError> {
    let before: CommitteeRecord = state
        .get(&running.epoch.0.to_be_bytes())?
        .ok_or_else(|| RowsError::new("the running epoch has no committee"))?;
    let params = Params::of(state)?;
    let length = before.end.0.saturating_sub(before.start.0).max(1);
    let (mut members, newcomers) = candidates(state, context, &params, &before)?;
    let room = MEMBERS_MAX - members.len();
    let newcomers: Vec<_> = newcomers.into_iter().take(room).collect();
    members.extend(newcomers.iter().map(|node| node.member.clone()));
    members.sort_by_key(|member| member.node);

    let fits = |profile: &&_| {
        let profile: &holdfast_proofs::profile::Profile = profile;
        usize::from(profile.n) <= members.len()
    };
    let mut profiles: Vec<_> = params.profiles.iter().filter(fits).copied().collect();
    if profiles.is_empty() {
        // Nobody could store anything: better those who were there.
        (members, profiles) = (before.members.to_vec(), before.profiles.to_vec());
    } else {
        newcomers.iter().for_each(|node| state.put(node.member.node.as_bytes(), node));
    }
    let start = context.time.second().max(before.start);
    Ok(CommitteeRecord {
        network: context.network,
        epoch,
        previous: Some(running.committee),
        start,
        end: Timestamp(start.0.saturating_add(length)),
        profiles: Bounded::new(profiles).expect("no more than there were"),
        members: Bounded::new(members).expect("no more than there is room for"),
    })
}

/// Who is to serve, by node id: those who were members, and those who were not, with the salt under which they join.
fn candidates(
    state: &State<'_>,
    context: &Context,
    params: &Params,
    before: &CommitteeRecord,
) -> Result<(Vec<Member>, Vec<Node>), RowsError> {
    let was: BTreeSet<NodeId> = before.members.iter().map(|member| member.node).collect();
    let beacon = beacon::beacon(state, context.height)?;
    let beacon = beacon.ok_or_else(|| RowsError::new("the block has no beacon"))?;
    let (mut members, mut newcomers) = (Vec::new(), Vec::new());
    let mut key = Vec::new();
    while let Some((next, mut node)) = state.after::<Node>(&key)? {
        key = next;
        if !node.is_to_serve() || !stake::suffices(state, params, &node)? {
            continue;
        }
        if was.contains(&node.member.node) {
            members.push(node.member);
        } else if newcomers.len() < MEMBERS_MAX && node.since.0.saturating_add(1) < context.height.0 {
            node.member.salt = Salt::new(*beacon.as_bytes());
            newcomers.push(node);
        }
    }
    Ok((members, newcomers))
}

/// Whoever is no member any more and wanted to go is gone.
fn settle_statuses(state: &mut State<'_>, record: &CommitteeRecord) -> Result<(), RowsError> {
    let members: BTreeSet<NodeId> = record.members.iter().map(|member| member.node).collect();
    let mut key = Vec::new();
    while let Some((next, mut node)) = state.after::<Node>(&key)? {
        key = next;
        if node.status == Status::Leaving && !members.contains(&node.member.node) {
            node.status = Status::Gone;
            state.put(&key, &node);
        }
    }
    Ok(())
}

/// The authorities that may vote, or `None` if there would be nobody.
fn next_validators(state: &State<'_>) -> Result<Option<ValidatorSet>, RowsError> {
    let mut validators = Vec::new();
    let mut key = Vec::new();
    while let Some((next, Authority { weight })) = state.after::<Authority>(&key)? {
        let node: Option<Node> = state.get(&next)?;
        key = next;
        if let Some(node) = node.filter(Node::may_vote) {
            validators.push(Validator { node: node.member.node, bls: node.member.bls, weight });
        }
    }
    Ok(ValidatorSet::new(validators).ok())
}

#[cfg(test)]
mod tests;
