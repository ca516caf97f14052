//! Rows of the ledger, and proofs that one is, or is not, in a state.
//!
//! Every row lies under an address, `table ‖ key`. All rows together are the leaves of a binary trie over the 256 bits of
//! each row's *path*, which is a hash of its address. A subtree without rows hashes to zero, one with a single row to that
//! row's leaf however deep it would stand, every other one to a node:
//!
//! ```text
//! path = BLAKE3 keyed "holdfast/state/path/1" (table ‖ key)
//! leaf = BLAKE3 keyed "holdfast/state/leaf/1" (path ‖ BLAKE3(row))
//! node = BLAKE3 keyed "holdfast/state/node/1" (left ‖ right)
//! ```
//!
//! Specification: docs/spec/ledger.md, "State tree".

use holdfast_core::codec::Bounded;
use holdfast_core::fixed_bytes;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::header::StateRoot;

fixed_bytes!(
    /// Where a row stands in the tree.
    Path, 32
);

const PATH_KEY: &[u8; 32] = b"holdfast/state/path/1\0\0\0\0\0\0\0\0\0\0\0";
const LEAF_KEY: &[u8; 32] = b"holdfast/state/leaf/1\0\0\0\0\0\0\0\0\0\0\0";
const NODE_KEY: &[u8; 32] = b"holdfast/state/node/1\0\0\0\0\0\0\0\0\0\0\0";

/// The hash of a subtree without rows.
pub const EMPTY: [u8; 32] = [0; 32];

/// Which kind of row. The numbers are part of the format: they are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Table(u8);

impl Table {
    /// Accounts by public key.
    pub const ACCOUNTS: Self = Self(1);
    /// Money issued and burned, by the empty key.
    pub const SUPPLY: Self = Self(2);
    /// Parameters in force, by the empty key.
    pub const PARAMS: Self = Self(3);
    /// Registered nodes by node id.
    pub const NODES: Self = Self(4);
    /// Who holds a key or peer id, by a byte for its kind and the hash of it.
    pub const CLAIMS: Self = Self(5);
    /// Committee records by epoch, eight bytes big-endian.
    pub const COMMITTEES: Self = Self(6);
    /// The running epoch, by the empty key.
    pub const EPOCH: Self = Self(7);
    /// The validators of the next block, by the empty key; every set there ever was, by the height it began with.
    pub const VALIDATORS: Self = Self(8);
    /// Beacons by height, eight bytes big-endian.
    pub const BEACONS: Self = Self(9);
    /// Bonds by node id.
    pub const BONDS: Self = Self(10);
    /// Orders by id.
    pub const ORDERS: Self = Self(11);
    /// What ends in an epoch: eight bytes big-endian, and the order.
    pub const EXPIRIES: Self = Self(12);
    /// Motions of governance by id.
    pub const MOTIONS: Self = Self(13);
    /// Measurements that are allowed, by themselves.
    pub const MEASUREMENTS: Self = Self(14);
    /// Authorities by node id.
    pub const AUTHORITIES: Self = Self(15);
    /// First blocks of epochs, by epoch, eight bytes big-endian.
    pub const FIRST_BLOCKS: Self = Self(16);

    /// The number.
    pub fn number(self) -> u8 {
        self.0
    }
}

/// A row's address: its table and its key in there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowKey(Vec<u8>);

impl RowKey {
    /// The address of a row.
    pub fn new(table: Table, key: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(1 + key.len());
        bytes.push(table.0);
        bytes.extend_from_slice(key);
        Self(bytes)
    }

    /// The address from its bytes, or `None` if there are none.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        (!bytes.is_empty()).then_some(Self(bytes))
    }

    /// Stands before every row, for no table has the number 0.
    pub fn before_all() -> Self {
        Self(vec![0])
    }

    /// `table ‖ key`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// `table ‖ key`.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The table.
    pub fn table(&self) -> Table {
        Table(self.0[0])
    }

    /// The key in the table.
    pub fn key(&self) -> &[u8] {
        &self.0[1..]
    }
}

impl Path {
    /// The path of a row.
    pub fn of(key: &RowKey) -> Self {
        Self::new(*blake3::keyed_hash(PATH_KEY, key.as_bytes()).as_bytes())
    }

    /// Four bits, counted from the root.
    ///
    /// # Panics
    /// From 64 on.
    pub fn nibble(&self, depth: usize) -> usize {
        let byte = self.as_bytes()[depth / 2];
        usize::from(if depth.is_multiple_of(2) { byte >> 4 } else { byte & 15 })
    }

