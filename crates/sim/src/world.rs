//! The world of a run: peers, their clock and their links, and the faults that befall them.
//!
//! One thread, one queue. A [`Peer`] is told what happened and does what it likes through its [`Env`]; it has no other
//! way to the world. A *crash* takes a peer between two events: everything in its memory is gone, what was on its way
//! to it is lost, and its timers never fire.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::disks::Crash;
use crate::links::{Arrival, ConnectionId, Frame, Links, PeerIndex, Protocol, Signal};
use crate::trace::Trace;

/// Something that a peer wanted to be reminded of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer {
    /// What for.
    pub what: &'static str,
    /// Which one.
    pub id: u64,
}

/// What happened to a peer.
#[derive(Clone, Debug)]
pub enum Input {
    /// A link has something to tell.
    Link(ConnectionId, Signal),
    /// Time has come.
    Timer(Timer),
}

/// Whoever takes part.
pub trait Peer {
    /// The peer starts, for the first time or after a crash.
    fn start(&mut self, env: &mut Env<'_>);

    /// Something happened.
    fn handle(&mut self, input: Input, env: &mut Env<'_>);

    /// The peer ends at once, and may not touch anything any more.
    fn crash(&mut self, how: Crash, chance: &mut Chance);
}

/// A fault that befalls the world.
#[derive(Clone, Debug)]
pub enum Fault {
    /// A peer will crash after it has seen so many more events, and start again after a while.
    Crash {
        /// Who.
        peer: PeerIndex,
        /// How many events it still sees.
        events: u64,
        /// How it ends.
        how: Crash,
        /// How long it is away.
        away: Duration,
    },
    /// Nothing passes between those marked and the others.
    Part(Vec<bool>),
    /// A partition ends.
    Join,
    /// One frame in so many is lost from now on.
    Lose(Option<u64>),
    /// Faults end: crashes that are still due come at once, and everybody is back soon.
    Calm,
}

enum Event {
    Arrival(Arrival),
    Timer { peer: PeerIndex, life: u32, timer: Timer },
    Restart { peer: PeerIndex, life: u32 },
    Fault(Fault),
}

struct Place<P> {
    peer: P,
    up: bool,
    /// Counts crashes: timers of an earlier life never fire.
    life: u32,
    due: VecDeque<Due>,
}

struct Due {
    events: u64,
    how: Crash,
    away: Duration,
}

/// What all peers share.
struct Shared {
    clock: Clock<Event>,
    links: Links,
    chance: Chance,
    trace: Trace,
}

impl Shared {
    fn flush(&mut self) {
        for (at, arrival) in self.links.posted() {
            self.clock.at(at, Event::Arrival(arrival));
        }
    }
}

/// Peers in one virtual time.
pub struct World<P> {
    places: Vec<Place<P>>,
    shared: Shared,
}

/// More events than any honest run has at one time.
const EVENTS_AT_ONCE: u64 = 10_000;
/// How soon everybody is back once faults have ended.
const RETURN_WINDOW: Duration = Duration::from_secs(5);

impl<P: Peer> World<P> {
    /// A world in which these peers start now.
    pub fn new(peers: Vec<P>, mut chance: Chance, trace: Trace) -> Self {
        let links = Links::new(peers.len(), chance.fork());
        let places =
            peers.into_iter().map(|peer| Place { peer, up: true, life: 0, due: VecDeque::new() }).collect();
        let mut world = Self { places, shared: Shared { clock: Clock::default(), links, chance, trace } };
        for index in 0..world.places.len() {
            world.with(PeerIndex(index), |peer, env| peer.start(env));
        }
        world
    }

    /// Time since the run began.
    pub fn now(&self) -> Duration {
        self.shared.clock.now()
    }

    /// What was written down.
    pub fn trace(&mut self) -> &mut Trace {
        &mut self.shared.trace
    }

    /// Frames that were lost.
    pub fn lost_frames(&self) -> u64 {
        self.shared.links.lost_frames()
    }

    /// All peers.
    pub fn peers(&self) -> impl Iterator<Item = &P> {
        self.places.iter().map(|place| &place.peer)
    }

    /// Lets a fault happen at a time.
    pub fn plan(&mut self, at: Duration, fault: Fault) {
        self.shared.clock.at(at, Event::Fault(fault));
    }

    /// Does something with a peer from outside.
    pub fn with<R>(&mut self, index: PeerIndex, act: impl FnOnce(&mut P, &mut Env<'_>) -> R) -> R {
        let place = &mut self.places[index.0];
        let mut env = Env { me: index, life: place.life, shared: &mut self.shared };
        let result = act(&mut place.peer, &mut env);
        self.shared.flush();
        result
    }

    /// Lets everything happen up to a time. Ends early, with a finding, if time stands still because somebody always
    /// has something to do at once.
    pub fn run_until(&mut self, end: Duration) {
        let (mut last, mut events) = (self.now(), 0);
        while let Some(event) = self.shared.clock.next(end) {
            if last != self.now() {
                (last, events) = (self.now(), 0);
            }
            events += 1;
            if events > EVENTS_AT_ONCE {
                return self.shared.trace.found(last, "time stands still: somebody is busy for ever".into());
            }
            match event {
                Event::Arrival(arrival) => {
                    let now = self.now();
                    let reached = self.shared.links.arrive(now, arrival);
                    self.shared.flush();
                    if let Some((peer, connection, signal)) = reached {
                        self.tell(peer, Input::Link(connection, signal));
                    }
                }
                Event::Timer { peer, life, timer } => {
                    if self.places[peer.0].up && self.places[peer.0].life == life {
                        self.tell(peer, Input::Timer(timer));
                    }
                }
                Event::Restart { peer, life } => {
                    let place = &mut self.places[peer.0];
                    if !place.up && place.life == life {
                        place.up = true;
                        self.shared.links.restart(peer);
                        self.line(format_args!("p{} starts again", peer.0));
                        self.with(peer, |peer, env| peer.start(env));
                    }
                }
                Event::Fault(fault) => self.befall(fault),
            }
        }
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        let now = self.now();
        self.shared.trace.line(now, line);
    }

    fn tell(&mut self, index: PeerIndex, input: Input) {
        let place = &mut self.places[index.0];
        match place.due.front_mut() {
            Some(due) if due.events == 0 => {
                let due = place.due.pop_front().expect("it is there");
                return self.crash(index, due.how, due.away);
            }
            Some(due) => due.events -= 1,
            None => {}
        }
        match &input {
            Input::Link(id, Signal::Frame(frame)) => {
                self.line(format_args!("p{} c{} gets {} bytes", index.0, id.0, frame.bytes()));
            }
            Input::Link(id, signal) => self.line(format_args!("p{} c{} {signal:?}", index.0, id.0)),
            Input::Timer(timer) => self.line(format_args!("p{} {} {}", index.0, timer.what, timer.id)),
        }
        self.with(index, |peer, env| peer.handle(input, env));
    }

    fn befall(&mut self, fault: Fault) {
        self.line(format_args!("fault {fault:?}"));
        match fault {
            Fault::Crash { peer, events, how, away } => {
                self.places[peer.0].due.push_back(Due { events, how, away });
            }
            Fault::Part(far) => {
                self.shared.trace.count("partitions");
                self.shared.links.part(Some(far));
            }
            Fault::Join => self.shared.links.part(None),
            Fault::Lose(n) => self.shared.links.lose_one_in(n),
            Fault::Calm => {
                self.shared.links.part(None);
                self.shared.links.lose_one_in(None);
                for index in 0..self.places.len() {
                    let due = self.places[index].due.drain(..).next();
                    match due {
                        Some(due) if self.places[index].up => {
                            self.crash(PeerIndex(index), due.how, RETURN_WINDOW);
                        }
                        _ if !self.places[index].up => {
                            let (peer, life) = (PeerIndex(index), self.places[index].life);
                            self.shared.clock.after(RETURN_WINDOW, Event::Restart { peer, life });
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    fn crash(&mut self, index: PeerIndex, how: Crash, away: Duration) {
        self.line(format_args!("p{} {how:?}", index.0));
        self.shared.trace.count(match how {
            Crash::Kill => "kills",
            Crash::PowerCut => "power cuts",
        });
        let now = self.now();
        let place = &mut self.places[index.0];
        place.up = false;
        place.life += 1;
        place.peer.crash(how, &mut self.shared.chance);
        self.shared.links.crash(now, index, how);
        self.shared.flush();
        self.shared.clock.after(away, Event::Restart { peer: index, life: place.life });
    }
}

/// A peer's way to the world.
pub struct Env<'a> {
    me: PeerIndex,
    life: u32,
    shared: &'a mut Shared,
}

impl Env<'_> {
    /// Time since the run began.
    pub fn now(&self) -> Duration {
        self.shared.clock.now()
    }

    /// What is left open.
    pub fn chance(&mut self) -> &mut Chance {
        &mut self.shared.chance
    }

    /// Dials. The answer is `Connected` or `Lost`.
    pub fn connect(&mut self, to: PeerIndex, protocol: Protocol) -> ConnectionId {
        let now = self.now();
        self.shared.links.connect(now, self.me, to, protocol)
    }

    /// Sends a frame, if the connection is open.
    pub fn send(&mut self, connection: ConnectionId, frame: Frame) {
        let now = self.now();
        self.shared.links.send(now, self.me, connection, frame);
    }

    /// Sends a message, if the connection is open.
    pub fn message<T: serde::Serialize>(&mut self, connection: ConnectionId, message: &T) {
        self.send(connection, Frame::of(message));
    }

    /// Sends data, if the connection is open.
    pub fn data(&mut self, connection: ConnectionId, data: impl Into<Bytes>) {
        self.send(connection, Frame::Data(data.into()));
    }

    /// Closes this side of a connection.
    pub fn close(&mut self, connection: ConnectionId) {
        let now = self.now();
        self.shared.links.close(now, self.me, connection);
    }

    /// Wants to be told at a time, unless it crashes before.
    pub fn at(&mut self, time: Duration, what: &'static str, id: u64) {
        let event = Event::Timer { peer: self.me, life: self.life, timer: Timer { what, id } };
        self.shared.clock.at(time, event);
    }

    /// Wants to be told after a while.
    pub fn after(&mut self, delay: Duration, what: &'static str, id: u64) {
        let time = self.now() + delay;
        self.at(time, what, id);
    }

    /// Writes a line.
    pub fn line(&mut self, line: fmt::Arguments<'_>) {
        let now = self.now();
        self.shared.trace.line(now, format_args!("p{} {line}", self.me.0));
    }

    /// Counts something that happened.
    pub fn count(&mut self, what: &'static str) {
        self.shared.trace.count(what);
    }

    /// Writes down that a rule was broken.
    pub fn found(&mut self, finding: String) {
        let now = self.now();
        let finding = format!("p{}: {finding}", self.me.0);
        self.shared.trace.found(now, finding);
    }
}
