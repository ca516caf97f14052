//! Questions about the ledger: one request, one reply, one short stream. Whoever asks need not trust whoever answers, for rows
//! come with their proof under a header that the validators decided on.
//!
//! A reply of [`ChainReply::Data`] is followed by so many bytes in data frames: one object in DAG-CBOR, of the type and within
//! the limit that the request says. Specification: docs/spec/wire.md, "Chain".

use holdfast_core::codec::{Bounded, Text};
use holdfast_core::id::{Epoch, NetworkId, OrderId};
use holdfast_core::tagged_enum;
use holdfast_ledger::account::AccountId;
use holdfast_ledger::receipt::{Event, EventPosition, Receipt};
use holdfast_ledger::transaction::{Transaction, TransactionId};
use holdfast_proofs::header::{BlockHash, BlockTime, Height};
use holdfast_proofs::light::{Handover, SignedHeader};
use holdfast_proofs::row::RowProof;
use holdfast_proofs::validators::ValidatorsId;
use serde_bytes::ByteBuf;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

/// Protocol name, for stream negotiation.
pub const PROTOCOL: &str = "/holdfast/chain/1";

/// Longest key of a row.
pub const ROW_KEY_BYTES_MAX: usize = 128;
/// Longest answer about a row: a committee record of 1,024 members, its proof, and changes of validators.
pub const ROW_ANSWER_BYTES_MAX: usize = 4 << 20;
/// Longest answer about a state: changes of validators and a header.
pub const SNAPSHOT_ANSWER_BYTES_MAX: usize = 4 << 20;
/// Longest set of validators.
pub const VALIDATORS_BYTES_MAX: usize = 32 << 10;
/// Most blocks of one answer.
pub const BLOCKS_MAX: usize = 256;
/// Longest answer of blocks: one of the largest, or many small ones.
pub const BLOCKS_BYTES_MAX: usize = 8 << 20;
/// Most entries of a page of events or of a history.
pub const PAGE_MAX: usize = 256;
/// Longest page, in bytes.
pub const PAGE_BYTES_MAX: usize = 1 << 20;
/// Most changes of validators in one answer. Who is further behind asks again.
pub const HANDOVERS_MAX: usize = 64;

/// Most transactions given at once. They must fit into one message as well.
pub const SUBMIT_MAX: usize = 64;

tagged_enum! {
    /// A question.
    pub enum ChainRequest {
        /// How far are you?
        1 => Status(()),
        /// A row, or that there is none. Answered by [`RowAnswer`] as data of at most [`ROW_ANSWER_BYTES_MAX`] bytes.
        2 => Row(RowQuery),
        /// A header with its decision; the newest if none is named.
        3 => Header(Option<Height>),
        /// Put a transaction into a block.
        4 => Submit(Transaction),
        /// What became of a transaction?
        5 => Transaction(TransactionId),
        /// Blocks from a height on. Answered by [`Blocks`] as data of at most [`BLOCKS_BYTES_MAX`] bytes.
        6 => Blocks(BlocksQuery),
        /// Events from a position on. Answered by [`EventPage`] as data of at most [`PAGE_BYTES_MAX`] bytes.
        7 => Events(EventPosition),
        /// Transactions of an account, the newest first. Answered by [`HistoryPage`] as data of at most
        /// [`PAGE_BYTES_MAX`] bytes.
        8 => History(HistoryQuery),
        /// A block that is not yet decided. Answered by the block as data of at most
        /// [`holdfast_ledger::block::BLOCK_BYTES_MAX`] bytes.
        9 => Undecided(BlockHash),
        /// Put these transactions into blocks. Answered by how many will not be, or are known already.
        10 => SubmitMany(Bounded<Transaction, SUBMIT_MAX>),
        /// Keep a state for me, given who is trusted already. Answered by [`SnapshotAnswer`] as data of at most
        /// [`SNAPSHOT_ANSWER_BYTES_MAX`] bytes.
        11 => Snapshot(ValidatorsId),
        /// Rows of a state that is kept. Answered by a [`Chunk`](holdfast_ledger::chunk::Chunk) as data of at most
        /// [`CHUNK_BYTES_MAX`](holdfast_ledger::chunk::CHUNK_BYTES_MAX) bytes, or by none if there are no more rows.
        12 => Chunk(ChunkQuery),
        /// Orders that an account made and that have not ended. Answered by [`OrderPage`] as data of at most
        /// [`PAGE_BYTES_MAX`] bytes.
        13 => Orders(OrdersQuery),
        /// A set of validators of any time. Answered by [`ValidatorSet`](holdfast_proofs::validators::ValidatorSet) as data
        /// of at most [`VALIDATORS_BYTES_MAX`] bytes.
        14 => Validators(ValidatorsId),
    }
}

tagged_enum! {
    /// The answer.
    pub enum ChainReply {
        /// How far the node is.
        1 => Status(ChainStatus),
        /// So many bytes of data follow.
        2 => Data(u32),
        /// A header; null if it is not there.
        3 => Header(Option<SignedHeader>),
        /// The transaction waits for a block, or is in one.
        4 => Submitted(TransactionId),
        /// It will not be in a block, and why.
        5 => Refused(Text<200>),
        /// What became of it; null if it is unknown.
        6 => Transaction(Option<TransactionState>),
        /// The node cannot say: it keeps no ledger, or not so much of it, or failed.
        7 => Unavailable(Text<200>),
        /// So many of the transactions were not taken.
        8 => NotTaken(u32),
    }
}

