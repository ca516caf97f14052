//! One yamux stream of a libp2p connection over TCP, set up as `holdfast-net` does it.

use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{AsyncRead, AsyncWrite, Future, StreamExt};
use futures_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use holdfast_net::link::tls::{self as link, Cipher};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo};
use libp2p::swarm::SwarmEvent;
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder, identity::Keypair, noise, tcp, tls, yamux,
};
use libp2p_stream as stream;
use tokio_util::compat::FuturesAsyncReadCompatExt;

use crate::wire::{self, Link};

const PROTOCOL: StreamProtocol = StreamProtocol::new("/holdfast/transport/1");
/// As in `holdfast-net`.
const STREAMS_MAX: usize = 4093;
const IDLE: Duration = Duration::from_secs(60);

/// How a libp2p connection is encrypted.
#[derive(Clone, Copy)]
pub(crate) enum Security {
    Noise,
    /// TLS as libp2p sets it up: ChaCha20.
    Tls,
    /// The same with a server that insists on a cipher.
    TlsWith(Cipher),
}

pub(crate) async fn receive(security: Security) -> anyhow::Result<()> {
    let mut swarm = swarm(security)?;
    let mut incoming = swarm.behaviour().new_control().accept(PROTOCOL)?;
    swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse()?)?;
    let peer = *swarm.local_peer_id();
    tokio::spawn(async move {
        while let Some((_, stream)) = incoming.next().await {
            tokio::spawn(async move { wire::receive(&mut stream.compat()).await });
        }
    });
    loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            println!("{peer} {address}");
        }
    }
}

pub(crate) async fn connect(
    security: Security,
    peer: PeerId,
    address: &Multiaddr,
) -> anyhow::Result<(Box<dyn Link>, Duration)> {
    let mut swarm = swarm(security)?;
    let mut control = swarm.behaviour().new_control();
    let started = Instant::now();
    swarm
        .dial(address.clone().with_p2p(peer).map_err(|_| anyhow::anyhow!("another peer in the address"))?)?;
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::ConnectionEstablished { .. } => break,
            SwarmEvent::OutgoingConnectionError { error, .. } => return Err(error.into()),
            _ => {}
        }
    }
    tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    });
    let mut stream = control.open_stream(peer, PROTOCOL).await?.compat();
    wire::ask(&mut stream).await?;
    Ok((Box::new(stream), started.elapsed()))
}

fn swarm(security: Security) -> anyhow::Result<Swarm<stream::Behaviour>> {
    let builder = SwarmBuilder::with_existing_identity(Keypair::generate_ed25519()).with_tokio();
    let tcp = tcp::Config::default().nodelay(true);
    let muxer = || {
        let mut config = yamux::Config::default();
        config.set_max_num_streams(STREAMS_MAX);
        config
    };
    macro_rules! finish {
        ($security:expr) => {
            builder
                .with_tcp(tcp, $security, muxer)?
                .with_behaviour(|_| stream::Behaviour::new())?
                .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE))
                .build()
        };
    }
    Ok(match security {
        Security::Noise => finish!(noise::Config::new),
        Security::Tls => finish!(tls::Config::new),
        Security::TlsWith(cipher) => finish!(move |key: &Keypair| Insisting::new(key, cipher)),
    })
}

/// libp2p's TLS with a server that knows one cipher only.
#[derive(Clone)]
struct Insisting {
    client: TlsConnector,
    server: TlsAcceptor,
}

impl Insisting {
    fn new(key: &Keypair, cipher: Cipher) -> Result<Self, link::TlsError> {
        let mut server = link::server(key, cipher)?;
        server.alpn_protocols = vec![b"libp2p".to_vec()];
        let client = tls::make_client_config(key, None)?;
        Ok(Self { client: Arc::new(client).into(), server: Arc::new(server).into() })
    }
}

impl UpgradeInfo for Insisting {
    type Info = &'static str;
    type InfoIter = std::iter::Once<Self::Info>;

    fn protocol_info(&self) -> Self::InfoIter {
        std::iter::once("/tls/1.0.0")
    }
}

type Upgrade<T> = Pin<Box<dyn Future<Output = Result<(PeerId, TlsStream<T>), std::io::Error>> + Send>>;

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> InboundConnectionUpgrade<T> for Insisting {
    type Output = (PeerId, TlsStream<T>);
    type Error = std::io::Error;
    type Future = Upgrade<T>;

    fn upgrade_inbound(self, socket: T, _: Self::Info) -> Self::Future {
        Box::pin(async move { identified(self.server.accept(socket).await?.into()).await })
    }
}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> OutboundConnectionUpgrade<T> for Insisting {
    type Output = (PeerId, TlsStream<T>);
    type Error = std::io::Error;
    type Future = Upgrade<T>;

    fn upgrade_outbound(self, socket: T, _: Self::Info) -> Self::Future {
        let connecting = self.client.connect(link::server_name(), socket);
        Box::pin(async move { identified(connecting.await?.into()).await })
    }
}

fn identified<T>(stream: TlsStream<T>) -> Ready<Result<(PeerId, TlsStream<T>), std::io::Error>> {
    ready(link::peer(stream.get_ref().1).map(|peer| (peer, stream)).map_err(std::io::Error::other))
}
