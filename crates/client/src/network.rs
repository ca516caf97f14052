//! What a client must know of a network, as a folder.
//!
//! | name | content |
//! |---|---|
//! | `genesis` | the founding object; its hash is the network id |
//! | `genesis.proofs` | possession proofs of its members |
//! | `peers.toml` | where members listen: unsigned hints |
//!
//! Whoever uses a network learns more of where nodes listen, and tells all copies of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use holdfast_core::id::{NetworkId, NodeId};
use holdfast_net::{Multiaddr, PeerId};
use holdfast_proofs::bundle::CommitteeProof;
use holdfast_proofs::committee::Committee;
use holdfast_proofs::genesis::{Genesis, GenesisError, GenesisProofs, ProofsError};
use holdfast_proofs::light::Handover;

mod addresses;

use addresses::Addresses;
pub use addresses::{PeerEntry, Peers};

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
    addresses: Arc<RwLock<Addresses>>,
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
        let network =
            Self { genesis, proofs, committee, standing: Standing::default(), addresses: Arc::default() };
        network.reload_addresses(folder)?;
        Ok(network)
    }

    /// Reads anew where members listen, for all copies of this network.
    ///
    /// # Errors
    /// If `peers.toml` cannot be used; then the addresses stay as they were.
    pub fn reload_addresses(&self, folder: &Path) -> Result<(), NetworkError> {
        let hints = Peers::load(folder)?;
        self.write().set_hints(hints);
        Ok(())
    }

    /// A node says, for all copies of this network, where it listens.
    pub fn tell(&self, node: NodeId, peer: PeerId, addresses: Vec<Multiaddr>) {
        self.write().tell(node, peer, addresses);
    }

    /// Somebody says it of others.
    pub fn hear(&self, Peers { peer }: Peers) {
        let mut known = self.write();
        peer.into_iter().for_each(|entry| known.hear(entry));
    }

    /// The ledger names the peer id of a node, which need not be a member.
    pub fn know(&self, node: NodeId, peer: PeerId) {
        self.write().know(node, peer);
    }

    /// The network's name.
    pub fn id(&self) -> &NetworkId {
        self.committee.network()
    }

    /// Where a node listens, as far as is known.
    pub fn addresses_of(&self, node: &NodeId) -> Vec<Multiaddr> {
        self.read().of(node)
    }

    /// How to reach a node, member or not; without addresses if none is known.
    pub fn find(&self, node: &NodeId) -> Option<(PeerId, Vec<Multiaddr>)> {
        if let Some(place) = self.committee.place(node) {
            return self.reach(place);
        }
        let known = self.read();
        Some((known.peer(node)?, known.of(node)))
    }

    /// All who can be asked: the members, then others whose addresses are known.
    pub fn nodes(&self) -> Vec<NodeId> {
        let known = self.read();
        let others = known.nodes().into_iter().filter(|node| known.peer(node).is_some());
        let others = others.filter(|node| self.committee.place(node).is_none());
        self.committee.members().iter().map(|member| member.node).chain(others).collect()
    }

    /// Everything that is known of where nodes listen, for those who know less.
    pub fn peers(&self) -> Peers {
        let entry = |node: NodeId| {
            let (peer, addresses) = self.find(&node)?;
            (!addresses.is_empty()).then_some(PeerEntry { node, peer: Some(peer), addresses })
        };
        Peers { peer: self.nodes().into_iter().filter_map(entry).collect() }
    }

    fn read(&self) -> RwLockReadGuard<'_, Addresses> {
        self.addresses.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Addresses> {
        self.addresses.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// How to reach the member at a place of the committee; without addresses if none is known.
    pub fn reach(&self, place: usize) -> Option<(PeerId, Vec<Multiaddr>)> {
        let member = &self.committee.members()[place];
        let peer = member.peer.as_str().parse().ok()?;
        Some((peer, self.addresses_of(&member.node)))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, NetworkError> {
    fs::read(path).map_err(|source| NetworkError::File { path: path.into(), source })
}
