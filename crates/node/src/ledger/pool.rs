//! The transactions that wait for a block, over this node's ledger.

use std::sync::{Mutex, MutexGuard, PoisonError};

use holdfast_chain::View;
use holdfast_consensus::mempool::{AdmitError, Bounds, Conditions, Limits, Mempool};
use holdfast_ledger::account::{Account, AccountId};
use holdfast_ledger::accounts::account;
use holdfast_ledger::params::Params;
use holdfast_ledger::state::{RowsError, State};
use holdfast_ledger::transaction::{CheckedTransaction, Transaction, TransactionId};
use holdfast_proofs::header::Height;

/// Waiting transactions.
pub(crate) struct Pool(Mutex<Mempool>);

/// Why a transaction does not wait here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PoolError {
    #[error(transparent)]
    Admit(#[from] AdmitError),
    #[error(transparent)]
    Rows(#[from] RowsError),
}

/// What the next block finds.
struct Next {
    height: Height,
    params: Params,
}

impl Next {
    fn after(view: &View) -> Result<Self, RowsError> {
        let height = view.header().height.next().unwrap_or(view.header().height);
        Ok(Self { height, params: Params::of(&State::over(view))? })
    }

    fn conditions(&self) -> Conditions<'_> {
        Conditions { height: self.height, params: &self.params }
    }
}

impl Pool {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Mempool::new(Bounds::default())))
    }

    /// Lets a transaction in; says whether it is new.
    pub(crate) fn admit(
        &self,
        view: &View,
        transaction: CheckedTransaction,
    ) -> Result<(TransactionId, bool), PoolError> {
        let next = Next::after(view)?;
        let id = transaction.id();
        let row = account(&State::over(view), &transaction.body().sender)?;
        match self.lock().admit(transaction, row, next.conditions()) {
            Ok(_) => Ok((id, true)),
            Err(AdmitError::Known) => Ok((id, false)),
            Err(error) => Err(error.into()),
        }
    }

    /// What the next block should hold.
    pub(crate) fn select(&self, view: &View) -> Result<Vec<CheckedTransaction>, RowsError> {
        let next = Next::after(view)?;
        Ok(self.lock().select(Limits::BLOCK, next.conditions()))
    }

    /// Drops what can be in no block after the last one, which holds these.
    pub(crate) fn follow(&self, view: &View, included: &[CheckedTransaction]) -> Result<(), RowsError> {
        let next = Next::after(view)?;
        let state = State::over(view);
        let mut failure = None;
        let row = |id: &AccountId| {
            account(&state, id).unwrap_or_else(|error| {
                failure = Some(error);
                Account::default()
            })
        };
        self.lock().committed(included, row, next.conditions());
        failure.map_or(Ok(()), Err)
    }

    /// A transaction that waits.
    pub(crate) fn get(&self, id: &TransactionId) -> Option<Transaction> {
        self.lock().find(id).map(|found| found.transaction().clone())
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, Mempool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
