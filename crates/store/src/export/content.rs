//! The content of a file, or some of it, from the blocks that hold it and no others.
//!
//! [`ContentReader`] is driven as [`super::TreeWriter`] is: it names the blocks it needs next and takes them one by
//! one. Every node of a UnixFS file says how many bytes lie under each of its links, so what lies outside the
//! range is never asked for. The DAG was made by someone else, so every claim is held against what comes.

use std::ops::Range;

use holdfast_core::block::{self, BlockId, Codec};
use holdfast_core::{explain, protobuf};

use super::range::{ByteRange, OutsideFile};

/// Why content cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// The root is a folder, or no UnixFS at all.
    #[error("{id} is no file")]
    NotAFile {
        /// The root.
        id: BlockId,
    },
    /// The range has no byte of the file in it.
    #[error(transparent)]
    Outside(#[from] OutsideFile),
    /// A block that cannot be part of a file, or whose length is not what was claimed.
    #[error("block {id} is no part of a UnixFS file: {why}")]
    NotUnixFs {
        /// The block.
        id: BlockId,
        /// What is wrong with it.
        why: String,
    },
}

/// A block that holds bytes of the range.
struct Part {
    id: BlockId,
    /// Where its content starts in the file.
    start: u64,
    /// Bytes of content under it, as its parent claims.
    bytes: u64,
}

/// Reads one file. See the module's documentation.
pub struct ContentReader {
    /// Topmost first.
    todo: Vec<Part>,
    root: Option<BlockId>,
    asked: ByteRange,
    /// Known from the root.
    file_bytes: u64,
    range: Range<u64>,
}

impl ContentReader {
    /// Prepares to read a range of the file under `root`.
    pub fn new(root: BlockId, range: ByteRange) -> Self {
        Self { todo: Vec::new(), root: Some(root), asked: range, file_bytes: 0, range: 0..0 }
    }

    /// The blocks needed next, in order, as far as they are known. The first is the one that
    /// [`ContentReader::push`] takes.
    pub fn wanted(&self) -> impl Iterator<Item = BlockId> + '_ {
        self.root.into_iter().chain(self.todo.iter().rev().map(|part| part.id))
    }

    /// Length of the file; zero before the first block.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// The bytes that are read; empty before the first block.
    pub fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    /// Takes the bytes of the first wanted block, which the caller has checked against its name, and returns
    /// what follows in the range. That is empty for a block that only links to others.
    ///
    /// # Errors
    /// See [`ContentError`].
    ///
    /// # Panics
    /// If no block is wanted.
    pub fn push<'a>(&mut self, data: &'a [u8]) -> Result<&'a [u8], ContentError> {
        let Some(id) = self.root.take() else {
            let part = self.todo.pop().expect("a block is wanted");
            let node = Node::read(part.id, data)?.ok_or_else(|| wrong(part.id, "it is of another kind"))?;
            if node.bytes != part.bytes {
                let why = format!("it has {} bytes, {} were claimed", node.bytes, part.bytes);
                return Err(wrong(part.id, why));
            }
            return Ok(self.take(part.start, node));
        };
        let node = Node::read(id, data)?.ok_or(ContentError::NotAFile { id })?;
        self.file_bytes = node.bytes;
        self.range = self.asked.within(node.bytes)?;
        Ok(self.take(0, node))
    }

    /// What of a node that starts at `start` is in the range: its own content, or parts still to come.
    fn take<'a>(&mut self, start: u64, node: Node<'a>) -> &'a [u8] {
        let mut parts = Vec::new();
        let mut at = start;
        for (id, bytes) in node.parts {
            let end = at + bytes; // within the node's bytes, whose sum was checked
            if at.max(self.range.start) < end.min(self.range.end) {
                parts.push(Part { id, start: at, bytes });
            }
            at = end;
        }
        self.todo.extend(parts.into_iter().rev());
        let place = |at: u64| {
            let place = at.saturating_sub(start).min(node.content.len() as u64);
            usize::try_from(place).expect("within a block")
        };
        &node.content[place(self.range.start)..place(self.range.end)]
    }
}

/// A block of a file: content, or links to the parts of it.
pub(super) struct Node<'a> {
    /// All bytes under it.
    pub(super) bytes: u64,
    pub(super) content: &'a [u8],
    /// Links, and how many bytes lie under each, as this node claims.
    pub(super) parts: Vec<(BlockId, u64)>,
}

impl<'a> Node<'a> {
    /// Reads a block; `None` if it is well formed but of another kind.
    pub(super) fn read(id: BlockId, data: &'a [u8]) -> Result<Option<Self>, ContentError> {
        match id.codec() {
            Codec::Raw => {
                return Ok(Some(Self { bytes: data.len() as u64, content: data, parts: Vec::new() }));
            }
            Codec::DagCbor => return Ok(None),
            Codec::DagPb => {}
        }
        let file = protobuf::unixfs_file(data).map_err(|error| wrong(id, error.to_string()))?;
        let Some(file) = file else { return Ok(None) };
        let links = block::links(id.codec(), data).map_err(|error| wrong(id, explain(&error)))?;
        if links.len() != file.part_bytes.len() {
            return Err(wrong(id, "it does not say how many bytes lie under each link"));
        }
        if !links.is_empty() && !file.data.is_empty() {
            return Err(wrong(id, "it has content of its own beside links"));
        }
        let sum =
            file.part_bytes.iter().try_fold(file.data.len() as u64, |sum, bytes| sum.checked_add(*bytes));
        let bytes = sum.filter(|sum| file.content_bytes.is_none_or(|claimed| claimed == *sum));
        let bytes = bytes.ok_or_else(|| wrong(id, "its length is not that of its parts"))?;
        Ok(Some(Self { bytes, content: file.data, parts: links.into_iter().zip(file.part_bytes).collect() }))
    }
}

fn wrong(id: BlockId, why: impl Into<String>) -> ContentError {
    ContentError::NotUnixFs { id, why: why.into() }
}

#[cfg(test)]
mod tests;
