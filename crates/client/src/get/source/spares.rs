//! Memory of blocks that nobody needs any more, for those that come: new memory costs a fault for every page.

use std::sync::{Arc, Mutex, PoisonError};

/// Buffers to be used again. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Spares(Arc<Mutex<Vec<Vec<u8>>>>);

impl Spares {
    pub(super) fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    pub(super) fn give(&self, block: Vec<u8>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(block);
    }
}
