//! The piece checker: untrusted bytes in, a verified piece out, in one pass and without I/O.
//!
//! The checker knows the root's CID and nothing else. It demands the bytes of the canonical CAR in order: the
//! header that follows from the root, then exactly the blocks that [`Walk`] names, each hashing to its name,
//! and nothing after the last. On the way it computes the piece root and reports every block's place.

use sha2::{Digest, Sha256};

use crate::block::{BLOCK_BYTES_MAX, BlockId, Codec};
use crate::car::{self, Varint, VarintError};
use crate::id::PieceRoot;
use crate::planted::{self, Bug};
use crate::tree::TreeHasher;
use crate::walk::{Memory, Walk, WalkError};

/// Where a block's data lies in a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The block.
    pub id: BlockId,
    /// First byte of its data.
    pub offset: u64,
    /// Length of its data.
    pub bytes: u32,
}

/// Why bytes are not the piece they claim to be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError<E> {
    /// The header is not the one that follows from the root.
    #[error("the CAR header does not name the root alone")]
    Header,
    /// Another block stands where `expected` should.
    #[error("block {expected} is missing or out of order at byte {offset}")]
    Order {
        /// The block that should come next.
        expected: BlockId,
        /// Where it should start.
        offset: u64,
    },
    /// A block does not hash to its name.
    #[error("block {id} does not match its hash")]
    Hash {
        /// The name.
        id: BlockId,
    },
    /// A block longer than [`BLOCK_BYTES_MAX`].
    #[error("block {id} is {bytes} bytes, the limit is {BLOCK_BYTES_MAX}")]
    TooLarge {
        /// The block.
        id: BlockId,
        /// Its claimed length.
        bytes: u64,
    },
    /// A section length that is no minimal varint.
    #[error("bad section length at byte {offset}")]
    Varint {
        /// Where it starts.
        offset: u64,
        /// What is wrong with it.
        source: VarintError,
    },
    /// Bytes after the last block.
    #[error("bytes follow the last block, at byte {offset}")]
    Trailing {
        /// The first of them.
        offset: u64,
    },
    /// The bytes ended before the last block.
    #[error("the piece ends at byte {offset}, before its last block")]
    Incomplete {
        /// Where it ends.
        offset: u64,
    },
    /// The walk failed: links that cannot be read, too many blocks, or its memory.
    #[error(transparent)]
    Walk(#[from] WalkError<E>),
}

/// What a checked piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// BLAKE3 of all its bytes.
    pub root: PieceRoot,
    /// How many bytes it has.
    pub bytes: u64,
    /// How many blocks it has.
    pub blocks: u32,
}

enum State {
    Header { expected: Vec<u8>, seen: usize },
    Length { id: BlockId, varint: Varint },
    Name { id: BlockId, rest: u64, cid: Vec<u8>, seen: usize },
    Data { id: BlockId, rest: u64, placed: Placed, hasher: Sha256, kept: Vec<u8> },
    End,
}

/// Checks one piece as it streams by. After an error the checker must not be used again.
pub struct PieceChecker<M> {
    walk: Walk<M>,
    tree: TreeHasher,
    offset: u64,
    /// Where the section under way starts: errors name it, however its bytes arrive.
    section: u64,
    state: State,
}

impl<M: Memory> PieceChecker<M> {
    /// Expects the piece whose DAG has this root.
    ///
    /// # Errors
    /// If the walk's memory fails.
    pub fn new(root: BlockId, memory: M) -> Result<Self, CheckError<M::Error>> {
        let expected = car::header(&root);
        Ok(Self {
            walk: Walk::new(root, memory)?,
            tree: TreeHasher::default(),
            offset: 0,
            section: 0,
            state: State::Header { expected, seen: 0 },
        })
    }

    /// Takes the next bytes, of any length. Finished blocks are appended to `placed`, new outboard entries to
    /// `outboard`.
    ///
    /// # Errors
    /// At the first byte that cannot belong to the piece.
    pub fn push(
        &mut self,
        data: &[u8],
        placed: &mut Vec<Placed>,
        outboard: &mut Vec<u8>,
    ) -> Result<(), CheckError<M::Error>> {
        let mut rest = data;
        while !rest.is_empty() {
            let taken = self.step(rest)?;
            self.offset += taken as u64;
            rest = &rest[taken..];
            self.settle(placed)?;
        }
        self.tree.update(data, outboard);
        Ok(())
    }