/// How far a node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct ChainStatus {
    /// Whose ledger.
    pub network: NetworkId,
    /// The last block.
    pub height: Height,
    /// Its hash.
    pub hash: BlockHash,
    /// Its time.
    pub time: BlockTime,
    /// The running epoch.
    pub epoch: Epoch,
    /// The first block whose transactions are kept.
    pub earliest: Height,
    /// Transactions that wait for a block.
    pub waiting: u32,
}

/// Which row, and who is trusted already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct RowQuery {
    /// Table number and key.
    #[serde(with = "row_key")]
    pub key: Vec<u8>,
    /// The validators whose word the asker takes.
    pub trusted: ValidatorsId,
}

/// The key of a row: a byte string that is no longer than one may be.
mod row_key {
    use serde::de::{Deserializer, Error};
    pub(super) use serde_bytes::serialize;

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let bytes: Vec<u8> = serde_bytes::deserialize(deserializer)?;
        match (1..=super::ROW_KEY_BYTES_MAX).contains(&bytes.len()) {
            true => Ok(bytes),
            false => Err(D::Error::custom("no key of a row")),
        }
    }
}

/// The key of a row, or nothing, which stands before all of them.
mod after_key {
    use serde::de::{Deserializer, Error};
    pub(super) use serde_bytes::serialize;

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let bytes: Vec<u8> = serde_bytes::deserialize(deserializer)?;
        match bytes.len() <= super::ROW_KEY_BYTES_MAX {
            true => Ok(bytes),
            false => Err(D::Error::custom("no key of a row")),
        }
    }
}

/// The state that the node keeps, and why to believe its root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct SnapshotAnswer {
    /// Changes of validators from those that are trusted to those of the header.
    pub handovers: Bounded<Handover, HANDOVERS_MAX>,
    /// The header of the block after which the state is. The node keeps it for as long as somebody fetches it, within
    /// limits.
    pub header: SignedHeader,
}

/// Which rows of a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct ChunkQuery {
    /// The height of the state.
    pub height: Height,
    /// Table number and key of the last row that is there already; empty for the first rows.
    #[serde(with = "after_key")]
    pub after: Vec<u8>,
}

/// Whose orders, behind which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct OrdersQuery {
    /// The account.
    pub account: AccountId,
    /// Behind this one; null for the first.
    pub after: Option<OrderId>,
}

/// A page of orders, ascending by id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct OrderPage {
    /// Those of this page.
    pub orders: Bounded<OrderId, PAGE_MAX>,
    /// What to give as `after` for more; null if there are none. A page may be empty and yet not the last.
    pub next: Option<OrderId>,
}

/// A row and why to believe it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct RowAnswer {
    /// Changes of validators from those that are trusted to those of the header.
    pub handovers: Bounded<Handover, HANDOVERS_MAX>,
    /// The newest header.
    pub header: SignedHeader,
    /// The row's bytes; null if there is none.
    pub row: Option<ByteBuf>,
    /// The way from the header's state root to the row, or to where it would stand.
    pub proof: RowProof,
}

/// Which blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct BlocksQuery {
    /// The first.
    pub from: Height,
    /// At most so many.
    pub most: u16,
}

/// Blocks that follow each other, as many as fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Blocks {
    /// In their order.
    pub blocks: Bounded<BlockAnswer, BLOCKS_MAX>,
}

/// A block and the decision on it, both as they are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct BlockAnswer {
    /// The block.
    pub block: ByteBuf,
    /// Its finality.
    pub finality: ByteBuf,
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct TransactionState {
    /// The block that holds it; null while it waits.
    pub height: Option<Height>,
    /// Its receipt, as the block's execution gave it.
    pub receipt: Option<Receipt>,
}

/// A page of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct EventPage {
    /// In their order.
    pub events: Bounded<PlacedEvent, PAGE_MAX>,
    /// Where to go on.
    pub next: EventPosition,
}

/// An event and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct PlacedEvent {
    /// Where.
    pub position: EventPosition,
    /// What.
    pub event: Event,
}

/// Whose transactions, before where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct HistoryQuery {
    /// The account.
    pub account: AccountId,
    /// Before this place; null for the newest.
    pub before: Option<EventPosition>,
}

/// A page of a history, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct HistoryPage {
    /// Those of this page.
    pub entries: Bounded<HistoryEntry, PAGE_MAX>,
    /// What to give as `before` for older ones; null if there are none. A page may be empty and yet not the last.
    pub next: Option<EventPosition>,
}

/// A transaction in a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct HistoryEntry {
    /// The block, and the transaction's place in it.
    pub position: EventPosition,
    /// The transaction.
    pub transaction: Transaction,
    /// What became of it.
    pub receipt: Receipt,
}

#[cfg(test)]
mod tests;
