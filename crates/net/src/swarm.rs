//! The swarm task, and the handle to it.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use futures::StreamExt;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{DialError, NetworkBehaviour, SwarmEvent};
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, connection_limits, identify, identity::Keypair, noise, tcp,
    tls, yamux,
};
use libp2p_stream as stream;
use tokio::sync::{mpsc, oneshot};
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt};

use crate::link::{Link, Links, is_for_links};

/// Streams per connection that yamux accepts. The number also sets its receive windows: from 4,093 streams on
/// they cannot grow past the largest frame that a JavaScript peer may send, which would end the connection.
const STREAMS_MAX: usize = 4093;

/// Inbound connections at once, and how many of them may still be in their handshake: each costs some ten KiB.
const CONNECTIONS_MAX: u32 = 1024;
const PENDING_MAX: u32 = 128;
/// Connections with one peer: two when both dial at once, and some on their way out.
const CONNECTIONS_PER_PEER_MAX: u32 = 8;

/// A connection without streams is closed after this long.
const IDLE: Duration = Duration::from_secs(60);

/// Commands waiting for the swarm task. Each is one dial; the task answers within microseconds.
const MAILBOX: usize = 64;

/// Why the network could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The transport could not be built from the key.
    #[error("could not set up the transport: {0}")]
    Transport(String),
    /// An address cannot be listened on.
    #[error("could not listen on {address}")]
    Listen {
        /// Which.
        address: Multiaddr,
        /// Why.
        source: io::Error,
    },
}

/// Why a stream could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No connection.
    #[error("could not connect: {0}")]
    Connect(String),
    /// The peer does not speak the protocol, or the connection was lost.
    #[error("could not open a stream: {0}")]
    Stream(String),
    /// This side is shutting down.
    #[error("the network was stopped")]
    Stopped,
}

/// A libp2p stream.
pub type Stream = Compat<libp2p::Stream>;

#[derive(NetworkBehaviour)]
struct Behaviour {
    limits: connection_limits::Behaviour,
    streams: stream::Behaviour,
    identify: identify::Behaviour,
}

struct Connect {
    peer: PeerId,
    addresses: Vec<Multiaddr>,
    reply: oneshot::Sender<Result<(), String>>,
}

/// A running network. Clones share it; it stops when the last one is dropped.
#[derive(Clone)]
pub struct Net {
    peer: PeerId,
    listening: Vec<Multiaddr>,
    connects: mpsc::Sender<Connect>,
    streams: stream::Control,
    links: Links,
}

/// Inbound streams of one protocol.
pub struct Incoming(stream::IncomingStreams);

impl Incoming {
    /// The next stream and who opened it, or `None` when the network was stopped.
    pub async fn next(&mut self) -> Option<(PeerId, Stream)> {
        self.0.next().await.map(|(peer, stream)| (peer, stream.compat()))
    }
}

impl Net {
    /// Starts a network under `key`, listening on `listen`, and returns when it listens.
    ///
    /// # Errors
    /// If the transport cannot be built or an address is taken.
    pub async fn start(key: Keypair, listen: &[Multiaddr]) -> Result<Self, StartError> {
        let (peer, links) = (key.public().to_peer_id(), Links::new(key.clone()));
        let mut swarm = build(key)?;
        let mut listening = Vec::new();
        for address in listen {
            swarm.listen_on(address.clone()).map_err(|error| StartError::Listen {
                address: address.clone(),
                source: io::Error::other(error),
            })?;
            listening.push(wait_listening(&mut swarm, address).await?);
        }
        let streams = swarm.behaviour().streams.new_control();
        let (connects, mailbox) = mpsc::channel(MAILBOX);
        tokio::spawn(run(swarm, mailbox));
        Ok(Self { peer, listening, connects, streams, links })
    }

    /// This side's peer id.
    pub fn peer(&self) -> PeerId {
        self.peer
    }

    /// Addresses on which it listens, with the ports that were really taken.
    pub fn listening(&self) -> &[Multiaddr] {
        &self.listening
    }

    /// A link to the peer, one that is idle or a new one.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn link(&self, peer: PeerId, addresses: &[Multiaddr]) -> Result<Link, OpenError> {
        self.links.open(peer, addresses).await
    }

    /// Keeps a link whose conversation has come to its regular end.
    pub fn keep(&self, link: Link) {
        self.links.keep(link);
    }

    /// Opens a stream, connecting first if there is no connection.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(
        &self,
        peer: PeerId,
        addresses: &[Multiaddr],
        protocol: &'static str,
    ) -> Result<Stream, OpenError> {
        let (reply, answer) = oneshot::channel();
        let addresses = addresses.iter().filter(|address| !is_for_links(address)).cloned().collect();
        let connect = Connect { peer, addresses, reply };
        self.connects.send(connect).await.map_err(|_| OpenError::Stopped)?;
        answer.await.map_err(|_| OpenError::Stopped)?.map_err(OpenError::Connect)?;
        let mut streams = self.streams.clone();
        streams
            .open_stream(peer, StreamProtocol::new(protocol))
            .await
            .map(FuturesAsyncReadCompatExt::compat)
            .map_err(|error| OpenError::Stream(error.to_string()))
    }

    /// Starts accepting a protocol. The protocol is refused again when the result is dropped.
    ///
    /// # Panics
    /// If the protocol is accepted already.
    pub fn accept(&self, protocol: &'static str) -> Incoming {
        let mut streams = self.streams.clone();
        Incoming(streams.accept(StreamProtocol::new(protocol)).expect("each protocol is accepted once"))
    }
}

