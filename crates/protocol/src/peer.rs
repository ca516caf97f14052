//! What validators send each other, one stream each way. Nothing is answered on it. Specification: docs/spec/wire.md, "Peers".

use holdfast_consensus::message::Message;
use holdfast_core::codec::Bounded;
use holdfast_core::tagged_enum;
use holdfast_ledger::transaction::Transaction;

/// Protocol name, for stream negotiation.
pub const PROTOCOL: &str = "/holdfast/peer/1";

/// Most transactions of one message, which has at most [`holdfast_core::frame::MESSAGE_BYTES_MAX`] bytes.
pub const TRANSACTIONS_MAX: usize = 64;

tagged_enum! {
    /// From one validator to another.
    pub enum PeerMessage {
        /// Of the consensus engine.
        1 => Consensus(Message),
        /// Transactions that wait for a block.
        2 => Transactions(Bounded<Transaction, TRANSACTIONS_MAX>),
    }
}
