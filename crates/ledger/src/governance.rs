//! Governance: what the validators together may change.
//!
//! A motion is named by the hash of what it would do. The owner of a validator supports it; when the supporters have more than two
//! thirds of all weight it is accepted, and it comes into force when the epoch ends. Only a measurement is revoked at once.
//! Specification: docs/spec/ledger.md, "Governance".

use holdfast_core::codec::{self, Bounded};
use holdfast_core::id::{Epoch, NodeId};
use holdfast_core::{fixed_bytes, tagged_enum};
use holdfast_proofs::genesis::Weight;
use holdfast_proofs::validators::VALIDATORS_MAX;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::account::AccountId;
use crate::context::Context;
use crate::epoch::Running;
use crate::execute::Halt;
use crate::params::Params;
use crate::receipt::{Decided, Event, Failure};
use crate::registry::{self, Node};
use crate::state::{Row, RowsError, State, Table};

/// Motions that are not accepted, of which a validator may support one fewer when it makes another. So neither can one validator
/// leave no room for others, nor is there an end of an epoch that looks at more than so many for each.
pub const MOTIONS_EACH: usize = 8;

/// Epochs for which a motion waits for supporters.
pub const MOTION_EPOCHS: u64 = 7;

fixed_bytes!(
    /// BLAKE3 of an action: the name of the motion for it.
    MotionId, 32
);
fixed_bytes!(
    /// The hash of the code that a TEE vouches for, padded or cut by its platform to 48 bytes.
    Measurement, 48
);

tagged_enum! {
    /// What a motion would do.
    pub enum Action {
        /// Change the parameters.
        1 => Params(Params),
        /// Make a node an authority, change its weight, or remove it.
        2 => Authority(SetAuthority),
        /// Allow a measurement.
        3 => Allow(Allow),
        /// Forbid it again, at once.
        4 => Revoke(Measurement),
    }
}

/// Makes a node an authority, or no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct SetAuthority {
    /// A node that was registered in an earlier epoch as one that may be an authority.
    pub node: NodeId,
    /// What its vote counts; null removes it.
    pub weight: Option<Weight>,
}

/// Allows code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Allow {
    /// Which.
    pub measurement: Measurement,
    /// From this epoch on.
    pub from: Epoch,
    /// Until this one, exclusive; null for good.
    pub until: Option<Epoch>,
}

/// Supports a motion; the first who does makes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Support {
    /// The supporting validator's node, which the sender owns.
    pub by: NodeId,
    /// What shall be done.
    pub action: Action,
}

/// A motion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Motion {
    /// What it would do.
    pub action: Action,
    /// Who supports it, ascending.
    pub supporters: Bounded<NodeId, VALIDATORS_MAX>,
    /// Enough do.
    pub accepted: bool,
    /// It is dropped with this epoch.
    pub until: Epoch,
}

impl Row for Motion {
    const TABLE: Table = Table::MOTIONS;
    const BYTES_MAX: usize = 8 << 10;
}

/// A node that decides about blocks while it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Authority {
    /// What its vote counts.
    pub weight: Weight,
}

impl Row for Authority {
    const TABLE: Table = Table::AUTHORITIES;
    const BYTES_MAX: usize = 3;
}

/// When a measurement is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Allowed {
    /// From this epoch on.
    pub from: Epoch,
    /// Until this one, exclusive; null for good.
    pub until: Option<Epoch>,
}

impl Row for Allowed {
    const TABLE: Table = Table::MEASUREMENTS;
    const BYTES_MAX: usize = 24;
}

/// Whether code is allowed in an epoch.
///
/// # Errors
/// If the row cannot be read.
pub fn is_allowed(state: &State<'_>, measurement: &Measurement, epoch: Epoch) -> Result<bool, RowsError> {
    let row: Option<Allowed> = state.get(measurement.as_bytes())?;
    Ok(row.is_some_and(|row| row.from <= epoch && row.until.is_none_or(|until| epoch < until)))
}

