//! Repeats what it has seen: old receipts under new puts, old messages to other members.

use holdfast_core::bls;
use holdfast_protocol::ask::{AskReply, AskRequest};
use holdfast_protocol::link::Start;
use holdfast_protocol::put::{PutReply, PutRequest};

use super::{Member, Talk, Trick};
use crate::Network;
use crate::links::{ConnectionId, Frame, Protocol, Signal};
use crate::world::{Env, Timer};

/// Frames that it remembers.
const FRAMES_MAX: usize = 40;

/// See the module's documentation.
#[derive(Default)]
pub struct Replayer {
    receipts: Vec<bls::Signature>,
    frames: Vec<Frame>,
}

impl Replayer {
    fn remember(&mut self, frame: &Frame) {
        if self.frames.len() < FRAMES_MAX {
            self.frames.push(frame.clone());
        }
    }
}

impl Trick for Replayer {
    fn put(&mut self, me: &Member, talk: &mut Talk, id: ConnectionId, frame: &Frame, env: &mut Env<'_>) {
        self.remember(frame);
        match (frame.message(), &talk.offer) {
            (Some(PutRequest::Open(_)), _) => env.message(id, &PutReply::Accept(0)),
            (Some(PutRequest::Seal(root)), Some(offer)) => {
                let own = me.sign(&offer.statement(root));
                env.count("replayer: repeated an old receipt");
                let old = self.receipts.last().copied().unwrap_or(bls::Signature::new([0; 48]));
                env.message(id, &PutReply::Receipt(old));
                self.receipts.push(own);
            }
            _ => {}
        }
    }

    fn get(&mut self, _: &Member, _: &mut Talk, id: ConnectionId, frame: &Frame, env: &mut Env<'_>) {
        self.remember(frame);
        env.close(id);
    }

    fn ask(&mut self, _: &Member, id: ConnectionId, frame: &Frame, env: &mut Env<'_>) {
        self.remember(frame);
        let reply = match (frame.message(), self.receipts.last()) {
            (Some(AskRequest::Receipt(_)), Some(old)) => AskReply::Receipt(Some(*old)),
            _ => AskReply::Kept(true),
        };
        env.count("replayer: repeated an old answer");
        env.message(id, &reply);
        env.close(id);
    }

    fn own(&mut self, _: &Member, id: ConnectionId, signal: &Signal, env: &mut Env<'_>) {
        if !matches!(signal, Signal::Connected) {
            return;
        }
        env.message(id, &Start::Put(()));
        for frame in &self.frames {
            if env.chance().one_in(2) {
                env.count("replayer: repeated an old message");
                env.send(id, frame.clone());
            }
        }
    }

    fn timer(&mut self, me: &Member, timer: Timer, env: &mut Env<'_>) {
        let other = env.chance().index(me.network.secrets.len());
        if other != me.place {
            let protocol = if env.chance().one_in(3) { Protocol::Ask } else { Protocol::Link };
            env.connect(Network::peer(other), protocol);
        }
        let pause = env.chance().time(std::time::Duration::from_secs(5)..=std::time::Duration::from_secs(40));
        if env.now() < crate::run::WORK {
            env.after(pause, timer.what, timer.id);
        }
    }
}
