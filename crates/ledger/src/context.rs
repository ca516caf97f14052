//! What a block's execution knows besides the rows.

use std::collections::BTreeMap;

use holdfast_core::id::{Epoch, NetworkId, NodeId};
use holdfast_proofs::committee::{Committee, CommitteeRecord};
use holdfast_proofs::header::{BlockHash, BlockTime, Height};

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
    /// The block before.
    pub(crate) parent: BlockHash,
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
        parent: BlockHash,
        proposer: NodeId,
    ) -> Self {
        let Running { network, epoch, .. } = *running;
        Self { network, height, time, parent, proposer, epoch, committees: BTreeMap::new() }
    }

    /// The committee of an epoch, if there was one.
    pub(crate) fn committee(
        &mut self,
        state: &State<'_>,
        epoch: Epoch,
    ) -> Result<Option<&Committee>, RowsError> {
        if !self.committees.contains_key(&epoch) {
            let record: Option<CommitteeRecord> = state.get(&epoch.0.to_be_bytes())?;
            self.committees.insert(epoch, record.map(Committee::admitted));
        }
        Ok(self.committees.get(&epoch).and_then(Option::as_ref))
    }
}
