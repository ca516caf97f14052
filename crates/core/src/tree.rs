//! The hash tree of a piece: BLAKE3, whose own tree makes every 1 KiB chunk provable.
//!
//! [`TreeHasher`] takes a piece as a stream and yields its root and its *outboard*: the pairs of chaining
//! values of all inner nodes above groups of 16 KiB, in post-order, 64 bytes each (0.4 % of the piece). With
//! the outboard and one 16 KiB group at hand, [`ChunkProof::make`] proves a chunk; [`ChunkProof::verify`] needs
//! nothing but the root and the length. Format: docs/spec/piece.md, BLAKE3 paper §2.1.

use blake3::hazmat::{ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use blake3::{CHUNK_LEN, Hasher};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::codec::Bounded;
use crate::id::PieceRoot;

/// Bytes of a chunk, the unit of proofs.
pub const CHUNK_BYTES: u64 = CHUNK_LEN as u64;

/// Bytes of a group: what one entry of the outboard stands for. Sixteen chunks fill the widest SIMD lanes,
/// and the outboard shrinks sixteenfold against one that keeps every chunk.
pub const GROUP_BYTES: u64 = 16 * CHUNK_BYTES;

/// Bytes of one outboard entry: two chaining values.
pub const PAIR_BYTES: usize = 64;

/// Deepest tree: 2^54 chunks of 1 KiB are more than a `u64` length can hold.
const DEPTH_MAX: usize = 54;

/// Length of the outboard of a piece of `bytes` bytes.
pub fn outboard_bytes(bytes: u64) -> u64 {
    bytes.div_ceil(GROUP_BYTES).saturating_sub(1) * PAIR_BYTES as u64
}

/// Bytes in the left half of a tree of more than one chunk: the largest power of two below `bytes`. The function
/// of that name in `blake3` overflows at the longest length, which a stranger may claim.
fn left_subtree_len(bytes: u64) -> u64 {
    1 << (bytes - 1).ilog2()
}

/// Number of chunks of a piece of `bytes` bytes; the empty piece has one empty chunk.
pub fn chunks(bytes: u64) -> u64 {
    bytes.div_ceil(CHUNK_BYTES).max(1)
}

/// Hashes a piece as it streams by.
#[derive(Debug)]
pub struct TreeHasher {
    /// The group being filled. It is closed only when more bytes come, because the last one may be the root.
    group: Hasher,
    group_bytes: u64,
    groups_closed: u64,
    /// Chaining values of complete subtrees, largest first.
    stack: Vec<ChainingValue>,
}

impl Default for TreeHasher {
    fn default() -> Self {
        Self { group: Hasher::new(), group_bytes: 0, groups_closed: 0, stack: Vec::new() }
    }
}

impl TreeHasher {
    /// Takes the next bytes. New outboard entries are appended to `outboard`.
    pub fn update(&mut self, mut data: &[u8], outboard: &mut Vec<u8>) {
        while !data.is_empty() {
            if self.group_bytes == GROUP_BYTES {
                self.close_group(outboard);
            }
            #[allow(clippy::cast_possible_truncation)] // at most 16 KiB
            let room = (GROUP_BYTES - self.group_bytes) as usize;
            let (now, later) = data.split_at(room.min(data.len()));
            self.group.update(now);
            self.group_bytes += now.len() as u64;
            data = later;
        }
    }

    /// How many bytes were taken so far.
    pub fn bytes(&self) -> u64 {
        self.groups_closed * GROUP_BYTES + self.group_bytes
    }

    /// Ends the piece. The last outboard entries are appended to `outboard`.
    pub fn finish(mut self, outboard: &mut Vec<u8>) -> PieceRoot {
        let Some(mut left) = self.stack.pop() else {
            return PieceRoot::new(*self.group.finalize().as_bytes());
        };
        let mut right = self.group.finalize_non_root();
        loop {
            outboard.extend_from_slice(&left);
            outboard.extend_from_slice(&right);
            match self.stack.pop() {
                Some(next) => {
                    right = merge_subtrees_non_root(&left, &right, Mode::Hash);
                    left = next;
                }
                None => {
                    return PieceRoot::new(*merge_subtrees_root(&left, &right, Mode::Hash).as_bytes());
                }
            }
        }
    }

    fn close_group(&mut self, outboard: &mut Vec<u8>) {
        let mut value = self.group.finalize_non_root();
        self.groups_closed += 1;
        self.group_bytes = 0;
        self.group = Hasher::new();
        self.group.set_input_offset(self.groups_closed * GROUP_BYTES);
        // A subtree is complete when its count of groups is a power of two: merge as in binary counting.
        // More bytes follow, so none of these merges is the root.
        for _ in 0..self.groups_closed.trailing_zeros() {
            let left = self.stack.pop().expect("one entry per set bit of the count");
            outboard.extend_from_slice(&left);
            outboard.extend_from_slice(&value);
            value = merge_subtrees_non_root(&left, &value, Mode::Hash);
        }
        self.stack.push(value);
    }
}

/// A chunk of a piece, with what leads from it to the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct ChunkProof {
    /// The chunk: 1 KiB, or less at the end of the piece.
    #[serde(with = "serde_bytes")]
    pub chunk: Vec<u8>,
    /// Chaining values of the siblings on the way, from the root down.
    pub siblings: Bounded<Sibling, DEPTH_MAX>,
}

