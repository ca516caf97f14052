//! `node.toml`: what people say about a node.

use std::net::SocketAddr;
use std::path::PathBuf;

use holdfast_chain::MEMORY_BYTES;
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
    /// On a network with a ledger: memory that it may take, in bytes, at least [`LEDGER_MEMORY_BYTES_MIN`]. The cost of a
    /// block grows with the state where the state is far larger than this.
    #[serde(default = "ledger_memory_bytes")]
    pub ledger_memory_bytes: u64,
    /// On a network with a ledger: a node that begins fetches and executes all blocks. By default it begins with the state
    /// of others where that is much less work, and has the blocks from there on.
    #[serde(default)]
    pub archive: bool,
    /// On a network with a ledger: `HEIGHT:VALIDATORS`, a [`Checkpoint`] that somebody trustworthy told. Blocks and states
    /// that contradict it are refused.
    #[serde(default, with = "checkpoint_text", skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpoint>,
}

fn ledger_memory_bytes() -> u64 {
    MEMORY_BYTES as u64
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

/// Least memory that a ledger works with at all, 16 MiB.
pub const LEDGER_MEMORY_BYTES_MIN: u64 = 16 << 20;

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
            _ if self.ledger_memory_bytes < LEDGER_MEMORY_BYTES_MIN => Err(format!(
                "ledger_memory_bytes is {}; a ledger takes at least {LEDGER_MEMORY_BYTES_MIN}",
                self.ledger_memory_bytes
            )),
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
            ledger_memory_bytes: ledger_memory_bytes(),
            archive: false,
            checkpoint: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{KEEP_BLOCKS_MIN, LEDGER_MEMORY_BYTES_MIN, NodeConfig};

    #[test]
    fn settings_below_what_a_ledger_works_with_are_refused() {
        let default = NodeConfig::default;
        let least = NodeConfig {
            keep_blocks: Some(KEEP_BLOCKS_MIN),
            ledger_memory_bytes: LEDGER_MEMORY_BYTES_MIN,
            ..default()
        };
        assert_eq!(least.clone().checked(), Ok(least));
        let short = NodeConfig { keep_blocks: Some(KEEP_BLOCKS_MIN - 1), ..default() };
        assert!(short.checked().unwrap_err().starts_with("keep_blocks is 1023;"));
        let small = NodeConfig { ledger_memory_bytes: LEDGER_MEMORY_BYTES_MIN - 1, ..default() };
        assert!(small.checked().unwrap_err().starts_with("ledger_memory_bytes is 16777215;"));
    }

    #[test]
    fn a_file_from_before_a_setting_has_its_default() {
        let text = "listen = \"/ip4/127.0.0.1/tcp/0\"\nquota_bytes = 107374182400\n";
        assert_eq!(toml::from_str::<NodeConfig>(text).unwrap(), NodeConfig::default());
    }
}
