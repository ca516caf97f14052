//! Stake: what a node's owner loses if the node breaks a rule.
//!
//! Bond is locked for a node, and comes back a number of epochs after its owner asked for it: longer than an offence can be
//! shown. Specification: docs/spec/ledger.md, "Stake".

use holdfast_core::codec::Bounded;
use holdfast_core::id::{Amount, Epoch, NodeId};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::account::AccountId;
use crate::accounts;
use crate::context::Context;
use crate::execute::Halt;
use crate::params::Params;
use crate::receipt::{Bonded, Event, Failure};
use crate::registry::{self, Node};
use crate::state::{Row, RowsError, State, Table};

/// Parts of a bond that may be on their way back at once.
pub const UNBONDING_MAX: usize = 16;

/// What is locked for a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Bond {
    /// What counts for it.
    pub bonded: Amount,
    /// What is on its way back, the oldest first.
    pub unbonding: Bounded<Unbonding, UNBONDING_MAX>,
}

/// A part of a bond on its way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Unbonding {
    /// How much.
    pub amount: Amount,
    /// From this epoch on it can be taken.
    pub free: Epoch,
}

impl Row for Bond {
    const TABLE: Table = Table::BONDS;
    const BYTES_MAX: usize = 640;
}

impl Default for Bond {
    fn default() -> Self {
        Self { bonded: Amount::ZERO, unbonding: Bounded::new(Vec::new()).expect("none") }
    }
}

impl Bond {
    /// A node's bond; nothing if there never was one.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn of(state: &State<'_>, node: &NodeId) -> Result<Self, RowsError> {
        Ok(state.get(node.as_bytes())?.unwrap_or_default())
    }

    /// All of it, what is on its way back included.
    pub fn total(&self) -> Amount {
        self.unbonding
            .iter()
            .fold(self.bonded, |sum, part| sum.plus(part.amount).expect("less than all money"))
    }

    fn store(&self, state: &mut State<'_>, node: &NodeId) {
        if self.total() == Amount::ZERO {
            state.remove::<Self>(node.as_bytes());
        } else {
            state.put(node.as_bytes(), self);
        }
    }
}

/// Locks money for a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Lock {
    /// Which node; the sender owns it.
    pub node: NodeId,
    /// How much.
    pub amount: Amount,
}

/// Asks for bond back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Unlock {
    /// Which node; the sender owns it.
    pub node: NodeId,
    /// How much.
    pub amount: Amount,
}

/// Takes back what is free by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Withdraw {
    /// Which node; the sender owns it.
    pub node: NodeId,
}

pub(crate) fn lock(
    state: &mut State<'_>,
    sender: AccountId,
    Lock { node, amount }: &Lock,
    events: &mut Vec<Event>,
) -> Result<(), Halt> {
    registry::owned(state, sender, node)?;
    if *amount == Amount::ZERO {
        return Err(Failure::Nothing.into());
    }
    accounts::debit(state, &sender, *amount)?;
    let mut bond = Bond::of(state, node)?;
    bond.bonded = bond.bonded.plus(*amount).expect("less than all money");
    bond.store(state, node);
    events.push(Event::Bonded(Bonded { node: *node, bonded: bond.bonded }));
    Ok(())
}

pub(crate) fn unlock(
    state: &mut State<'_>,
    context: &Context,
    params: &Params,
    sender: AccountId,
    Unlock { node, amount }: &Unlock,
    events: &mut Vec<Event>,
) -> Result<(), Halt> {
    registry::owned(state, sender, node)?;
    if *amount == Amount::ZERO {
        return Err(Failure::Nothing.into());
    }
    let mut bond = Bond::of(state, node)?;
    bond.bonded = bond.bonded.minus(*amount).ok_or(Failure::Balance)?;
    let free = context.epoch.0.checked_add(params.unbond_epochs).map(Epoch).ok_or(Failure::Late)?;
    let mut unbonding = bond.unbonding.into_inner();
    match unbonding.last_mut() {
        Some(last) if last.free == free => {
            last.amount = last.amount.plus(*amount).expect("less than all money")
        }
        _ => unbonding.push(Unbonding { amount: *amount, free }),
    }
    bond.unbonding = Bounded::new(unbonding).map_err(|_| Failure::Full)?;
    bond.store(state, node);
    events.push(Event::Bonded(Bonded { node: *node, bonded: bond.bonded }));
    Ok(())
}

pub(crate) fn withdraw(
    state: &mut State<'_>,
    context: &Context,
    sender: AccountId,
    Withdraw { node }: &Withdraw,
) -> Result<(), Halt> {
    registry::owned(state, sender, node)?;
    let mut bond = Bond::of(state, node)?;
    let (free, locked): (Vec<_>, Vec<_>) =
        bond.unbonding.iter().copied().partition(|part| part.free <= context.epoch);
    if free.is_empty() {
        return Err(Failure::Nothing.into());
    }
    bond.unbonding = Bounded::new(locked).expect("fewer than before");
    bond.store(state, node);
    let sum = free.iter().fold(Amount::ZERO, |sum, part| sum.plus(part.amount).expect("less than all money"));
    Ok(accounts::credit(state, &sender, sum)?)
}

/// Whether a node has the bond that its weight asks for.
pub(crate) fn suffices(state: &State<'_>, params: &Params, node: &Node) -> Result<bool, RowsError> {
    let needed = params.bond_min.times(node.member.weight.get().into());
    let Some(needed) = needed else { return Ok(false) };
    Ok(needed == Amount::ZERO || Bond::of(state, &node.member.node)?.bonded >= needed)
}

/// Takes a part of everything that is locked for a node, and answers how much that was.
pub(crate) fn slash(state: &mut State<'_>, params: &Params, node: &NodeId) -> Result<Amount, RowsError> {
    let mut bond = Bond::of(state, node)?;
    let before = bond.total();
    let keep = |amount: Amount| {
        // Rounded down, in favour of the penalty; a hundredth first where the product would be too large.
        let kept = 100 - u128::from(params.slash_percent.min(100));
        Amount(amount.0 / 100 * kept + amount.0 % 100 * kept / 100)
    };
    bond.bonded = keep(bond.bonded);
    let unbonding = bond.unbonding.iter().map(|part| Unbonding { amount: keep(part.amount), ..*part });
    bond.unbonding = Bounded::new(unbonding.collect()).expect("as many as before");
    bond.store(state, node);
    Ok(before.minus(bond.total()).expect("only less is kept"))
}