pub(crate) fn support(
    state: &mut State<'_>,
    context: &Context,
    sender: AccountId,
    Support { by, action }: &Support,
    events: &mut Vec<Event>,
) -> Result<(), Halt> {
    registry::owned(state, sender, by)?;
    let validators = &context.validators;
    if validators.place(by).is_none() {
        return Err(Failure::Owner.into());
    }
    check(state, action)?;
    let id = MotionId::new(codec::digest(action));
    let mut motion = match state.get::<Motion>(id.as_bytes())? {
        Some(motion) => motion,
        None if supported(state, by)? >= MOTIONS_EACH => return Err(Failure::Full.into()),
        None => Motion {
            action: action.clone(),
            supporters: Bounded::new(Vec::new()).expect("nobody"),
            accepted: false,
            until: Epoch(context.epoch.0.saturating_add(MOTION_EPOCHS)),
        },
    };
    let mut supporters = motion.supporters.into_inner();
    // Who is no validator any more does not count, and makes room.
    supporters.retain(|node| validators.place(node).is_some());
    match supporters.binary_search(by) {
        Ok(_) => return Err(Failure::Taken.into()),
        Err(at) => supporters.insert(at, *by),
    }
    let accepted = validators.decides(supporters.iter().filter_map(|node| validators.place(node)));
    motion.supporters = Bounded::new(supporters).expect("no more than validators");
    if accepted && !motion.accepted {
        events.push(Event::Decided(Decided { motion: id }));
    }
    motion.accepted |= accepted;
    match (&motion.action, motion.accepted) {
        (Action::Revoke(measurement), true) => {
            state.remove::<Allowed>(measurement.as_bytes());
            state.remove::<Motion>(id.as_bytes());
        }
        _ => state.put(id.as_bytes(), &motion),
    }
    Ok(())
}

/// How many motions a node supports that are not accepted.
fn supported(state: &State<'_>, by: &NodeId) -> Result<usize, RowsError> {
    let (mut count, mut key) = (0, Vec::new());
    while let Some((next, motion)) = state.after::<Motion>(&key)? {
        count += usize::from(!motion.accepted && motion.supporters.binary_search(by).is_ok());
        key = next;
    }
    Ok(count)
}

/// Whether another authority fits into a set of validators, or this one is there already.
fn fits(state: &State<'_>, node: &NodeId) -> Result<bool, RowsError> {
    let (mut others, mut key) = (0, Vec::new());
    while let Some((next, Authority { .. })) = state.after::<Authority>(&key)? {
        others += usize::from(next != node.as_bytes());
        key = next;
    }
    Ok(others < VALIDATORS_MAX)
}

fn check(state: &State<'_>, action: &Action) -> Result<(), Halt> {
    match action {
        Action::Params(params) => params.validate().map_err(|_| Failure::Params.into()),
        Action::Authority(SetAuthority { node, weight }) => {
            if weight.is_some() && !fits(state, node)? {
                return Err(Failure::Full.into());
            }
            let node = Node::get(state, node)?.ok_or(Failure::Unknown)?;
            // A key that was chosen knowing the beacon must not take part in it at once.
            let known = node.since < Running::of(state)?.first;
            if weight.is_none() || (known && node.may_vote()) { Ok(()) } else { Err(Failure::Status.into()) }
        }
        Action::Allow(Allow { from, until, .. }) => {
            if until.is_none_or(|until| from < &until) {
                Ok(())
            } else {
                Err(Failure::Epoch.into())
            }
        }
        Action::Revoke(measurement) => match state.get::<Allowed>(measurement.as_bytes())? {
            Some(_) => Ok(()),
            None => Err(Failure::Unknown.into()),
        },
    }
}

/// Does what was accepted, and drops what waited too long. `ending` is the epoch that ends.
pub(crate) fn come_into_force(state: &mut State<'_>, ending: Epoch) -> Result<(), RowsError> {
    let mut key = Vec::new();
    while let Some((next, motion)) = state.after::<Motion>(&key)? {
        key = next;
        if !motion.accepted && motion.until > ending {
            continue;
        }
        state.remove::<Motion>(&key);
        if motion.accepted {
            enact(state, &motion.action)?;
        }
    }
    Ok(())
}

fn enact(state: &mut State<'_>, action: &Action) -> Result<(), RowsError> {
    match action {
        Action::Params(params) => state.put(&[], params),
        Action::Authority(SetAuthority { node, weight: Some(weight) }) => {
            // With one too many there would be no set of them, and no change ever again.
            if fits(state, node)? {
                state.put(node.as_bytes(), &Authority { weight: *weight });
            }
        }
        Action::Authority(SetAuthority { node, weight: None }) => state.remove::<Authority>(node.as_bytes()),
        Action::Allow(Allow { measurement, from, until }) => {
            state.put(measurement.as_bytes(), &Allowed { from: *from, until: *until });
        }
        Action::Revoke(measurement) => state.remove::<Allowed>(measurement.as_bytes()),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
