//! Memory that a disk can read by itself.

/// What disks demand of addresses, offsets and lengths when nothing lies between: the largest common block.
pub const ALIGNMENT: usize = 4096;

/// A buffer that begins at a multiple of [`ALIGNMENT`], to be filled from its beginning.
pub struct Aligned {
    memory: Vec<u8>,
    start: usize,
    bytes: usize,
    filled: usize,
}

impl Aligned {
    /// An empty buffer of `bytes` bytes.
    ///
    /// # Panics
    /// If that is not a multiple of [`ALIGNMENT`].
    pub fn new(bytes: usize) -> Self {
        assert_eq!(bytes % ALIGNMENT, 0, "whole blocks of the disk");
        let memory = vec![0; bytes + ALIGNMENT];
        let start = memory.as_ptr().align_offset(ALIGNMENT);
        Self { memory, start, bytes, filled: 0 }
    }

    /// What it was filled with.
    pub fn filled(&self) -> &[u8] {
        &self.memory[self.start..][..self.filled]
    }

    /// What it was filled with and what stood behind that before, up to the next multiple of [`ALIGNMENT`].
    pub fn padded(&self) -> &[u8] {
        &self.memory[self.start..][..self.filled.next_multiple_of(ALIGNMENT)]
    }

    /// The part that is not filled yet.
    pub fn space(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..][self.filled..self.bytes]
    }

    /// Counts the next `bytes` bytes of [`Aligned::space`] as filled.
    ///
    /// # Panics
    /// If there is not so much space.
    pub fn advance(&mut self, bytes: usize) {
        assert!(bytes <= self.bytes - self.filled, "no more than its space");
        self.filled += bytes;
    }

    /// Copies what fits of `data` into the space, and says how much that was.
    pub fn take(&mut self, data: &[u8]) -> usize {
        let space = self.space();
        let taken = data.len().min(space.len());
        space[..taken].copy_from_slice(&data[..taken]);
        self.filled += taken;
        taken
    }

    /// Whether there is no space left.
    pub fn is_full(&self) -> bool {
        self.filled == self.bytes
    }

    /// Makes all of it space again.
    pub fn clear(&mut self) {
        self.filled = 0;
    }
}
