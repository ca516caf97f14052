//! Transactions of one account: signed, sent, and awaited.
//!
//! 1. [`LedgerClient::sign`] asks what the account has, and signs for the next nonce with the least fee.
//! 2. Whoever must not pay twice writes the transaction down now: its id is known before anybody has it.
//! 3. [`LedgerClient::send`] gives it to a node and waits for it to be in a block. The same transaction may be sent
//!    as often as one likes; it happens once.
//!
//! That an account's nonce was used is proven. What became of the transaction is one node's word; what it changed is a row,
//! which can be asked for with proof.

use std::time::{Duration, Instant};

use holdfast_core::ed25519::Signature;
use holdfast_core::id::{Amount, NetworkId};
use holdfast_ledger::account::Account;
use holdfast_ledger::params::Params;
use holdfast_ledger::receipt::{Failure, Receipt};
use holdfast_ledger::state::Row;
use holdfast_ledger::transaction::{Body, Payload, Transaction, TransactionId};
use holdfast_ledger::units::Money;
use holdfast_proofs::header::Height;
use holdfast_protocol::chain::TransactionState;

use crate::keystore::AccountKey;
use crate::ledger::{AnswerError, LedgerClient, LedgerError, Proven};

/// Blocks for which a transaction may wait to be in one.
pub const VALID_BLOCKS: u64 = 100;

/// Pause between two looks for a transaction.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// A transaction that is in no block yet is given to a node again after so long: the first may have died.
const SEND_AGAIN: Duration = Duration::from_secs(5);
/// A node that is behind another one catches up in less.
const BEHIND_WINDOW: Duration = Duration::from_secs(20);
/// A nonce that is used while nobody knows the transaction was used by another one, unless a node learns of it by then.
const USED_WINDOW: Duration = Duration::from_secs(5);

/// Why a transaction did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The ledger could not be asked, or nobody takes it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The account has too little.
    #[error("the account has {}, and {} are needed", Money(*has), Money(*needs))]
    Balance {
        /// What it has.
        has: Amount,
        /// What the transaction takes, its fee included.
        needs: Amount,
    },
    /// It is in no block when it cannot be in one any more.
    #[error("transaction {id} is in no block up to {until}, the last one that may hold it; nothing was paid")]
    Expired {
        /// Which.
        id: TransactionId,
        /// The last block that could have held it.
        until: Height,
    },
    /// Another transaction of the account came first.
    #[error("another transaction of this account came before {id}, which can be in no block any more")]
    Superseded {
        /// Which.
        id: TransactionId,
    },
    /// It is in a block, and broke a rule.
    #[error("transaction {id} in block {height} failed: {failure}; only its fee was paid")]
    Failed {
        /// Which.
        id: TransactionId,
        /// Where.
        height: Height,
        /// The rule.
        failure: Failure,
    },
}

/// A transaction that is signed and not yet sent.
#[derive(Clone, Debug)]
pub struct Signed {
    /// What is sent.
    pub transaction: Transaction,
    /// Its name.
    pub id: TransactionId,
}

impl Signed {
    /// A transaction that was signed before.
    pub fn of(transaction: Transaction) -> Self {
        let id = TransactionId::new(*blake3::hash(&transaction.to_bytes()).as_bytes());
        Self { transaction, id }
    }

    /// Signs for a nonce, at the least fee; `None` if nobody could pay that.
    pub fn at(
        network: &NetworkId,
        key: &AccountKey,
        params: &Params,
        (nonce, valid_until): (u64, Height),
        payload: Payload,
    ) -> Option<Self> {
        let sender = key.account();
        let mut body = Body { sender, nonce, fee: Amount::ZERO, valid_until, payload };
        body.fee = fee(params, &body)?;
        Some(Self::of(Transaction::sign(body, network, key.secret())))
    }
}

/// The least fee for a transaction with this body. All fees and all signatures have one length.
pub fn fee(params: &Params, body: &Body) -> Option<Amount> {
    let unsigned = Transaction { body: body.clone(), signature: Signature::new([0; 64]) };
    params.fee(unsigned.to_bytes().len())
}

