//! The network in use, as its ledger says that it is now; and the right to use an account.

use holdfast_client::account_lock::AccountLock;
use holdfast_client::ask;
use holdfast_client::committees::Committees;
use holdfast_client::ledger::{LedgerClient, LedgerError};
use holdfast_client::network::Network;
use holdfast_core::codec::Bounded;
use holdfast_core::explain;
use holdfast_ledger::account::AccountId;
use holdfast_net::Net;
use holdfast_proofs::validators::ValidatorsError;
use holdfast_protocol::ask::{HINTS_MAX, PeersQuery};
use tokio::task::JoinSet;

use super::{blocking, dialer};
use crate::args::Common;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings;

/// Nodes that are asked where others listen.
const LEARN_FROM: usize = 4;

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
        Ok(_) => {
            network = ledger.network().clone();
            learn(&net, &network).await;
        }
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
    let network = settings::network(common)?;
    let net = dialer().await?;
    let mut ledger = LedgerClient::new(net.clone(), network)?;
    ledger.follow().await?;
    learn(&net, ledger.network()).await;
    Ok(ledger)
}

/// Asks where those members listen of whom that is not known, and notes it for later commands.
async fn learn(net: &Net, network: &Network) {
    let members = network.committee.members().iter().map(|member| member.node);
    let (lacking, known): (Vec<_>, Vec<_>) = members.partition(|node| network.addresses_of(node).is_empty());
    if lacking.is_empty() {
        return;
    }
    let known = known
        .into_iter()
        .chain(network.nodes().into_iter().filter(|node| network.committee.place(node).is_none()));
    let mut asking = JoinSet::new();
    for wanted in lacking.chunks(HINTS_MAX) {
        let wanted = Bounded::new(wanted.to_vec()).expect("counted");
        for node in known.clone().take(LEARN_FROM) {
            let (net, network) = (net.clone(), network.clone());
            let query = PeersQuery { listening: Bounded::default(), wanted: Bounded::clone(&wanted) };
            asking.spawn(async move { ask::peers(&net, &network, &node, query).await });
        }
    }
    let mut found = false;
    while let Some(answer) = asking.join_next().await {
        match answer.expect("asking does not panic") {
            Ok(peers) => {
                found |= !peers.peer.is_empty();
                network.hear(peers);
            }
            Err(error) => tracing::debug!(%error, "nobody says where members listen"),
        }
        // One good answer is enough.
        if lacking.iter().all(|node| !network.addresses_of(node).is_empty()) {
            break;
        }
    }
    if found {
        settings::note_addresses(network);
    }
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
