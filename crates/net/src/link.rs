//! Links: TLS connections for bulk data, one conversation at a time (docs/spec/wire.md, ADR 007).
//!
//! A client keeps the links whose conversation has come to a regular end, and uses them again: [`Links::open`] dials only
//! when none is left. A provider accepts links with [`Listener`].

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::frames::{FrameReader, FrameWriter, split};
use crate::swarm::{OpenError, StartError};

pub mod tls;

/// Bytes read from the socket at once. TLS by itself reads a few KiB a time, which costs a system call each.
const READ_BYTES: usize = 128 << 10;
/// Bytes that TLS may hold ready for the socket: more than one frame.
const WRITE_BYTES: usize = 512 << 10;
/// Links kept for later, per peer: as many conversations as run at once with one provider.
const IDLE_LINKS: usize = 64;
/// A connection with its handshake is there by then, whichever address it goes to, or not at all.
pub const DIAL_WINDOW: Duration = Duration::from_secs(5);
/// When the next address of a peer is dialed as well, at the latest: most handshakes are over by then.
const DIAL_STAGGER: Duration = Duration::from_secs(1);
/// A handshake that takes longer is not meant.
const HANDSHAKE_WINDOW: Duration = Duration::from_secs(10);

/// How long, and for how many bytes, a closing link goes on reading.
const LINGER: Duration = Duration::from_secs(3);
const LINGER_BYTES: u64 = 64 << 20;

/// The stream under a link.
pub type LinkStream = TlsStream<BufReader<TcpStream>>;

/// A link: its two directions, and who is at the other end.
pub struct Link {
    /// What the peer sends.
    pub reader: FrameReader<LinkStream>,
    /// What it is sent.
    pub writer: FrameWriter<LinkStream>,
    peer: PeerId,
    /// The same socket, to look at without reading.
    probe: std::net::TcpStream,
}

