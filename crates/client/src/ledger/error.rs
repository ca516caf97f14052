//! Why the ledger could not be asked.

use holdfast_core::codec::DecodeError;
use holdfast_proofs::committee::RecordError;
use holdfast_proofs::header::BlockTime;
use holdfast_proofs::light::LightError;
use holdfast_proofs::row::RowProofError;
use holdfast_proofs::validators::ValidatorsError;

use crate::ask::AskError;

/// Why the ledger could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Genesis has no ledger, or breaks a rule.
    #[error(transparent)]
    Validators(#[from] ValidatorsError),
    /// Nobody gave a proper answer; the reason of the last one who was asked.
    #[error("none of {asked} nodes gave a proper answer about the ledger")]
    NoAnswer {
        /// How many were asked.
        asked: usize,
        /// What was wrong with the last answer.
        source: AnswerError,
    },
    /// A transaction cannot be in a block, as those who answer say.
    #[error("the transaction is refused: {0}")]
    Refused(String),
}

/// What is wrong with an answer.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// There is none.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// It is no object of its kind.
    #[error("the answer cannot be read")]
    Decode(#[from] DecodeError),
    /// The header is not final.
    #[error(transparent)]
    Light(#[from] LightError),
    /// The row is not proven.
    #[error(transparent)]
    Row(#[from] RowProofError),
    /// The committee record is refused.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The header is old: this node, or the whole network, stands still.
    #[error("its last block is of {}", .0.second())]
    Old(BlockTime),
    /// It shows a part of the way to today's validators, which leads on.
    #[error("it shows only a part of the way to today's validators")]
    Further,
    /// It cannot say.
    #[error("it cannot say: {0}")]
    Unavailable(String),
    /// It says that there is no such row.
    #[error("there is no such row")]
    Missing,
}
