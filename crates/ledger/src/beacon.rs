//! The randomness beacon: every block adds its proposer's signature, which the proposer cannot choose.
//!
//! A draw that is triggered at height h uses the beacon of a later height ([`draw_height`]), so that whoever triggers it
//! does not know what will come out. A proposer can still withhold its block, and so choose between two outcomes: that
//! is up to one bit for each round in a row that it controls, and costs it the block's reward.
//! Specification: docs/spec/ledger.md, "Beacon".

use std::collections::BTreeMap;

use holdfast_core::bls::Signature;
use holdfast_core::codec::Text;
use holdfast_core::id::NodeId;
use holdfast_core::purpose::Signable;
use holdfast_proofs::header::{Beacon, Height, Round, Seal};
use holdfast_proofs::validators::ValidatorSet;

use crate::context::Context;
use crate::execute::BlockError;
use crate::state::{Row, RowsError, State, Table};

/// Beacons of so many heights are kept: longer than anybody has to use a draw.
pub const BEACONS_KEPT: u64 = 4096;

/// The least delay of a draw, in blocks.
pub const DRAW_DELAY_MIN: u64 = 2;

impl Row for Beacon {
    const TABLE: Table = Table::BEACONS;
    const BYTES_MAX: usize = 34;
}

/// The beacon of a height, if it is still kept.
///
/// # Errors
/// If it cannot be read.
pub fn beacon(state: &State<'_>, height: Height) -> Result<Option<Beacon>, RowsError> {
    state.get(&height.0.to_be_bytes())
}

/// Whose beacon decides a draw that is triggered at `height`: one that stands at least [`DRAW_DELAY_MIN`] blocks later, and more
/// than one operator can propose in a row.
pub fn draw_height(
    height: Height,
    validators: &ValidatorSet,
    operators: &BTreeMap<NodeId, Text<64>>,
) -> Option<Height> {
    let delay = DRAW_DELAY_MIN.max(longest_run(validators, operators) + 1);
    height.0.checked_add(delay).map(Height)
}

/// Most blocks in a row, all decided in their first round, that one operator's validators propose. An operator that proposes all
/// of them counts with the whole turn.
fn longest_run(validators: &ValidatorSet, operators: &BTreeMap<NodeId, Text<64>>) -> u64 {
    let turn = validators.weight();
    let operator = |height: u64| {
        let node = validators.proposer(Height(height), Round(0)).node;
        operators.get(&node).ok_or(node) // one without operator stands for itself
    };
    let (mut longest, mut run) = (0, 0);
    // Twice around, for a run may begin before the turn ends.
    for height in 1..=2 * turn {
        run = if operator(height) == operator(height - 1) { run + 1 } else { 1 };
        longest = longest.max(run);
    }
    longest.min(turn)
}

/// Checks the proposer's seal and answers the new beacon.
pub(crate) fn check_seal(
    state: &State<'_>,
    context: &Context,
    seal: &Signature,
) -> Result<Beacon, BlockError> {
    let before = Height(context.height.0 - 1); // genesis has no seal
    let before = beacon(state, before)?.ok_or(RowsError::new("the last beacon is missing"))?;
    let input = Seal { beacon: before, height: context.height }.signing_input(&context.network);
    let place = context.validators.place(&context.proposer).ok_or(BlockError::Proposer)?;
    let key = context.validators.validators[place].bls.admitted().map_err(|_| BlockError::Seal)?;
    key.verify(&input, seal).map_err(|_| BlockError::Seal)?;
    Ok(before.after(seal))
}

/// Keeps the new beacon, and no more than [`BEACONS_KEPT`].
pub(crate) fn keep(state: &mut State<'_>, height: Height, beacon: &Beacon) {
    state.put(&height.0.to_be_bytes(), beacon);
    if let Some(old) = height.0.checked_sub(BEACONS_KEPT) {
        state.remove::<Beacon>(&old.to_be_bytes());
    }
}

#[cfg(test)]
mod tests;
