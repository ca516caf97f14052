//! A validator's host: it tells the engine what happens and performs what the engine wants, in its order.
//!
//! It can be killed between any two effects. Then its memory is gone: the engine, its pool, blocks on their way.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use holdfast_consensus::authority::{Authority, Config, Identity};
use holdfast_consensus::engine::{Effect, Engine, Input, ToSign};
use holdfast_consensus::mempool::{Bounds, Mempool};
use holdfast_consensus::message::Message;
use holdfast_core::id::NodeId;
use holdfast_ledger::execute::Executed;
use holdfast_proofs::header::{BlockHash, BlockTime, Header};
use holdfast_proofs::vote::Step;

use super::Ground;
use super::adversary::Kind;
use super::air::{Air, Packet};
use super::disk::Disk;
use super::enclave::Enclave;
use super::record::Record;
use super::verified::Verified;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::disks::Crash;
use crate::trace::Trace;

/// Time between blocks.
pub const BLOCK_MS: u64 = 2000;

/// One enclave call in so many fails, as when an enclave is being restarted.
const ENCLAVE_FAILS: u64 = 300;

/// Something that will happen.
#[derive(Debug)]
pub enum Event {
    /// A packet arrives.
    Arrival {
        /// Whose.
        from: usize,
        /// At whom.
        to: usize,
        /// What.
        packet: Packet,
    },
    /// The engine gets an answer.
    Answer {
        /// Whose engine.
        place: usize,
        /// In which life of its host.
        life: u32,
        /// The answer.
        input: Box<Input>,
    },
    /// The engine's timer.
    Wake {
        /// Whose engine.
        place: usize,
        /// In which life of its host.
        life: u32,
        /// Which timer: only the last one counts.
        number: u64,
    },
    /// A host starts again.
    Restart {
        /// Who.
        place: usize,
        /// After which life.
        life: u32,
    },
    /// A fault befalls the run.
    Fault(super::run::Fault),
}

/// What all validators share.
pub struct Shared {
    /// Virtual time and what will happen.
    pub clock: Clock<Event>,
    /// The network.
    pub air: Air,
    /// What is left open.
    pub chance: Chance,
    /// What is written down.
    pub trace: Trace,
    /// What is checked.
    pub record: Record,
    /// Signatures checked already.
    pub verified: Verified,
    /// The time at which virtual time begins, in milliseconds since 1970.
    pub start_ms: u64,
}

/// When a host will be killed.
#[derive(Clone, Debug)]
pub struct Fuse {
    /// After so many effects; `None` when it is about to send a vote of the second step for a block.
    pub effects: Option<u64>,
    /// How it ends.
    pub how: Crash,
    /// How long it is away.
    pub away: Duration,
}

/// One validator.
pub struct Host {
    /// Its place among all validators of genesis.
    pub place: usize,
    /// Its id.
    pub node: NodeId,
    /// Whether it keeps the rules.
    pub kind: Kind,
    /// What it does not forget.
    pub disk: Disk,
    /// What its clock is ahead, in milliseconds.
    pub skew_ms: i64,
    /// Whether it runs.
    pub up: bool,
    /// Counts its ends.
    pub life: u32,
    /// When it ends next.
    pub fuse: Option<Fuse>,
    pub(super) ground: &'static Ground,
    pub(super) enclave: Enclave,
    pub(super) engine: Option<Authority<Verified>>,
    pub(super) pool: Mempool,
    pub(super) executed: BTreeMap<BlockHash, Executed>,
    pub(super) wanted: BTreeMap<BlockHash, Header>,
    pub(super) blocks_asked: Option<Duration>,
    wake: u64,
}

impl Host {
    /// A host that was never started.
    pub fn new(ground: &'static Ground, place: usize, kind: Kind) -> Self {
        Self {
            place,
            node: ground.seats[place].node,
            kind,
            disk: Disk::new(ground.founded.clone()),
            skew_ms: 0,
            up: false,
            life: 0,
            fuse: None,
            ground,
            enclave: Enclave::new(ground, place),
            engine: None,
            pool: Mempool::new(Bounds::default()),
            executed: BTreeMap::new(),
            wanted: BTreeMap::new(),
            blocks_asked: None,
            wake: 0,
        }
    }

