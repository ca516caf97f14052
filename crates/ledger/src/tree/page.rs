//! Pages: four levels of the tree, kept together.

use super::{EMPTY, Path, hash_leaf, hash_node};

/// Children of a page.
const WIDTH: usize = 16;

/// What stands in one place of the tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Child {
    /// No row.
    #[default]
    Empty,
    /// One row: its path, and the hash of the row.
    Leaf(Path, [u8; 32]),
    /// Two rows or more: the hash of the node.
    Node([u8; 32]),
}

impl Child {
    /// The hash of the subtree.
    pub fn hash(&self) -> [u8; 32] {
        match self {
            Self::Empty => EMPTY,
            Self::Leaf(path, row) => hash_leaf(path, row),
            Self::Node(hash) => *hash,
        }
    }

    fn join(left: Self, right: Self) -> Self {
        match (left, right) {
            (one, Self::Empty) | (Self::Empty, one) if !matches!(one, Self::Node(_)) => one,
            (left, right) => Self::Node(hash_node(&left.hash(), &right.hash())),
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
            Self::Node(hash) => {
                out.push(2);
                out.extend_from_slice(hash);
            }
        }
    }

    /// Reads what [`Child::write`] wrote, and what follows it. `None` if it did not write this.
    pub fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (kind, rest) = bytes.split_first()?;
        match kind {
            0 => Some((Self::Empty, rest)),
            1 => {
                let (path, rest) = rest.split_first_chunk::<32>()?;
                let (row, rest) = rest.split_first_chunk::<32>()?;
                Some((Self::Leaf(Path::new(*path), *row), rest))
            }
            2 => rest.split_first_chunk::<32>().map(|(hash, rest)| (Self::Node(*hash), rest)),
            _ => None,
        }
    }
}

/// The path that leads to a page, in steps of four bits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// Sixteen places, four levels under the page's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page([Child; WIDTH]);

impl Page {
    pub(super) fn child(&self, nibble: usize) -> Child {
        self.0[nibble]
    }

    pub(super) fn set(&mut self, nibble: usize, child: Child) {
        self.0[nibble] = child;
    }

    /// What the page comes to.
    pub(super) fn fold(&self) -> Child {
        fold(&self.0)
    }

    /// Follows four bits of a path, and says what stands where the way ends; `siblings` gets the hashes passed by.
    pub(super) fn walk(&self, nibble: usize, siblings: &mut Vec<[u8; 32]>) -> Child {
        let (mut start, mut width) = (0, WIDTH);
        loop {
            let place = fold(&self.0[start..start + width]);
            if width == 1 || !matches!(place, Child::Node(_)) {
                return place;
            }
            width /= 2;
            let right = nibble & width != 0;
            let (near, far) = if right { (start + width, start) } else { (start, start + width) };
            siblings.push(fold(&self.0[far..far + width]).hash());
            start = near;
        }
    }

    /// For files.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(WIDTH * 65);
        for child in &self.0 {
            child.write(&mut bytes);
        }
        bytes
    }

    /// Reads what [`Page::to_bytes`] wrote. `None` if it did not write this.
    pub fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let mut page = Self::default();
        for place in &mut page.0 {
            (*place, bytes) = Child::read(bytes)?;
        }
        bytes.is_empty().then_some(page)
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
