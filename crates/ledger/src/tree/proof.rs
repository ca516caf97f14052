//! Proofs that a row is, or is not, in a state.

use holdfast_core::codec::Bounded;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use super::{Child, EMPTY, PageKey, Pages, Path, StateRoot, hash_leaf, hash_node, hash_row};
use crate::state::{RowKey, RowsError};

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

/// What stands in the place of a row that is absent.
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
    /// Makes the proof for one row, present or absent.
    ///
    /// # Errors
    /// If a page cannot be read.
    pub fn make(pages: &dyn Pages, key: &RowKey) -> Result<Self, RowsError> {
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
            Child::Leaf(other, row) => Some(vec![Hash::new(*other.as_bytes()), Hash::new(row)]),
            _ => Some(Vec::new()),
        };
        let instead = instead.map(|hashes| Instead(Bounded::new(hashes).expect("two at most")));
        let siblings = siblings.into_iter().map(Hash::new).collect();
        Ok(Self { instead, siblings: Bounded::new(siblings).expect("a path has 256 bits") })
    }

    /// Checks that the state with this root holds exactly this row under the key, or none.
    ///
    /// # Errors
    /// See [`RowProofError`].
    pub fn verify(&self, root: &StateRoot, key: &RowKey, row: Option<&[u8]>) -> Result<(), RowProofError> {
        let path = Path::of(key);
        let depth = self.siblings.len();
        let place = match (&self.instead, row) {
            (None, Some(row)) => hash_leaf(&path, &hash_row(row)),
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
