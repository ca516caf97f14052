//! A piece whose order is written down, and its byte stream.

use std::io;
use std::sync::Arc;

use holdfast_core::block::BlockId;
use holdfast_core::car;

use super::files::{Files, Place};
use super::{Kept, RECORD_LEN, SourceError};
use crate::spill::SpillLog;

/// A piece whose order and length are known.
pub struct Plan {
    pub(super) root: BlockId,
    pub(super) piece_bytes: u64,
    pub(super) order: SpillLog<RECORD_LEN>,
    pub(super) scratch: Kept,
    pub(super) unreachable: u64,
}

impl Plan {
    /// The root's name.
    pub fn root(&self) -> BlockId {
        self.root
    }

    /// Length of the piece.
    pub fn piece_bytes(&self) -> u64 {
        self.piece_bytes
    }

    /// How many blocks the piece has.
    pub fn blocks(&self) -> u64 {
        self.order.len()
    }

    /// How many blocks were left out because nothing links to them.
    pub fn unreachable(&self) -> u64 {
        self.unreachable
    }

    /// Reads the piece from its first byte.
    ///
    /// # Errors
    /// If temporary space fails.
    pub fn reader(self: &Arc<Self>) -> io::Result<PlanReader> {
        let files = Files::new(self.scratch.share()?);
        let head = car::header(&self.root);
        Ok(PlanReader { plan: self.clone(), files, next: 0, head, head_taken: 0, data: None })
    }

    /// Reads the piece from a byte on. Finding the place costs one look at every block before it.
    ///
    /// # Errors
    /// If temporary space fails.
    pub fn reader_at(self: &Arc<Self>, offset: u64) -> Result<PlanReader, SourceError> {
        let mut reader = self.reader()?;
        reader.skip(offset)?;
        Ok(reader)
    }
}

/// Streams the bytes of a piece.
pub struct PlanReader {
    plan: Arc<Plan>,
    files: Files,
    next: u64,
    /// Header or section prefix that comes before the data.
    head: Vec<u8>,
    head_taken: usize,
    /// The block being read, and how much of it was.
    data: Option<(Place, u64)>,
}

impl PlanReader {
    /// Appends up to `bytes` bytes of the piece to `out`; fewer only at its end.
    ///
    /// # Errors
    /// If a file cannot be read or has changed.
    pub fn read_into(&mut self, out: &mut Vec<u8>, bytes: usize) -> Result<(), SourceError> {
        let goal = out.len() + bytes;
        while out.len() < goal {
            let head = &self.head[self.head_taken..];
            if !head.is_empty() {
                let taken = head.len().min(goal - out.len());
                out.extend_from_slice(&head[..taken]);
                self.head_taken += taken;
            } else if let Some((place, done)) = &mut self.data {
                let left = place.bytes - usize::try_from(*done).expect("within a block");
                let taken = left.min(goal - out.len());
                let start = out.len();
                out.resize(start + taken, 0);
                self.files.read(place, *done, &mut out[start..])?;
                *done += taken as u64;
                if taken == left {
                    self.data = None;
                }
            } else if self.next < self.plan.order.len() {
                self.open_block()?;
            } else {
                self.files.finish()?;
                break;
            }
        }
        Ok(())
    }

    /// Whether the last byte was read.
    pub fn is_at_end(&self) -> bool {
        self.head_taken == self.head.len() && self.data.is_none() && self.next == self.plan.order.len()
    }

    fn skip(&mut self, mut bytes: u64) -> Result<(), SourceError> {
        while bytes > 0 {
            let head = (self.head.len() - self.head_taken) as u64;
            if head > 0 {
                let taken = head.min(bytes);
                self.head_taken += usize::try_from(taken).expect("within a header");
                bytes -= taken;
            } else if let Some((place, done)) = &mut self.data {
                let left = place.bytes as u64 - *done;
                let taken = left.min(bytes);
                *done += taken;
                bytes -= taken;
                if taken == left {
                    self.data = None;
                }
            } else if self.next < self.plan.order.len() {
                self.open_block()?;
            } else {
                break;
            }
        }
        Ok(())
    }

    fn open_block(&mut self) -> Result<(), SourceError> {
        let record = self.plan.order.get(self.next)?;
        self.next += 1;
        let (key, place) = record.split_first_chunk().expect("the key comes first");
        let id = BlockId::from_key(key).expect("only keys were written");
        let place = Place::read(place.try_into().expect("the place is the rest"));
        self.head = car::section_prefix(&id, place.bytes);
        self.head_taken = 0;
        self.data = (place.bytes > 0).then_some((place, 0));
        Ok(())
    }
}
