//! What a block's execution knows besides the rows.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use holdfast_core::id::{Epoch, NetworkId, NodeId};
use holdfast_proofs::committee::{Committee, CommitteeRecord};
use holdfast_proofs::header::{BlockTime, Height};
use holdfast_proofs::validators::ValidatorSet;

use crate::epoch::Running;
use crate::state::{RowsError, State};

/// The block that is executed, as its transactions see it.
pub(crate) struct Context {
    /// Which network.
    pub(crate) network: NetworkId,
    /// Where the block stands.
    pub(crate) height: Height,
    /// When it was proposed.
    pub(crate) time: BlockTime,
    /// Who decides about it.
    pub(crate) validators: ValidatorSet,
    /// Who proposed it.
    pub(crate) proposer: NodeId,
    /// The epoch in which it stands.
    pub(crate) epoch: Epoch,
    /// Committees that were looked at, for their records are long.
    committees: BTreeMap<Epoch, Option<Committee>>,
}

impl Context {
    pub(crate) fn new(
        running: &Running,
        height: Height,
        time: BlockTime,
        validators: ValidatorSet,
        proposer: NodeId,
    ) -> Self {
        let Running { network, epoch, .. } = *running;
        Self { network, height, time, validators, proposer, epoch, committees: BTreeMap::new() }
    }

    /// The committee of an epoch, if there was one.
    pub(crate) fn committee(
        &mut self,
        state: &State<'_>,
        epoch: Epoch,
    ) -> Result<Option<&Committee>, RowsError> {
        let known = match self.committees.entry(epoch) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let record: Option<CommitteeRecord> = state.get(&epoch.0.to_be_bytes())?;
                place.insert(record.map(Committee::admitted))
            }
        };
        Ok(known.as_ref())
    }
}
