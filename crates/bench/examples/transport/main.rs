//! Which transport carries bulk data between peers fastest? Prints a table; see docs/adr/007-bulk-transport.md.
//!
//! ```text
//! cargo run --release -p holdfast-bench --example transport -- [MiB] [runs]
//! ```
//!
//! Every receiver is a process of its own, as a provider is. Data goes in frames of 256 KiB; an empty frame asks
//! for one byte back. Time runs from the first frame to that byte; processor time is that of all processes.
#![allow(clippy::print_stdout)]

mod peers;
mod plain;
mod wire;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use holdfast_net::link::tls::Cipher;
use libp2p::{Multiaddr, PeerId};

use crate::wire::{FRAME_BYTES, Link};

/// Connections made for the median handshake.
const HANDSHAKES: usize = 50;
/// Unit of the processor times in `/proc`.
const TICKS_PER_SECOND: f64 = 100.0;

/// How two peers are connected.
#[derive(Clone, Copy)]
enum Transport {
    /// libp2p over TCP, one yamux stream.
    Libp2p(peers::Security),
    /// One TCP connection.
    Plain(plain::Options),
}

const TRANSPORTS: [(&str, Transport); 13] = [
    ("libp2p noise yamux", Transport::Libp2p(peers::Security::Noise)),
    ("libp2p tls yamux", Transport::Libp2p(peers::Security::Tls)),
    ("libp2p tls aes128 yamux", Transport::Libp2p(peers::Security::TlsWith(Cipher::Aes128))),
    ("libp2p tls aes256 yamux", Transport::Libp2p(peers::Security::TlsWith(Cipher::Aes256))),
    ("tcp, nothing else", Transport::Plain(plain::Options { cipher: None, ..BASE })),
    ("tcp tls chacha20", Transport::Plain(plain::Options { cipher: Some(Cipher::ChaCha20), ..BASE })),
    ("tcp tls aes256", Transport::Plain(plain::Options { cipher: Some(Cipher::Aes256), ..BASE })),
    ("tcp tls aes128", Transport::Plain(BASE)),
    ("tcp tls aes128, read 64K", Transport::Plain(plain::Options { read_bytes: 64 << 10, ..BASE })),
    ("tcp tls aes128, read 256K", Transport::Plain(plain::Options { read_bytes: 256 << 10, ..BASE })),
    ("tcp tls aes128, socket 4M", Transport::Plain(plain::Options { socket_bytes: 4 << 20, ..BASE })),
    (
        "tcp tls aes128, read 256K, write 512K",
        Transport::Plain(plain::Options { read_bytes: 256 << 10, write_bytes: 512 << 10, ..BASE }),
    ),
    (
        "tcp tls aes128, all of these",
        Transport::Plain(plain::Options {
            read_bytes: 256 << 10,
            write_bytes: 512 << 10,
            socket_bytes: 4 << 20,
            ..BASE
        }),
    ),
];

const BASE: plain::Options =
    plain::Options { cipher: Some(Cipher::Aes128), read_bytes: 0, write_bytes: 0, socket_bytes: 0 };

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    if words.first().is_some_and(|word| word == "receive") {
        let number: usize = words.get(1).context("which transport?")?.parse()?;
        return runtime.block_on(receive(TRANSPORTS[number].1));
    }
    let number = |at: usize, otherwise: usize| words.get(at).map_or(Ok(otherwise), |word| word.parse());
    let (mib, runs) = (number(0, 2048)?, number(1, 3)?);
    ensure!(mib % 4 == 0 && mib > 0 && runs > 0, "an amount that four connections can share, and runs");
    println!("{mib} MiB over loopback, medians of {runs} runs; handshake: median of {HANDSHAKES}");
    println!(
        "{:<38} {:>10} {:>10} {:>10} {:>10} {:>10}",
        "", "1: MiB/s", "cpu s/GiB", "4: MiB/s", "cpu s/GiB", "handshake"
    );
    for (number, (name, transport)) in TRANSPORTS.into_iter().enumerate() {
        let mut columns = Vec::new();
        for connections in [1, 4] {
            let mut moved = Vec::new();
            for _ in 0..runs {
                moved.push(runtime.block_on(measure(number, transport, connections, mib))?);
            }
            moved.sort_by(|left, right| left.0.total_cmp(&right.0));
            columns.push(moved[runs / 2]);
        }
        let handshake = runtime.block_on(handshake(number, transport))?;
        println!(
            "{name:<38} {:>10.0} {:>10.2} {:>10.0} {:>10.2} {:>7.2} ms",
            columns[0].0,
            columns[0].1,
            columns[1].0,
            columns[1].1,
            handshake.as_secs_f64() * 1e3,
        );
    }
    Ok(())
}