crate::fixed_bytes!(
    /// Chaining value of a subtree beside the way from the root to a chunk.
    Sibling, 32
);

/// Why a chunk proof was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// The piece has fewer chunks.
    #[error("chunk {index} of a piece of {chunks} chunks")]
    OutOfRange {
        /// The chunk asked for.
        index: u64,
        /// Chunks of the piece.
        chunks: u64,
    },
    /// The chunk or the path has another length than its place in the tree demands.
    #[error("chunk or path has the wrong length")]
    Shape,
    /// The path does not lead to the root.
    #[error("the path does not lead to the piece root")]
    Root,
}

/// The way from the root of a piece to one chunk.
struct Path {
    /// From the root down: whether the chunk is in the left subtree, and the outboard entry of the node
    /// (none below the groups).
    steps: Vec<(bool, Option<u64>)>,
    start: u64,
    bytes: u64,
}

impl Path {
    fn to(index: u64, piece_bytes: u64) -> Result<Self, ChunkError> {
        let chunks = chunks(piece_bytes);
        if index >= chunks {
            return Err(ChunkError::OutOfRange { index, chunks });
        }
        let target = index * CHUNK_BYTES;
        let (mut start, mut bytes, mut entries_before) = (0, piece_bytes, 0);
        let mut steps = Vec::new();
        while bytes > CHUNK_BYTES {
            let left = left_subtree_len(bytes);
            let go_left = target < start + left;
            // Post-order: all entries of the left subtree, then all of the right, then this node.
            let entry = (bytes > GROUP_BYTES)
                .then(|| entries_before + (outboard_bytes(bytes) / PAIR_BYTES as u64) - 1);
            steps.push((go_left, entry));
            if go_left {
                bytes = left;
            } else {
                entries_before += outboard_bytes(left) / PAIR_BYTES as u64;
                start += left;
                bytes -= left;
            }
        }
        Ok(Self { steps, start, bytes })
    }
}

impl ChunkProof {
    /// Proves chunk `index` of a piece of `piece_bytes` bytes.
    ///
    /// `group` holds the bytes of the 16 KiB group around the chunk; `pair` reads an entry of the outboard.
    ///
    /// # Errors
    /// [`ChunkError::OutOfRange`] or [`ChunkError::Shape`] for a wrong index or group, and whatever `pair` fails
    /// with.
    pub fn make<E: From<ChunkError>>(
        index: u64,
        piece_bytes: u64,
        group: &[u8],
        mut pair: impl FnMut(u64) -> Result<[u8; PAIR_BYTES], E>,
    ) -> Result<Self, E> {
        let path = Path::to(index, piece_bytes)?;
        let group_start = path.start / GROUP_BYTES * GROUP_BYTES;
        if group.len() as u64 != GROUP_BYTES.min(piece_bytes - group_start) {
            return Err(ChunkError::Shape.into());
        }
        let mut siblings = Vec::with_capacity(path.steps.len());
        let (mut start, mut bytes) = (0, piece_bytes);
        for (go_left, entry) in path.steps {
            let left = left_subtree_len(bytes);
            let (here, beside) = if go_left {
                ((start, left), (start + left, bytes - left))
            } else {
                ((start + left, bytes - left), (start, left))
            };
            let value = match entry {
                Some(entry) => {
                    let pair = pair(entry)?;
                    let half = if go_left { &pair[32..] } else { &pair[..32] };
                    half.try_into().expect("half of 64 bytes")
                }
                None => {
                    let offset = usize::try_from(beside.0 - group_start).expect("within 16 KiB");
                    let length = usize::try_from(beside.1).expect("within 16 KiB");
                    subtree(beside.0, &group[offset..offset + length])
                }
            };
            siblings.push(Sibling::new(value));
            (start, bytes) = here;
        }
        let offset = usize::try_from(path.start - group_start).expect("within 16 KiB");
        let length = usize::try_from(path.bytes).expect("at most 1 KiB");
        Ok(Self {
            chunk: group[offset..offset + length].to_vec(),
            siblings: Bounded::new(siblings).expect("no tree is deeper than 54"),
        })
    }

    /// Checks that this is chunk `index` of the piece with this root and length.
    ///
    /// # Errors
    /// See [`ChunkError`].
    pub fn verify(&self, index: u64, root: &PieceRoot, piece_bytes: u64) -> Result<(), ChunkError> {
        let path = Path::to(index, piece_bytes)?;
        if self.chunk.len() as u64 != path.bytes || self.siblings.len() != path.steps.len() {
            return Err(ChunkError::Shape);
        }
        let steps: Vec<_> = path.steps.iter().zip(self.siblings.iter()).collect();
        let Some((((top_left, _), top_sibling), below)) = steps.split_first() else {
            return check(blake3::hash(&self.chunk).as_bytes(), root);
        };
        let mut value = subtree(path.start, &self.chunk);
        for ((go_left, _), sibling) in below.iter().rev() {
            let (left, right) = order(*go_left, value, sibling);
            value = merge_subtrees_non_root(&left, &right, Mode::Hash);
        }
        let (left, right) = order(*top_left, value, top_sibling);
        check(merge_subtrees_root(&left, &right, Mode::Hash).as_bytes(), root)
    }
}