    /// What its clock shows.
    pub fn time(&self, shared: &Shared) -> BlockTime {
        let millis = u64::try_from(shared.clock.now().as_millis()).expect("runs last minutes");
        BlockTime((shared.start_ms + millis).saturating_add_signed(self.skew_ms))
    }

    /// Starts, for the first time or after it ended.
    pub fn start(&mut self, shared: &mut Shared) {
        self.up = true;
        let identity = Identity { node: self.node, network: self.ground.network };
        let config = Config::of(BLOCK_MS);
        let verified = shared.verified.clone();
        self.engine = Some(Authority::resume_with(config, identity, self.disk.records(), verified));
        self.begin_height(shared);
    }

    /// Ends at once.
    pub fn end(&mut self, how: Crash, shared: &mut Shared) {
        match how {
            Crash::Kill => drop(self.disk.sync()),
            Crash::PowerCut => self.disk.cut(&mut shared.chance),
        }
        self.up = false;
        self.life += 1;
        self.fuse = None;
        self.engine = None;
        self.pool = Mempool::new(Bounds::default());
        self.executed.clear();
        self.wanted.clear();
        self.blocks_asked = None;
    }

    /// Gives the engine an input, and performs what it wants until the host is killed.
    pub fn tell(&mut self, input: Input, shared: &mut Shared) {
        let now = self.time(shared);
        let mut out = Vec::new();
        let Some(engine) = &mut self.engine else { return };
        engine.step(now, input, &mut out);
        for effect in out {
            if self.burns_down(&effect) {
                return;
            }
            self.perform(effect, shared);
            if self.is_burnt() {
                return;
            }
        }
        // Whatever waits for a sync waits for company as well, but not for ever.
        if shared.chance.one_in(2) {
            self.sync(shared);
        }
    }

    /// Whether the fuse has come to its end: then nothing is performed any more.
    fn burns_down(&mut self, effect: &Effect) -> bool {
        let precommits = matches!(effect, Effect::Broadcast(Message::Vote(cast))
            if cast.vote.step == Step::Precommit && cast.vote.block.is_some());
        match self.fuse.as_mut().map(|fuse| &mut fuse.effects) {
            Some(Some(0)) => true,
            Some(Some(effects)) => {
                *effects -= 1;
                false
            }
            Some(None) if precommits => {
                self.fuse.as_mut().expect("it is there").effects = Some(0);
                true
            }
            Some(None) | None => false,
        }
    }

    /// Whether it is to be killed now.
    pub fn is_burnt(&self) -> bool {
        self.fuse.as_ref().is_some_and(|fuse| fuse.effects == Some(0))
    }

    fn sync(&mut self, shared: &mut Shared) {
        if !self.disk.sync() {
            let now = shared.clock.now();
            shared.trace.found(now, format!("the log of v{} is too long", self.place));
        }
    }