    /// Ends the piece.
    ///
    /// # Errors
    /// [`CheckError::Incomplete`] if blocks are missing.
    pub fn finish(self, outboard: &mut Vec<u8>) -> Result<Checked, CheckError<M::Error>> {
        match self.state {
            State::End => Ok(Checked {
                root: self.tree.finish(outboard),
                bytes: self.offset,
                blocks: self.walk.blocks(),
            }),
            _ => Err(CheckError::Incomplete { offset: self.offset }),
        }
    }

    /// Consumes at least one byte of `data` and says how many.
    fn step(&mut self, data: &[u8]) -> Result<usize, CheckError<M::Error>> {
        match &mut self.state {
            State::Header { expected, seen } => {
                let taken = data.len().min(expected.len() - *seen);
                if data[..taken] != expected[*seen..*seen + taken] {
                    return Err(CheckError::Header);
                }
                *seen += taken;
                Ok(taken)
            }
            State::Length { id, varint } => {
                let id = *id;
                let length = varint
                    .push(data[0])
                    .map_err(|source| CheckError::Varint { offset: self.section, source })?;
                if let Some(length) = length {
                    let cid = id.to_cid().to_bytes();
                    let rest = length
                        .checked_sub(cid.len() as u64)
                        .ok_or(CheckError::Order { expected: id, offset: self.section })?;
                    if rest > BLOCK_BYTES_MAX as u64 {
                        return Err(CheckError::TooLarge { id, bytes: rest });
                    }
                    self.state = State::Name { id, rest, cid, seen: 0 };
                }
                Ok(1)
            }
            State::Name { id, cid, seen, .. } => {
                let taken = data.len().min(cid.len() - *seen);
                if data[..taken] != cid[*seen..*seen + taken] {
                    return Err(CheckError::Order { expected: *id, offset: self.section });
                }
                *seen += taken;
                Ok(taken)
            }
            State::Data { id, rest, hasher, kept, .. } => {
                let taken = data.len().min(usize::try_from(*rest).expect("limited to 2 MiB"));
                hasher.update(&data[..taken]);
                if id.codec() != Codec::Raw {
                    kept.extend_from_slice(&data[..taken]);
                }
                *rest -= taken as u64;
                Ok(taken)
            }
            State::End => Err(CheckError::Trailing { offset: self.offset }),
        }
    }

    /// Moves on from states whose bytes are all there, through blocks of length zero as well.
    fn settle(&mut self, placed: &mut Vec<Placed>) -> Result<(), CheckError<M::Error>> {
        loop {
            match &mut self.state {
                State::Header { expected, seen } if *seen == expected.len() => self.expect_next()?,
                State::Name { id, rest, cid, seen } if *seen == cid.len() => {
                    let bytes = u32::try_from(*rest).expect("limited to 2 MiB");
                    let at = Placed { id: *id, offset: self.offset, bytes };
                    self.state = State::Data {
                        id: *id,
                        rest: *rest,
                        placed: at,
                        hasher: Sha256::new(),
                        kept: Vec::new(),
                    };
                }
                State::Data { id, rest: 0, placed: at, hasher, kept } => {
                    let digest: [u8; 32] = std::mem::take(hasher).finalize().into();
                    if digest != *id.digest() && !planted::is(Bug::SkipBlockCheck) {
                        return Err(CheckError::Hash { id: *id });
                    }
                    self.walk.enter(id, kept)?;
                    placed.push(*at);
                    self.expect_next()?;
                }
                _ => return Ok(()),
            }
        }
    }

    fn expect_next(&mut self) -> Result<(), CheckError<M::Error>> {
        self.section = self.offset;
        self.state = match self.walk.next()? {
            Some(id) => State::Length { id, varint: Varint::default() },
            None => State::End,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests;
