//! Links: connections between peers, as TCP makes them, and what goes wrong with them.
//!
//! Frames of one direction of one connection arrive in the order sent, or not at all; nothing orders one connection
//! against another. Every direction between two peers has a delay and a rate of its own.
//!
//! - A frame that is *lost*, by chance or at a partition, takes its connection along: either it breaks, which both ends
//!   learn, each in its own time, or it is frozen and nobody is ever told.
//! - A process that was killed closes its connections; a machine without power says nothing, and says that it knows
//!   nothing of a connection when it runs again and something arrives on it.
//! - Dialing a dead process is refused; dialing into silence fails after [`DIAL_WINDOW`].

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use holdfast_core::codec;
use holdfast_core::frame::MESSAGE_BYTES_MAX;

use crate::chance::Chance;
use crate::disks::Crash;

/// When a dial that nobody answers fails.
pub const DIAL_WINDOW: Duration = Duration::from_secs(10);
/// When the ends of a broken connection learn of it, at the latest.
const BREAK_WINDOW: Duration = Duration::from_secs(20);

/// A peer of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerIndex(pub usize);

/// A connection of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Bulk data: [`holdfast_protocol::link`].
    Link,
    /// A question: [`holdfast_protocol::ask`].
    Ask,
}

/// A frame on its way, as bytes.
#[derive(Clone, Debug)]
pub enum Frame {
    /// A message in DAG-CBOR.
    Message(Bytes),
    /// Raw data.
    Data(Bytes),
}

impl Frame {
    /// The frame of a message.
    pub fn of<T: serde::Serialize>(message: &T) -> Self {
        Self::Message(codec::encode(message).into())
    }

    /// The message, or `None` if it is none of this type.
    pub fn message<T: serde::de::DeserializeOwned + serde::Serialize>(&self) -> Option<T> {
        match self {
            Self::Message(bytes) => codec::decode(bytes, MESSAGE_BYTES_MAX).ok(),
            Self::Data(_) => None,
        }
    }

    /// Bytes on the way.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Message(bytes) | Self::Data(bytes) => bytes.len() as u64 + 4,
        }
    }
}

/// What a link tells a peer.
#[derive(Clone, Debug)]
pub enum Signal {
    /// Somebody has opened a connection.
    Incoming(Protocol),
    /// The connection that was dialed is there.
    Connected,
    /// A frame arrived.
    Frame(Frame),
    /// The other side took a data frame of so many bytes.
    Taken(u64),
    /// The connection has ended.
    Lost,
}

/// Something that will reach one end of a connection.
#[derive(Clone, Debug)]
pub struct Arrival {
    connection: ConnectionId,
    end: usize,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Signal(Signal),
    /// Nobody has answered the dial.
    DialTimeout,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Opening,
    Open,
    Closed,
}

struct Connection {
    peers: [PeerIndex; 2],
    ends: [End; 2],
    /// When the last thing on its way to an end arrives there.
    last: [Duration; 2],
    cut: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Host {
    Up,
    Killed,
    Dark,
}

/// How far and wide one direction is.
#[derive(Clone, Copy)]
struct Path {
    delay: Duration,
    /// Bytes a second.
    rate: u64,
}

/// All connections of a run.
pub struct Links {
    chance: Chance,
    hosts: Vec<Host>,
    paths: BTreeMap<(PeerIndex, PeerIndex), Path>,
    connections: BTreeMap<ConnectionId, Connection>,
    next: u64,
    /// One frame in so many is lost; none if none is.
    loss: Option<u64>,
    /// Who stands on the far side of a partition.
    far: Option<Vec<bool>>,
    lost_frames: u64,
    /// What was sent on its way and is not on the clock yet.
    outbox: Vec<(Duration, Arrival)>,
}

impl Links {
    /// Links between so many peers.
    pub fn new(peers: usize, mut chance: Chance) -> Self {
        let mut paths = BTreeMap::new();
        for from in 0..peers {
            for to in 0..peers {
                let delay = chance.time(Duration::from_millis(2)..=Duration::from_millis(90));
                let rate = 300_000 << chance.below(7);
                paths.insert((PeerIndex(from), PeerIndex(to)), Path { delay, rate });
            }
        }
        Self {
            chance,
            hosts: vec![Host::Up; peers],
            paths,
            connections: BTreeMap::new(),
            next: 0,
            loss: None,
            far: None,
            lost_frames: 0,
            outbox: Vec::new(),
        }
    }

