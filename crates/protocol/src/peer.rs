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

#[cfg(test)]
mod tests {
    use holdfast_consensus::message::Decided;
    use holdfast_core::codec::{decode, encode};
    use holdfast_core::frame::MESSAGE_BYTES_MAX;
    use holdfast_proofs::header::Height;

    use super::*;
    use crate::golden::check;

    #[test]
    fn messages_have_these_bytes() {
        let decided = Message::Decided(Decided { height: Height(300) });
        check(&PeerMessage::Consensus(decided), &["8201", "8203", "81", "19012c"]);
        check(&PeerMessage::Transactions(Bounded::default()), &["8202", "80"]);
    }

    #[test]
    fn unknown_messages_are_refused() {
        for number in [0, 3, 255] {
            assert!(decode::<PeerMessage>(&encode(&(number, ())), MESSAGE_BYTES_MAX).is_err());
        }
    }
}
