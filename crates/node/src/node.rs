//! Starting, running and stopping a provider.

use std::path::PathBuf;
use std::sync::Arc;

use holdfast_core::id::NodeId;
use holdfast_net::{Multiaddr, Net, StartError, key, multiaddr};
use holdfast_proofs::committee::Committee;
use holdfast_proofs::genesis::{Genesis, GenesisError, GenesisProofs, ProofsError};
use holdfast_store::store::{PutError, Store};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::folder::{FolderError, NodeFolder};
use crate::provider::{self, Provider};
use crate::trusted::{Trusted, TrustedError};

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
    /// A file of the network cannot be read.
    #[error("could not read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The genesis is refused.
    #[error("the network's genesis is refused")]
    Genesis(#[from] GenesisError),
    /// The possession proofs are refused.
    #[error("the network's possession proofs are refused")]
    Proofs(#[from] ProofsError),
    /// The enclave's keys are not those of a member.
    #[error("node {node} is no member of this network")]
    NotAMember {
        /// The node.
        node: NodeId,
    },
    /// The enclave.
    #[error(transparent)]
    Trusted(#[from] TrustedError),
    /// The store.
    #[error("could not open the store")]
    Store(#[from] PutError),
    /// The network.
    #[error(transparent)]
    Net(#[from] StartError),
}

/// Runs the node in `folder` until `stop` is cancelled. `ready` is called once, when it serves.
///
/// # Errors
/// If it cannot start. What happens to single streams while it runs is logged, not returned.
pub async fn run(
    folder: NodeFolder,
    stop: CancellationToken,
    ready: impl FnOnce(&Multiaddr),
) -> Result<(), NodeError> {
    let config = folder.config()?;
    let _lock = folder.lock()?;
    let network = folder.path().join(config.network.ok_or(NodeError::NoNetwork)?);
    let committee = load_committee(&network)?;
    let trusted = Trusted::start(&folder.enclave())?;
    let node = trusted.identity().node;
    if committee.place(&node).is_none() {
        return Err(NodeError::NotAMember { node });
    }
    let store = Store::open(&folder.file("store"), config.quota_bytes)?;
    let key_path = folder.file("peer.key");
    let key = key::load_or_create(&key_path).map_err(|source| NodeError::Read { path: key_path, source })?;
    let net = listen(&folder, key, &config.listen).await?;

    let usage = store.usage();
    tracing::info!(node = %node.short(), pieces = usage.pieces, bytes = usage.bytes, "serving");
    let provider = Arc::new(Provider::new(committee, node, store, trusted));
    let tasks = TaskTracker::new();
    let protocols = provider::serve(&provider, &net, &stop, &tasks);
    let address = net.listening().first().expect("it listens on one address").clone();
    folder.write_address(&address)?;
    ready(&address);

    stop.cancelled().await;
    tracing::info!("stopping");
    drop(protocols);
    tasks.close();
    tasks.wait().await;
    Ok(())
}

fn load_committee(network: &std::path::Path) -> Result<Committee, NodeError> {
    let read = |name: &str| {
        let path = network.join(name);
        std::fs::read(&path).map_err(|source| NodeError::Read { path, source })
    };
    let genesis = Genesis::from_bytes(&read("genesis")?)?;
    let proofs = GenesisProofs::from_bytes(&read("genesis.proofs")?)?;
    Ok(Committee::new(&genesis, &proofs)?)
}

/// Listens as configured; where any port will do, on the port of the last time if it is free.
async fn listen(
    folder: &NodeFolder,
    key: holdfast_net::Keypair,
    configured: &Multiaddr,
) -> Result<Net, NodeError> {
    let any_port = configured.iter().any(|part| part == multiaddr::Protocol::Tcp(0));
    if let Some(last) = folder.address().filter(|_| any_port) {
        match Net::start(key.clone(), std::slice::from_ref(&last)).await {
            Ok(net) => return Ok(net),
            Err(error) => tracing::info!(%last, %error, "the last address is taken; using another port"),
        }
    }
    Ok(Net::start(key, std::slice::from_ref(configured)).await?)
}
