//! Where nodes listen. Nobody signs that, and nobody need believe it: whoever answers at an address shows who it is, so that a
//! wrong one costs a dial and nothing more.
//!
//! Three sources, the best first: what a node said of itself, hints in the network's folder, and what others say of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use holdfast_core::id::NodeId;
use holdfast_net::{Multiaddr, PeerId};
use serde::{Deserialize, Serialize};

use super::NetworkError;

/// Nodes of which others told us: all members of two committees.
const HEARD_MAX: usize = 2048;

/// `peers.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peers {
    /// One entry per node whose address is known.
    #[serde(default)]
    pub peer: Vec<PeerEntry>,
}

/// Where one node listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerEntry {
    /// Its node id.
    pub node: NodeId,
    /// Its host's libp2p peer id. Without it only members can be reached, whose peer ids the committee record names.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "peer_text")]
    pub peer: Option<PeerId>,
    /// Its addresses.
    pub addresses: Vec<Multiaddr>,
}

/// A peer id in its text form.
mod peer_text {
    use holdfast_net::PeerId;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(peer: &Option<PeerId>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&peer.as_ref().map(ToString::to_string).unwrap_or_default())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<PeerId>, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Some).map_err(|error| D::Error::custom(format!("no peer id: {error}")))
    }
}

impl Peers {
    /// Reads `peers.toml` in a folder; a missing file is no addresses.
    ///
    /// # Errors
    /// If it cannot be read or has unknown or malformed entries.
    pub fn load(folder: &Path) -> Result<Self, NetworkError> {
        Self::read(&folder.join("peers.toml"))
    }

    /// The same of a file with another name.
    ///
    /// # Errors
    /// If it cannot be read or has unknown or malformed entries.
    pub fn read(path: &Path) -> Result<Self, NetworkError> {
        match fs::read_to_string(path) {
            Ok(text) => toml::from_str(&text)
                .map_err(|error| NetworkError::Peers { path: path.into(), why: error.message().to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(NetworkError::File { path: path.into(), source }),
        }
    }

    /// Writes `peers.toml` into a folder, in one step.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), NetworkError> {
        self.write(&folder.join("peers.toml"))
    }

    /// Writes a file with another name, in one step.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), NetworkError> {
        let text = toml::to_string(self).expect("addresses are plain data");
        holdfast_store::write_file(path, text.as_bytes())
            .map_err(|source| NetworkError::File { path: path.into(), source })
    }
}

/// What is known of where nodes listen.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    /// As a node itself said.
    told: BTreeMap<NodeId, Vec<Multiaddr>>,
    /// As the network's folder says.
    hints: BTreeMap<NodeId, Vec<Multiaddr>>,
    /// As others said, or was known earlier.
    heard: BTreeMap<NodeId, Vec<Multiaddr>>,
    /// Peer ids, also of nodes that are no members.
    peers: BTreeMap<NodeId, PeerId>,
}

impl Addresses {
    pub(super) fn set_hints(&mut self, Peers { peer }: Peers) {
        self.hints.clear();
        for PeerEntry { node, peer, addresses } in peer {
            self.peers.extend(peer.map(|peer| (node, peer)));
            self.hints.insert(node, addresses);
        }
    }

    pub(super) fn tell(&mut self, node: NodeId, peer: PeerId, addresses: Vec<Multiaddr>) {
        self.peers.insert(node, peer);
        self.told.insert(node, addresses);
    }

    pub(super) fn hear(&mut self, PeerEntry { node, peer, addresses }: PeerEntry) {
        if self.heard.len() < HEARD_MAX || self.heard.contains_key(&node) {
            if let Some(peer) = peer {
                self.peers.entry(node).or_insert(peer); // who knows better has said so
            }
            self.heard.insert(node, addresses);
        }
    }

    pub(super) fn know(&mut self, node: NodeId, peer: PeerId) {
        self.peers.insert(node, peer);
    }

    pub(super) fn peer(&self, node: &NodeId) -> Option<PeerId> {
        self.peers.get(node).copied()
    }

    pub(super) fn of(&self, node: &NodeId) -> Vec<Multiaddr> {
        let mut found = self.told.get(node).cloned().unwrap_or_default();
        for hint in self.hints.get(node).into_iter().flatten() {
            if !found.contains(hint) {
                found.push(hint.clone());
            }
        }
        if found.is_empty() {
            found = self.heard.get(node).cloned().unwrap_or_default();
        }
        found
    }

    /// Nodes whose addresses are known.
    pub(super) fn nodes(&self) -> BTreeSet<NodeId> {
        let all = self.told.keys().chain(self.hints.keys()).chain(self.heard.keys());
        all.copied().filter(|node| !self.of(node).is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> Multiaddr {
        format!("/ip4/192.0.2.1/tcp/{port}").parse().unwrap()
    }

    fn entry(node: NodeId, port: u16) -> PeerEntry {
        PeerEntry { node, peer: Some(PeerId::random()), addresses: vec![address(port)] }
    }

    #[test]
    fn what_a_node_says_of_itself_comes_first_and_what_others_say_last() {
        let node = NodeId::new([1; 32]);
        let mut known = Addresses::default();
        known.hear(entry(node, 3));
        assert_eq!(known.of(&node), [address(3)]);
        let hint = entry(node, 2);
        known.set_hints(Peers { peer: vec![hint.clone()] });
        assert_eq!(known.of(&node), [address(2)]);
        assert_eq!(known.peer(&node), hint.peer);
        known.tell(node, PeerId::random(), vec![address(1), address(2)]);
        assert_eq!(known.of(&node), [address(1), address(2)]);
        // Hints are replaced, and never what others said.
        known.set_hints(Peers::default());
        assert_eq!(known.of(&node), [address(1), address(2)]);
        assert_eq!(known.nodes(), BTreeSet::from([node]));
    }

    #[test]
    fn what_is_heard_has_a_bound() {
        let mut known = Addresses::default();
        for number in 0..HEARD_MAX as u64 + 10 {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&number.to_be_bytes());
            known.hear(entry(NodeId::new(id), 1));
        }
        assert_eq!((known.nodes().len(), known.peers.len()), (HEARD_MAX, HEARD_MAX));
    }

    #[test]
    fn a_file_with_and_without_peer_ids_is_read_and_written() {
        let folder = tempfile::tempdir().unwrap();
        let (one, mut other) = (entry(NodeId::new([1; 32]), 1), entry(NodeId::new([2; 32]), 2));
        other.peer = None;
        let peers = Peers { peer: vec![one, other] };
        peers.save(folder.path()).unwrap();
        assert_eq!(Peers::load(folder.path()).unwrap(), peers);
        let bad = format!("[[peer]]\nnode = \"{}\"\npeer = \"x\"\naddresses = []\n", "ab".repeat(32));
        fs::write(folder.path().join("peers.toml"), bad).unwrap();
        let why = Peers::load(folder.path()).unwrap_err().to_string();
        assert!(why.contains("no peer id"), "{why}");
    }
}
