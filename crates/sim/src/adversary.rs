//! Peers that break the rules, a file each.
//!
//! The members among them hold the keys of a member and sign what they like; one of seven is what a quorum of three in
//! four can bear. They share a [`Trick`]: what to do with what arrives. Whatever they do is counted, so that a run can
//! show that it was done.

use std::collections::BTreeMap;

use holdfast_core::bls;
use holdfast_core::purpose::Signable;
use holdfast_proofs::statement::Statement;
use holdfast_protocol::link::Start;
use holdfast_protocol::put::{Offer, PutRequest};

use crate::Network;
use crate::chance::Chance;
use crate::disks::Crash;
use crate::links::{ConnectionId, Frame, Protocol, Signal};
use crate::world::{Env, Input, Peer, Timer};

mod double_signer;
mod garbler;
mod liar;
mod lying_client;
mod replayer;
mod silent;
mod truncator;

pub use double_signer::DoubleSigner;
pub use garbler::Garbler;
pub use liar::Liar;
pub use lying_client::LyingClient;
pub use replayer::Replayer;
pub use silent::Silent;
pub use truncator::Truncator;

/// What a bad member does with what arrives.
pub trait Trick {
    /// A frame of a put arrived.
    fn put(&mut self, me: &Member, talk: &mut Talk, id: ConnectionId, frame: &Frame, env: &mut Env<'_>);

    /// A frame of a get arrived.
    fn get(&mut self, me: &Member, talk: &mut Talk, id: ConnectionId, frame: &Frame, env: &mut Env<'_>);

    /// A question arrived.
    fn ask(&mut self, me: &Member, id: ConnectionId, frame: &Frame, env: &mut Env<'_>);

    /// Something happened on a connection that it dialed itself.
    fn own(&mut self, _me: &Member, _id: ConnectionId, _signal: &Signal, _env: &mut Env<'_>) {}

    /// Time has come. A first timer is set when the peer starts.
    fn timer(&mut self, _me: &Member, _timer: Timer, _env: &mut Env<'_>) {}
}

/// Keys and place of a bad member.
pub struct Member {
    /// The network.
    pub network: &'static Network,
    /// Its place.
    pub place: usize,
}

impl Member {
    /// Its signature under any statement.
    pub fn sign(&self, statement: &Statement) -> bls::Signature {
        let input = statement.signing_input(self.network.committee.network());
        self.network.secrets[self.place].sign(&input)
    }
}

/// One connection that somebody opened to it.
#[derive(Default)]
pub struct Talk {
    protocol: Option<Start>,
    asks: bool,
    /// What the client wants stated.
    pub offer: Option<Offer>,
    /// Bytes of data that arrived.
    pub received: u64,
}

/// A bad member.
pub struct Adversary {
    me: Member,
    trick: Box<dyn Trick>,
    talks: BTreeMap<ConnectionId, Talk>,
}

impl Adversary {
    /// The member at this place, up to a trick.
    pub fn new(network: &'static Network, place: usize, trick: Box<dyn Trick>) -> Self {
        Self { me: Member { network, place }, trick, talks: BTreeMap::new() }
    }

    /// A bad member of each kind in turn.
    pub fn of_kind(network: &'static Network, place: usize, kind: u64) -> Self {
        let trick: Box<dyn Trick> = match kind % 6 {
            0 => Box::new(Silent),
            1 => Box::new(Liar),
            2 => Box::new(DoubleSigner::default()),
            3 => Box::new(Truncator),
            4 => Box::new(Replayer::default()),
            _ => Box::new(Garbler),
        };
        Self::new(network, place, trick)
    }

    fn frame(&mut self, id: ConnectionId, frame: &Frame, env: &mut Env<'_>) {
        let Some(talk) = self.talks.get_mut(&id) else { return };
        if talk.asks {
            return self.trick.ask(&self.me, id, frame, env);
        }
        match talk.protocol {
            None => talk.protocol = frame.message(),
            Some(Start::Get(())) => self.trick.get(&self.me, talk, id, frame, env),
            Some(Start::Put(())) => {
                match frame.message() {
                    Some(PutRequest::Open(offer)) => talk.offer = Some(offer),
                    Some(PutRequest::Keep(_)) => {
                        // The regular end: the link may carry another conversation.
                        *talk = Talk::default();
                        return;
                    }
                    _ => {}
                }
                if let Frame::Data(data) = frame {
                    talk.received += data.len() as u64;
                }
                self.trick.put(&self.me, talk, id, frame, env);
            }
        }
    }
}

impl Peer for Adversary {
    fn start(&mut self, env: &mut Env<'_>) {
        env.after(std::time::Duration::from_secs(30), "trick", 0);
    }

    fn handle(&mut self, input: Input, env: &mut Env<'_>) {
        match input {
            Input::Link(id, Signal::Incoming(protocol)) => {
                let talk = Talk { asks: protocol == Protocol::Ask, ..Talk::default() };
                self.talks.insert(id, talk);
            }
            Input::Link(id, Signal::Frame(frame)) if self.talks.contains_key(&id) => {
                self.frame(id, &frame, env);
            }
            Input::Link(id, Signal::Lost) if self.talks.contains_key(&id) => drop(self.talks.remove(&id)),
            Input::Link(id, signal) => self.trick.own(&self.me, id, &signal, env),
            Input::Timer(timer) => self.trick.timer(&self.me, timer, env),
        }
    }

    fn crash(&mut self, _how: Crash, _chance: &mut Chance) {
        self.talks.clear();
    }
}
