//! Performs what the dispersal machine of one put decides.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use holdfast_proofs::profile::Profile;
use holdfast_protocol::dispersal::{Dispersal, Effect, Input, Outcome, SlotFailure, Wait};
use holdfast_protocol::link::Start;
use holdfast_protocol::put::{Offer, PUT_FRAME_BYTES, Reason};

use super::{Client, Route, is_data};
use crate::Network;
use crate::links::{ConnectionId, Protocol, Signal};
use crate::piece::Piece;
use crate::record::Acknowledged;
use crate::world::Env;

/// Data frames on the way at once to one slot.
const FRAMES_AHEAD: u64 = 2;

/// A put under way.
pub(super) struct Put {
    job: usize,
    piece: Rc<Piece>,
    machine: Dispersal<'static>,
    began: Duration,
    links: Vec<Option<SlotLink>>,
    /// Whether the root is known, or about to be.
    root_is_due: bool,
    timer: Option<Duration>,
    outcome: bool,
}

impl Put {
    /// When it began.
    pub(super) fn began(&self) -> Duration {
        self.began
    }
}

/// The link to one slot.
struct SlotLink {
    connection: ConnectionId,
    /// Bytes sent and bytes taken, while the piece flows.
    flow: Option<(u64, u64)>,
}

impl Client {
    /// Tries to put a piece.
    pub(super) fn begin_put(&mut self, job: usize, env: &mut Env<'_>) {
        let piece = self.jobs[job].piece.clone();
        let committee = &self.network.committee;
        let offer = Offer::without_ledger(committee, Profile::COPY4, piece.cid, piece.bytes.len() as u64);
        let wait = if env.chance().one_in(3) { Wait::All } else { Wait::Quorum };
        let mut effects = Vec::new();
        let machine =
            Dispersal::new(committee, offer, wait, &mut effects).expect("the offer suits the network");
        let number = self.number();
        env.line(format_args!("put {number} of {}, {} bytes", piece.cid, piece.bytes.len()));
        env.count("puts begun");
        let links = machine.places().iter().map(|_| None).collect();
        let began = env.now();
        let put = Put { job, piece, machine, began, links, root_is_due: false, timer: None, outcome: false };
        self.state.puts.insert(number, put);
        self.perform(number, effects, env);
    }

    /// The link to a slot has something to tell.
    pub(super) fn put_signal(&mut self, number: u64, slot: u16, signal: &Signal, env: &mut Env<'_>) {
        let Some(put) = self.state.puts.get_mut(&number) else { return };
        let link = &mut put.links[usize::from(slot)];
        let input = match signal {
            Signal::Connected => {
                let connection = link.as_ref().expect("it was dialed").connection;
                env.message(connection, &Start::Put(()));
                Input::Connected(slot)
            }
            Signal::Frame(frame) if is_data(frame) => self.lose(number, slot, "sent data", env),
            Signal::Frame(frame) => match frame.message() {
                Some(reply) => Input::Reply(slot, reply),
                None => self.lose(number, slot, "sent no message", env),
            },
            Signal::Taken(bytes) => {
                let Some((_, taken)) = link.as_mut().and_then(|link| link.flow.as_mut()) else {
                    return;
                };
                *taken += bytes;
                let bytes = *bytes;
                self.step(number, Input::Progress(slot, bytes), env);
                return self.flow(number, slot, env);
            }
            Signal::Lost => self.lose(number, slot, "is gone", env),
            Signal::Incoming(_) => return,
        };
        self.step(number, input, env);
    }

    /// Time went by.
    pub(super) fn put_tick(&mut self, number: u64, env: &mut Env<'_>) {
        if let Some(put) = self.state.puts.get_mut(&number) {
            put.timer = None;
            self.step(number, Input::Tick, env);
        }
    }

    /// The piece was read to its end.
    pub(super) fn put_root(&mut self, number: u64, env: &mut Env<'_>) {
        if let Some(put) = self.state.puts.get(&number) {
            let root = put.piece.root;
            self.step(number, Input::Root(root), env);
        }
    }

    fn lose(&mut self, number: u64, slot: u16, why: &str, env: &mut Env<'_>) -> Input {
        self.drop_link(number, slot, env);
        Input::Lost(slot, why.to_owned())
    }

    fn drop_link(&mut self, number: u64, slot: u16, env: &mut Env<'_>) {
        let put = self.state.puts.get_mut(&number).expect("the caller has it");
        if let Some(link) = put.links[usize::from(slot)].take() {
            self.state.routes.remove(&link.connection);
            env.close(link.connection);
        }
    }

    fn step(&mut self, number: u64, input: Input, env: &mut Env<'_>) {
        let Some(put) = self.state.puts.get_mut(&number) else { return };
        let mut effects = Vec::new();
        put.machine.step(env.now() - put.began, input, &mut effects);
        self.perform(number, effects, env);
    }

