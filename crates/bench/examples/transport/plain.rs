//! One TCP connection, with TLS or with nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use holdfast_net::link::tls::{self as link, Cipher};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId, identity::Keypair};
use tokio::io::BufReader;
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::wire::{self, Link};

/// What may be varied. Zero leaves what the library or the system does by itself.
#[derive(Clone, Copy)]
pub(crate) struct Options {
    /// `None` encrypts nothing.
    pub(crate) cipher: Option<Cipher>,
    /// Bytes read from the socket at once.
    pub(crate) read_bytes: usize,
    /// Plain bytes that TLS takes before it writes.
    pub(crate) write_bytes: usize,
    /// Buffers of the system, either way.
    pub(crate) socket_bytes: u32,
}

pub(crate) async fn receive(options: Options) -> anyhow::Result<()> {
    let key = Keypair::generate_ed25519();
    let socket = socket(options)?;
    socket.bind("127.0.0.1:0".parse()?)?;
    let listener = socket.listen(64)?;
    println!("{} /ip4/127.0.0.1/tcp/{}", key.public().to_peer_id(), listener.local_addr()?.port());
    let acceptor = match options.cipher {
        Some(cipher) => Some(TlsAcceptor::from(Arc::new(link::server(&key, cipher)?))),
        None => None,
    };
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let mut stream: Box<dyn Link> = match acceptor {
                Some(acceptor) if options.read_bytes > 0 => {
                    Box::new(acceptor.accept(BufReader::with_capacity(options.read_bytes, stream)).await?)
                }
                Some(acceptor) => Box::new(acceptor.accept(stream).await?),
                None => Box::new(stream),
            };
            wire::receive(&mut stream).await
        });
    }
}

pub(crate) async fn connect(
    options: Options,
    peer: PeerId,
    address: &Multiaddr,
) -> anyhow::Result<(Box<dyn Link>, Duration)> {
    let mut config = link::client(&Keypair::generate_ed25519(), peer)?;
    config.resumption = Resumption::disabled();
    let connector = TlsConnector::from(Arc::new(config));
    let Some(Protocol::Tcp(port)) = address.iter().nth(1) else { anyhow::bail!("no port") };

    let started = Instant::now();
    let stream: TcpStream = socket(options)?.connect(SocketAddr::from(([127, 0, 0, 1], port))).await?;
    stream.set_nodelay(true)?;
    let mut stream: Box<dyn Link> = match options.cipher {
        Some(_) => {
            let mut stream = connector.connect(link::server_name(), stream).await?;
            ensure!(link::peer(stream.get_ref().1)? == peer, "another peer answers");
            if options.write_bytes > 0 {
                stream.get_mut().1.set_buffer_limit(Some(options.write_bytes));
            }
            Box::new(stream)
        }
        None => Box::new(stream),
    };
    wire::ask(&mut stream).await.context("no byte came back")?;
    Ok((stream, started.elapsed()))
}

fn socket(options: Options) -> anyhow::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    if options.socket_bytes > 0 {
        socket.set_send_buffer_size(options.socket_bytes)?;
        socket.set_recv_buffer_size(options.socket_bytes)?;
    }
    Ok(socket)
}
