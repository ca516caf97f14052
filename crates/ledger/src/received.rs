//! Blocks as they arrive: checked, and kept with the bytes in which they came.
//!
//! What has one encoding need not be encoded again: a database stores the bytes that came, and the id of a transaction is
//! the hash of a part of them.

use holdfast_core::codec::{self, DecodeError};
use holdfast_core::id::NetworkId;

use crate::block::{BLOCK_BYTES_MAX, Block, CheckedBlock, Header, MalformedBlock};

/// Longest header, in bytes.
pub const HEADER_BYTES_MAX: usize = 4 << 10;

/// A block whose transactions are signed by their senders, and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedBlock {
    block: CheckedBlock,
    bytes: Vec<u8>,
}

impl ReceivedBlock {
    /// Reads a block and checks its transactions, as [`Block::check`] does.
    ///
    /// # Errors
    /// See [`MalformedBlock`].
    pub fn check(bytes: Vec<u8>, network: &NetworkId) -> Result<Self, MalformedBlock> {
        let Block { header, transactions } = Block::from_bytes(&bytes)?;
        let mut parts = Parts::of_block(&bytes).expect("a block was read from it");
        let checked = transactions.into_inner().into_iter().enumerate().map(|(index, transaction)| {
            let encoded = parts.next().expect("as many as were read");
            transaction
                .check_encoded(encoded, network)
                .map_err(|source| MalformedBlock::Transaction { index, source })
        });
        let transactions = checked.collect::<Result<_, _>>()?;
        Ok(Self { block: CheckedBlock { header, transactions }, bytes })
    }

    /// The block.
    pub fn block(&self) -> &CheckedBlock {
        &self.block
    }

    /// The block, and its encoding.
    pub(crate) fn into_parts(self) -> (CheckedBlock, Vec<u8>) {
        (self.block, self.bytes)
    }
}

/// Reads the header at the beginning of a block, and nothing of what follows.
///
/// # Errors
/// If there is none.
pub fn peek_header(block: &[u8]) -> Result<Header, DecodeError> {
    if block.len() > BLOCK_BYTES_MAX {
        return Err(DecodeError::TooLong { bytes: block.len(), max: BLOCK_BYTES_MAX });
    }
    let header = Parts::of_list(block).and_then(|mut fields| fields.next());
    let header = header.ok_or_else(|| DecodeError::Malformed("no block begins like this".to_owned()))?;
    codec::decode(header, HEADER_BYTES_MAX)
}

/// The items of a list in DAG-CBOR, each as its encoding. It ends early where they do.
struct Parts<'a> {
    left: u64,
    bytes: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of_list(bytes: &'a [u8]) -> Option<Self> {
        let (LIST, left, length) = head(bytes)? else { return None };
        Some(Self { left, bytes: &bytes[length..] })
    }

    /// The transactions of a block.
    fn of_block(bytes: &'a [u8]) -> Option<Self> {
        Self::of_list(Self::of_list(bytes)?.nth(1)?)
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        let (item, rest) = self.bytes.split_at_checked(item_bytes(self.bytes)?)?;
        self.bytes = rest;
        Some(item)
    }
}

/// Major types of CBOR whose argument is a length, or a number of items that follow.
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const LIST: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;

/// The first byte's major type, the argument, and how many bytes hold both.
fn head(bytes: &[u8]) -> Option<(u8, u64, usize)> {
    let (first, rest) = bytes.split_first()?;
    let wide = match first & 31 {
        small @ 0..24 => return Some((first >> 5, small.into(), 1)),
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        _ => return None, // DAG-CBOR has no lists without length
    };
    let argument = rest.get(..wide)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    Some((first >> 5, argument, 1 + wide))
}

/// How many bytes the first item has, which may be more than there are.
fn item_bytes(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut items) = (0_usize, 1_u64);
    while let Some(left) = items.checked_sub(1) {
        let (kind, argument, length) = head(bytes.get(at..)?)?;
        at += length;
        let (inside, follow) = match kind {
            BYTES | TEXT => (0, usize::try_from(argument).ok()?),
            LIST => (argument, 0),
            MAP => (argument.checked_mul(2)?, 0),
            TAG => (1, 0),
            _ => (0, 0), // numbers, and what is said by the head alone
        };
        at = at.checked_add(follow)?;
        items = left.checked_add(inside)?;
    }
    Some(at)
}

#[cfg(test)]
mod tests;
