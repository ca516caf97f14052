//! Finding out where other nodes listen, and telling them where this one does.
//!
//! A node that joins knows a few others from the network's folder. It tells them its own addresses, which they believe because
//! the stream shows whose host it is, and asks for those of members it cannot reach yet. So all who are registered come to know
//! each other, and clients can ask any of them. What was found out is kept in the node's folder for its next start.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use holdfast_client::ask;
use holdfast_client::network::{Network, PeerEntry, Peers};
use holdfast_core::codec::{Bounded, Text};
use holdfast_core::id::NodeId;
use holdfast_net::{Multiaddr, Net, PeerId};
use holdfast_protocol::ask::{ADDRESSES_MAX, AddressText, HINTS_MAX, PeerHint, PeersQuery};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::folder::NodeFolder;
use crate::provider::{Provider, blocking};

/// How often the task looks whether there is somebody to ask: in memory, but for what changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Pause before a node is told and asked again. It doubles up to the last, which is for those who lost what they were told.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(600);
/// While addresses are lacking, nobody is left alone for longer.
const PAUSE_LACKING: Duration = Duration::from_secs(5);
/// Nodes asked at once.
const ASK_MAX: usize = 16;

/// When a node is asked next, and the pause after that.
struct Turn {
    next: Instant,
    pause: Duration,
}

/// The task.
pub(crate) struct Whereabouts {
    provider: Arc<Provider>,
    net: Net,
    /// The node's folder.
    folder: PathBuf,
    own: Vec<Multiaddr>,
    turns: BTreeMap<NodeId, Turn>,
    /// What the file holds.
    kept: Peers,
}

impl Whereabouts {
    /// A task that is still to be run, in a network whose addresses that were found out earlier are read now.
    pub(crate) fn new(provider: Arc<Provider>, net: Net, folder: &NodeFolder, own: Vec<Multiaddr>) -> Self {
        let folder = folder.path().to_owned();
        let kept = Peers::load(&folder).unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "not using the addresses known earlier");
            Peers::default()
        });
        provider.network.hear(kept.clone());
        provider.network.tell(provider.node, net.peer(), own.clone());
        Self { provider, net, folder, own, turns: BTreeMap::new(), kept }
    }

    /// Tells and asks until `stop` is cancelled.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let work = async {
            loop {
                self.look().await;
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = work => {}
        }
    }

    async fn look(&mut self) {
        let network = self.network_now();
        let lacks = |node: &NodeId| network.addresses_of(node).is_empty();
        let lacking: Vec<_> = network
            .committee
            .members()
            .iter()
            .map(|member| member.node)
            .filter(lacks)
            .take(HINTS_MAX)
            .collect();
        let now = Instant::now();
        let mut due = Vec::new();
        for node in network.nodes().into_iter().filter(|node| *node != self.provider.node && !lacks(node)) {
            let turn = self.turns.entry(node).or_insert(Turn { next: now, pause: PAUSE });
            if !lacking.is_empty() {
                turn.next = turn.next.min(now + PAUSE_LACKING);
            }
            if turn.next <= now && due.len() < ASK_MAX {
                turn.next = now + turn.pause;
                turn.pause = (turn.pause * 2).min(PAUSE_MAX);
                due.push(node);
            }
        }
        let query =
            PeersQuery { listening: texts(&self.own), wanted: Bounded::new(lacking).expect("counted") };
        let mut asking = JoinSet::new();
        for node in due {
            let (net, network, query) = (self.net.clone(), network.clone(), query.clone());
            asking.spawn(async move { (node, ask::peers(&net, &network, &node, query).await) });
        }
        for (node, answer) in asking.join_all().await {
            match answer {
                Ok(found) => network.hear(found),
                Err(error) => {
                    tracing::debug!(node = %node.short(), %error, "not told where this node listens");
                }
            }
        }
        self.keep(network.peers()).await;
    }

    /// The network with its running committee, whose peer ids are known to all copies from now on.
    fn network_now(&self) -> Network {
        let mut network = self.provider.network.clone();
        network.committee = self.provider.members.running().as_ref().clone();
        for member in network.committee.members() {
            if let Ok(peer) = member.peer.as_str().parse() {
                network.know(member.node, peer);
            }
        }
        network
    }

    /// Writes down what was found out, if it is new.
    async fn keep(&mut self, peers: Peers) {
        if peers == self.kept {
            return;
        }
        self.kept = peers.clone();
        let folder = self.folder.clone();
        if let Err(error) = blocking(move || peers.save(&folder)).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "could not write down addresses");
        }
    }
}

/// Answers where nodes listen, and notes where the asker does, if it is the host of a registered node.
pub(crate) fn answer(provider: &Provider, from: PeerId, query: &PeersQuery) -> Bounded<PeerHint, HINTS_MAX> {
    let network = &provider.network;
    let listening = addresses(query);
    if !listening.is_empty()
        && let Some(node) = provider.members.hosted_by(&from.to_string())
    {
        network.tell(node, from, listening);
    }
    let PeersQuery { wanted, .. } = query;
    let peers = network.peers().peer.into_iter();
    let hints = peers.filter(|entry| wanted.is_empty() || wanted.contains(&entry.node)).filter_map(hint);
    Bounded::new(hints.take(HINTS_MAX).collect()).expect("counted")
}

/// Addresses that can be read. Where somebody listens everywhere nobody can be reached.
fn addresses(query: &PeersQuery) -> Vec<Multiaddr> {
    let read = query.listening.iter().filter_map(|text| text.as_str().parse::<Multiaddr>().ok());
    read.filter(|address| !is_everywhere(address)).collect()
}

fn is_everywhere(address: &Multiaddr) -> bool {
    use holdfast_net::multiaddr::Protocol;
    address.iter().any(|part| match part {
        Protocol::Ip4(address) => address.is_unspecified(),
        Protocol::Ip6(address) => address.is_unspecified(),
        _ => false,
    })
}

fn hint(PeerEntry { node, peer, addresses }: PeerEntry) -> Option<PeerHint> {
    Some(PeerHint { node, peer: Text::new(peer?.to_string()).ok()?, addresses: texts(&addresses) })
}

/// As many addresses as are told, in their text form.
fn texts(addresses: &[Multiaddr]) -> Bounded<AddressText, ADDRESSES_MAX> {
    let texts = addresses.iter().filter_map(|address| Text::new(address.to_string()).ok());
    Bounded::new(texts.take(ADDRESSES_MAX).collect()).expect("counted")
}
