//! The state tree: one hash for all rows, and proofs of what is and is not among them.
//!
//! How rows and subtrees are hashed, and how a proof is checked, says [`holdfast_proofs::row`].
//! So the root does not depend on the order of changes. The tree is kept in *pages*, each under the path that leads to it:
//! a list of few rows, or a fork of sixteen places four levels below. An update reads and writes the pages above the rows
//! that change, and no others.
//! Specification: docs/spec/ledger.md, "State tree". Decision: docs/adr/010-state-tree.md.

use std::collections::BTreeMap;

pub use holdfast_proofs::header::StateRoot;
pub use holdfast_proofs::row::Path;
use holdfast_proofs::row::{EMPTY, Place, RowProof, hash_leaf, hash_node, hash_row};

use crate::state::{Changes, RowKey, RowsError};

mod page;

pub use page::{Child, Entry, Fork, Page, PageKey};
use page::{LIST_MAX, hash_list};

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

/// Makes the proof for one row, present or absent.
///
/// # Errors
/// If a page cannot be read.
pub fn prove(pages: &dyn Pages, key: &RowKey) -> Result<RowProof, RowsError> {
    let path = Path::of(key);
    let mut siblings = Vec::new();
    let mut page_key = PageKey::top();
    let mut place = pages.top()?;
    while let Child::Node { .. } = place {
        let page = pages.page(&page_key)?;
        let page = page.ok_or_else(|| RowsError::new("a page of the state tree is missing"))?;
        place = page.walk(&path, page_key.depth(), &mut siblings);
        page_key = page_key.child(path.nibble(page_key.depth()));
    }
    let instead = match place {
        Child::Leaf(other, _) if other == path => None,
        Child::Leaf(other, row) => Some(Place::Other(other, row)),
        _ => Some(Place::Nothing),
    };
    Ok(RowProof::new(instead, siblings))
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
