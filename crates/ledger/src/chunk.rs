//! Rows on their way to a stranger who begins in the middle of the chain.
//!
//! All rows of a state, in order of their addresses, are cut into chunks. Whoever gets them trusts nobody: it makes the
//! tree of them and compares its root with that of a header which it knows to be final.
//! Specification: docs/spec/ledger.md, "Chunks of a state".

use holdfast_core::codec::{self, Bounded, DecodeError};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::state::{KEY_BYTES_MAX, ROW_BYTES_MAX, RowKey, Rows, RowsError};

/// Longest chunk, in bytes: a fraction of a second on any line, so that a lost one costs little.
pub const CHUNK_BYTES_MAX: usize = 2 << 20;
/// Most rows of a chunk, which is more than fit of the shortest rows that a ledger has much of.
pub const CHUNK_ROWS_MAX: usize = 1 << 15;

/// Bytes of a chunk beside its rows: the head of the list.
const HEAD_BYTES: usize = 5;

/// One row or more, by strictly ascending address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Pairs", into = "Pairs")]
pub struct Chunk(Vec<(RowKey, Vec<u8>)>);

/// As it travels.
type Pairs = Bounded<(ByteBuf, ByteBuf), CHUNK_ROWS_MAX>;

/// Why a list of rows is no chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// It has no rows.
    #[error("a chunk without rows")]
    Empty,
    /// An address that is too long, or empty.
    #[error("row {index} has an address of {bytes} bytes")]
    Key {
        /// Rows before it.
        index: usize,
        /// Length of the address.
        bytes: usize,
    },
    /// A row that is too long.
    #[error("row {index} has {bytes} bytes")]
    Row {
        /// Rows before it.
        index: usize,
        /// Length of the row.
        bytes: usize,
    },
    /// A row that is not behind the one before.
    #[error("row {index} is out of order")]
    Order {
        /// Rows before it.
        index: usize,
    },
}

impl Chunk {
    /// As many rows behind `after` as a chunk holds; from the first on if there is none, and `None` if there are no more.
    ///
    /// # Errors
    /// If rows cannot be read.
    pub fn fill(rows: &dyn Rows, after: Option<&RowKey>) -> Result<Option<Self>, RowsError> {
        let mut key = after.cloned().unwrap_or_else(RowKey::before_all);
        let (mut chunk, mut bytes) = (Vec::new(), HEAD_BYTES);
        while let Some((next, row)) = rows.after(&key)? {
            bytes += 1 + encoded(next.as_bytes().len()) + encoded(row.len());
            if bytes > CHUNK_BYTES_MAX || chunk.len() == CHUNK_ROWS_MAX {
                break;
            }
            key = next.clone();
            chunk.push((next, row));
        }
        Ok((!chunk.is_empty()).then_some(Self(chunk)))
    }

    /// Reads a chunk.
    ///
    /// # Errors
    /// If the bytes are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes, CHUNK_BYTES_MAX)
    }

    /// The one encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The rows and their addresses, in order.
    pub fn rows(&self) -> &[(RowKey, Vec<u8>)] {
        &self.0
    }

    /// The rows and their addresses, in order.
    pub fn into_rows(self) -> Vec<(RowKey, Vec<u8>)> {
        self.0
    }
}

/// Length of a byte string in DAG-CBOR, at most.
fn encoded(bytes: usize) -> usize {
    5 + bytes
}

impl TryFrom<Pairs> for Chunk {
    type Error = ChunkError;

    fn try_from(pairs: Pairs) -> Result<Self, ChunkError> {
        let mut rows: Vec<(RowKey, Vec<u8>)> = Vec::with_capacity(pairs.len());
        for (index, (key, row)) in pairs.into_inner().into_iter().enumerate() {
            let bytes = key.len();
            let key = RowKey::from_bytes(key.into_vec()).filter(|_| bytes <= KEY_BYTES_MAX);
            let key = key.ok_or(ChunkError::Key { index, bytes })?;
            if row.len() > ROW_BYTES_MAX {
                return Err(ChunkError::Row { index, bytes: row.len() });
            }
            if rows.last().is_some_and(|(before, _)| *before >= key) {
                return Err(ChunkError::Order { index });
            }
            rows.push((key, row.into_vec()));
        }
        if rows.is_empty() { Err(ChunkError::Empty) } else { Ok(Self(rows)) }
    }
}

impl From<Chunk> for Pairs {
    fn from(chunk: Chunk) -> Self {
        let pair = |(key, row): (RowKey, Vec<u8>)| (ByteBuf::from(key.into_bytes()), ByteBuf::from(row));
        Self::new(chunk.0.into_iter().map(pair).collect()).expect("no more were read or taken")
    }
}

#[cfg(test)]
mod tests;
