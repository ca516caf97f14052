//! What blocks changed since the state was last saved, or between the last two saves, in memory.
//!
//! Rows and pages are kept as they are after the newest block, and as they were for as long as somebody may look at them.
//! Whoever reads names the height at which it looks, and finds what was there then.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use holdfast_ledger::block::Height;
use holdfast_ledger::state::{Changes, RowKey};
use holdfast_ledger::tree::{Fork, Page, PageKey, TreeChanges};

/// What an entry takes in memory beside its value: its key, places in a map, and what the allocator adds.
const ENTRY_BYTES: usize = 160;
/// Entries that are taken in one go. Who reads waits for no more than these.
const STRIDE: usize = 256;

/// Changes of the blocks after one height.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    rows: RwLock<Versions<BTreeMap<RowKey, Cell<Vec<u8>>>>>,
    /// Nobody asks for their order but who saves them.
    pages: RwLock<Versions<HashMap<PageKey, Cell<Page>>>>,
}

/// The heights at which somebody looks lie between these.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watched {
    pub(crate) oldest: Height,
    pub(crate) newest: Height,
}

impl Overlay {
    /// Takes what a block changes. What nobody watches any more is dropped where something newer comes.
    pub(crate) fn take(
        &self,
        height: Height,
        changes: &Changes,
        tree: &TreeChanges,
        watched: Option<Watched>,
    ) {
        fill(&self.rows, changes, height, watched);
        fill(&self.pages, &tree.pages, height, watched);
    }

    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        read(&self.rows).bytes + read(&self.pages).bytes
    }

    /// A row as it was at a height; `None` if no block up to there changed it.
    pub(crate) fn row(&self, key: &RowKey, at: Height) -> Option<Option<Vec<u8>>> {
        read(&self.rows).cells.get(key)?.at(at).cloned()
    }

    /// A page as it was at a height; `None` if no block up to there changed it.
    pub(crate) fn page(&self, key: &PageKey, at: Height) -> Option<Option<Page>> {
        read(&self.pages).cells.get(key)?.at(at).cloned()
    }

    /// The first row after a key that a block up to a height changed.
    pub(crate) fn row_after(&self, key: &RowKey, at: Height) -> Option<(RowKey, Option<Vec<u8>>)> {
        let rows = read(&self.rows);
        let mut after = rows.cells.range((Excluded(key), Unbounded));
        after.find_map(|(key, cell)| Some((key.clone(), cell.at(at)?.clone())))
    }

    /// Every row that was changed, as it is now, in order.
    ///
    /// # Errors
    /// The first of `each`.
    pub(crate) fn each_row<E>(
        &self,
        mut each: impl FnMut(&RowKey, Option<&Vec<u8>>) -> Result<(), E>,
    ) -> Result<(), E> {
        read(&self.rows).cells.iter().try_for_each(|(key, cell)| each(key, cell.now.1.as_ref()))
    }

    /// Every page that was changed, as it is now, in order.
    ///
    /// # Errors
    /// The first of `each`.
    pub(crate) fn each_page<E>(
        &self,
        mut each: impl FnMut(&PageKey, Option<&Page>) -> Result<(), E>,
    ) -> Result<(), E> {
        let pages = read(&self.pages);
        let mut pages: Vec<_> = pages.cells.iter().collect();
        pages.sort_unstable_by_key(|(key, _)| *key);
        pages.into_iter().try_for_each(|(key, cell)| each(key, cell.now.1.as_ref()))
    }
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn fill<K: Clone, V: Clone + Weight, M: Cells<K, V>>(
    versions: &RwLock<Versions<M>>,
    changes: &BTreeMap<K, Option<V>>,
    height: Height,
    watched: Option<Watched>,
) {
    let mut changes = changes.iter().peekable();
    while changes.peek().is_some() {
        let mut versions = versions.write().unwrap_or_else(PoisonError::into_inner);
        let Versions { cells, bytes } = &mut *versions;
        for (key, value) in changes.by_ref().take(STRIDE) {
            let version = (height, value.clone());
            match cells.find(key) {
                Some(cell) => {
                    let before = cell.weight();
                    cell.put(version, watched);
                    *bytes = *bytes + cell.weight() - before;
                }
                None => {
                    let cell = Cell { now: version, before: Vec::new() };
                    *bytes += ENTRY_BYTES + cell.weight();
                    cells.add(key.clone(), cell);
                }
            }
        }
    }
}

/// How much memory a value takes.
trait Weight {
    fn weight(&self) -> usize;
}

impl Weight for Vec<u8> {
    fn weight(&self) -> usize {
        self.len()
    }
}

impl Weight for Page {
    fn weight(&self) -> usize {
        match self {
            Self::List(entries) => size_of_val(&entries[..]),
            Self::Fork(_) => size_of::<Fork>(),
        }
    }
}

/// A map that remembers what it was, and about how much memory it takes.
#[derive(Debug, Default)]
struct Versions<M> {
    cells: M,
    bytes: usize,
}

/// A map of whatever kind.
trait Cells<K, V> {
    fn find(&mut self, key: &K) -> Option<&mut Cell<V>>;
    fn add(&mut self, key: K, cell: Cell<V>);
}

impl<K: Ord, V> Cells<K, V> for BTreeMap<K, Cell<V>> {
    fn find(&mut self, key: &K) -> Option<&mut Cell<V>> {
        self.get_mut(key)
    }

    fn add(&mut self, key: K, cell: Cell<V>) {
        self.insert(key, cell);
    }
}

impl<K: Hash + Eq, V> Cells<K, V> for HashMap<K, Cell<V>> {
    fn find(&mut self, key: &K) -> Option<&mut Cell<V>> {
        self.get_mut(key)
    }

    fn add(&mut self, key: K, cell: Cell<V>) {
        self.insert(key, cell);
    }
}

/// What stands under a key since some height; `None` is what is gone.
type Version<V> = (Height, Option<V>);

#[derive(Debug)]
struct Cell<V> {
    now: Version<V>,
    /// By ascending height.
    before: Vec<Version<V>>,
}

impl<V: Weight> Cell<V> {
    fn at(&self, height: Height) -> Option<&Option<V>> {
        if self.now.0 <= height {
            return Some(&self.now.1);
        }
        self.before.iter().rev().find(|(since, _)| *since <= height).map(|(_, value)| value)
    }

    fn put(&mut self, version: Version<V>, watched: Option<Watched>) {
        let last = std::mem::replace(&mut self.now, version);
        // Who looks at the last version or later needs none from before it.
        if watched.is_none_or(|watched| watched.oldest >= last.0) {
            self.before.clear();
        }
        if watched.is_some_and(|watched| watched.newest >= last.0) {
            self.before.push(last);
        }
    }

    fn weight(&self) -> usize {
        let versions = self.before.iter().chain([&self.now]);
        versions.map(|(_, value)| value.as_ref().map_or(0, Weight::weight)).sum()
    }
}

#[cfg(test)]
mod tests;