    /// Loses one frame in `n` from now on, or none.
    pub fn lose_one_in(&mut self, n: Option<u64>) {
        self.loss = n;
    }

    /// Nothing passes between those on the far side and the others, until it is taken back with `None`.
    pub fn part(&mut self, far: Option<Vec<bool>>) {
        self.far = far;
    }

    /// Frames that were lost so far.
    pub fn lost_frames(&self) -> u64 {
        self.lost_frames
    }

    /// Takes what is to be put on the clock.
    pub(crate) fn posted(&mut self) -> impl Iterator<Item = (Duration, Arrival)> + '_ {
        self.outbox.drain(..)
    }

    /// Dials. The answer is `Connected` or `Lost`.
    pub fn connect(
        &mut self,
        now: Duration,
        from: PeerIndex,
        to: PeerIndex,
        protocol: Protocol,
    ) -> ConnectionId {
        self.next += 1;
        let id = ConnectionId(self.next);
        let connection =
            Connection { peers: [from, to], ends: [End::Opening; 2], last: [now; 2], cut: false };
        self.connections.insert(id, connection);
        self.outbox.push((now + DIAL_WINDOW, Arrival { connection: id, end: 0, what: What::DialTimeout }));
        if self.is_lost(from, to) {
            self.lost_frames += 1;
        } else {
            self.post(now, id, 1, 0, Signal::Incoming(protocol));
        }
        id
    }

    /// Sends a frame, if the connection is open on this side.
    pub fn send(&mut self, now: Duration, me: PeerIndex, id: ConnectionId, frame: Frame) {
        let Some((end, other)) = self.end(id, me) else { return };
        let connection = self.connections.get_mut(&id).expect("found above");
        if connection.ends[end] != End::Open {
            return;
        }
        let cut = connection.cut;
        if cut || self.is_lost(me, other) {
            self.lost_frames += 1;
            if !cut {
                self.cut(now, id);
            }
            return;
        }
        self.post(now, id, 1 - end, frame.bytes(), Signal::Frame(frame));
    }

    /// Closes this side of a connection. What was sent before still arrives.
    pub fn close(&mut self, now: Duration, me: PeerIndex, id: ConnectionId) {
        let Some((end, other)) = self.end(id, me) else { return };
        let connection = self.connections.get_mut(&id).expect("found above");
        if std::mem::replace(&mut connection.ends[end], End::Closed) == End::Closed {
            return;
        }
        if connection.ends == [End::Closed; 2] {
            self.connections.remove(&id);
        } else if !connection.cut {
            if self.parted(me, other) {
                self.connections.get_mut(&id).expect("found above").cut = true;
            } else {
                self.post(now, id, 1 - end, 0, Signal::Lost);
            }
        }
    }

    /// A peer ends without a word of its own.
    pub fn crash(&mut self, now: Duration, peer: PeerIndex, how: Crash) {
        let of_peer =
            |(id, connection): (&ConnectionId, &Connection)| connection.peers.contains(&peer).then_some(*id);
        let affected: Vec<_> = self.connections.iter().filter_map(of_peer).collect();
        match how {
            Crash::Kill => {
                for id in affected {
                    self.close(now, peer, id);
                }
                self.hosts[peer.0] = Host::Killed;
            }
            Crash::PowerCut => {
                for id in affected {
                    let connection = self.connections.get_mut(&id).expect("listed above");
                    let end = usize::from(connection.peers[1] == peer);
                    connection.ends[end] = End::Closed;
                    if connection.ends == [End::Closed; 2] {
                        self.connections.remove(&id);
                    }
                }
                self.hosts[peer.0] = Host::Dark;
            }
        }
    }

