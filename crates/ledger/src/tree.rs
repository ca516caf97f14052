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
//! So the root does not depend on the order of changes. Nodes are kept in *pages* of four levels, each under the path
//! that leads to it; an update reads and writes the pages above the rows that change, and no others.
//! Specification: docs/spec/ledger.md, "State tree". Decision: docs/adr/010-state-tree.md.

use std::collections::BTreeMap;

use holdfast_core::fixed_bytes;

use crate::state::{Changes, RowKey, RowsError};

mod page;
mod proof;

pub use page::{Child, Page, PageKey};
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

/// A row's leaf as it shall be: its path and the hash of the row, or none.
type Leaf = (Path, Option<[u8; 32]>);

struct Update<'a> {
    pages: &'a dyn Pages,
    changed: BTreeMap<PageKey, Option<Page>>,
}

impl Update<'_> {
    /// What stands under a path after changes that all lie under it, in order of their paths.
    fn subtree(&mut self, key: &PageKey, before: Child, leaves: &[Leaf]) -> Result<Child, RowsError> {
        if leaves.is_empty() {
            return Ok(before);
        }
        match before {
            Child::Node(_) => {
                let page = self.pages.page(key)?;
                let page = page.ok_or_else(|| RowsError::new("a page of the state tree is missing"))?;
                self.page(key, page, leaves)
            }
            Child::Empty => self.grow(key, leaves),
            Child::Leaf(path, row) => {
                if leaves.iter().any(|(other, _)| *other == path) {
                    return self.grow(key, leaves);
                }
                let mut all = leaves.to_vec();
                all.insert(leaves.partition_point(|(other, _)| *other < path), (path, Some(row)));
                self.grow(key, &all)
            }
        }
    }

    /// A subtree of these leaves and no others.
    fn grow(&mut self, key: &PageKey, leaves: &[Leaf]) -> Result<Child, RowsError> {
        let mut present = leaves.iter().filter_map(|(path, row)| row.map(|row| (*path, row)));
        match (present.next(), present.next()) {
            (None, _) => Ok(Child::Empty),
            (Some((path, row)), None) => Ok(Child::Leaf(path, row)),
            _ => self.page(key, Page::default(), leaves),
        }
    }

    /// Changes the children of a page, and keeps it if it still holds more than one row.
    fn page(&mut self, key: &PageKey, mut page: Page, leaves: &[Leaf]) -> Result<Child, RowsError> {
        let mut rest = leaves;
        while let Some((first, _)) = rest.first() {
            let nibble = first.nibble(key.depth());
            let count = rest.partition_point(|(path, _)| path.nibble(key.depth()) == nibble);
            let (group, others) = rest.split_at(count);
            let child = page.child(nibble);
            page.set(nibble, self.subtree(&key.child(nibble), child, group)?);
            rest = others;
        }
        let child = page.fold();
        let kept = matches!(child, Child::Node(_)).then_some(page);
        self.changed.insert(key.clone(), kept);
        Ok(child)
    }
}

#[cfg(test)]
mod tests;
