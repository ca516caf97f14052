//! A connected client: the one place of this crate that calls the client library.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use holdfast_client::ledger::LedgerClient;
use holdfast_client::network::Network;
use holdfast_client::{ask, put};
use holdfast_core::explain;
use holdfast_net::{Keypair, Net};
use holdfast_protocol::dispersal::Wait;
use holdfast_protocol::put::Terms;
use holdfast_store::import::{ImportProfile, import};

use crate::ground::{BenchError, blocking};

/// A client with a connection to every node. Clones share the connections.
#[derive(Clone)]
pub struct Client {
    net: Net,
    network: Arc<Mutex<Network>>,
    ledger: Arc<tokio::sync::Mutex<LedgerClient>>,
    scratch: PathBuf,
}

impl Client {
    /// Connects to all nodes of the network in a folder; temporary files go to `scratch`.
    ///
    /// # Errors
    /// If the network cannot be used or a node does not answer.
    pub async fn connect(network: &Path, scratch: &Path) -> Result<Self, BenchError> {
        let refused = |error: &dyn std::error::Error| BenchError::Network(explain(error));
        let network = Network::load(network).map_err(|error| refused(&error))?;
        let net = Net::start(Keypair::generate_ed25519(), &[]).await.map_err(|error| refused(&error))?;
        for place in 0..network.committee.members().len() {
            ask::node(&net, &network, place).await.map_err(|error| refused(&error))?;
        }
        let ledger = LedgerClient::new(net.clone(), network.clone()).map_err(|error| refused(&error))?;
        let ledger = Arc::new(tokio::sync::Mutex::new(ledger));
        let client =
            Self { net, network: Arc::new(Mutex::new(network)), ledger, scratch: scratch.to_owned() };
        client.follow().await?;
        Ok(client)
    }

    /// Learns who keeps pieces in the running epoch. What it says holds for an epoch more.
    ///
    /// # Errors
    /// If the ledger cannot be asked.
    pub async fn follow(&self) -> Result<(), BenchError> {
        let mut ledger = self.ledger.lock().await;
        ledger.follow().await.map_err(|error| BenchError::Network(explain(&error)))?;
        *self.network.lock().unwrap_or_else(PoisonError::into_inner) = ledger.network().clone();
        Ok(())
    }

    /// Stores a file as `holdfast put --wait all` does, up to the checked certificate: the whole way from reading
    /// the file, but without handing the certificate to the slots afterwards.
    ///
    /// # Errors
    /// If not every slot signed.
    pub async fn put(&self, file: PathBuf) -> Result<(), BenchError> {
        let failed = |error: &dyn std::error::Error| BenchError::Put(explain(error));
        let scratch = self.scratch.clone();
        let plan = blocking(move || {
            let dag = import(&file, ImportProfile::UNIXFS_V1_2025, &scratch, &mut |_| ());
            dag.map_err(|error| failed(&error))?.plan().map_err(|error| failed(&error))
        });
        let plan = Arc::new(plan.await?);
        let network = self.network.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let profile = network.committee.record().profiles[0];
        let terms = Terms::without_ledger(&network.committee);
        let outcome = put::put(&self.net, &network, plan, profile, terms, Wait::All, |_| ()).await;
        let outcome = outcome.map_err(|error| failed(&error))?;
        let signed = outcome.certificate.as_ref().map_or(0, |certificate| certificate.signers().count());
        if signed < profile.n {
            let why = outcome.slots.iter().find_map(|(_, failure)| failure.as_ref().map(ToString::to_string));
            let why = why.unwrap_or_default();
            return Err(BenchError::Put(format!("{signed} of {} slots signed: {why}", profile.n)));
        }
        Ok(())
    }
}