impl Link {
    fn new(stream: LinkStream, peer: PeerId, probe: std::net::TcpStream) -> Self {
        let (reader, writer) = split(stream);
        Self { reader, writer, peer, probe }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> PeerId {
        self.peer
    }

    /// Closes a link after a last word, which the peer may be too busy sending to hear at once: what still comes is
    /// read and thrown away for a while, because closing a socket with unread data takes the last word with it.
    pub async fn close_after_last_word(mut self) {
        let rest = async {
            self.writer.close().await?;
            self.reader.discard(LINGER_BYTES).await
        };
        // Whoever has gone away, or talks on, has had its chance.
        let _ = tokio::time::timeout(LINGER, rest).await;
    }

    /// Whether the peer has neither closed the link nor sent anything unasked.
    fn is_idle(&self) -> bool {
        matches!(self.probe.peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// The client's end: dials providers, and keeps links for later. Clones share them.
#[derive(Clone)]
pub struct Links(Arc<Pool>);

struct Pool {
    key: Keypair,
    peers: Mutex<HashMap<PeerId, Peer>>,
}

/// What is known of a provider.
#[derive(Default)]
struct Peer {
    config: Option<Arc<ClientConfig>>,
    idle: Vec<Link>,
}

impl Links {
    /// Dials under `key`.
    pub fn new(key: Keypair) -> Self {
        Self(Arc::new(Pool { key, peers: Mutex::default() }))
    }

    /// A link to the peer: one that is idle, or a new one to whichever of its `/tls` addresses answers first. All of them
    /// are dialed within [`DIAL_WINDOW`], one after the other.
    ///
    /// # Errors
    /// If no address answers as this peer.
    pub async fn open(&self, peer: PeerId, addresses: &[Multiaddr]) -> Result<Link, OpenError> {
        if let Some(link) = self.take_idle(&peer) {
            return Ok(link);
        }
        let addresses: Vec<_> = addresses.iter().filter_map(socket).collect();
        let mut failure = None;
        let dialed = self.dial_staggered(peer, &addresses, &mut failure);
        match tokio::time::timeout(DIAL_WINDOW, dialed).await {
            Ok(Some(link)) => Ok(link),
            Ok(None) => {
                Err(OpenError::Connect(failure.unwrap_or_else(|| "no address for data is known".into())))
            }
            Err(_) => Err(OpenError::Connect(format!("no answer in time at {}", list(&addresses)))),
        }
    }

    /// Dials one address after the other, the next one when one has failed or has not answered for a while; `None` if all
    /// have failed, the last as `failure` says.
    async fn dial_staggered(
        &self,
        peer: PeerId,
        addresses: &[SocketAddr],
        failure: &mut Option<String>,
    ) -> Option<Link> {
        // Many addresses follow each other sooner, so that the last has its time as well.
        let parts = u32::try_from(addresses.len()).unwrap_or(u32::MAX).saturating_add(1);
        let stagger = DIAL_STAGGER.min(DIAL_WINDOW / parts);
        let mut left = addresses.iter().copied();
        let mut dials = FuturesUnordered::new();
        loop {
            dials.extend(left.next().map(async |address| (address, self.dial(peer, address).await)));
            tokio::select! {
                ended = dials.next() => match ended? {
                    (_, Ok(link)) => return Some(link),
                    (address, Err(error)) => *failure = Some(format!("{error} at {address}")),
                },
                () = tokio::time::sleep(stagger), if left.len() > 0 => {}
            }
        }
    }

    /// Keeps a link whose conversation has come to its regular end.
    pub fn keep(&self, link: Link) {
        let mut peers = self.peers();
        let idle = &mut peers.entry(link.peer).or_default().idle;
        if idle.len() < IDLE_LINKS {
            idle.push(link);
        }
    }

    fn take_idle(&self, peer: &PeerId) -> Option<Link> {
        let mut peers = self.peers();
        let idle = &mut peers.get_mut(peer)?.idle;
        while let Some(link) = idle.pop() {
            if link.is_idle() {
                return Some(link);
            }
        }
        None
    }

    fn peers(&self) -> MutexGuard<'_, HashMap<PeerId, Peer>> {
        self.0.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn config(&self, peer: PeerId) -> io::Result<Arc<ClientConfig>> {
        let mut peers = self.peers();
        let entry = peers.entry(peer).or_default();
        if let Some(config) = &entry.config {
            return Ok(config.clone());
        }
        let config = Arc::new(tls::client(&self.0.key, peer).map_err(io::Error::other)?);
        entry.config = Some(config.clone());
        Ok(config)
    }

    async fn dial(&self, peer: PeerId, address: SocketAddr) -> io::Result<Link> {
        let (stream, probe) = prepare(TcpStream::connect(address).await?)?;
        let connector = TlsConnector::from(self.config(peer)?);
        let connect = connector.connect_with(tls::server_name(), stream, |state| {
            state.set_buffer_limit(Some(WRITE_BYTES));
        });
        Ok(Link::new(connect.await?.into(), peer, probe))
    }
}

/// The provider's end: accepts links.
pub struct Listener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    address: Multiaddr,
}

/// A connection whose handshake is still to come.
pub struct Incoming {
    stream: TcpStream,
    acceptor: TlsAcceptor,
}

impl Listener {
    /// Listens under `key` on an address such as `/ip4/127.0.0.1/tcp/0/tls`.
    ///
    /// # Errors
    /// If it is no such address, or is taken.
    pub async fn start(key: &Keypair, address: &Multiaddr) -> Result<Self, StartError> {
        let failed = |source| StartError::Listen { address: address.clone(), source };
        let unfit =
            || io::Error::new(io::ErrorKind::InvalidInput, "not of the form /ip4/ADDRESS/tcp/PORT/tls");
        let socket = socket(address).ok_or_else(unfit).map_err(failed)?;
        let listener = TcpListener::bind(socket).await.map_err(failed)?;
        let taken = listener.local_addr().map_err(failed)?;
        let config = tls::server(key, tls::Cipher::Aes128)
            .map_err(|error| StartError::Transport(error.to_string()))?;
        let address =
            Multiaddr::empty().with(taken.ip().into()).with(Protocol::Tcp(taken.port())).with(Protocol::Tls);
        Ok(Self { listener, acceptor: TlsAcceptor::from(Arc::new(config)), address })
    }

    /// Where it listens, with the port that was really taken.
    pub fn address(&self) -> &Multiaddr {
        &self.address
    }

    /// The next connection.
    ///
    /// # Errors
    /// If this machine can take no more now.
    pub async fn next(&self) -> io::Result<Incoming> {
        let (stream, _) = self.listener.accept().await?;
        Ok(Incoming { stream, acceptor: self.acceptor.clone() })
    }
}

impl Incoming {
    /// Does the handshake.
    ///
    /// # Errors
    /// If the client fails it or takes too long.
    pub async fn handshake(self) -> io::Result<Link> {
        let (stream, probe) = prepare(self.stream)?;
        let accept = self.acceptor.accept_with(stream, |state| state.set_buffer_limit(Some(WRITE_BYTES)));
        let stream =
            tokio::time::timeout(HANDSHAKE_WINDOW, accept).await.map_err(|_| io::ErrorKind::TimedOut)??;
        let peer = tls::peer(stream.get_ref().1).map_err(io::Error::other)?;
        Ok(Link::new(stream.into(), peer, probe))
    }
}

fn list(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Sets a socket up, and makes a second handle to it.
fn prepare(stream: TcpStream) -> io::Result<(BufReader<TcpStream>, std::net::TcpStream)> {
    stream.set_nodelay(true)?;
    let stream = stream.into_std()?;
    let probe = stream.try_clone()?;
    Ok((BufReader::with_capacity(READ_BYTES, TcpStream::from_std(stream)?), probe))
}

/// The socket address of a `/tls` multiaddress; others are for libp2p.
pub fn socket(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let ip = match parts.next()? {
        Protocol::Ip4(ip) => ip.into(),
        Protocol::Ip6(ip) => ip.into(),
        _ => return None,
    };
    match (parts.next()?, parts.next()?, parts.next()) {
        (Protocol::Tcp(port), Protocol::Tls, None) => Some(SocketAddr::new(ip, port)),
        _ => None,
    }
}

/// Whether an address is one for links.
pub fn is_for_links(address: &Multiaddr) -> bool {
    socket(address).is_some()
}

#[cfg(test)]
mod tests;
