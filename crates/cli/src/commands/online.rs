//! The network in use, as its ledger says that it is now; and the right to use an account.

use holdfast_client::account_lock::AccountLock;
use holdfast_client::committees::Committees;
use holdfast_client::ledger::{LedgerClient, LedgerError};
use holdfast_client::network::Network;
use holdfast_core::explain;
use holdfast_ledger::account::AccountId;
use holdfast_net::Net;
use holdfast_proofs::validators::ValidatorsError;

use super::{blocking, dialer};
use crate::args::Common;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings;

/// A network that can be asked, with its running committee.
pub(super) struct Online {
    pub(super) net: Net,
    pub(super) network: Network,
    ledger: Option<LedgerClient>,
}

impl Online {
    /// Asks its ledger.
    ///
    /// # Errors
    /// If it has none.
    pub(super) fn ledger(&self) -> Result<LedgerClient, Failure> {
        self.ledger.clone().ok_or_else(|| LedgerError::Validators(ValidatorsError::NoLedger).into())
    }

    /// What judges certificates.
    pub(super) fn committees(&self) -> Committees {
        Committees::new(self.network.clone(), self.ledger.clone())
    }
}

/// The network in use.
pub(super) async fn online(common: &Common, output: &Output) -> Result<Online, Failure> {
    follow(settings::network(common)?, output).await
}

/// A network whose folder was read. If no node says who its members are now, those are assumed who were known last.
pub(super) async fn follow(mut network: Network, output: &Output) -> Result<Online, Failure> {
    let net = dialer().await?;
    if network.genesis.ledger.is_none() {
        return Ok(Online { net, network, ledger: None });
    }
    let mut ledger = LedgerClient::new(net.clone(), network.clone())?;
    match ledger.follow().await {
        Ok(_) => network = ledger.network().clone(),
        Err(error) => {
            let epoch = network.committee.record().epoch;
            output.note(&format!(
                "no node shows who the members are now, so those of epoch {epoch} are assumed: {}",
                explain(&error)
            ));
        }
    }
    Ok(Online { net, network, ledger: Some(ledger) })
}

/// The ledger of the network in use, not yet asked.
pub(super) async fn ledger(common: &Common) -> Result<LedgerClient, Failure> {
    let network = settings::network(common)?;
    Ok(LedgerClient::new(dialer().await?, network)?)
}

/// The ledger of the network in use, followed to its running epoch.
pub(super) async fn followed(common: &Common) -> Result<LedgerClient, Failure> {
    let mut ledger = ledger(common).await?;
    ledger.follow().await?;
    Ok(ledger)
}

/// Waits until no other command on this machine uses the account.
pub(super) async fn lock(account: AccountId) -> Result<AccountLock, Failure> {
    let folder = settings::locks_folder()?;
    let taken = blocking({
        let folder = folder.clone();
        move || AccountLock::take(&folder, &account)
    });
    taken.await.map_err(|error| {
        let message = format!("could not use {}: {error}", folder.display());
        Failure::new(Exit::of_file(&error), "order.journal", message)
    })
}