    /// One bit, counted from the root.
    ///
    /// # Panics
    /// From 256 on.
    pub fn bit(&self, depth: usize) -> bool {
        self.as_bytes()[depth / 8] >> (7 - depth % 8) & 1 == 1
    }
}

/// The hash of a row's bytes.
pub fn hash_row(row: &[u8]) -> [u8; 32] {
    *blake3::hash(row).as_bytes()
}

/// The hash of a subtree with one row.
pub fn hash_leaf(path: &Path, row: &[u8; 32]) -> [u8; 32] {
    hash_pair(LEAF_KEY, path.as_bytes(), row)
}

/// The hash of a subtree with more.
pub fn hash_node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    hash_pair(NODE_KEY, left, right)
}

fn hash_pair(key: &[u8; 32], left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut both = [0; 64];
    both[..32].copy_from_slice(left);
    both[32..].copy_from_slice(right);
    *blake3::keyed_hash(key, &both).as_bytes()
}

/// Steps from the root to the deepest row there can be.
const DEPTH_MAX: usize = 256;

/// A hash in a proof.
type Hash = ByteArray<32>;

/// The way from the root to where a row stands, or would stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct RowProof {
    /// What stands there instead: another row's path and hash, or nothing. Null for a row that is there.
    pub instead: Option<Instead>,
    /// Hashes of the subtrees beside the way, from the root down.
    pub siblings: Bounded<Hash, DEPTH_MAX>,
}

/// What stands where an absent row would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// No row.
    Nothing,
    /// Another one: its path, and the hash of the row.
    Other(Path, [u8; 32]),
}

/// The wire form of [`Place`]: nothing, or path and hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Instead(Bounded<Hash, 2>);

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowProofError {
    /// It leads to another root.
    #[error("the proof belongs to another state")]
    Root,
    /// It is a proof of presence, and absence was asked, or the other way round.
    #[error("the proof does not say whether the row is there")]
    Kind,
}

impl RowProof {
    /// The proof for one row: what stands at the end of its way, if that is another row or nothing, and the hashes of the
    /// subtrees beside the way, from the root down.
    ///
    /// # Panics
    /// If the way is longer than a path.
    pub fn new(instead: Option<Place>, siblings: Vec<[u8; 32]>) -> Self {
        let instead = instead.map(|place| match place {
            Place::Nothing => Vec::new(),
            Place::Other(path, row) => vec![Hash::new(*path.as_bytes()), Hash::new(row)],
        });
        let instead = instead.map(|hashes| Instead(Bounded::new(hashes).expect("two at most")));
        let siblings = siblings.into_iter().map(Hash::new).collect();
        Self { instead, siblings: Bounded::new(siblings).expect("a path has 256 bits") }
    }

    /// Checks that the state with this root holds exactly this row under the key, or none.
    ///
    /// # Errors
    /// See [`RowProofError`].
    pub fn verify(&self, root: &StateRoot, key: &RowKey, row: Option<&[u8]>) -> Result<(), RowProofError> {
        self.verify_hash(root, key, row.map(hash_row))
    }

    /// The same for who knows only the row's hash.
    ///
    /// # Errors
    /// See [`RowProofError`].
    pub fn verify_hash(
        &self,
        root: &StateRoot,
        key: &RowKey,
        row: Option<[u8; 32]>,
    ) -> Result<(), RowProofError> {
        let path = Path::of(key);
        let depth = self.siblings.len();
        let place = match (&self.instead, row) {
            (None, Some(row)) => hash_leaf(&path, &row),
            (Some(Instead(hashes)), None) => match &hashes[..] {
                [] => EMPTY,
                [other, row] => {
                    let other = Path::new(**other);
                    // It must stand on the way, and be another.
                    let beside = other != path && (0..depth).all(|at| other.bit(at) == path.bit(at));
                    if !beside {
                        return Err(RowProofError::Kind);
                    }
                    hash_leaf(&other, row)
                }
                _ => return Err(RowProofError::Kind),
            },
            _ => return Err(RowProofError::Kind),
        };
        let hash = self.siblings.iter().enumerate().rev().fold(place, |hash, (at, sibling)| {
            if path.bit(at) { hash_node(sibling, &hash) } else { hash_node(&hash, sibling) }
        });
        if hash == *root.as_bytes() { Ok(()) } else { Err(RowProofError::Root) }
    }
}
