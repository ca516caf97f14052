//! A TLS connection over loopback between two threads, with blocking reads and writes.

use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;

use libp2p::identity::Keypair;
use tokio_rustls::rustls::{ClientConnection, ServerConnection, StreamOwned};

use super::{FloorError, join};
use holdfast_net::link::tls::{self as link, Cipher};

/// Bytes read from the socket at once; rustls alone would read 4 KiB at a time.
const READ_BYTES: usize = 256 << 10;
/// Plain bytes that TLS takes before it writes to the socket.
const WRITE_BYTES: usize = 512 << 10;

/// A TCP connection that is read through a buffer.
pub(super) struct Socket {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
}

impl Socket {
    fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { reader: BufReader::with_capacity(READ_BYTES, stream.try_clone()?), writer: stream })
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.writer.write(data)
    }

    fn write_vectored(&mut self, data: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.writer.write_vectored(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// The end that sends.
pub(super) struct Sender(StreamOwned<ClientConnection, Socket>);

/// The end that receives.
pub(super) struct Receiver(StreamOwned<ServerConnection, Socket>);

/// A connection under AES-128-GCM, which is the faster one, after the handshake.
pub(super) fn pair() -> Result<(Sender, Receiver), FloorError> {
    let (near, far) = tcp_pair()?;
    let key = Keypair::generate_ed25519();
    let server = link::server(&key, Cipher::Aes128)?;
    let client = link::client(&Keypair::generate_ed25519(), key.public().to_peer_id())?;
    let mut client = ClientConnection::new(Arc::new(client), link::server_name())?;
    client.set_buffer_limit(Some(WRITE_BYTES));
    let server = ServerConnection::new(Arc::new(server))?;
    let mut sender = StreamOwned::new(client, Socket::new(near)?);
    let mut receiver = StreamOwned::new(server, Socket::new(far)?);
    std::thread::scope(|scope| {
        let near = scope.spawn(|| sender.conn.complete_io(&mut sender.sock));
        receiver.conn.complete_io(&mut receiver.sock)?;
        join(near)
    })?;
    Ok((Sender(sender), Receiver(receiver)))
}

/// Both ends of a TCP connection over loopback.
pub(super) fn tcp_pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    Ok((near, far))
}

impl Sender {
    /// Sends data.
    pub(super) fn send(&mut self, data: &[u8]) -> io::Result<()> {
        self.0.write_all(data)
    }

    /// Says that no more follows.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.0.conn.send_close_notify();
        self.0.flush()
    }
}

impl Receiver {
    /// Fills the buffer; says how much of it, which is less only at the end.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        fill(&mut self.0, buffer)
    }
}

/// Fills the buffer; says how much of it, which is less only at the end.
pub(super) fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}
