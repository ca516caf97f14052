//! Headers of ledger blocks: what anyone needs to follow a ledger without executing it.
//!
//! A header names its parent, hashes of what went in and what came out, and who decides about it and about the next one.
//! Specification: docs/spec/ledger.md, "Block".

use std::fmt;

use holdfast_core::id::{NodeId, Timestamp};
use holdfast_core::purpose::{Purpose, Signable};
use holdfast_core::{bls, codec, fixed_bytes};
use serde::{Deserialize, Serialize};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::list::ListRoot;
use crate::validators::ValidatorsId;

/// Longest header, in bytes.
pub const HEADER_BYTES_MAX: usize = 1 << 10;

fixed_bytes!(
    /// BLAKE3 of a header. The parent of the first block is the network id.
    BlockHash, 32
);
fixed_bytes!(
    /// The hash of all rows of the ledger.
    StateRoot, 32
);
fixed_bytes!(
    /// The randomness of a height, which nobody knew before its block was proposed.
    Beacon, 32
);

/// How many blocks stand before a block. Genesis stands at 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Height(pub u64);

impl Height {
    /// The next one, or `None` at the end of `u64`.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Attempts to decide on a height before this one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Round(pub u32);

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Milliseconds since 1970-01-01 00:00:00 UTC, by the proposer's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlockTime(pub u64);

impl BlockTime {
    /// The beginning of a second; the last millisecond there is for seconds beyond.
    pub fn of_second(second: Timestamp) -> Self {
        Self(second.0.saturating_mul(1000))
    }

    /// The second that it lies in.
    pub fn second(self) -> Timestamp {
        Timestamp(self.0 / 1000)
    }
}

/// What a block says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Header {
    /// One more than the parent's.
    pub height: Height,
    /// The block before.
    pub parent: BlockHash,
    /// Later than the parent's.
    pub time: BlockTime,
    /// The round for which the block was made. It may be decided in a later one.
    pub round: Round,
    /// The validator whose turn it was.
    pub proposer: NodeId,
    /// The proposer's signature over the last beacon and the height, of which this block's beacon is made.
    pub seal: bls::Signature,
    /// Who decides about this block.
    pub validators: ValidatorsId,
    /// Who decides about the next one.
    pub next_validators: ValidatorsId,
    /// Ids of the transactions, in their order.
    pub transactions: ListRoot,
    /// What became of them, and what else happened.
    pub receipts: ListRoot,
    /// All rows after this block.
    pub state: StateRoot,
}

impl Header {
    /// The block's name.
    pub fn hash(&self) -> BlockHash {
        BlockHash::new(codec::digest(self))
    }
}

/// What a proposer signs beside its block, and cannot choose: the last beacon, and the height.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Seal {
    /// The beacon of the block before.
    pub beacon: Beacon,
    /// The height of the new block.
    pub height: Height,
}

impl Signable for Seal {
    const PURPOSE: Purpose = Purpose::SEAL;
}

impl Beacon {
    /// The beacon after a block with this seal: BLAKE3 of the last beacon and the seal.
    pub fn after(&self, seal: &bls::Signature) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.as_bytes()).update(seal.as_bytes());
        Self::new(*hasher.finalize().as_bytes())
    }
}
