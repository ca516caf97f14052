//! A network with a ledger in one process, whose secrets are known, for the tests of this crate and of those above it.
//!
//! Its members serve the chain protocol from one ledger in memory that grows by itself ([`chain`]), and sign for every piece
//! that they are sent, of which they keep nothing but its root ([`provider`]).

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use holdfast_core::codec::{self, Text};
use holdfast_core::id::Timestamp;
use holdfast_ledger::params::Params;
use holdfast_ledger::testing::{self as ledger, TestChain, TestLedger};
use holdfast_net::link::Listener;
use holdfast_net::{Keypair, Net};
use holdfast_proofs::testing::{self as proofs, TestNetwork};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::keystore::AccountKey;
use crate::network::{Network, PeerEntry, Peers};

pub mod chain;
pub mod provider;

pub use chain::StubChain;

/// Members of the network.
pub const MEMBERS: u8 = 4;
/// Time from block to block.
const BLOCK_MS: u32 = 100;

/// A network whose members run until this is dropped.
pub struct StubNetwork {
    folder: TempDir,
    chain: Arc<Mutex<StubChain>>,
    _tasks: JoinSet<()>,
}

impl StubNetwork {
    /// Starts a network with epochs of so many seconds.
    pub async fn start(params: Params, epoch_seconds: u64) -> Self {
        let (mut members, mut nets, mut listeners, mut peers) =
            (Vec::new(), Vec::new(), Vec::new(), Peers::default());
        for number in 1..=MEMBERS {
            let key = Keypair::generate_ed25519();
            let mut member = proofs::member(number);
            member.peer = Text::new(key.public().to_peer_id().to_string()).unwrap();
            let listener = Listener::start(&key, &"/ip4/127.0.0.1/tcp/0/tls".parse().unwrap()).await.unwrap();
            let net = Net::start(key, &["/ip4/127.0.0.1/tcp/0".parse().unwrap()]).await.unwrap();
            let addresses = [net.listening(), &[listener.address().clone()]].concat();
            peers.peer.push(PeerEntry { node: member.node, peer: None, addresses });
            members.push(member);
            nets.push((number, net));
            listeners.push((number, listener));
        }
        let contents = ledger::contents(MEMBERS, params);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let times = (Timestamp(now), Timestamp(now + epoch_seconds));
        let network = TestNetwork::with_ledger_from(members, times, BLOCK_MS, contents.hash());
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("genesis"), network.genesis.to_bytes()).unwrap();
        fs::write(folder.path().join("genesis.proofs"), codec::encode(&network.proofs)).unwrap();
        fs::write(folder.path().join("ledger"), contents.to_bytes()).unwrap();
        fs::write(folder.path().join("faucet.key"), rich().to_text().as_bytes()).unwrap();
        peers.save(folder.path()).unwrap();

        let test = TestLedger::over(network, contents);
        let id = test.network.genesis.network();
        let chain = Arc::new(Mutex::new(StubChain::new(TestChain::of(test))));
        let held = provider::Held::default();
        let mut tasks = JoinSet::new();
        for (number, net) in nets {
            tasks.spawn(chain::serve(chain.clone(), net.clone()));
            tasks.spawn(provider::answer(number, held.clone(), net));
        }
        for (number, listener) in listeners {
            tasks.spawn(provider::serve(number, id, held.clone(), listener));
        }
        let growing = chain.clone();
        tasks.spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(BLOCK_MS.into())).await;
                growing.lock().unwrap().grow();
            }
        });
        Self { folder, chain, _tasks: tasks }
    }

    /// The network's folder, as clients use it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The network, as a client knows it at first.
    pub fn network(&self) -> Network {
        Network::load(self.folder.path()).unwrap()
    }

    /// The ledger.
    pub fn chain(&self) -> MutexGuard<'_, StubChain> {
        self.chain.lock().unwrap()
    }
}

/// The key of the account that has a thousand FFG.
pub fn rich() -> AccountKey {
    AccountKey::from_seed(&ledger::rich().to_seed())
}