    /// A peer runs again.
    pub fn restart(&mut self, peer: PeerIndex) {
        self.hosts[peer.0] = Host::Up;
    }

    /// Something has come to its end: whom to tell what, if anybody is there.
    pub(crate) fn arrive(
        &mut self,
        now: Duration,
        arrival: Arrival,
    ) -> Option<(PeerIndex, ConnectionId, Signal)> {
        let Arrival { connection: id, end, what } = arrival;
        let connection = self.connections.get_mut(&id)?;
        let peer = connection.peers[end];
        let state = connection.ends[end];
        let signal = match what {
            What::DialTimeout if state == End::Opening => Signal::Lost,
            What::DialTimeout => return None,
            What::Signal(signal) => signal,
        };
        match (&signal, state) {
            (Signal::Incoming(_), End::Opening) => match self.hosts[peer.0] {
                Host::Up => {
                    connection.ends[end] = End::Open;
                    self.post(now, id, 0, 0, Signal::Connected);
                }
                Host::Killed => {
                    connection.ends[end] = End::Closed;
                    self.post(now, id, 0, 0, Signal::Lost);
                    return None;
                }
                Host::Dark => return None,
            },
            (Signal::Connected, End::Opening) => connection.ends[end] = End::Open,
            (Signal::Lost, End::Opening | End::Open) => {
                connection.ends[end] = End::Closed;
                if connection.ends == [End::Closed; 2] {
                    self.connections.remove(&id);
                }
            }
            (Signal::Frame(frame), End::Open) => {
                if let Frame::Data(data) = frame {
                    let taken = data.len() as u64;
                    self.post(now, id, 1 - end, 0, Signal::Taken(taken));
                }
            }
            (Signal::Taken(_), End::Open) => {}
            // Nobody knows this connection here any more.
            (Signal::Frame(_) | Signal::Connected, _) => {
                if self.hosts[peer.0] != Host::Dark {
                    self.post(now, id, 1 - end, 0, Signal::Lost);
                }
                return None;
            }
            _ => return None,
        }
        Some((peer, id, signal))
    }

    fn end(&self, id: ConnectionId, me: PeerIndex) -> Option<(usize, PeerIndex)> {
        let connection = self.connections.get(&id)?;
        let end = connection.peers.iter().position(|peer| *peer == me)?;
        Some((end, connection.peers[1 - end]))
    }

    fn parted(&self, one: PeerIndex, other: PeerIndex) -> bool {
        self.far.as_ref().is_some_and(|far| far[one.0] != far[other.0])
    }

    fn is_lost(&mut self, from: PeerIndex, to: PeerIndex) -> bool {
        self.parted(from, to) || self.loss.is_some_and(|n| self.chance.one_in(n))
    }

    /// A frame was lost: the connection breaks, or freezes.
    fn cut(&mut self, now: Duration, id: ConnectionId) {
        self.connections.get_mut(&id).expect("the caller has it").cut = true;
        if self.chance.one_in(2) {
            for end in 0..2 {
                let delay = self.chance.time(Duration::ZERO..=BREAK_WINDOW);
                let what = What::Signal(Signal::Lost);
                self.outbox.push((now + delay, Arrival { connection: id, end, what }));
            }
        }
    }

    /// Sends something on its way, behind everything that goes there already.
    fn post(&mut self, now: Duration, id: ConnectionId, end: usize, bytes: u64, signal: Signal) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let (from, to) = (connection.peers[1 - end], connection.peers[end]);
        let Path { delay, rate } = self.paths[&(from, to)];
        let jitter = self.chance.time(Duration::ZERO..=delay / 4);
        let earliest = connection.last[end].max(now + delay + jitter);
        let arrives = earliest + Duration::from_micros(bytes * 1_000_000 / rate);
        connection.last[end] = arrives;
        self.outbox.push((arrives, Arrival { connection: id, end, what: What::Signal(signal) }));
    }
}

#[cfg(test)]
mod tests;