    fn perform(&mut self, effect: Effect, shared: &mut Shared) {
        if let Effect::Persist(record) = &effect {
            return self.disk.append(record);
        }
        self.sync(shared);
        let now = shared.clock.now();
        let place = self.place;
        match effect {
            Effect::Persist(_) => {}
            Effect::Sign { ask, what } => {
                let signature = self.sign(&what, shared);
                self.answer(Input::Signed { ask, signature }, 5, shared);
            }
            Effect::Build { ask, round, .. } => {
                let header = self.build(round, shared);
                self.answer(Input::Built { ask, header }, 50, shared);
            }
            Effect::Check { header, from } => self.check(header, from, shared),
            Effect::Broadcast(message) => self.broadcast(&message, shared),
            Effect::Send { to, message } => {
                if let Some(to) = self.ground.seats.iter().position(|seat| seat.node == to) {
                    self.send(to, Packet::Engine(message.to_bytes().into()), shared);
                }
            }
            Effect::WakeAt(at) => {
                let wait = at.0.saturating_sub(self.time(shared).0);
                self.wake += 1;
                let event = Event::Wake { place, life: self.life, number: self.wake };
                shared.clock.after(Duration::from_millis(wait), event);
            }
            Effect::Decide { header, finality } => self.decide(&header, finality, shared),
            Effect::Offence(accuse) => {
                shared.trace.line(now, format_args!("v{place} accuses {:?}", accuse.node));
                if self.kind.is_honest() {
                    shared.record.accuse(now, place, &accuse, &mut shared.trace);
                }
                self.disk.accusations.push(accuse);
                self.show_offences(shared);
            }
            Effect::Behind { height, peer } => self.ask_for_blocks(height, peer, shared),
            Effect::Misbehaved { peer } => {
                shared.trace.count("misbehaviour seen");
                if self.kind.is_honest() {
                    shared.record.blame(now, place, peer, &mut shared.trace);
                }
            }
        }
    }

    /// Lets the engine know after a moment.
    pub(super) fn answer(&mut self, input: Input, within_ms: u64, shared: &mut Shared) {
        let delay = Duration::from_micros(200 + shared.chance.below(within_ms * 1000));
        shared
            .clock
            .after(delay, Event::Answer { place: self.place, life: self.life, input: Box::new(input) });
    }

    fn sign(&mut self, what: &ToSign, shared: &mut Shared) -> Option<holdfast_core::bls::Signature> {
        let (now, place) = (shared.clock.now(), self.place);
        shared.trace.line(now, format_args!("v{place} signs {what:?}"));
        if !self.kind.is_honest() {
            return Some(self.sign_badly(what, shared));
        }
        if let ToSign::Vote(vote) = what {
            shared.record.asked(now, place, *vote, &mut shared.trace);
        }
        if shared.chance.one_in(ENCLAVE_FAILS) {
            shared.trace.count("enclaves that failed");
            return None;
        }
        self.enclave.sign(what).ok()
    }

    /// A timer of the engine.
    pub fn woken(&mut self, number: u64, shared: &mut Shared) {
        if number == self.wake {
            self.tell(Input::Tick, shared);
            self.misbehave(shared);
        }
    }

    /// A packet arrived.
    pub fn arrived(&mut self, from: usize, packet: Packet, shared: &mut Shared) {
        match packet {
            Packet::Engine(bytes) => match Message::from_bytes(&bytes) {
                Ok(message) => {
                    let from = self.ground.seats[from].node;
                    self.tell(Input::Message { from, message }, shared);
                }
                Err(_) => shared.trace.count("garbage"),
            },
            Packet::WantBody(block) => self.give_body(from, block, shared),
            Packet::Body(bytes) => self.body(&bytes, shared),
            Packet::WantBlocks(from_height) => self.give_blocks(from, from_height, shared),
            Packet::Blocks(blocks) => self.blocks(&blocks, shared),
            Packet::Transaction(bytes) => self.transaction(&bytes, shared),
        }
    }

    pub(super) fn send(&mut self, to: usize, packet: Packet, shared: &mut Shared) {
        let from = self.place;
        for delay in shared.air.arrivals(from, to, &packet, &mut shared.chance) {
            shared.clock.after(delay, Event::Arrival { from, to, packet: packet.clone() });
        }
    }

    pub(super) fn send_all(&mut self, packet: &Packet, shared: &mut Shared) {
        for to in self.others() {
            self.send(to, packet.clone(), shared);
        }
    }

    pub(super) fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let place = self.place;
        (0..self.ground.seats.len()).filter(move |other| *other != place)
    }

    fn broadcast(&mut self, message: &Message, shared: &mut Shared) {
        let packet = Packet::Engine(Rc::from(message.to_bytes()));
        if self.kind.is_honest() {
            self.send_all(&packet, shared);
        } else {
            self.broadcast_badly(message, &packet, shared);
        }
    }
}
