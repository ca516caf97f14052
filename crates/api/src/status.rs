//! Where a node stands.

use holdfast_core::id::{CommitteeId, Epoch, NetworkId};
use holdfast_ledger::block::{BlockHash, Header, Height};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema::{Hash, TimeText, name};
use crate::time;

name!(StatusSchema, "holdfast/status/1");

/// Where a node stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// What this object is.
    pub schema: StatusSchema,
    /// Version of the program that answers.
    pub version: String,
    /// Whose ledger it is.
    #[schema(value_type = Hash)]
    pub network: NetworkId,
    /// The last block that was decided, as far as the node knows.
    pub tip: Tip,
    /// The earliest block that the node keeps.
    #[schema(value_type = u64)]
    pub earliest: Height,
    /// The running epoch.
    #[schema(value_type = u64)]
    pub epoch: Epoch,
    /// Its committee.
    #[schema(value_type = Hash)]
    pub committee: CommitteeId,
    /// Whether the node knows that it lacks blocks.
    pub syncing: bool,
    /// Transactions that wait here for a block.
    pub mempool_transactions: u64,
}

/// A block, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tip {
    /// Where it stands.
    #[schema(value_type = u64)]
    pub height: Height,
    /// Its hash.
    #[schema(value_type = Hash)]
    pub block: BlockHash,
    /// Its time; null beyond the year 9999.
    #[schema(value_type = Option<TimeText>)]
    pub time: Option<String>,
    /// Its time, in milliseconds since 1970.
    pub time_ms: u64,
}

impl Tip {
    /// The block with this header.
    pub fn of(header: &Header) -> Self {
        let Header { height, time, .. } = *header;
        Self { height, block: header.hash(), time: time::text(time), time_ms: time.0 }
    }
}