fn order(go_left: bool, value: ChainingValue, sibling: &Sibling) -> (ChainingValue, ChainingValue) {
    if go_left { (value, *sibling.as_bytes()) } else { (*sibling.as_bytes(), value) }
}

fn check(found: &[u8; 32], root: &PieceRoot) -> Result<(), ChunkError> {
    if found == root.as_bytes() { Ok(()) } else { Err(ChunkError::Root) }
}

/// Chaining value of a subtree that is not the root.
fn subtree(start: u64, data: &[u8]) -> ChainingValue {
    let mut hasher = Hasher::new();
    hasher.set_input_offset(start);
    hasher.update(data).finalize_non_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTHS: [usize; 14] =
        [0, 1, 1023, 1024, 1025, 16_383, 16_384, 16_385, 32_768, 49_153, 65_536, 100_000, 262_144, 1_000_003];

    fn piece(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|i| u8::try_from(i * 31 % 251).unwrap()).collect()
    }

    fn hash(data: &[u8], step: usize) -> (PieceRoot, Vec<u8>) {
        let (mut hasher, mut outboard) = (TreeHasher::default(), Vec::new());
        for part in data.chunks(step) {
            hasher.update(part, &mut outboard);
        }
        assert_eq!(hasher.bytes(), data.len() as u64);
        let root = hasher.finish(&mut outboard);
        (root, outboard)
    }

    fn prove(data: &[u8], outboard: &[u8], index: u64) -> ChunkProof {
        let start = usize::try_from(index * CHUNK_BYTES / GROUP_BYTES * GROUP_BYTES).unwrap();
        let group = &data[start..data.len().min(start + 16 * 1024)];
        ChunkProof::make::<ChunkError>(index, data.len() as u64, group, |entry| {
            let at = usize::try_from(entry).unwrap() * PAIR_BYTES;
            Ok(outboard[at..at + PAIR_BYTES].try_into().unwrap())
        })
        .unwrap()
    }

    #[test]
    fn the_root_is_blake3_however_the_piece_arrives() {
        for bytes in LENGTHS {
            let data = piece(bytes);
            let expected = *blake3::hash(&data).as_bytes();
            for step in [1000, 1024, 16_384, 70_000] {
                let (root, outboard) = hash(&data, step);
                assert_eq!(root, PieceRoot::new(expected), "{bytes} bytes by {step}");
                assert_eq!(outboard.len() as u64, outboard_bytes(bytes as u64));
            }
        }
    }

    #[test]
    fn every_chunk_is_provable_and_no_other_place_or_byte_is() {
        for bytes in LENGTHS {
            let data = piece(bytes);
            let (root, outboard) = hash(&data, 16_384);
            let length = data.len() as u64;
            for index in 0..chunks(length) {
                let proof = prove(&data, &outboard, index);
                assert_eq!(proof.verify(index, &root, length), Ok(()), "chunk {index} of {bytes}");
                assert!(proof.verify(index + 1, &root, length).is_err());
                assert!(proof.verify(index, &PieceRoot::new([0; 32]), length).is_err());
            }
        }
    }

    #[test]
    fn the_left_half_is_that_of_blake3_and_the_longest_length_has_one() {
        for chunks in (0..53).map(|power| 1024_u64 << power) {
            for bytes in [chunks + 1, 2 * chunks - 1, 2 * chunks] {
                assert_eq!(left_subtree_len(bytes), blake3::hazmat::left_subtree_len(bytes), "{bytes}");
            }
        }
        let nothing = ChunkProof { chunk: vec![], siblings: Bounded::new(vec![]).unwrap() };
        for index in [0, 1, chunks(u64::MAX) - 1] {
            assert_eq!(nothing.verify(index, &PieceRoot::new([0; 32]), u64::MAX), Err(ChunkError::Shape));
        }
    }

    #[test]
    fn damaged_proofs_are_refused() {
        let data = piece(100_000);
        let (root, outboard) = hash(&data, 16_384);
        let proof = prove(&data, &outboard, 41);

        let mut flipped = proof.clone();
        flipped.chunk[7] ^= 1;
        assert_eq!(flipped.verify(41, &root, 100_000), Err(ChunkError::Root));

        let mut shorter = proof.clone();
        shorter.siblings = Bounded::new(proof.siblings[1..].to_vec()).unwrap();
        assert_eq!(shorter.verify(41, &root, 100_000), Err(ChunkError::Shape));

        let bytes = crate::codec::encode(&proof);
        assert_eq!(crate::codec::decode::<ChunkProof>(&bytes, 4096), Ok(proof));
        for end in 0..bytes.len() {
            assert!(crate::codec::decode::<ChunkProof>(&bytes[..end], 4096).is_err());
        }
    }
}
