//! States that are kept for nodes that fetch them, while blocks go on.
//!
//! A kept state costs disk, for what later blocks replace cannot be freed, and memory. So there are few, nobody gets one for
//! himself, and none outlives its use.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use holdfast_chain::{ChainError, View};
use holdfast_proofs::header::Height;
use tokio_util::sync::CancellationToken;

use super::Ledger;

/// Most states at once.
const KEPT_MAX: usize = 2;
/// Who asks while the newest state is no older than this gets the same.
const SHARED: Duration = Duration::from_secs(30);
/// A state that nobody asks for is let go after this.
const UNUSED: Duration = Duration::from_secs(30);
/// And any after this: enough for some 100 GiB.
const LIFE: Duration = Duration::from_secs(30 * 60);
/// How often that is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A state that is kept.
struct Kept {
    view: Arc<View>,
    since: Instant,
    used: Instant,
}

/// The states that are kept.
#[derive(Default)]
pub(super) struct Snapshots(Mutex<Vec<Kept>>);

impl Snapshots {
    /// The state that whoever asks now shall fetch; none if there are too many already.
    pub(super) fn newest(
        &self,
        now: Instant,
        view: impl FnOnce() -> Result<View, ChainError>,
    ) -> Result<Option<Arc<View>>, ChainError> {
        let mut kept = self.lock();
        forget(&mut kept, now);
        if let Some(newest) = kept.last_mut().filter(|newest| now - newest.since <= SHARED) {
            newest.used = now;
            return Ok(Some(newest.view.clone()));
        }
        if kept.len() == KEPT_MAX {
            return Ok(None);
        }
        let view = Arc::new(view()?);
        kept.push(Kept { view: view.clone(), since: now, used: now });
        Ok(Some(view))
    }

    /// The state after the block at a height, if it is kept.
    pub(super) fn at(&self, now: Instant, height: Height) -> Option<Arc<View>> {
        let mut kept = self.lock();
        forget(&mut kept, now);
        let found = kept.iter_mut().find(|kept| kept.view.header().height == height)?;
        found.used = now;
        Some(found.view.clone())
    }

    /// Lets go what is no longer used.
    fn tidy(&self, now: Instant) {
        forget(&mut self.lock(), now);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn forget(kept: &mut Vec<Kept>, now: Instant) {
    kept.retain(|kept| now - kept.used <= UNUSED && now - kept.since <= LIFE);
}

/// Lets go of states whether or not anybody asks.
pub(super) async fn tidy(ledger: Arc<Ledger>, stop: CancellationToken) {
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => ledger.snapshots.tidy(Instant::now()),
        }
    }
}

#[cfg(test)]
mod tests {
    use holdfast_chain::Chain;
    use holdfast_ledger::execute;
    use holdfast_ledger::testing::{TestLedger, free};

    use super::*;

    #[test]
    fn a_state_is_shared_kept_while_it_is_used_and_not_for_ever() {
        let test = TestLedger::new(4, free());
        let folder = tempfile::tempdir().unwrap();
        let chain = Chain::open(folder.path(), 1 << 20, &test.founded).unwrap();
        let grow = || {
            let view = chain.view().unwrap();
            let parent = view.parent();
            let executed = execute::propose(parent, test.draft(parent, 1), vec![]).unwrap();
            chain.commit(&executed, b"").unwrap();
        };
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let snapshots = Snapshots::default();
        let newest = |seconds| {
            let view = snapshots.newest(at(seconds), || chain.view()).unwrap();
            view.map(|view| view.header().height)
        };
        let kept = |seconds, height| snapshots.at(at(seconds), Height(height)).is_some();

        grow();
        assert_eq!(newest(0), Some(Height(1)));
        grow();
        assert_eq!(newest(30), Some(Height(1)), "shared");
        assert_eq!(newest(31), Some(Height(2)));
        assert!(kept(31, 1) && !kept(31, 3));
        grow();
        assert!(kept(60, 1) && kept(60, 2));
        assert_eq!(newest(62), None, "two are there");
        assert!(kept(90, 2) && kept(91, 2));
        assert!(!kept(91, 1), "nobody asked for it for more than 30 s");
        assert_eq!(newest(91), Some(Height(3)));
        for seconds in (100..=1831).step_by(25) {
            assert!(kept(seconds, 2), "{seconds}");
        }
        assert!(!kept(1832, 2), "however often it is asked for");
        snapshots.tidy(at(1832));
        assert!(snapshots.lock().is_empty());
    }
}
