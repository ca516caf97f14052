//! Errors of what needs the ledger: questions, transactions, orders.

use holdfast_client::ledger::{AnswerError, LedgerError};
use holdfast_client::order::{JournalError, OrderError};
use holdfast_client::promise::PromiseError;
use holdfast_client::send::SendError;
use holdfast_core::explain;
use holdfast_ledger::receipt::Failure as Rule;
use holdfast_proofs::validators::ValidatorsError;

use super::{Exit, Failure};

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        match &error {
            LedgerError::Validators(ValidatorsError::NoLedger) => {
                let message = "this network has no ledger, so it has neither accounts nor orders";
                Self::new(Exit::Usage, "ledger.none", message)
            }
            LedgerError::Validators(_) => Self::of(Exit::Invalid, "network.genesis", &error),
            LedgerError::NoAnswer { source: AnswerError::Old(_), .. } => {
                let message = format!("{}; the ledger may stand still", explain(&error));
                Self::new(Exit::Unreachable, "ledger.stalled", message)
            }
            LedgerError::NoAnswer { source: AnswerError::Light(_) | AnswerError::Row(_), .. } => {
                Self::of(Exit::Invalid, "ledger.unproven", &error)
            }
            LedgerError::NoAnswer { .. } => {
                let message = format!("{}; is the network running?", explain(&error));
                Self::new(Exit::Unreachable, "ledger.unreachable", message)
            }
            LedgerError::Refused(_) => Self::of(Exit::Conflict, "ledger.refused", &error),
        }
    }
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Ledger(error) => error.into(),
            SendError::Balance { .. } => Self::of(Exit::Quota, "wallet.balance", &error),
            SendError::Expired { .. } => Self::of(Exit::Expired, "ledger.expired", &error),
            SendError::Superseded { .. } => {
                let message = format!("{error}; was the key used elsewhere? Run the same command again");
                Self::new(Exit::Conflict, "ledger.superseded", message)
            }
            SendError::Failed { failure, .. } => {
                let (exit, reason) = of_rule(failure);
                Self::of(exit, reason, &error)
            }
        }
    }
}

/// What a rule of the ledger that a transaction broke means to whoever sent it.
fn of_rule(rule: Rule) -> (Exit, &'static str) {
    match rule {
        Rule::Balance => (Exit::Quota, "wallet.balance"),
        Rule::Recipient => (Exit::Usage, "wallet.recipient"),
        Rule::Nothing => (Exit::Usage, "ledger.nothing"),
        Rule::Unknown => (Exit::NotFound, "order.missing"),
        Rule::Owner => (Exit::NotAllowed, "order.owner"),
        Rule::Price => (Exit::Refused, "order.price"),
        Rule::Profile => (Exit::Usage, "put.copies"),
        _ => (Exit::Conflict, "ledger.failed"),
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        match &error {
            JournalError::File { source, .. } => Self::of(Exit::of_file(source), "order.journal", &error),
            JournalError::Damaged { .. } => Self::of(Exit::Invalid, "order.journal", &error),
        }
    }
}

impl From<OrderError> for Failure {
    fn from(error: OrderError) -> Self {
        match &error {
            OrderError::Balance { .. } => {
                let message = format!("{error}; nothing was paid");
                Self::new(Exit::Quota, "wallet.balance", message)
            }
            OrderError::Price { .. } => {
                let message = format!("{error}; nothing was paid");
                Self::new(Exit::Refused, "order.price", message)
            }
            OrderError::Unpayable => Self::of(Exit::Quota, "wallet.balance", &error),
            OrderError::Paid { order, .. } => {
                let message = format!("{error}; `holdfast order renew {order} --for TIME` pays for longer");
                Self::new(Exit::Conflict, "order.paid", message)
            }
            OrderError::Other { order, .. } => {
                let message = format!(
                    "{error}, as an earlier put asked; ask for the same, or `holdfast order cancel {order}` first"
                );
                Self::new(Exit::Conflict, "order.open", message)
            }
            OrderError::Missing(_) => Self::of(Exit::NotFound, "order.missing", &error),
            OrderError::Owner(_) => Self::of(Exit::NotAllowed, "order.owner", &error),
            OrderError::NotActive(_) => Self::of(Exit::Conflict, "order.inactive", &error),
            OrderError::Unchanged(_) => Self::of(Exit::Invalid, "ledger.unproven", &error),
            OrderError::Ledger(_) | OrderError::Send(_) | OrderError::Journal(_) => match error {
                OrderError::Ledger(error) => error.into(),
                OrderError::Send(error) => error.into(),
                OrderError::Journal(error) => error.into(),
                _ => unreachable!("matched above"),
            },
        }
    }
}

impl From<PromiseError> for Failure {
    fn from(error: PromiseError) -> Self {
        match &error {
            PromiseError::TooFew { .. } => {
                let message = format!("{error}; run the same command again, or put the file again");
                Self::new(Exit::Partial, "order.no_quorum", message)
            }
            PromiseError::Statement(_) => Self::of(Exit::Usage, "put.terms", &error),
            PromiseError::Certificate(_) => Self::of(Exit::Invalid, "cert.invalid", &error),
        }
    }
}
