//! What the ledger of a network on one machine begins with: every node decides, and a faucet gives money to whoever asks.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use holdfast_client::keystore::AccountKey;
use holdfast_core::codec::Bounded;
use holdfast_core::id::{Amount, NodeId};
use holdfast_ledger::account::AccountId;
use holdfast_ledger::genesis::{Allotment, Contents, Owner};
use holdfast_ledger::params::Params;
use holdfast_ledger::units::FFG;
use holdfast_node::folder::{NodeConfig, NodeFolder};
use holdfast_proofs::genesis::{Authority, BLOCK_MS_MAX, LedgerPart, Weight};
use holdfast_proofs::profile::Profile;

use crate::failure::{Exit, Failure};

/// How fast a network on one machine goes.
#[derive(Clone, Copy, Debug)]
pub(in crate::commands) struct Speed {
    /// Seconds of an epoch.
    pub(super) epoch_seconds: u64,
    /// Time from block to block.
    block_ms: u32,
}

impl Default for Speed {
    /// Blocks that nobody waits for, and epochs that people see change.
    fn default() -> Self {
        Self { epoch_seconds: 60, block_ms: 1000 }
    }
}

impl Speed {
    /// The default, but for what is named.
    pub(super) fn of(block: Option<Duration>, epoch: Option<Duration>) -> Result<Self, Failure> {
        let usage = |message: String| Failure::new(Exit::Usage, "net.speed", message);
        let mut speed = Self::default();
        if let Some(block) = block {
            let known = u32::try_from(block.as_millis()).ok().filter(|ms| (1..=BLOCK_MS_MAX).contains(ms));
            speed.block_ms =
                known.ok_or_else(|| usage(format!("--block takes 1ms to {}s", BLOCK_MS_MAX / 1000)))?;
        }
        if let Some(epoch) = epoch {
            if epoch.as_secs() == 0 {
                return Err(usage("--epoch takes at least 1s".to_owned()));
            }
            speed.epoch_seconds = epoch.as_secs();
        }
        Ok(speed)
    }
}

/// What the faucet has.
const FAUCET: Amount = Amount(10_000_000 * FFG.0);
/// What the owner of each node has, for fees of what a node reports.
const OWNER: Amount = Amount(1000 * FFG.0);

/// Draws the faucet's key into the network's folder, and describes the ledger's beginning.
pub(super) fn contents(dir: &Path, folders: &[NodeFolder], profile: Profile) -> Result<Contents, Failure> {
    let failed = |error: std::io::Error| Failure::local("could not make the faucet", &error);
    let faucet = AccountKey::draw().map_err(failed)?;
    holdfast_store::write_secret(&dir.join("faucet.key"), faucet.to_text().as_bytes()).map_err(failed)?;

    let owner = |folder: &NodeFolder| -> Result<(NodeId, AccountId), Failure> {
        Ok((folder.member()?.node, folder.account()?.account()))
    };
    let mut owners = folders.iter().map(owner).collect::<Result<Vec<_>, _>>()?;
    owners.sort();
    let mut allotments: Vec<_> =
        owners.iter().map(|(_, account)| Allotment { account: *account, amount: OWNER }).collect();
    allotments.push(Allotment { account: faucet.account(), amount: FAUCET });
    allotments.sort_by_key(|allotment| allotment.account);
    let owners = owners.into_iter().map(|(node, account)| Owner { node, account }).collect();
    let profiles = Bounded::new(vec![profile]).expect("one profile");
    Ok(Contents {
        params: Params { profiles, ..Params::default() },
        owners: Bounded::new(owners).expect("few nodes"),
        allotments: Bounded::new(allotments).expect("few nodes"),
    })
}

/// How a node of such a network is configured: it asks for no payment, and tells everybody on this machine what it knows.
pub(super) fn node_config() -> NodeConfig {
    let listen_api = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    NodeConfig { unpaid: true, listen_api, ..NodeConfig::default() }
}

/// What genesis holds of it.
pub(super) fn part(contents: &Contents, speed: Speed) -> LedgerPart {
    let authority = |owner: &Owner| Authority { node: owner.node, weight: Weight::ONE };
    let authorities = contents.owners.iter().map(authority).collect();
    LedgerPart {
        block_ms: speed.block_ms,
        authorities: Bounded::new(authorities).expect("few nodes"),
        contents: contents.hash(),
    }
}
