//! Starting, running and stopping a provider.

use std::path::PathBuf;
use std::sync::Arc;

use holdfast_client::network::{Network, NetworkError};
use holdfast_core::id::NodeId;
use holdfast_net::link::{Listener, is_for_links};
use holdfast_net::{Keypair, Multiaddr, Net, StartError, key, multiaddr};
use holdfast_store::store::{OpenError, Store};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::folder::{FolderError, NodeConfig, NodeFolder};
use crate::ledger::committees::Committees;
use crate::ledger::{self, Around, LedgerError};
use crate::provider::members::Members;
use crate::provider::pull::{Puller, Pulls};
use crate::provider::{self, Provider};
use crate::signer::Signer;
use crate::trusted::{Trusted, TrustedError};
use crate::upkeep;
use crate::whereabouts::Whereabouts;

/// Why a node could not run.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Its folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// It belongs to no network yet.
    #[error(
        "the node belongs to no network yet: run `holdfast node prove` first, or set `network` in node.toml"
    )]
    NoNetwork,
    /// Its peer key cannot be used.
    #[error("could not use {}", path.display())]
    Key {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The network cannot be used.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The enclave's keys are not those of a member.
    #[error("node {node} is no member of this network")]
    NotAMember {
        /// The node.
        node: NodeId,
    },
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The enclave.
    #[error(transparent)]
    Trusted(#[from] TrustedError),
    /// The store.
    #[error("could not open the store")]
    Store(#[from] OpenError),
    /// It cannot listen.
    #[error(transparent)]
    Net(#[from] StartError),
    /// The system gives no thread.
    #[error("could not start a thread")]
    Thread(#[source] std::io::Error),
}

/// Runs the node in `folder` until `stop` is cancelled. `ready` is called once, when it serves, with its addresses.
///
/// # Errors
/// If it cannot start. What happens to single conversations while it runs is logged, not returned.
pub async fn run(
    folder: NodeFolder,
    stop: CancellationToken,
    ready: impl FnOnce(&[Multiaddr]),
) -> Result<(), NodeError> {
    let config = folder.config()?;
    let _lock = folder.lock()?;
    let network_folder = folder.path().join(config.network.as_ref().ok_or(NodeError::NoNetwork)?);
    let network = Network::load(&network_folder)?;
    let trusted = Arc::new(Trusted::start(&folder.enclave())?);
    let node = trusted.identity().node;
    let path = folder.file("peer.key");
    let key = key::load_or_create(&path).map_err(|source| NodeError::Key { path, source })?;
    let (net, listener) = listen(&folder, &key, &config).await?;
    let ledger = match network.genesis.ledger {
        Some(_) => {
            let path = folder.file("ledger");
            let opened = ledger::open(path, &net, &network, &network_folder, (&node, &config));
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                opened = opened => Some(opened?),
            }
        }
        None if network.committee.place(&node).is_none() => return Err(NodeError::NotAMember { node }),
        None => None,
    };
    let members = match &ledger {
        Some(ledger) => Members::Ledger { ledger: ledger.clone(), unpaid: config.unpaid },
        None => Members::Only(Arc::new(Committees::only(network.committee.clone()))),
    };
    let signer = Signer::start(trusted.clone(), *network.id()).map_err(NodeError::Thread)?;
    let store = Store::open(&folder.file("store"), config.quota_bytes)?;

    let usage = store.usage();
    tracing::info!(node = %node.short(), pieces = usage.pieces, bytes = usage.bytes, "serving");
    let (pulls, wanted) = Pulls::new();
    let provider = Arc::new(Provider { members, node, store, signer, pulls, network: network.clone() });
    let addresses = [net.listening(), std::slice::from_ref(listener.address())].concat();
    let tasks = TaskTracker::new();
    let protocols = provider::serve(&provider, &net, listener, &stop, &tasks);
    tasks.spawn(upkeep::run(provider.clone(), stop.clone()));
    if let Some(ledger) = ledger {
        let (net, network, path) = (net.clone(), network.clone(), network_folder.clone());
        let around = Around { ledger, trusted, node, net, network, folder: path };
        ledger::start(around, (&folder, &config), &tasks, &stop).await?;
    }
    let announced = if config.announce.is_empty() { addresses.clone() } else { config.announce };
    let whereabouts = Whereabouts::new(provider.clone(), net.clone(), &folder, announced);
    tasks.spawn(whereabouts.run(stop.clone()));
    let puller = Puller::new(provider.clone(), net.clone(), network, network_folder);
    tasks.spawn(puller.run(wanted, stop.clone()));
    folder.write_addresses(&addresses)?;
    ready(&addresses);

    stop.cancelled().await;
    tracing::info!("stopping");
    drop(protocols);
    tasks.close();
    tasks.wait().await;
    Ok(())
}

/// Listens as configured; where any port will do, on the port of the last time if it is free.
async fn listen(
    folder: &NodeFolder,
    key: &Keypair,
    config: &NodeConfig,
) -> Result<(Net, Listener), NodeError> {
    let (last, links) = (folder.addresses(), config.links());
    let any_port = |address: &Multiaddr| address.iter().any(|part| part == multiaddr::Protocol::Tcp(0));
    let before = |configured: &Multiaddr, links: bool| {
        let last = last.iter().find(|address| is_for_links(address) == links);
        last.filter(|_| any_port(configured)).cloned()
    };
    let start_net = async |address: Multiaddr| Net::start(key.clone(), &[address]).await;
    let net = on_last_or(before(&config.listen, false), &config.listen, start_net).await?;
    let start_links = async |address: Multiaddr| Listener::start(key, &address).await;
    let listener = on_last_or(before(&links, true), &links, start_links).await?;
    Ok((net, listener))
}

/// Starts on the address of the last time if there is one and it is free, else on the configured one.
async fn on_last_or<T>(
    last: Option<Multiaddr>,
    configured: &Multiaddr,
    start: impl AsyncFn(Multiaddr) -> Result<T, StartError>,
) -> Result<T, StartError> {
    if let Some(address) = last {
        match start(address.clone()).await {
            Ok(started) => return Ok(started),
            Err(error) => tracing::info!(%address, %error, "the last address is taken; using another port"),
        }
    }
    start(configured.clone()).await
}
