//! Orders: pay for a piece, and have that paid which is provably kept.
//!
//! 1. [`Orders::open`] finds the order that an interrupted put made, or makes a new one: signed, written down, sent, and
//!    checked to be a row of the ledger.
//! 2. The piece is put under it ([`crate::put`]), on the terms that [`Opened::terms`] says.
//! 3. [`Orders::activate`] shows the certificate to the ledger, and checks that the order's row is active.
//!
//! The transaction of an order lies in the [`Journal`] before anybody has it, so that whoever is killed in between goes on with the
//! same order and never pays twice. An order that is not active in time ends, and all the money comes back.

use std::path::Path;

use holdfast_core::id::{Amount, Epoch, OrderId};
use holdfast_ledger::account::Account;
use holdfast_ledger::receipt::Failure;
use holdfast_ledger::storage::{Activate, Cancel, Order, Renew};
use holdfast_ledger::transaction::Payload;
use holdfast_ledger::units::Money;
use holdfast_proofs::certificate::ValidCertificate;
use holdfast_proofs::header::Height;
use holdfast_protocol::put::Terms;

use crate::keystore::AccountKey;
use crate::ledger::{LedgerClient, LedgerError};
use crate::send::{SendError, Sent, Signed};

mod journal;
mod quote;

pub use journal::{Journal, JournalError, Record};
pub use quote::{
    Purchase, Quote, Renewal, begin_of, epoch_seconds, epochs_for, renewal, unpaid_epochs, whole_epochs,
};

/// How often an activation is sent while another transaction of the account waits for a block.
const ACTIVATION_TRIES: u32 = 5;

/// Why an order is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// The ledger could not be asked.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A transaction.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The account cannot pay for all of it.
    #[error("it costs {}, and the account has {}", Money(*needs), Money(*has))]
    Balance {
        /// What the account has.
        has: Amount,
        /// Escrow and fees.
        needs: Amount,
    },
    /// It costs more than the user agrees to.
    #[error("it costs {}, more than the {} that you agree to", Money(*costs), Money(*limit))]
    Price {
        /// What it costs, fees included.
        costs: Amount,
        /// The most it may.
        limit: Amount,
    },
    /// Nobody has so much money.
    #[error("it costs more money than there is")]
    Unpayable,
    /// It is paid for already.
    #[error("order {order} pays for this piece already, until epoch {until}")]
    Paid {
        /// Which.
        order: OrderId,
        /// The first epoch that is not paid.
        until: Epoch,
    },
    /// An earlier put ordered the same for another time.
    #[error("order {order} for this piece is open, and is for {epochs} epochs")]
    Other {
        /// Which.
        order: OrderId,
        /// For how many epochs.
        epochs: u64,
    },
    /// There is no such order on the ledger: it never was, or has ended.
    #[error("there is no order {0} on the ledger: it never was, or has ended")]
    Missing(OrderId),
    /// Somebody else's.
    #[error("order {0} belongs to another account")]
    Owner(OrderId),
    /// It cannot be renewed.
    #[error("order {0} is not active, so it cannot be renewed")]
    NotActive(OrderId),
    /// What the ledger shows is not what was sent.
    #[error("order {0} is on the ledger, but not as it was changed")]
    Unchanged(OrderId),
}

/// What the ledger shows of an order that was signed here.
#[derive(Clone, Debug)]
pub enum Standing {
    /// It has ended, failed, or can never be.
    Gone,
    /// It may still come to be: its transaction can be sent.
    Unsent,
    /// It waits for a certificate, or has one.
    There(Box<Order>),
}

/// An order under which a piece can be put.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Its record in the journal.
    pub record: Record,
    /// Its row.
    pub order: Order,
    /// An earlier put made it.
    pub resumed: bool,
}

impl Opened {
    /// What providers are to promise for it.
    pub fn terms(&self) -> Terms {
        Terms { retain_until: self.order.until, order: Some(self.record.id()) }
    }
}

/// The orders of one account. One command at a time uses an account, see [`crate::account_lock`].
pub struct Orders<'a> {
    /// Asks the ledger.
    pub ledger: LedgerClient,
    /// Where orders are written down.
    pub journal: &'a Journal,
    /// Who pays.
    pub key: &'a AccountKey,
}

