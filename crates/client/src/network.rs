//! What a client must know of a network, as a folder.
//!
//! | name | content |
//! |---|---|
//! | `genesis` | the founding object; its hash is the network id |
//! | `genesis.proofs` | possession proofs of its members |
//! | `peers.toml` | where members listen: unsigned hints |

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use holdfast_core::id::{NetworkId, NodeId};
use holdfast_net::{Multiaddr, PeerId};
use holdfast_proofs::bundle::CommitteeProof;
use holdfast_proofs::committee::Committee;
use holdfast_proofs::genesis::{Genesis, GenesisError, GenesisProofs, ProofsError};
use holdfast_proofs::light::Handover;
use serde::{Deserialize, Serialize};

/// Why a network cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// A file cannot be read or written.
    #[error("could not use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The genesis is refused.
    #[error("genesis {} is refused", path.display())]
    Genesis {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: GenesisError,
    },
    /// The possession proofs are refused.
    #[error("possession proofs {} are refused", path.display())]
    Proofs {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: ProofsError,
    },
    /// The addresses cannot be read.
    #[error("{}: {why}", path.display())]
    Peers {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// `peers.toml`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peers {
    /// One entry per node whose address is known.
    #[serde(default)]
    pub peer: Vec<PeerEntry>,
}

/// Where one member listens.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerEntry {
    /// Its node id.
    pub node: NodeId,
    /// Its addresses.
    pub addresses: Vec<Multiaddr>,
}

/// A network that a client can use.
#[derive(Clone, Debug)]
pub struct Network {
    /// The founding object.
    pub genesis: Genesis,
    /// Its possession proofs.
    pub proofs: GenesisProofs,
    /// The newest committee that is known, whose members have all shown possession: that of epoch 0, until the ledger is asked
    /// ([`crate::ledger`]).
    pub committee: Committee,
    /// What shows a stranger that it is the committee of its epoch.
    pub standing: Standing,
    /// Shared by all copies, so that whoever learns of a new address tells everybody.
    addresses: Arc<RwLock<BTreeMap<NodeId, Vec<Multiaddr>>>>,
}

/// A committee's place in the ledger, for bundles. Empty for epoch 0, whose committee follows from genesis.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// Its record under a header.
    pub proof: Option<CommitteeProof>,
    /// Changes of validators from genesis to that header.
    pub handovers: Vec<Handover>,
}

impl Network {
    /// Loads a network's folder and checks everything in it.
    ///
    /// # Errors
    /// See [`NetworkError`].
    pub fn load(folder: &Path) -> Result<Self, NetworkError> {
        let path = folder.join("genesis");
        let genesis =
            Genesis::from_bytes(&read(&path)?).map_err(|source| NetworkError::Genesis { path, source })?;
        let path = folder.join("genesis.proofs");
        let refused = |source| NetworkError::Proofs { path: path.clone(), source };
        let proofs = GenesisProofs::from_bytes(&read(&path)?).map_err(refused)?;
        let committee = Committee::new(&genesis, &proofs).map_err(refused)?;
        let addresses = Arc::new(RwLock::new(Peers::load(folder)?.addresses()));
        Ok(Self { genesis, proofs, committee, standing: Standing::default(), addresses })
    }

    /// Reads anew where members listen, for all copies of this network.
    ///
    /// # Errors
    /// If `peers.toml` cannot be used; then the addresses stay as they were.
    pub fn reload_addresses(&self, folder: &Path) -> Result<(), NetworkError> {
        let addresses = Peers::load(folder)?.addresses();
        *self.addresses.write().unwrap_or_else(PoisonError::into_inner) = addresses;
        Ok(())
    }

    /// The network's name.
    pub fn id(&self) -> &NetworkId {
        self.committee.network()
    }

    /// Where a node listens, as far as is known.
    pub fn addresses_of(&self, node: &NodeId) -> Vec<Multiaddr> {
        let addresses = self.addresses.read().unwrap_or_else(PoisonError::into_inner);
        addresses.get(node).cloned().unwrap_or_default()
    }

    /// How to reach the member at a place of the committee; without addresses if none is known.
    pub fn reach(&self, place: usize) -> Option<(PeerId, Vec<Multiaddr>)> {
        let member = &self.committee.members()[place];
        let peer = member.peer.as_str().parse().ok()?;
        Some((peer, self.addresses_of(&member.node)))
    }
}

impl Peers {
    /// Reads `peers.toml` in a network's folder; a missing file is no addresses.
    ///
    /// # Errors
    /// If it cannot be read or has unknown or malformed entries.
    pub fn load(folder: &Path) -> Result<Self, NetworkError> {
        let path = folder.join("peers.toml");
        match fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text)
                .map_err(|error| NetworkError::Peers { path, why: error.message().to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(NetworkError::File { path, source }),
        }
    }

    fn addresses(self) -> BTreeMap<NodeId, Vec<Multiaddr>> {
        self.peer.into_iter().map(|entry| (entry.node, entry.addresses)).collect()
    }

    /// Writes `peers.toml` into a network's folder, in one step.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), NetworkError> {
        let path = folder.join("peers.toml");
        let text = toml::to_string(self).expect("addresses are plain data");
        holdfast_store::write_file(&path, text.as_bytes())
            .map_err(|source| NetworkError::File { path, source })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, NetworkError> {
    fs::read(path).map_err(|source| NetworkError::File { path: path.into(), source })
}
