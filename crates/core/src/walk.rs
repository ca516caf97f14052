//! The canonical order of a piece: pre-order from the root, links in encoded order, first occurrence only.
//!
//! Whoever makes, checks, re-orders or fetches a piece runs this one machine:
//!
//! 1. [`Walk::next`] names the block that comes next.
//! 2. For a block with links, the caller shows its bytes with [`Walk::enter`].
//! 3. `next` answers `None` when the piece is complete.
//!
//! What the walk must remember (links not yet visited, names already seen) grows with the piece, so it lives
//! behind [`Memory`]: here in memory for tests and small pieces, on disk in `store`.

use std::collections::BTreeSet;
use std::convert::Infallible;

use crate::block::{self, BlockId, Codec, LinkError};

/// Most blocks in one piece: 1 TiB of 1 MiB leaves.
pub const BLOCKS_MAX: u32 = 1 << 20;

/// Where a walk keeps what it must remember.
pub trait Memory {
    /// What can go wrong with it.
    type Error;

    /// Puts a link on top of the stack.
    ///
    /// # Errors
    /// If it cannot be kept.
    fn push(&mut self, id: BlockId) -> Result<(), Self::Error>;

    /// Takes the topmost link.
    ///
    /// # Errors
    /// If the stack cannot be read.
    fn pop(&mut self) -> Result<Option<BlockId>, Self::Error>;

    /// Adds a name to the seen-set and says whether it was new.
    ///
    /// # Errors
    /// If the set cannot be read or written.
    fn see(&mut self, id: &BlockId) -> Result<bool, Self::Error>;
}

/// Why a walk cannot go on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalkError<E> {
    /// More than [`BLOCKS_MAX`] blocks.
    #[error("more than {BLOCKS_MAX} blocks")]
    TooManyBlocks,
    /// A block's links cannot be read.
    #[error("could not read the links of {id}")]
    Links {
        /// The block.
        id: BlockId,
        /// What is wrong with it.
        source: LinkError,
    },
    /// The walk's memory failed.
    #[error("could not remember the walk")]
    Memory(#[source] E),
}

/// A walk over one piece. See the module's documentation.
#[derive(Debug)]
pub struct Walk<M> {
    memory: M,
    blocks: u32,
}

impl<M: Memory> Walk<M> {
    /// Starts at `root`, with an empty memory.
    ///
    /// # Errors
    /// If the memory fails.
    pub fn new(root: BlockId, mut memory: M) -> Result<Self, WalkError<M::Error>> {
        memory.push(root).map_err(WalkError::Memory)?;
        Ok(Self { memory, blocks: 0 })
    }

    /// The next block of the piece, or `None` when it is complete.
    ///
    /// # Errors
    /// If the piece has too many blocks, or the memory fails.
    // Not an iterator: between two steps the caller shows what the block links to.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<BlockId>, WalkError<M::Error>> {
        while let Some(id) = self.memory.pop().map_err(WalkError::Memory)? {
            if self.memory.see(&id).map_err(WalkError::Memory)? {
                if self.blocks == BLOCKS_MAX {
                    return Err(WalkError::TooManyBlocks);
                }
                self.blocks += 1;
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Shows the bytes of the block that [`Walk::next`] just named. Raw blocks need not be shown.
    ///
    /// # Errors
    /// If its links cannot be read, or the memory fails.
    pub fn enter(&mut self, id: &BlockId, data: &[u8]) -> Result<(), WalkError<M::Error>> {
        if id.codec() == Codec::Raw {
            return Ok(());
        }
        let links = block::links(id.codec(), data).map_err(|source| WalkError::Links { id: *id, source })?;
        for link in links.into_iter().rev() {
            self.memory.push(link).map_err(WalkError::Memory)?;
        }
        Ok(())
    }

    /// How many blocks were named so far.
    pub fn blocks(&self) -> u32 {
        self.blocks
    }
}

/// A walk's memory that stays in memory: for tests and for DAGs whose size is known to be small.
#[derive(Debug, Default)]
pub struct InMemory {
    stack: Vec<BlockId>,
    seen: BTreeSet<BlockId>,
}

impl Memory for InMemory {
    type Error = Infallible;

    fn push(&mut self, id: BlockId) -> Result<(), Infallible> {
        self.stack.push(id);
        Ok(())
    }

    fn pop(&mut self) -> Result<Option<BlockId>, Infallible> {
        Ok(self.stack.pop())
    }

    fn see(&mut self, id: &BlockId) -> Result<bool, Infallible> {
        Ok(self.seen.insert(*id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipld_core::ipld::Ipld;

    fn node(links: &[BlockId]) -> (BlockId, Vec<u8>) {
        let list = links.iter().map(|id| Ipld::Link(id.to_cid())).collect();
        let data = serde_ipld_dagcbor::to_vec(&Ipld::List(list)).unwrap();
        (BlockId::of(Codec::DagCbor, &data), data)
    }

    #[test]
    fn order_is_pre_order_and_repeats_are_left_out() {
        let [a, b, c] = [b"a", b"b", b"c"].map(|data| BlockId::of(Codec::Raw, data));
        let (left, left_data) = node(&[b, a]);
        let (right, right_data) = node(&[c, left, b]);
        let (root, root_data) = node(&[a, left, right, left]);

        let mut walk = Walk::new(root, InMemory::default()).unwrap();
        let mut order = Vec::new();
        while let Some(id) = walk.next().unwrap() {
            order.push(id);
            for (known, data) in [(left, &left_data), (right, &right_data), (root, &root_data)] {
                if id == known {
                    walk.enter(&id, data).unwrap();
                }
            }
        }
        assert_eq!(order, [root, a, left, b, right, c]);
        assert_eq!(walk.blocks(), 6);
    }
}
