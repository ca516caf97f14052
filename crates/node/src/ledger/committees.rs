//! The committees that a node has to do with: the running one, the one before it, and older ones that a certificate names.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdfast_chain::View;
use holdfast_core::id::Epoch;
use holdfast_ledger::epoch::Running;
use holdfast_ledger::state::{RowsError, State};
use holdfast_proofs::committee::{Committee, CommitteeRecord};

/// Committees kept in memory, of up to 300 KiB each.
const KEPT_MAX: usize = 16;

/// Committees by epoch.
pub(crate) struct Committees(Mutex<Known>);

struct Known {
    running: Arc<Committee>,
    before: Option<Arc<Committee>>,
    older: BTreeMap<Epoch, Arc<Committee>>,
}

impl Committees {
    /// The only one of a network without a ledger.
    pub(crate) fn only(committee: Committee) -> Self {
        let running = Arc::new(committee);
        Self(Mutex::new(Known { running, before: None, older: BTreeMap::new() }))
    }

    /// Those of a ledger.
    pub(crate) fn of_ledger(view: &View, running: &Running) -> Result<Self, RowsError> {
        let missing = || RowsError::new("the running epoch has no committee");
        let before = match running.epoch.0.checked_sub(1) {
            Some(before) => read(view, Epoch(before))?,
            None => None,
        };
        let running = read(view, running.epoch)?.ok_or_else(missing)?;
        Ok(Self(Mutex::new(Known { running, before, older: BTreeMap::new() })))
    }

    /// Follows the ledger to a new epoch, if one runs.
    pub(crate) fn follow(&self, view: &View, running: &Running) -> Result<(), RowsError> {
        if self.running().record().epoch == running.epoch {
            return Ok(());
        }
        let Self(known) = Self::of_ledger(view, running)?;
        let known = known.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut ours = self.lock();
        ours.running = known.running;
        ours.before = known.before;
        Ok(())
    }

    /// Who keeps pieces now.
    pub(crate) fn running(&self) -> Arc<Committee> {
        self.lock().running.clone()
    }

    /// Who kept pieces in the epoch before.
    pub(crate) fn before(&self) -> Option<Arc<Committee>> {
        self.lock().before.clone()
    }

    /// The committee of an epoch, as far as it is known without looking into the ledger.
    pub(crate) fn known(&self, epoch: Epoch) -> Option<Arc<Committee>> {
        let known = self.lock();
        let recent = [Some(&known.running), known.before.as_ref()];
        let recent = recent.into_iter().flatten().find(|committee| committee.record().epoch == epoch);
        recent.or_else(|| known.older.get(&epoch)).cloned()
    }

    /// The committee of an epoch, from the ledger if need be.
    pub(crate) fn of(&self, view: &View, epoch: Epoch) -> Result<Option<Arc<Committee>>, RowsError> {
        if let Some(known) = self.known(epoch) {
            return Ok(Some(known));
        }
        let found = read(view, epoch)?;
        if let Some(found) = &found {
            let mut known = self.lock();
            if known.older.len() >= KEPT_MAX {
                known.older.pop_first();
            }
            known.older.insert(epoch, found.clone());
        }
        Ok(found)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(view: &View, epoch: Epoch) -> Result<Option<Arc<Committee>>, RowsError> {
    let record: Option<CommitteeRecord> = State::over(view).get(&epoch.0.to_be_bytes())?;
    Ok(record.map(|record| Arc::new(Committee::admitted(record))))
}