fn build(key: Keypair) -> Result<Swarm<Behaviour>, StartError> {
    let public = key.public();
    let muxer = || {
        let mut config = yamux::Config::default();
        config.set_max_num_streams(STREAMS_MAX);
        config
    };
    // TLS first, as for links; noise for peers that know no TLS.
    let builder = libp2p::SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), (tls::Config::new, noise::Config::new), muxer)
        .map_err(|error| StartError::Transport(error.to_string()))?;
    let identify = identify::Config::new("/holdfast/1".into(), public)
        .with_agent_version(concat!("holdfast/", env!("CARGO_PKG_VERSION")).into());
    let limits = connection_limits::ConnectionLimits::default()
        .with_max_pending_incoming(Some(PENDING_MAX))
        .with_max_established_incoming(Some(CONNECTIONS_MAX))
        .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER_MAX));
    let builder = builder
        .with_behaviour(|_| Behaviour {
            limits: connection_limits::Behaviour::new(limits),
            streams: stream::Behaviour::new(),
            identify: identify::Behaviour::new(identify),
        })
        .map_err(|error| StartError::Transport(error.to_string()))?;
    Ok(builder.with_swarm_config(|config| config.with_idle_connection_timeout(IDLE)).build())
}

async fn wait_listening(swarm: &mut Swarm<Behaviour>, wanted: &Multiaddr) -> Result<Multiaddr, StartError> {
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::NewListenAddr { address, .. } => return Ok(address),
            SwarmEvent::ListenerError { error, .. } => {
                return Err(StartError::Listen { address: wanted.clone(), source: error });
            }
            SwarmEvent::ListenerClosed { reason, .. } => {
                let source = reason.err().unwrap_or_else(|| io::Error::other("listener closed"));
                return Err(StartError::Listen { address: wanted.clone(), source });
            }
            _ => {}
        }
    }
}

/// Why a peer could not be reached, in one short line; the log has the whole story.
fn describe(error: &DialError) -> String {
    match error {
        DialError::NoAddresses => "no address is known".into(),
        DialError::WrongPeerId { obtained, .. } => format!("another peer, {obtained}, answers there"),
        DialError::Transport(failures) => {
            let reasons = failures.iter().map(|(address, error)| {
                let mut root: &dyn std::error::Error = error;
                while let Some(source) = root.source() {
                    root = source;
                }
                let place: Vec<_> = address.iter().filter(|part| !matches!(part, Protocol::P2p(_))).collect();
                format!("{root} at {}", place.into_iter().collect::<Multiaddr>())
            });
            reasons.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

async fn run(mut swarm: Swarm<Behaviour>, mut mailbox: mpsc::Receiver<Connect>) {
    let mut waiting: HashMap<PeerId, Vec<oneshot::Sender<Result<(), String>>>> = HashMap::new();
    let answer = |peer: &PeerId, result: Result<(), String>, waiting: &mut HashMap<_, Vec<_>>| {
        for reply in waiting.remove(peer).unwrap_or_default() {
            let reply: oneshot::Sender<Result<(), String>> = reply;
            let _ = reply.send(result.clone()); // whoever asked may have given up
        }
    };
    loop {
        tokio::select! {
            biased;
            event = swarm.select_next_some() => match event {
                SwarmEvent::ConnectionEstablished { peer_id, .. } => answer(&peer_id, Ok(()), &mut waiting),
                SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), error, .. } => {
                    tracing::debug!(%peer, %error, "could not connect");
                    answer(&peer, Err(describe(&error)), &mut waiting);
                }
                SwarmEvent::IncomingConnectionError { error, .. } => {
                    tracing::debug!(%error, "inbound connection failed");
                }
                _ => {}
            },
            connect = mailbox.recv() => match connect {
                Some(Connect { peer, addresses, reply }) => {
                    if swarm.is_connected(&peer) {
                        let _ = reply.send(Ok(())); // whoever asked may have given up
                        continue;
                    }
                    waiting.entry(peer).or_default().push(reply);
                    let dial = DialOpts::peer_id(peer)
                        .condition(PeerCondition::DisconnectedAndNotDialing)
                        .addresses(addresses)
                        .build();
                    match swarm.dial(dial) {
                        Ok(()) | Err(DialError::DialPeerConditionFalse(_)) => {}
                        Err(error) => answer(&peer, Err(describe(&error)), &mut waiting),
                    }
                }
                None => break, // the last handle is gone
            },
        }
    }
}