/// A transaction that is in a block and did what it says.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its name.
    pub id: TransactionId,
    /// The block.
    pub height: Height,
    /// What it brought about.
    pub receipt: Receipt,
}

impl LedgerClient {
    /// Signs the account's next transaction, which takes `spends` beside its fee.
    ///
    /// # Errors
    /// [`SendError::Balance`] if the account has less than both, or if nobody says what it has.
    pub async fn sign(
        &mut self,
        key: &AccountKey,
        payload: Payload,
        spends: Amount,
    ) -> Result<Signed, SendError> {
        let params = self.params().await?.row;
        let account = self.account(&key.account()).await?;
        let valid_until = Height(account.header.header().height.0.saturating_add(VALID_BLOCKS));
        let Account { balance, nonce } = account.row.unwrap_or_default();
        let signed = Signed::at(self.network().id(), key, &params, (nonce, valid_until), payload);
        let needs = signed.as_ref().and_then(|signed| signed.transaction.body.fee.plus(spends));
        match (signed, needs.unwrap_or(Amount(u128::MAX))) {
            (Some(signed), needs) if needs <= balance => Ok(signed),
            (_, needs) => Err(SendError::Balance { has: balance, needs }),
        }
    }

    /// Sends a transaction, and waits until it is in a block and did what it says. If the future is dropped, the transaction
    /// may still happen, up to the last block that may hold it.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn send(&mut self, Signed { transaction, id }: &Signed) -> Result<Sent, SendError> {
        if let Err(refused) = self.submit(transaction).await {
            // A transaction that is in a block already is refused as well, for its nonce is used.
            let known = matches!(&refused, LedgerError::Refused(_)) && self.knows(*id).await;
            if !known {
                return Err(refused.into());
            }
        }
        let Sent { id, height, receipt } = self.settle(transaction, *id).await?;
        match receipt.failure {
            None => Ok(Sent { id, height, receipt }),
            Some(failure) => Err(SendError::Failed { id, height, failure }),
        }
    }

    /// A row, as of a block that is not before this height.
    ///
    /// # Errors
    /// If nobody gives an answer that holds, or everybody stays behind.
    pub async fn row_since<R: Row>(&mut self, key: &[u8], height: Height) -> Result<Proven<R>, LedgerError> {
        let deadline = Instant::now() + BEHIND_WINDOW;
        loop {
            let proven = self.row::<R>(key).await?;
            if proven.header.header().height >= height {
                return Ok(proven);
            }
            if Instant::now() > deadline {
                let source = AnswerError::Old(proven.header.header().time);
                return Err(LedgerError::NoAnswer { asked: 1, source });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn knows(&self, id: TransactionId) -> bool {
        matches!(self.transaction(id).await, Ok(Some(_)))
    }

    /// Waits until it is in a block, which the account's row shows, and a node says what became of it.
    async fn settle(&mut self, transaction: &Transaction, id: TransactionId) -> Result<Sent, SendError> {
        let Body { sender, nonce, valid_until, .. } = &transaction.body;
        let mut again = Instant::now() + SEND_AGAIN;
        let mut used_since = None;
        loop {
            let state = self.transaction(id).await.ok().flatten();
            let account = self.account(sender).await?;
            let now = account.header.header().height;
            let used = account.row.unwrap_or_default().nonce > *nonce;
            if let Some(TransactionState { height: Some(height), receipt: Some(receipt) }) = state
                && used
                && height <= now
                && receipt.transaction == id
            {
                return Ok(Sent { id, height, receipt });
            }
            if used {
                let since = used_since.get_or_insert_with(Instant::now);
                if since.elapsed() > USED_WINDOW {
                    return Err(SendError::Superseded { id });
                }
            } else if now > *valid_until {
                return Err(SendError::Expired { id, until: *valid_until });
            } else if Instant::now() > again {
                again += SEND_AGAIN;
                if let Err(error) = self.submit(transaction).await {
                    tracing::debug!(%error, "could not send the transaction again");
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