    fn perform(&mut self, number: u64, effects: Vec<Effect>, env: &mut Env<'_>) {
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            if let Some(input) = self.perform_one(number, effect, env) {
                let put = self.state.puts.get_mut(&number).expect("only the end removes it");
                let mut more = Vec::new();
                put.machine.step(env.now() - put.began, input, &mut more);
                effects.extend(more);
            }
        }
        let Some(put) = self.state.puts.get_mut(&number) else { return };
        if put.outcome {
            let put = self.state.puts.remove(&number).expect("found above");
            return self.end_put(number, put, env);
        }
        let due = put.machine.next_tick().map(|due| put.began + due);
        if let Some(due) = due.filter(|due| put.timer.is_none_or(|timer| *due < timer)) {
            put.timer = Some(due);
            env.at(due, "put tick", number);
        }
    }

    /// Performs one effect; answers what happened at once.
    fn perform_one(&mut self, number: u64, effect: Effect, env: &mut Env<'_>) -> Option<Input> {
        let put = self.state.puts.get_mut(&number).expect("only the end removes it");
        match effect {
            Effect::Dial(slot) => {
                let peer = Network::peer(put.machine.places()[usize::from(slot)]);
                let waiting = self.state.idle.remove(&peer);
                let connection = waiting.unwrap_or_else(|| env.connect(peer, Protocol::Link));
                put.links[usize::from(slot)] = Some(SlotLink { connection, flow: None });
                self.state.routes.insert(connection, Route::Put(number, slot));
                if waiting.is_some() {
                    env.count("links used again");
                    env.message(connection, &Start::Put(()));
                    return Some(Input::Connected(slot));
                }
            }
            Effect::Send(slot, request) => {
                if let Some(link) = &put.links[usize::from(slot)] {
                    env.message(link.connection, &request);
                }
            }
            Effect::Stream(slot, from) => {
                if let Some(link) = &mut put.links[usize::from(slot)] {
                    link.flow = Some((from, from));
                }
                self.fill(number, slot, env);
            }
            Effect::FindRoot => self.root_soon(number, env),
            Effect::Close(slot) => self.drop_link(number, slot, env),
            Effect::End(slot) => {
                let peer = Network::peer(put.machine.places()[usize::from(slot)]);
                if let Some(link) = put.links[usize::from(slot)].take() {
                    match self.state.idle.contains_key(&peer) {
                        true => {
                            self.state.routes.remove(&link.connection);
                            env.close(link.connection);
                        }
                        false => {
                            self.state.idle.insert(peer, link.connection);
                            self.state.routes.insert(link.connection, Route::Idle(peer));
                        }
                    }
                }
            }
            Effect::Done => put.outcome = true,
        }
        None
    }

    /// Sends what may be sent.
    fn fill(&mut self, number: u64, slot: u16, env: &mut Env<'_>) {
        let put = self.state.puts.get_mut(&number).expect("the caller has it");
        let bytes = &put.piece.bytes;
        let Some(link) = &mut put.links[usize::from(slot)] else { return };
        let Some((sent, taken)) = &mut link.flow else { return };
        while *sent < bytes.len() as u64 && *sent - *taken < FRAMES_AHEAD * PUT_FRAME_BYTES as u64 {
            let start = usize::try_from(*sent).expect("pieces fit memory");
            let end = bytes.len().min(start + PUT_FRAME_BYTES);
            env.data(link.connection, bytes.slice(start..end));
            *sent = end as u64;
        }
        if *sent == bytes.len() as u64 {
            self.root_soon(number, env);
        }
    }

    /// Some of the piece was taken.
    fn flow(&mut self, number: u64, slot: u16, env: &mut Env<'_>) {
        if !self.state.puts.contains_key(&number) {
            return;
        }
        self.fill(number, slot, env);
        let put = self.state.puts.get_mut(&number).expect("found above");
        let whole = put.piece.bytes.len() as u64;
        let Some(link) = &mut put.links[usize::from(slot)] else { return };
        if link.flow.is_some_and(|(_, taken)| taken == whole) {
            link.flow = None;
            self.step(number, Input::Streamed(slot), env);
        }
    }

    /// The reader will come to the end of the piece in a moment.
    fn root_soon(&mut self, number: u64, env: &mut Env<'_>) {
        let put = self.state.puts.get_mut(&number).expect("the caller has it");
        if !std::mem::replace(&mut put.root_is_due, true) {
            env.after(Duration::from_millis(3), "root", number);
        }
    }

    fn end_put(&mut self, number: u64, mut put: Put, env: &mut Env<'_>) {
        for link in put.links.iter_mut().filter_map(Option::take) {
            self.state.routes.remove(&link.connection);
            env.close(link.connection);
        }
        let Outcome { certificate, slots, departed, .. } = put.machine.into_outcome();
        for (_, failure) in &slots {
            if let Some(SlotFailure::Refused(refusal)) = failure {
                env.count(refusal.reason.name());
                // The first is what the garbler says; all others say that an honest put is none.
                if !matches!(refusal.reason, Reason::Protocol | Reason::Pace) {
                    env.found(format!(
                        "put {number} was refused ({}): {}",
                        refusal.reason.name(),
                        refusal.detail
                    ));
                }
            }
        }
        match certificate {
            Some(certificate) => {
                let acknowledged = Acknowledged { piece: put.piece, certificate };
                self.acknowledge(put.job, acknowledged, &departed, env);
            }
            None => {
                env.count("failed puts");
                let why = slots
                    .iter()
                    .filter_map(|(place, failure)| Some(format!("{place}: {}", failure.as_ref()?)));
                env.line(format_args!("put {number} failed: {}", why.collect::<Vec<_>>().join("; ")));
                let pause = env.chance().time(Duration::from_secs(2)..=Duration::from_secs(25));
                env.after(pause, "put", put.job as u64);
            }
        }
    }
}
