//! Memory of blocks that nobody needs any more, for those that come: new memory costs a fault for every page.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Memory kept, in bytes: one window.
const BYTES_MAX: usize = 8 << 20;

/// Buffers to be used again. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Spares(Arc<Mutex<Pool>>);

#[derive(Default)]
struct Pool {
    buffers: Vec<Vec<u8>>,
    /// What they could hold together.
    bytes: usize,
}

impl Spares {
    /// A buffer with whatever was in it.
    pub(super) fn take(&self) -> Vec<u8> {
        let mut pool = self.pool();
        let buffer = pool.buffers.pop().unwrap_or_default();
        pool.bytes -= buffer.capacity();
        buffer
    }

    /// Keeps a buffer, unless there are enough.
    pub(super) fn give(&self, buffer: Vec<u8>) {
        let mut pool = self.pool();
        if pool.bytes + buffer.capacity() <= BYTES_MAX {
            pool.bytes += buffer.capacity();
            pool.buffers.push(buffer);
        }
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives memory back that a block does not need: of a buffer that held a larger one, most would be held for nothing, and
/// whoever counts blocks by their length would count wrong.
pub(super) fn fit(block: &mut Vec<u8>) {
    if block.capacity() > 2 * block.len() {
        block.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spare_memory_is_used_again_and_bounded() {
        let spares = Spares::default();
        for _ in 0..3 {
            spares.give(Vec::with_capacity(3 << 20));
        }
        assert_eq!(spares.pool().bytes, 6 << 20);
        assert!(spares.take().capacity() >= 3 << 20 && spares.take().capacity() >= 3 << 20);
        assert_eq!((spares.take().capacity(), spares.pool().bytes), (0, 0));
    }

    #[test]
    fn a_small_block_does_not_keep_the_memory_of_a_large_one() {
        let mut block = vec![0; 2 << 20];
        fit(&mut block);
        assert_eq!(block.capacity(), 2 << 20);
        block.truncate(100);
        fit(&mut block);
        assert!(block.capacity() <= 200);
    }
}
