//! Pages: parts of the tree, kept together.

use super::{EMPTY, Path, hash_leaf, hash_node};

/// Children of a fork.
const WIDTH: usize = 16;

/// Most rows that are kept as a list. A list of average length fills a quarter of a database page, as a fork does.
pub(super) const LIST_MAX: usize = 32;

/// A row in the tree: its path, and the hash of the row.
pub type Entry = (Path, [u8; 32]);

/// What stands in one place of the tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Child {
    /// No row.
    #[default]
    Empty,
    /// One row: its path, and the hash of the row.
    Leaf(Path, [u8; 32]),
    /// Two rows or more.
    Node {
        /// The hash of the subtree.
        hash: [u8; 32],
        /// How many there are.
        rows: u64,
    },
}

impl Child {
    /// The hash of the subtree.
    pub fn hash(&self) -> [u8; 32] {
        match self {
            Self::Empty => EMPTY,
            Self::Leaf(path, row) => hash_leaf(path, row),
            Self::Node { hash, .. } => *hash,
        }
    }

    /// Rows of the subtree.
    pub fn rows(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Leaf(..) => 1,
            Self::Node { rows, .. } => *rows,
        }
    }

    fn join(left: Self, right: Self) -> Self {
        match (left, right) {
            (one, Self::Empty) | (Self::Empty, one) if one.rows() < 2 => one,
            (left, right) => Self::Node {
                hash: hash_node(&left.hash(), &right.hash()),
                rows: left.rows().saturating_add(right.rows()),
            },
        }
    }

    /// For files: a byte that says which, then its fields.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Empty => out.push(0),
            Self::Leaf(path, row) => {
                out.push(1);
                out.extend_from_slice(path.as_bytes());
                out.extend_from_slice(row);
            }
            Self::Node { hash, rows } => {
                out.push(2);
                out.extend_from_slice(hash);
                out.extend_from_slice(&rows.to_be_bytes());
            }
        }
    }

    /// Reads what [`Child::write`] wrote, and what follows it. `None` if it did not write this.
    pub fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (kind, rest) = bytes.split_first()?;
        match kind {
            0 => Some((Self::Empty, rest)),
            1 => {
                let ((path, row), rest) = read_entry(rest)?;
                Some((Self::Leaf(path, row), rest))
            }
            2 => {
                let (hash, rest) = rest.split_first_chunk()?;
                let (rows, rest) = rest.split_first_chunk()?;
                Some((Self::Node { hash: *hash, rows: u64::from_be_bytes(*rows) }, rest))
            }
            _ => None,
        }
    }
}

fn read_entry(bytes: &[u8]) -> Option<(Entry, &[u8])> {
    let (path, rest) = bytes.split_first_chunk()?;
    let (row, rest) = rest.split_first_chunk()?;
    Some(((Path::new(*path), *row), rest))
}

/// The path that leads to a page, in steps of four bits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageKey(Vec<u8>);

impl PageKey {
    /// The first page.
    pub fn top() -> Self {
        Self(Vec::new())
    }

    /// The page under one of the children.
    pub(super) fn child(&self, nibble: usize) -> Self {
        let mut path = Vec::with_capacity(self.0.len() + 1);
        path.extend_from_slice(&self.0);
        path.push(u8::try_from(nibble).expect("a page has sixteen children"));
        Self(path)
    }

    /// Pages above this one.
    pub(super) fn depth(&self) -> usize {
        self.0.len()
    }

    /// One byte for each step.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A subtree of two rows or more: its rows if they are few, else what stands four levels below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// In order of their paths.
    List(Vec<Entry>),
    /// More than a list holds.
    Fork(Box<Fork>),
}

/// Sixteen places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fork(pub(super) [Child; WIDTH]);

impl Fork {
    /// What it comes to.
    pub(super) fn fold(&self) -> Child {
        fold(&self.0)
    }
}

impl Page {
    /// Follows a path from the page's own depth on, and says what stands where the way ends, or four levels below;
    /// `siblings` gets the hashes passed by.
    pub(super) fn walk(&self, path: &Path, depth: usize, siblings: &mut Vec<[u8; 32]>) -> Child {
        match self {
            Self::List(entries) => walk_list(entries, path, depth * 4, siblings),
            Self::Fork(fork) => walk_fork(&fork.0, path.nibble(depth), siblings),
        }
    }

    /// For files.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::List(entries) => {
                let mut bytes = Vec::with_capacity(1 + entries.len() * 64);
                bytes.push(0);
                for (path, row) in entries {
                    bytes.extend_from_slice(path.as_bytes());
                    bytes.extend_from_slice(row);
                }
                bytes
            }
            Self::Fork(fork) => {
                let mut bytes = Vec::with_capacity(1 + WIDTH * 41);
                bytes.push(1);
                fork.0.iter().for_each(|child| child.write(&mut bytes));
                bytes
            }
        }
    }

    /// Reads what [`Page::to_bytes`] wrote. `None` if it did not write this.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, mut bytes) = bytes.split_first()?;
        match kind {
            0 if bytes.len() <= LIST_MAX * 64 => {
                let mut entries = Vec::with_capacity(bytes.len() / 64);
                while !bytes.is_empty() {
                    let (entry, rest) = read_entry(bytes)?;
                    entries.push(entry);
                    bytes = rest;
                }
                entries.is_sorted().then_some(Self::List(entries))
            }
            1 => {
                let mut fork = Fork::default();
                for place in &mut fork.0 {
                    (*place, bytes) = Child::read(bytes)?;
                }
                bytes.is_empty().then(|| Self::Fork(Box::new(fork)))
            }
            _ => None,
        }
    }
}

/// The hash of the subtree of these rows, in order, whose paths agree in `depth` bits.
pub(super) fn hash_list(entries: &[Entry], depth: usize) -> [u8; 32] {
    match entries {
        [] => EMPTY,
        [(path, row)] => hash_leaf(path, row),
        _ => {
            let (left, right) = halves(entries, depth);
            hash_node(&hash_list(left, depth + 1), &hash_list(right, depth + 1))
        }
    }
}

fn halves(entries: &[Entry], depth: usize) -> (&[Entry], &[Entry]) {
    entries.split_at(entries.partition_point(|(path, _)| !path.bit(depth)))
}

fn walk_list(mut entries: &[Entry], path: &Path, depth: usize, siblings: &mut Vec<[u8; 32]>) -> Child {
    for depth in depth.. {
        match entries {
            [] => return Child::Empty,
            [(path, row)] => return Child::Leaf(*path, *row),
            _ => {}
        }
        let (left, right) = halves(entries, depth);
        let (near, far) = if path.bit(depth) { (right, left) } else { (left, right) };
        siblings.push(hash_list(far, depth + 1));
        entries = near;
    }
    Child::Empty
}

fn walk_fork(children: &[Child; WIDTH], nibble: usize, siblings: &mut Vec<[u8; 32]>) -> Child {
    let (mut start, mut width) = (0, WIDTH);
    loop {
        let place = fold(&children[start..start + width]);
        if width == 1 || place.rows() < 2 {
            return place;
        }
        width /= 2;
        let right = nibble & width != 0;
        let (near, far) = if right { (start + width, start) } else { (start, start + width) };
        siblings.push(fold(&children[far..far + width]).hash());
        start = near;
    }
}

fn fold(children: &[Child]) -> Child {
    match children {
        [one] => *one,
        _ => {
            let (left, right) = children.split_at(children.len() / 2);
            Child::join(fold(left), fold(right))
        }
    }
}