impl Orders<'_> {
    /// An order for a purchase: the one that an interrupted put made, or a new one that costs, with all fees, no more than
    /// `limit`. `proof` is where the proof will go.
    ///
    /// # Errors
    /// See [`OrderError`]. If this fails or is dropped, what was paid is found by the next call.
    pub async fn open(
        &mut self,
        purchase: &Purchase,
        limit: Option<Amount>,
        proof: &Path,
    ) -> Result<Opened, OrderError> {
        if let Some((record, standing)) = self.find(purchase).await? {
            let order = record.id();
            let epochs = record.place().epochs;
            if let Standing::There(there) = &standing
                && there.active.is_some()
                && record.done
            {
                return Err(OrderError::Paid { order, until: there.until });
            }
            if epochs != purchase.epochs {
                return Err(OrderError::Other { order, epochs });
            }
            return match standing {
                Standing::There(order) => Ok(Opened { record, order: *order, resumed: true }),
                _ => self.send(record, true).await,
            };
        }
        let quote = self.quote(purchase).await?;
        if let Some(limit) = limit.filter(|limit| *limit < quote.total()) {
            return Err(OrderError::Price { costs: quote.total(), limit });
        }
        let has = self.ledger.account(&self.key.account()).await?.row.unwrap_or_default().balance;
        if has < quote.total() {
            return Err(OrderError::Balance { has, needs: quote.total() });
        }
        let payload = purchase.payload(quote.price_max(limit));
        let signed = self.ledger.sign(self.key, payload, quote.escrow).await?;
        let record = Record { signed, proof: Some(proof.to_owned()), done: false };
        self.journal.write(&record)?;
        self.send(record, false).await
    }

    /// What a purchase costs now.
    ///
    /// # Errors
    /// If nobody says what the price is, or nobody could pay it.
    pub async fn quote(&mut self, purchase: &Purchase) -> Result<Quote, OrderError> {
        let params = self.ledger.params().await?.row;
        purchase.quote(&params, &self.ledger.network().committee).ok_or(OrderError::Unpayable)
    }

    /// An order for the same piece, from the journal. Records of orders that are gone are forgotten.
    async fn find(&mut self, purchase: &Purchase) -> Result<Option<(Record, Standing)>, OrderError> {
        for record in self.journal.of(&self.key.account())? {
            let place = record.place();
            let same = (place.cid, place.piece_bytes, place.profile)
                == (purchase.cid, purchase.piece_bytes, purchase.profile);
            if !same {
                continue;
            }
            match self.standing(&record.signed).await? {
                Standing::Gone => self.journal.remove(&record.id())?,
                standing => return Ok(Some((record, standing))),
            }
        }
        Ok(None)
    }

    /// What the ledger shows of an order that was signed here.
    ///
    /// # Errors
    /// If nobody gives an answer that holds.
    pub async fn standing(&mut self, signed: &Signed) -> Result<Standing, OrderError> {
        let body = &signed.transaction.body;
        let account = self.ledger.account(&body.sender).await?;
        let Account { nonce, .. } = account.row.unwrap_or_default();
        // Not earlier than what the account has done: an order that was made is there.
        let order =
            self.ledger.row_since::<Order>(signed.id.as_bytes(), account.header.header().height).await?;
        let late = order.header.header().height > body.valid_until;
        Ok(match order.row {
            Some(order) => Standing::There(Box::new(order)),
            None if nonce > body.nonce || late => Standing::Gone,
            None => Standing::Unsent,
        })
    }

    async fn send(&mut self, record: Record, resumed: bool) -> Result<Opened, OrderError> {
        let id = record.id();
        match self.ledger.send(&record.signed).await {
            Ok(Sent { height, .. }) => {
                let order = self.order_since(&id, height).await?;
                Ok(Opened { record, order, resumed })
            }
            Err(error) => {
                let gone = matches!(
                    error,
                    SendError::Failed { .. } | SendError::Expired { .. } | SendError::Superseded { .. }
                );
                if gone {
                    self.journal.remove(&id)?;
                }
                Err(error.into())
            }
        }
    }

    /// An order's row.
    ///
    /// # Errors
    /// [`OrderError::Missing`] if there is none.
    pub async fn order(&mut self, id: &OrderId) -> Result<Order, OrderError> {
        self.ledger.row::<Order>(id.as_bytes()).await?.row.ok_or(OrderError::Missing(*id))
    }

    async fn order_since(&mut self, id: &OrderId, height: Height) -> Result<Order, OrderError> {
        let row = self.ledger.row_since::<Order>(id.as_bytes(), height).await?.row;
        row.ok_or(OrderError::Missing(*id))
    }

    /// Shows a certificate to the ledger, unless the order is active with as much already, and answers the order's row.
    ///
    /// # Errors
    /// See [`OrderError`].
    pub async fn activate(
        &mut self,
        id: &OrderId,
        certificate: &ValidCertificate,
    ) -> Result<Order, OrderError> {
        let enough = |order: &Order| {
            let promised = certificate.statement().retain_until;
            order.active.as_ref().is_some_and(|active| active.promised >= promised)
        };
        let payload =
            || Payload::Activate(Activate { order: *id, certificate: certificate.certificate().clone() });
        let mut tries = 0;
        loop {
            tries += 1;
            let order = self.order(id).await?;
            if enough(&order) {
                return Ok(order);
            }
            let signed = self.ledger.sign(self.key, payload(), Amount::ZERO).await?;
            let height = match self.ledger.send(&signed).await {
                Ok(Sent { height, .. }) => height,
                // Anybody may show it, and somebody did.
                Err(SendError::Failed { failure: Failure::Taken, height, .. }) => height,
                // A transaction of this account waits, such as that of a put that was killed here.
                Err(SendError::Ledger(LedgerError::Refused(_)) | SendError::Superseded { .. })
                    if tries < ACTIVATION_TRIES =>
                {
                    tokio::time::sleep(self.ledger.block_time()).await;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let order = self.order_since(id, height).await?;
            return if enough(&order) { Ok(order) } else { Err(OrderError::Unchanged(*id)) };
        }
    }

    /// Notes that the put for which an order pays came to its end.
    ///
    /// # Errors
    /// If it cannot be noted; then the next put under it goes on with it.
    pub fn finish(&self, record: Record) -> Result<(), OrderError> {
        Ok(self.journal.write(&Record { done: true, ..record })?)
    }

    /// An active order of this account, and what it would cost to pay it for more epochs.
    ///
    /// # Errors
    /// If it is none, or nobody could pay that.
    pub async fn renewal(&mut self, id: &OrderId, epochs: u64) -> Result<(Order, Renewal), OrderError> {
        let order = self.own(id).await?;
        let (params, running) = (self.ledger.params().await?.row, self.ledger.running().await?.row);
        if order.active.is_none() || order.until <= running.epoch {
            return Err(OrderError::NotActive(*id));
        }
        let renewal = renewal(&order, running.epoch, epochs, &params).ok_or(OrderError::Unpayable)?;
        Ok((order, renewal))
    }

    /// Pays an active order for more epochs, at most `limit` with the fee. The providers promise as much when
    /// they are asked to ([`crate::promise`]).
    ///
    /// # Errors
    /// See [`OrderError`].
    pub async fn renew(
        &mut self,
        id: &OrderId,
        epochs: u64,
        limit: Option<Amount>,
    ) -> Result<(Order, Sent), OrderError> {
        let (_, renewal) = self.renewal(id, epochs).await?;
        let renew = Renew { order: *id, epochs, price_max: renewal.price };
        let signed = self.ledger.sign(self.key, Payload::Renew(renew), renewal.pays).await?;
        let costs = renewal.pays.plus(signed.transaction.body.fee).ok_or(OrderError::Unpayable)?;
        if let Some(limit) = limit.filter(|limit| *limit < costs) {
            return Err(OrderError::Price { costs, limit });
        }
        let sent = self.ledger.send(&signed).await?;
        Ok((self.order_since(id, sent.height).await?, sent))
    }

    /// Ends an order with the running epoch, or at once if it is not active. Answers its row, if it still has one.
    ///
    /// # Errors
    /// See [`OrderError`].
    pub async fn cancel(&mut self, id: &OrderId) -> Result<(Option<Order>, Sent), OrderError> {
        self.own(id).await?;
        let cancel = Payload::Cancel(Cancel { order: *id });
        let signed = self.ledger.sign(self.key, cancel, Amount::ZERO).await?;
        let sent = self.ledger.send(&signed).await?;
        let order = self.ledger.row_since::<Order>(id.as_bytes(), sent.height).await?.row;
        // A put of the same piece orders anew.
        self.journal.remove(id)?;
        Ok((order, sent))
    }

    async fn own(&mut self, id: &OrderId) -> Result<Order, OrderError> {
        let order = self.order(id).await?;
        if order.owner == self.key.account() { Ok(order) } else { Err(OrderError::Owner(*id)) }
    }
}

#[cfg(test)]
mod tests;
