//! What validators send each other: messages of the engine, and transactions, each way on a stream of its own. Other registered
//! nodes send transactions to them.
//!
//! Nobody relies on the arrival of anything: whoever is slow or away misses messages, and the engine sends again what matters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use holdfast_client::network::Network;
use holdfast_core::id::NodeId;
use holdfast_ledger::registry::{Node, hosted_by};
use holdfast_ledger::state::State;
use holdfast_net::frames::split;
use holdfast_net::{Multiaddr, Net, PeerId, Stream};
use holdfast_protocol::peer::{self, PeerMessage};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Ledger;

/// Messages waiting for one peer: those of several rounds, and transactions.
const OUTBOX: usize = 512;
/// Pause before a peer that could not be reached is tried again; it doubles up to the last.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// A peer that takes no message for so long is as good as gone.
const TAKE_MAX: Duration = Duration::from_secs(10);

/// Something that a peer sent.
pub(crate) struct Received {
    pub(crate) from: NodeId,
    pub(crate) message: PeerMessage,
}

/// A node that messages go to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    node: NodeId,
    peer: PeerId,
}

/// Streams to all other validators. Who is one, is looked up anew for each epoch.
pub(crate) struct Peers {
    net: Net,
    own: NodeId,
    outboxes: BTreeMap<NodeId, (Place, mpsc::Sender<Arc<PeerMessage>>)>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Peers {
    pub(crate) fn new(net: Net, own: NodeId, tasks: TaskTracker, stop: CancellationToken) -> Self {
        Self { net, own, outboxes: BTreeMap::new(), tasks, stop }
    }

    /// Opens streams to those who are validators now, and closes all others.
    pub(crate) fn follow(&mut self, ledger: &Ledger, network: &Network) {
        let validators = ledger.tip().validators;
        let nodes: BTreeSet<_> = validators.set().validators.iter().map(|validator| validator.node).collect();
        self.outboxes.retain(|node, _| nodes.contains(node));
        for node in nodes.into_iter().filter(|node| *node != self.own) {
            let Some(place) = place_of(ledger, &node) else {
                tracing::warn!(node = %node.short(), "a validator's peer id is none");
                continue;
            };
            if self.outboxes.get(&node).is_none_or(|(known, _)| *known != place) {
                network.know(node, place.peer);
                let (outbox, mailbox) = mpsc::channel(OUTBOX);
                let (net, network) = (self.net.clone(), network.clone());
                self.tasks.spawn(send(net, network, place.clone(), mailbox, self.stop.clone()));
                self.outboxes.insert(node, (place, outbox));
            }
        }
    }

    /// Sends to all other validators. Whose outbox is full misses it.
    pub(crate) fn broadcast(&self, message: PeerMessage) {
        let message = Arc::new(message);
        for (node, (_, outbox)) in &self.outboxes {
            if outbox.try_send(message.clone()).is_err() {
                tracing::debug!(node = %node.short(), "a validator is too slow; it misses a message");
            }
        }
    }

    /// Sends to one of them.
    pub(crate) fn send(&self, to: &NodeId, message: PeerMessage) {
        if let Some((_, outbox)) = self.outboxes.get(to)
            && outbox.try_send(Arc::new(message)).is_err()
        {
            tracing::debug!(node = %to.short(), "a validator is too slow; it misses a message");
        }
    }
}

/// Where a registered node can be reached.
fn place_of(ledger: &Ledger, node: &NodeId) -> Option<Place> {
    let view = ledger.view().ok()?;
    let row = Node::get(&State::over(&view), node).ok()??;
    let peer = row.member.peer.as_str().parse().ok()?;
    Some(Place { node: *node, peer })
}

async fn send(
    net: Net,
    network: Network,
    Place { node, peer }: Place,
    mut mailbox: mpsc::Receiver<Arc<PeerMessage>>,
    stop: CancellationToken,
) {
    let mut pause = PAUSE;
    let work = async {
        while let Some(first) = mailbox.recv().await {
            match deliver(&net, peer, &network.addresses_of(&node), first, &mut mailbox).await {
                Ok(()) => return, // the last handle is gone
                Err(delivered) => {
                    if delivered {
                        pause = PAUSE;
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = work => {}
    }
}

/// Sends until the stream fails; says then whether anything went out.
async fn deliver(
    net: &Net,
    peer: PeerId,
    addresses: &[Multiaddr],
    first: Arc<PeerMessage>,
    mailbox: &mut mpsc::Receiver<Arc<PeerMessage>>,
) -> Result<(), bool> {
    let stream = net.open(peer, addresses, peer::PROTOCOL).await.map_err(|error| {
        tracing::debug!(%peer, %error, "could not reach a validator");
        false
    })?;
    let (_reader, mut writer) = split(stream);
    let mut next = first;
    loop {
        let sent = tokio::time::timeout(TAKE_MAX, writer.message(&*next)).await;
        if !matches!(sent, Ok(Ok(()))) {
            return Err(true);
        }
        next = match mailbox.recv().await {
            Some(next) => next,
            None => return Ok(()),
        };
    }
}

/// Reads what registered nodes send, one stream for each: a new one takes the place of the last.
pub(crate) async fn receive(
    net: Net,
    ledger: Arc<Ledger>,
    inbox: mpsc::Sender<Received>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let mut incoming = net.accept(peer::PROTOCOL);
    let mut running: BTreeMap<NodeId, CancellationToken> = BTreeMap::new();
    loop {
        let (peer, stream) = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            next = incoming.next() => match next {
                Some(next) => next,
                None => return,
            },
        };
        let Some(from) = sender(&ledger, peer) else {
            tracing::debug!(%peer, "a stranger wanted to talk like a node");
            continue;
        };
        let token = stop.child_token();
        if let Some(before) = running.insert(from, token.clone()) {
            before.cancel();
        }
        let inbox = inbox.clone();
        tasks.spawn(async move {
            tokio::select! {
                biased;
                () = token.cancelled() => {}
                () = read(from, stream, inbox) => {}
            }
        });
    }
}

/// Which registered node a peer is the host of. Not only validators have transactions to pass on.
fn sender(ledger: &Ledger, peer: PeerId) -> Option<NodeId> {
    let view = ledger.view().ok()?;
    hosted_by(&State::over(&view), &peer.to_string()).ok()?
}

async fn read(from: NodeId, stream: Stream, inbox: mpsc::Sender<Received>) {
    let (mut reader, _writer) = split(stream);
    loop {
        match reader.message::<PeerMessage>().await {
            Ok(Some(message)) => {
                if inbox.send(Received { from, message }).await.is_err() {
                    return;
                }
            }
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(node = %from.short(), %error, "a validator's stream ended");
                return;
            }
        }
    }
}
