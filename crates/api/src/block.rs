//! Blocks of the ledger.

use holdfast_core::bls::Signature;
use holdfast_core::codec;
use holdfast_core::id::{NodeId, hex};
use holdfast_ledger::block::{self, BlockHash, Height, Round};
use holdfast_proofs::header::StateRoot;
use holdfast_proofs::list::ListRoot;
use holdfast_proofs::validators::ValidatorsId;
use holdfast_proofs::vote;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema::{Hash, Hex, TimeText, name};
use crate::time;
use crate::transaction::{Receipt, Transaction};

name!(BlockSchema, "holdfast/block/1");

/// A block, and some of its transactions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Block {
    /// What this object is.
    pub schema: BlockSchema,
    /// What the block says of itself.
    pub header: Header,
    /// The decision on it; null for the block of genesis, about which nobody votes.
    pub finality: Option<Finality>,
    /// How many transactions the block has.
    pub transaction_count: u32,
    /// How many events it has: those of its transactions, then its own.
    pub event_count: u32,
    /// Some of the transactions, in their order.
    pub transactions: Vec<BlockTransaction>,
    /// The `from` with which the next ones are asked for; null if there are none.
    pub next: Option<u32>,
}

/// A transaction in a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BlockTransaction {
    /// How many come before it in the block.
    pub index: u32,
    /// What was signed.
    pub transaction: Transaction,
    /// What became of it.
    pub receipt: Receipt,
}

/// What a block says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Header {
    /// Blocks before this one.
    #[schema(value_type = u64)]
    pub height: Height,
    /// The hash of the header: the block's name.
    #[schema(value_type = Hash)]
    pub block: BlockHash,
    /// The block before; of the first one, the network id.
    #[schema(value_type = Hash)]
    pub parent: BlockHash,
    /// When it was proposed; null beyond the year 9999.
    #[schema(value_type = Option<TimeText>)]
    pub time: Option<String>,
    /// When it was proposed, in milliseconds since 1970.
    pub time_ms: u64,
    /// The round for which it was made.
    #[schema(value_type = u32)]
    pub round: Round,
    /// The validator whose turn it was.
    #[schema(value_type = Hash)]
    pub proposer: NodeId,
    /// The proposer's contribution to the beacon.
    #[schema(value_type = Hex)]
    pub seal: Signature,
    /// The set that decides about it.
    #[schema(value_type = Hash)]
    pub validators: ValidatorsId,
    /// The set that decides about the next block.
    #[schema(value_type = Hash)]
    pub next_validators: ValidatorsId,
    /// Hash of the list of transactions.
    #[schema(value_type = Hash)]
    pub transactions: ListRoot,
    /// Hash of the list of receipts.
    #[schema(value_type = Hash)]
    pub receipts: ListRoot,
    /// Hash of all rows after the block.
    #[schema(value_type = Hash)]
    pub state: StateRoot,
    /// The header in DAG-CBOR.
    #[schema(value_type = Hex)]
    pub encoded: String,
}

/// A decision of validators on a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finality {
    /// The round in which it was made.
    #[schema(value_type = u32)]
    pub round: Round,
    /// The sum of the signatures.
    #[schema(value_type = Hex)]
    pub signature: Signature,
    /// The finality in DAG-CBOR, with the bitmap of who signed.
    #[schema(value_type = Hex)]
    pub encoded: String,
}

impl From<&block::Header> for Header {
    fn from(header: &block::Header) -> Self {
        Self {
            height: header.height,
            block: header.hash(),
            parent: header.parent,
            time: time::text(header.time),
            time_ms: header.time.0,
            round: header.round,
            proposer: header.proposer,
            seal: header.seal,
            validators: header.validators,
            next_validators: header.next_validators,
            transactions: header.transactions,
            receipts: header.receipts,
            state: header.state,
            encoded: hex(&codec::encode(header)),
        }
    }
}

impl From<&vote::Finality> for Finality {
    fn from(finality: &vote::Finality) -> Self {
        let vote::Finality { round, signature, .. } = *finality;
        Self { round, signature, encoded: hex(&finality.to_bytes()) }
    }
}
