//! A client that lies: pieces with bad blocks, short and long ones, wrong roots, forged certificates, and beginnings of
//! honest pieces that are none.
//!
//! Nobody may ever sign for any of it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use holdfast_core::id::PieceRoot;
use holdfast_proofs::certificate::slots_of;
use holdfast_proofs::profile::Profile;
use holdfast_protocol::ask::{AskReply, AskRequest};
use holdfast_protocol::link::Start;
use holdfast_protocol::put::{Offer, PUT_FRAME_BYTES, PutReply, PutRequest};

use crate::Network;
use crate::chance::Chance;
use crate::disks::Crash;
use crate::links::{ConnectionId, Protocol, Signal};
use crate::piece::{Piece, root_of};
use crate::record::Record;
use crate::world::{Env, Input, Peer};

/// See the module's documentation.
pub struct LyingClient {
    network: &'static Network,
    record: Record,
    /// Pieces that honest clients put.
    pieces: Vec<Rc<Piece>>,
    /// The place of the one member that may believe anything.
    bad: usize,
    lies: BTreeMap<ConnectionId, Lie>,
}

/// What is said on one connection.
enum Lie {
    Put { what: &'static str, offer: Offer, bytes: Bytes, root: PieceRoot, seals: bool },
    Certificate(AskRequest),
}

impl LyingClient {
    /// A liar who knows what others put. Only the member at place `bad` may sign for its lies.
    pub fn new(network: &'static Network, record: Record, pieces: Vec<Rc<Piece>>, bad: usize) -> Self {
        Self { network, record, pieces, bad, lies: BTreeMap::new() }
    }

    fn lie(&mut self, env: &mut Env<'_>) {
        if env.chance().one_in(5) && !self.record.is_empty() {
            return self.forge(env);
        }
        let size = if env.chance().one_in(3) { 400_000 } else { 3_000 };
        let own = Piece::raw(env.chance().bytes(size));
        let (mut bytes, mut root, mut announced) = (own.bytes.to_vec(), own.root, own.bytes.len() as u64);
        let (mut cid, mut seals) = (own.cid, true);
        let what = match env.chance().below(6) {
            0 | 1 => {
                *bytes.last_mut().expect("not empty") ^= 1;
                root = root_of(&bytes);
                "lying_client: a bad block"
            }
            2 => {
                bytes.truncate(bytes.len() / 2);
                root = root_of(&bytes);
                "lying_client: too short"
            }
            3 => {
                announced -= 1;
                "lying_client: too long"
            }
            4 => {
                root = PieceRoot::new([9; 32]);
                "lying_client: a wrong root"
            }
            _ => {
                // The beginning of somebody's piece, with a bad byte in it, and then nothing.
                let honest = env.chance().index(self.pieces.len());
                let honest = &self.pieces[honest];
                bytes = honest.bytes[..honest.bytes.len() * 2 / 3].to_vec();
                *bytes.last_mut().expect("not empty") ^= 1;
                (cid, announced, root, seals) = (honest.cid, honest.bytes.len() as u64, honest.root, false);
                "lying_client: a bad beginning"
            }
        };
        let offer = Offer::without_ledger(&self.network.committee, Profile::COPY4, cid, announced);
        let slots = slots_of(&offer.statement(root), Profile::COPY4, &self.network.committee);
        for place in slots.into_iter().filter(|place| *place != self.bad) {
            let connection = env.connect(Network::peer(place), Protocol::Link);
            let lie = Lie::Put { what, offer: offer.clone(), bytes: bytes.clone().into(), root, seals };
            self.lies.insert(connection, lie);
        }
    }

    /// Asks a member to keep a certificate, or to sign again, what nobody signed.
    fn forge(&mut self, env: &mut Env<'_>) {
        let number = env.chance().index(self.record.len());
        let mut certificate = self.record.get(number).certificate.certificate().clone();
        certificate.statement.piece_root = PieceRoot::new([8; 32]);
        let place = env.chance().index(self.network.secrets.len());
        if place == self.bad {
            return;
        }
        let question = match env.chance().one_in(2) {
            true => AskRequest::Keep(certificate),
            false => AskRequest::Receipt(certificate.statement),
        };
        let connection = env.connect(Network::peer(place), Protocol::Ask);
        self.lies.insert(connection, Lie::Certificate(question));
    }

    fn signal(&mut self, id: ConnectionId, signal: &Signal, env: &mut Env<'_>) {
        match (self.lies.get(&id), signal) {
            (Some(Lie::Put { what, offer, bytes, root, seals }), Signal::Connected) => {
                env.count(what);
                env.message(id, &Start::Put(()));
                env.message(id, &PutRequest::Open(offer.clone()));
                for start in (0..bytes.len()).step_by(PUT_FRAME_BYTES) {
                    env.data(id, bytes.slice(start..bytes.len().min(start + PUT_FRAME_BYTES)));
                }
                match seals {
                    true => env.message(id, &PutRequest::Seal(*root)),
                    false => env.close(id),
                }
            }
            (Some(Lie::Certificate(question)), Signal::Connected) => {
                env.count("lying_client: a forged certificate");
                env.message(id, question);
            }
            (Some(Lie::Put { what, .. }), Signal::Frame(frame)) => {
                let what = *what;
                if let Some(PutReply::Receipt(_)) = frame.message() {
                    env.found(format!("an honest member signed for {what}"));
                }
            }
            (Some(Lie::Certificate(_)), Signal::Frame(frame)) => {
                if let Some(AskReply::Kept(true) | AskReply::Receipt(Some(_))) = frame.message() {
                    env.found("an honest member believed a forged certificate".into());
                }
            }
            (Some(_), Signal::Lost) => drop(self.lies.remove(&id)),
            _ => {}
        }
    }
}

impl Peer for LyingClient {
    fn start(&mut self, env: &mut Env<'_>) {
        env.after(Duration::from_secs(10), "lie", 0);
    }

    fn handle(&mut self, input: Input, env: &mut Env<'_>) {
        match input {
            Input::Link(id, signal) => self.signal(id, &signal, env),
            Input::Timer(_) => {
                self.lie(env);
                let pause = env.chance().time(Duration::from_secs(5)..=Duration::from_secs(40));
                if env.now() < crate::run::WORK {
                    env.after(pause, "lie", 0);
                }
            }
        }
    }

    fn crash(&mut self, _how: Crash, _chance: &mut Chance) {
        self.lies.clear();
    }
}
