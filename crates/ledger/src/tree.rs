//! The state tree: one hash for all rows, and proofs of what is and is not among them.
//!
//! A binary trie over the 256 bits of each row's *path*, which is a hash of its address. A subtree without rows hashes
//! to zero, one with a single row to that row's leaf however deep it would stand, every other one to a node:
//!
//! ```text
//! path = BLAKE3 keyed "holdfast/state/path/1" (table ‖ key)
//! leaf = BLAKE3 keyed "holdfast/state/leaf/1" (path ‖ BLAKE3(row))
//! node = BLAKE3 keyed "holdfast/state/node/1" (left ‖ right)
//! ```
//!
//! So the root does not depend on the order of changes. The tree is kept in *pages*, each under the path that leads to it:
//! a list of few rows, or a fork of sixteen places four levels below. An update reads and writes the pages above the rows
//! that change, and no others.
//! Specification: docs/spec/ledger.md, "State tree". Decision: docs/adr/010-state-tree.md.

use std::collections::BTreeMap;

use holdfast_core::fixed_bytes;

use crate::state::{Changes, RowKey, RowsError};

mod page;
mod proof;

pub use page::{Child, Entry, Fork, Page, PageKey};
use page::{LIST_MAX, hash_list};
pub use proof::{RowProof, RowProofError};

fixed_bytes!(
    /// The hash of all rows.
    StateRoot, 32
);
fixed_bytes!(
    /// Where a row stands in the tree.
    Path, 32
);

const PATH_KEY: &[u8; 32] = b"holdfast/state/path/1\0\0\0\0\0\0\0\0\0\0\0";
const LEAF_KEY: &[u8; 32] = b"holdfast/state/leaf/1\0\0\0\0\0\0\0\0\0\0\0";
const NODE_KEY: &[u8; 32] = b"holdfast/state/node/1\0\0\0\0\0\0\0\0\0\0\0";

/// The hash of a subtree without rows.
const EMPTY: [u8; 32] = [0; 32];

impl Path {
    /// The path of a row.
    pub fn of(key: &RowKey) -> Self {
        Self::new(*blake3::keyed_hash(PATH_KEY, key.as_bytes()).as_bytes())
    }

    /// Four bits, counted from the root.
    fn nibble(&self, depth: usize) -> usize {
        let byte = self.as_bytes()[depth / 2];
        usize::from(if depth.is_multiple_of(2) { byte >> 4 } else { byte & 15 })
    }

    /// One bit, counted from the root.
    fn bit(&self, depth: usize) -> bool {
        self.as_bytes()[depth / 8] >> (7 - depth % 8) & 1 == 1
    }
}

fn hash_row(row: &[u8]) -> [u8; 32] {
    *blake3::hash(row).as_bytes()
}

fn hash_leaf(path: &Path, row: &[u8; 32]) -> [u8; 32] {
    hash_pair(LEAF_KEY, path.as_bytes(), row)
}

fn hash_node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    hash_pair(NODE_KEY, left, right)
}

fn hash_pair(key: &[u8; 32], left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut both = [0; 64];
    both[..32].copy_from_slice(left);
    both[32..].copy_from_slice(right);
    *blake3::keyed_hash(key, &both).as_bytes()
}

/// Where pages are read.
pub trait Pages {
    /// The page under a path, if there is one.
    ///
    /// # Errors
    /// If it cannot be read.
    fn page(&self, key: &PageKey) -> Result<Option<Page>, RowsError>;

    /// What stands at the top of the tree.
    ///
    /// # Errors
    /// If it cannot be read.
    fn top(&self) -> Result<Child, RowsError>;
}

/// What changes of rows mean for the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeChanges {
    /// What stands at the top now.
    pub top: Child,
    /// Pages that differ; `None` is one that is gone.
    pub pages: BTreeMap<PageKey, Option<Page>>,
}

impl TreeChanges {
    /// Works out the tree after changes of rows.
    ///
    /// # Errors
    /// If a page cannot be read.
    pub fn of(pages: &dyn Pages, changes: &Changes) -> Result<Self, RowsError> {
        let mut leaves: Vec<_> =
            changes.iter().map(|(key, row)| (Path::of(key), row.as_ref().map(|row| hash_row(row)))).collect();
        leaves.sort_unstable();
        let mut update = Update { pages, changed: BTreeMap::new() };
        let top = update.subtree(&PageKey::top(), pages.top()?, &leaves)?;
        Ok(Self { top, pages: update.changed })
    }

    /// The root after the changes.
    pub fn root(&self) -> StateRoot {
        StateRoot::new(self.top.hash())
    }
}

