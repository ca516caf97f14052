//! Who pays: the orders of a `put --for`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use holdfast_client::keystore::AccountKey;
use holdfast_client::ledger::LedgerClient;
use holdfast_client::order::{Journal, Opened, Orders, Purchase, epochs_for};
use holdfast_core::id::{Amount, OrderId};
use holdfast_proofs::certificate::ValidCertificate;
use holdfast_proofs::committee::CommitteeRecord;
use holdfast_proofs::profile::Profile;
use holdfast_store::source::Plan;
use tokio::sync::Mutex;

use super::Online;
use crate::args::PutArgs;
use crate::commands::online::lock;
use crate::commands::order::{bad_time, journal};
use crate::failure::Failure;
use crate::output::Output;

/// An account that pays for pieces.
pub(super) struct Payer {
    /// Held while the account is used: transactions of one account follow each other.
    ledger: Mutex<LedgerClient>,
    key: AccountKey,
    journal: Journal,
    epochs: u64,
    limit: Option<Amount>,
}

/// What was paid.
pub(super) struct Paid {
    pub(super) id: OrderId,
    pub(super) escrow: Amount,
    /// The order was made by an earlier put.
    pub(super) resumed: bool,
}

impl Payer {
    pub(super) async fn new(
        online: &Online,
        args: &PutArgs,
        time: Duration,
        output: &Output,
    ) -> Result<Self, Failure> {
        let mut ledger = online.ledger()?;
        // Nobody is asked for a passphrase in vain.
        ledger.running().await?;
        let epochs = epochs(time, online.network.committee.record())?;
        let journal = journal(online.network.id())?;
        let key = args.key.unlock(output).await?;
        Ok(Self { ledger: Mutex::new(ledger), key, journal, epochs, limit: args.price_max })
    }

    /// The order for a piece: that of a put that was interrupted, or a new one.
    pub(super) async fn open(
        &self,
        plan: &Arc<Plan>,
        profile: Profile,
        proof: &Path,
        output: &Output,
    ) -> Result<Opened, Failure> {
        let proof =
            std::path::absolute(proof).map_err(|error| Failure::local("no current folder", &error))?;
        let (cid, piece_bytes) = (plan.root(), plan.piece_bytes());
        let purchase = Purchase { cid, piece_bytes, profile, epochs: self.epochs };
        let mut ledger = self.ledger.lock().await;
        let _lock = lock(self.key.account()).await?;
        let mut orders = self.orders(&ledger);
        let opened = orders.open(&purchase, self.limit, &proof).await;
        *ledger = orders.ledger;
        let opened = opened?;
        let id = opened.record.id();
        output.note(&match opened.resumed {
            true => format!("order {id} was paid by an earlier put, and is used now"),
            false => {
                format!("order {id} is paid; should this put be interrupted, the same put goes on with it")
            }
        });
        Ok(opened)
    }

    /// Shows the certificate to the ledger, so that the providers are paid.
    pub(super) async fn activate(
        &self,
        opened: Opened,
        certificate: &ValidCertificate,
    ) -> Result<Paid, Failure> {
        let id = opened.record.id();
        let mut ledger = self.ledger.lock().await;
        let _lock = lock(self.key.account()).await?;
        let mut orders = self.orders(&ledger);
        let active = orders.activate(&id, certificate).await;
        let order = active.map_err(|error| {
            let failure = Failure::from(error);
            let message = format!(
                "{}; the proof is written, but order {id} is not active; run the same put again",
                failure.message
            );
            Failure { message, ..failure }
        })?;
        orders.finish(opened.record)?;
        *ledger = orders.ledger;
        Ok(Paid { id, escrow: order.escrow, resumed: opened.resumed })
    }

    fn orders(&self, ledger: &LedgerClient) -> Orders<'_> {
        Orders { ledger: ledger.clone(), journal: &self.journal, key: &self.key }
    }
}

/// How many epochs a time is.
pub(super) fn epochs(time: Duration, record: &CommitteeRecord) -> Result<u64, Failure> {
    epochs_for(time, record).ok_or_else(|| bad_time(time, record))
}
