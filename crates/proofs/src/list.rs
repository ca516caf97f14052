//! One hash for a list of objects, such as the transactions of a block.
//!
//! A binary tree over the objects' hashes, in order; a last one without partner moves up as it is. The count is part of
//! the root, so that no two lists share one.
//!
//! ```text
//! leaf = BLAKE3 keyed "holdfast/list/leaf/1" (object hash)
//! node = BLAKE3 keyed "holdfast/list/node/1" (left ‖ right)
//! root = BLAKE3 keyed "holdfast/list/root/1" (u64 count, big-endian ‖ top), with a top of zeros for no objects
//! ```

use holdfast_core::fixed_bytes;

fixed_bytes!(
    /// The hash of a list.
    ListRoot, 32
);

const LEAF_KEY: &[u8; 32] = b"holdfast/list/leaf/1\0\0\0\0\0\0\0\0\0\0\0\0";
const NODE_KEY: &[u8; 32] = b"holdfast/list/node/1\0\0\0\0\0\0\0\0\0\0\0\0";
const ROOT_KEY: &[u8; 32] = b"holdfast/list/root/1\0\0\0\0\0\0\0\0\0\0\0\0";

impl ListRoot {
    /// The root of the list of objects with these hashes.
    pub fn of(objects: impl IntoIterator<Item = [u8; 32]>) -> Self {
        let leaf = |object: [u8; 32]| *blake3::keyed_hash(LEAF_KEY, &object).as_bytes();
        let mut level: Vec<_> = objects.into_iter().map(leaf).collect();
        let count = level.len() as u64;
        while level.len() > 1 {
            level = level.chunks(2).map(join).collect();
        }
        let mut root = blake3::Hasher::new_keyed(ROOT_KEY);
        root.update(&count.to_be_bytes()).update(level.first().unwrap_or(&[0; 32]));
        Self::new(*root.finalize().as_bytes())
    }
}

fn join(pair: &[[u8; 32]]) -> [u8; 32] {
    match pair {
        [left, right] => {
            let mut hasher = blake3::Hasher::new_keyed(NODE_KEY);
            *hasher.update(left).update(right).finalize().as_bytes()
        }
        _ => pair[0],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_lists_share_a_root() {
        let mut seen = BTreeSet::new();
        for count in 0..40_u8 {
            assert!(seen.insert(ListRoot::of((0..count).map(|n| [n; 32]))));
            // The last one repeated, which a tree that pairs an odd one with itself cannot tell from this.
            let last = count.checked_sub(1);
            assert!(seen.insert(ListRoot::of((0..count).chain(last).map(|n| [n; 32]))) || count == 0);
            assert!(count < 2 || seen.insert(ListRoot::of((0..count).rev().map(|n| [n; 32]))));
        }
    }

    #[test]
    fn an_odd_one_moves_up() {
        let [a, b, c] = [[1; 32], [2; 32], [3; 32]].map(|n| *blake3::keyed_hash(LEAF_KEY, &n).as_bytes());
        let pair = |left: [u8; 32], right: [u8; 32]| {
            *blake3::keyed_hash(NODE_KEY, &[left, right].concat()).as_bytes()
        };
        let top = pair(pair(a, b), c);
        let root = blake3::keyed_hash(ROOT_KEY, &[&3_u64.to_be_bytes()[..], &top].concat());
        assert_eq!(ListRoot::of([[1; 32], [2; 32], [3; 32]]), ListRoot::new(*root.as_bytes()));
    }
}