/// A process that receives. It ends when this is dropped.
struct Receiver {
    child: Child,
    /// Open as long as the process is wanted.
    _stdin: ChildStdin,
    peer: PeerId,
    address: Multiaddr,
}

impl Receiver {
    fn start(number: usize) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["receive", &number.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take().context("piped above")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("piped above")?).read_line(&mut line)?;
        let (peer, address) = line.trim().split_once(' ').context("the receiver did not start")?;
        Ok(Self { peer: peer.parse()?, address: address.parse()?, _stdin: stdin, child })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended by itself
        let _ = self.child.wait();
    }
}

/// Says where it listens, then receives until standard input is closed.
async fn receive(transport: Transport) -> anyhow::Result<()> {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]); // an error ends the process as well
        std::process::exit(0)
    });
    match transport {
        Transport::Libp2p(security) => peers::receive(security).await,
        Transport::Plain(options) => plain::receive(options).await,
    }
}

async fn connect(transport: Transport, receiver: &Receiver) -> anyhow::Result<(Box<dyn Link>, Duration)> {
    match transport {
        Transport::Libp2p(security) => peers::connect(security, receiver.peer, &receiver.address).await,
        Transport::Plain(options) => plain::connect(options, receiver.peer, &receiver.address).await,
    }
}

/// Moves `mib` in all over so many connections: MiB per second and processor seconds per GiB.
async fn measure(
    number: usize,
    transport: Transport,
    connections: usize,
    mib: usize,
) -> anyhow::Result<(f64, f64)> {
    let mut receivers = Vec::new();
    let mut links = Vec::new();
    for _ in 0..connections {
        let receiver = Receiver::start(number)?;
        links.push(connect(transport, &receiver).await?.0);
        receivers.push(receiver);
    }
    let pids = || receivers.iter().map(|receiver| receiver.child.id()).chain([std::process::id()]);
    let before: f64 = pids().map(processor_seconds).sum::<anyhow::Result<f64>>()?;
    let frames = (mib << 20) / connections / FRAME_BYTES;
    let started = Instant::now();
    let tasks: Vec<_> = links
        .into_iter()
        .map(|mut link| tokio::spawn(async move { wire::send(&mut link, frames).await }))
        .collect();
    for task in tasks {
        task.await??;
    }
    let seconds = started.elapsed().as_secs_f64();
    let spent = pids().map(processor_seconds).sum::<anyhow::Result<f64>>()? - before;
    let mib = f64::from(u32::try_from(mib)?);
    Ok((mib / seconds, spent / (mib / 1024.0)))
}

/// Median time from dialling to the first byte back.
async fn handshake(number: usize, transport: Transport) -> anyhow::Result<Duration> {
    let receiver = Receiver::start(number)?;
    let mut times = Vec::new();
    for _ in 0..HANDSHAKES {
        times.push(connect(transport, &receiver).await?.1);
    }
    times.sort();
    Ok(times[HANDSHAKES / 2])
}

/// Processor time that a process has used.
fn processor_seconds(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("a command in brackets")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
    let ticks: u32 = ticks.sum::<Result<u32, _>>()?;
    Ok(f64::from(ticks) / TICKS_PER_SECOND)
}
