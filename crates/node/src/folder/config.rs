//! `node.toml`: what people say about a node.

use std::net::SocketAddr;
use std::path::PathBuf;

use holdfast_net::Multiaddr;
use holdfast_net::multiaddr::Protocol;
use holdfast_proofs::checkpoint::Checkpoint;
use serde::{Deserialize, Serialize};

/// `node.toml`.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// Where to listen. Port 0 takes any free port at the first start and the same one afterwards.
    pub listen: Multiaddr,
    /// Where to listen for links, which carry pieces and blocks. By default the same address as `listen`, on the next
    /// port, or on any port if that listens on any.
    pub listen_links: Option<Multiaddr>,
    /// Where others reach this node, if that is not where it listens: behind a router, or where it listens everywhere. One
    /// address for questions, and one that ends in `/tls` for links.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub announce: Vec<Multiaddr>,
    /// Bytes that pieces may take.
    pub quota_bytes: u64,
    /// Folder of the network (`genesis` and `genesis.proofs`), absolute or relative to the node's folder.
    pub network: Option<PathBuf>,
    /// On a network with a ledger: where the HTTP API listens, without any check of who asks. Nowhere if it is not set.
    #[serde(default)]
    pub listen_api: Option<SocketAddr>,
    /// On a network with a ledger: pieces are kept without an order as well, for as long as is asked.
    #[serde(default)]
    pub unpaid: bool,
    /// On a network with a ledger: only so many of the last blocks are kept, at least [`KEEP_BLOCKS_MIN`]; all headers stay.
    /// By default blocks are kept for good.
    pub keep_blocks: Option<u64>,
    /// On a network with a ledger: a node that begins fetches and executes all blocks. By default it begins with the state
    /// of others where that is much less work, and has the blocks from there on.
    #[serde(default)]
    pub archive: bool,
    /// On a network with a ledger: `HEIGHT:VALIDATORS`, a [`Checkpoint`] that somebody trustworthy told. Blocks and states
    /// that contradict it are refused.
    #[serde(default, with = "checkpoint_text", skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpoint>,
}

mod checkpoint_text {
    use holdfast_proofs::checkpoint::Checkpoint;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        value: &Option<Checkpoint>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(checkpoint) => serializer.collect_str(checkpoint),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Checkpoint>, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map(Some).map_err(|error| D::Error::custom(holdfast_core::explain(&error)))
    }
}

/// Fewest blocks that a node may keep: others that were off for as long shall find them.
pub const KEEP_BLOCKS_MIN: u64 = 1024;

impl NodeConfig {
    /// Itself, unless settings contradict each other.
    pub(super) fn checked(self) -> Result<Self, String> {
        match self.keep_blocks {
            Some(keep) if keep < KEEP_BLOCKS_MIN => {
                Err(format!("keep_blocks is {keep}; a node keeps at least {KEEP_BLOCKS_MIN} blocks"))
            }
            Some(_) if self.archive => {
                Err("an archive keeps all blocks; take out `archive` or `keep_blocks`".to_owned())
            }
            _ => Ok(self),
        }
    }

    /// Where to listen for links.
    pub fn links(&self) -> Multiaddr {
        self.listen_links.clone().unwrap_or_else(|| {
            let beside = |part| match part {
                Protocol::Tcp(0) => Protocol::Tcp(0),
                Protocol::Tcp(port) => Protocol::Tcp(port.checked_add(1).unwrap_or(0)),
                other => other,
            };
            self.listen.iter().map(beside).collect::<Multiaddr>().with(Protocol::Tls)
        })
    }
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            listen: "/ip4/127.0.0.1/tcp/0".parse().expect("a valid address"),
            listen_links: None,
            announce: Vec::new(),
            quota_bytes: 100 << 30,
            network: None,
            listen_api: None,
            unpaid: false,
            keep_blocks: None,
            archive: false,
            checkpoint: None,
        }
    }
}
