//! Answers single questions, and keeps certificates.

use std::time::Duration;

use holdfast_core::codec::{self, Bounded};
use holdfast_proofs::certificate::Certificate;
use holdfast_proofs::statement::Statement;
use holdfast_protocol::ask::{AskReply, AskRequest, NodeInfo, PieceInfo};

use super::{Kind, Node};
use crate::links::{ConnectionId, Frame};
use crate::world::Env;

impl Node {
    /// Answers a question, now or when what it takes is done.
    pub(super) fn answer(&mut self, id: ConnectionId, frame: &Frame, env: &mut Env<'_>) {
        let Some(request) = frame.message::<AskRequest>() else { return self.hang_up(id, env) };
        let talk = self.run().talks.get_mut(&id).expect("the caller has it");
        talk.kind = Kind::Answering(None);
        match request {
            AskRequest::Piece(cid) => {
                let held = self.run().store.held(&cid).expect("a disk in memory can be read");
                let certificate = self.run().store.certificate(&cid).expect("a disk in memory can be read");
                let certificate = certificate.and_then(|bytes| Certificate::from_bytes(&bytes).ok());
                let info = held.map(|row| PieceInfo {
                    root: row.root,
                    bytes: row.bytes,
                    blocks: row.blocks,
                    certificate,
                });
                self.reply(id, &AskReply::Piece(info), env);
            }
            AskRequest::Node(()) => {
                let usage = self.run().store.usage();
                let info =
                    NodeInfo { node: self.id, pieces: usage.pieces, bytes: usage.bytes, quota: usage.quota };
                self.reply(id, &AskReply::Node(info), env);
            }
            // In this world everybody knows how to reach everybody.
            AskRequest::Peers(_) => self.reply(id, &AskReply::Peers(Bounded::default()), env),
            AskRequest::Keep(certificate) => self.keep(certificate, Some(id), env),
            AskRequest::Receipt(statement) => {
                if !self.may_sign_again(&statement) {
                    return self.reply(id, &AskReply::Receipt(None), env);
                }
                let signed = self.sign(&statement).ok();
                let talk = self.run().talks.get_mut(&id).expect("it is being answered");
                talk.kind = Kind::Answering(signed);
                let delay = env.chance().time(Duration::from_micros(200)..=Duration::from_millis(3));
                env.after(delay, "signed", id.0);
            }
        }
    }

    /// What was promised and is still here may be signed again.
    fn may_sign_again(&mut self, statement: &Statement) -> bool {
        let store = &self.run().store;
        let held = store.held(&statement.cid).expect("a disk in memory can be read");
        let promised = store.has_promised(&statement.cid, &codec::encode(statement));
        held.is_some_and(|row| row.root == statement.piece_root)
            && promised.expect("a disk in memory can be read")
    }

    /// The enclave has signed again.
    pub(super) fn answer_signed(&mut self, id: ConnectionId, env: &mut Env<'_>) {
        let Some(talk) = self.run().talks.get_mut(&id) else { return };
        if let Kind::Answering(signed) = &mut talk.kind {
            let signed = signed.take();
            self.reply(id, &AskReply::Receipt(signed), env);
        }
    }

    /// A certificate is kept, or not.
    pub(super) fn kept(&mut self, id: ConnectionId, kept: bool, env: &mut Env<'_>) {
        self.reply(id, &AskReply::Kept(kept), env);
        if kept {
            self.repair_wanted(env);
        }
    }

    fn reply(&mut self, id: ConnectionId, reply: &AskReply, env: &mut Env<'_>) {
        env.message(id, reply);
        self.hang_up(id, env);
    }
}
