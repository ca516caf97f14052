//! Rows and the tree over them: those that were saved, and over them, in memory, what changed since.
//!
//! ```text
//! blocks ─► current ─ enough? ─► frozen ─ saved in a thread of its own ─► state.redb
//!               └──────────┬────────┴──────────────────────────────────────────┘
//!                        views
//! ```
//!
//! What is frozen stays in memory until the next save begins, for what changed lately is read again soon.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

use holdfast_ledger::block::Height;
use holdfast_ledger::state::{Changes, RowKey, Rows, RowsError};
use holdfast_ledger::tree::{Child, Page, PageKey, Pages, TreeChanges};

use crate::error::ChainError;
use crate::overlay::{Overlay, Watched};
use crate::rows::{SavedView, StateFile, Tip};

/// What a block changes.
#[derive(Clone, Copy)]
pub(crate) struct Step<'a> {
    pub(crate) height: Height,
    pub(crate) changes: &'a Changes,
    pub(crate) tree: &'a TreeChanges,
}

/// Rows and tree after the last block. One thread at a time takes blocks and saves; any may read.
pub(crate) struct State {
    shared: Arc<Shared>,
    /// What saves the frozen changes, until it is asked for the outcome.
    saver: Mutex<Option<JoinHandle<Result<(), ChainError>>>>,
}

struct Shared {
    file: StateFile,
    now: RwLock<Now>,
    /// Heights of all views, and how many there are of each.
    watched: Arc<Watchers>,
}

type Watchers = Mutex<BTreeMap<Height, usize>>;

struct Now {
    tip: Tip,
    saved: Height,
    frozen: Option<Arc<Overlay>>,
    /// Whether what is frozen is not saved yet. So it stays if that fails.
    saving: bool,
    current: Arc<Overlay>,
}

impl State {
    /// The state where it was saved, or what a ledger begins with if it never was.
    pub(crate) fn open(file: StateFile, genesis: Step<'_>) -> Result<Self, ChainError> {
        let saved = match file.read()? {
            Some(saved) => saved.tip,
            None => {
                let tip = Tip { height: genesis.height, top: genesis.tree.top };
                let overlay = Overlay::default();
                overlay.take(genesis.height, genesis.changes, genesis.tree, None);
                file.save(&overlay, tip)?;
                tip
            }
        };
        let now =
            Now { tip: saved, saved: saved.height, frozen: None, saving: false, current: Arc::default() };
        let shared = Shared { file, now: RwLock::new(now), watched: Arc::default() };
        Ok(Self { shared: Arc::new(shared), saver: Mutex::new(None) })
    }

    /// Takes the next block. A crash may take it back.
    pub(crate) fn take(&self, step: Step<'_>) {
        // Views that begin meanwhile wait, so that all heights that are looked at are known.
        let mut now = self.shared.now.write().unwrap_or_else(PoisonError::into_inner);
        let watched = {
            let heights = lock(&self.shared.watched);
            let mut before = heights.range(..step.height);
            let ends = before.next().map(|first| (first, before.next_back().unwrap_or(first)));
            ends.map(|((oldest, _), (newest, _))| Watched { oldest: *oldest, newest: *newest })
        };
        now.current.take(step.height, step.changes, step.tree, watched);
        now.tip = Tip { height: step.height, top: step.tree.top };
    }

    /// Memory of the changes that no save has begun with.
    pub(crate) fn unsaved_bytes(&self) -> usize {
        self.now(|now| now.current.bytes())
    }

    /// The block after which the state was last saved.
    pub(crate) fn saved(&self) -> Height {
        self.now(|now| now.saved)
    }