/// A row as it shall be: its path and hash, or none.
type Change = (Path, Option<[u8; 32]>);

struct Update<'a> {
    pages: &'a dyn Pages,
    changed: BTreeMap<PageKey, Option<Page>>,
}

impl Update<'_> {
    /// What stands under a path after changes that all lie under it, in order of their paths.
    fn subtree(&mut self, key: &PageKey, before: Child, changes: &[Change]) -> Result<Child, RowsError> {
        if changes.is_empty() {
            return Ok(before);
        }
        match before {
            Child::Empty => Ok(self.grow(key, &merge(&[], changes))),
            Child::Leaf(path, row) => Ok(self.grow(key, &merge(&[(path, row)], changes))),
            Child::Node { .. } => {
                let after = match self.page(key)? {
                    Page::List(entries) => self.grow(key, &merge(&entries, changes)),
                    Page::Fork(fork) => self.fork(key, fork, changes)?,
                };
                if after.rows() < 2 {
                    self.changed.insert(key.clone(), None);
                }
                Ok(after)
            }
        }
    }

    /// A subtree of these rows and no others.
    fn grow(&mut self, key: &PageKey, entries: &[Entry]) -> Child {
        match entries {
            [] => Child::Empty,
            [(path, row)] => Child::Leaf(*path, *row),
            _ if entries.len() <= LIST_MAX => {
                self.changed.insert(key.clone(), Some(Page::List(entries.to_vec())));
                Child::Node { hash: hash_list(entries, key.depth() * 4), rows: entries.len() as u64 }
            }
            _ => {
                let mut fork = Box::new(Fork::default());
                for (nibble, group) in groups(entries, key.depth(), |(path, _)| path) {
                    fork.0[nibble] = self.grow(&key.child(nibble), group);
                }
                let child = fork.fold();
                self.changed.insert(key.clone(), Some(Page::Fork(fork)));
                child
            }
        }
    }

    /// Changes what stands under a fork, which becomes a list if few rows are left.
    fn fork(&mut self, key: &PageKey, mut fork: Box<Fork>, changes: &[Change]) -> Result<Child, RowsError> {
        for (nibble, group) in groups(changes, key.depth(), |(path, _)| path) {
            fork.0[nibble] = self.subtree(&key.child(nibble), fork.0[nibble], group)?;
        }
        let child = fork.fold();
        if child.rows() > LIST_MAX as u64 {
            self.changed.insert(key.clone(), Some(Page::Fork(fork)));
            return Ok(child);
        }
        let mut entries = Vec::new();
        for (nibble, child) in fork.0.iter().enumerate() {
            match child {
                Child::Empty => {}
                Child::Leaf(path, row) => entries.push((*path, *row)),
                Child::Node { .. } => {
                    let below = key.child(nibble);
                    let Page::List(more) = self.page(&below)? else { return Err(damaged()) };
                    entries.extend(more);
                    self.changed.insert(below, None);
                }
            }
        }
        Ok(self.grow(key, &entries))
    }

    /// A page as it is by now.
    fn page(&self, key: &PageKey) -> Result<Page, RowsError> {
        let page = match self.changed.get(key) {
            Some(changed) => changed.clone(),
            None => self.pages.page(key)?,
        };
        page.ok_or_else(damaged)
    }
}

fn damaged() -> RowsError {
    RowsError::new("a page of the state tree is missing, or another than it should be")
}

/// Entries after changes, both in order.
fn merge(entries: &[Entry], changes: &[Change]) -> Vec<Entry> {
    let mut merged = Vec::with_capacity(entries.len() + changes.len());
    let mut rest = entries;
    for (path, row) in changes {
        let (before, from) = rest.split_at(rest.partition_point(|(other, _)| other < path));
        merged.extend_from_slice(before);
        merged.extend(row.map(|row| (*path, row)));
        rest = &from[usize::from(from.first().is_some_and(|(other, _)| other == path))..];
    }
    merged.extend_from_slice(rest);
    merged
}

/// What lies under each child, in order.
fn groups<T>(items: &[T], depth: usize, path: impl Fn(&T) -> &Path) -> Vec<(usize, &[T])> {
    let mut groups = Vec::new();
    let mut rest = items;
    while let Some(first) = rest.first() {
        let nibble = path(first).nibble(depth);
        let (group, others) = rest.split_at(rest.partition_point(|item| path(item).nibble(depth) == nibble));
        groups.push((nibble, group));
        rest = others;
    }
    groups
}

#[cfg(test)]
mod tests;