    fn now<T>(&self, read: impl FnOnce(&Now) -> T) -> T {
        read(&self.shared.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins to save what was taken so far, once the save before has ended.
    ///
    /// # Errors
    /// If the save before failed.
    pub(crate) fn begin_save(&self) -> Result<(), ChainError> {
        self.end_save()?;
        let (frozen, tip) = {
            let mut now = self.shared.now.write().unwrap_or_else(PoisonError::into_inner);
            let frozen = std::mem::take(&mut now.current);
            (now.frozen, now.saving) = (Some(frozen.clone()), true);
            (frozen, now.tip)
        };
        let shared = self.shared.clone();
        *lock(&self.saver) = Some(thread::spawn(move || {
            shared.file.save(&frozen, tip)?;
            let mut now = shared.now.write().unwrap_or_else(PoisonError::into_inner);
            (now.saving, now.saved) = (false, tip.height);
            Ok(())
        }));
        Ok(())
    }

    /// Waits until everything that a save began with is saved.
    ///
    /// # Errors
    /// If it failed, or one before it.
    pub(crate) fn end_save(&self) -> Result<(), ChainError> {
        end(lock(&self.saver).take())?;
        if self.now(|now| now.saving) { Err(ChainError::Stopped) } else { Ok(()) }
    }

    /// Rows and tree as they are now.
    pub(crate) fn view(&self) -> Result<StateView, ChainError> {
        self.now(|now| {
            let saved = self.shared.file.read()?.ok_or(ChainError::Damaged("there is no state"))?;
            let overlays = [Some(now.current.clone()), now.frozen.clone()];
            let watch = Watch::new(&self.shared.watched, now.tip.height);
            Ok(StateView { tip: now.tip, overlays, saved, watch })
        })
    }
}

fn end(saver: Option<JoinHandle<Result<(), ChainError>>>) -> Result<(), ChainError> {
    saver.map_or(Ok(()), |saver| saver.join().unwrap_or(Err(ChainError::Stopped)))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says that somebody looks at a height.
struct Watch {
    watched: Arc<Watchers>,
    height: Height,
}

impl Watch {
    fn new(watched: &Arc<Watchers>, height: Height) -> Self {
        *lock(watched).entry(height).or_default() += 1;
        Self { watched: watched.clone(), height }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut heights = lock(&self.watched);
        if let Some(views) = heights.get_mut(&self.height) {
            *views -= 1;
            if *views == 0 {
                heights.remove(&self.height);
            }
        }
    }
}

/// Rows and tree after one block.
pub(crate) struct StateView {
    pub(crate) tip: Tip,
    /// The newer one first.
    overlays: [Option<Arc<Overlay>>; 2],
    saved: SavedView,
    watch: Watch,
}

impl StateView {
    /// The same for whoever reads what the next block changes from a layer over this, and does not ask for it here: the
    /// past of these rows and pages need not be kept.
    pub(crate) fn under_layer(mut self) -> Self {
        if let Some(next) = self.tip.height.next() {
            let watch = Watch::new(&self.watch.watched, next);
            self.watch = watch;
        }
        self
    }

    fn overlays(&self) -> impl Iterator<Item = &Arc<Overlay>> {
        self.overlays.iter().flatten()
    }
}

impl Rows for StateView {
    fn get(&self, key: &RowKey) -> Result<Option<Vec<u8>>, RowsError> {
        let changed = self.overlays().find_map(|overlay| overlay.row(key, self.tip.height));
        changed.map_or_else(|| self.saved.row(key), Ok)
    }

    fn after(&self, key: &RowKey) -> Result<Option<(RowKey, Vec<u8>)>, RowsError> {
        let mut from = key.clone();
        loop {
            let saved = self.saved.row_after(&from)?.map(|(key, row)| (key, Some(row)));
            let changed = self.overlays().filter_map(|overlay| overlay.row_after(&from, self.tip.height));
            // Of those under the same key, the newest comes first.
            match changed.chain(saved).min_by(|(left, _), (right, _)| left.cmp(right)) {
                None => return Ok(None),
                Some((key, Some(row))) => return Ok(Some((key, row))),
                Some((key, None)) => from = key, // it is gone
            }
        }
    }
}

impl Pages for StateView {
    fn page(&self, key: &PageKey) -> Result<Option<Page>, RowsError> {
        let changed = self.overlays().find_map(|overlay| overlay.page(key, self.tip.height));
        changed.map_or_else(|| self.saved.page(key), Ok)
    }

    fn top(&self) -> Result<Child, RowsError> {
        Ok(self.tip.top)
    }
}
