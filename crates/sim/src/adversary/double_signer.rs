//! Keeps nothing and signs everything, twice; then it asks another slot for its receipt and sends that as well.

use std::collections::BTreeMap;

use holdfast_proofs::statement::Statement;
use holdfast_protocol::ask::{AskReply, AskRequest};
use holdfast_protocol::put::{PutReply, PutRequest};

use super::{Member, Talk, Trick};
use crate::Network;
use crate::links::{ConnectionId, Frame, Protocol, Signal};
use crate::world::Env;

/// See the module's documentation.
#[derive(Default)]
pub struct DoubleSigner {
    /// Questions to other slots: what about, and for which put.
    questions: BTreeMap<ConnectionId, (Statement, ConnectionId)>,
}

impl Trick for DoubleSigner {
    fn put(&mut self, me: &Member, talk: &mut Talk, id: ConnectionId, frame: &Frame, env: &mut Env<'_>) {
        match (frame.message(), &talk.offer) {
            (Some(PutRequest::Open(_)), _) => env.message(id, &PutReply::Accept(0)),
            (Some(PutRequest::Seal(root)), Some(offer)) => {
                let statement = offer.statement(root);
                let receipt = PutReply::Receipt(me.sign(&statement));
                env.count("double_signer: sent its receipt twice");
                env.message(id, &receipt);
                env.message(id, &receipt);
                let other = env.chance().index(me.network.secrets.len());
                let question = env.connect(Network::peer(other), Protocol::Ask);
                self.questions.insert(question, (statement, id));
            }
            _ => {}
        }
    }

    fn get(&mut self, _: &Member, _: &mut Talk, id: ConnectionId, _: &Frame, env: &mut Env<'_>) {
        env.close(id);
    }

    fn ask(&mut self, me: &Member, id: ConnectionId, frame: &Frame, env: &mut Env<'_>) {
        if let Some(AskRequest::Receipt(statement)) = frame.message() {
            env.count("double_signer: signed what it does not hold");
            env.message(id, &AskReply::Receipt(Some(me.sign(&statement))));
        } else {
            env.message(id, &AskReply::Kept(true));
        }
        env.close(id);
    }

    fn own(&mut self, _: &Member, id: ConnectionId, signal: &Signal, env: &mut Env<'_>) {
        let Some((statement, put)) = self.questions.get(&id) else { return };
        match signal {
            Signal::Connected => env.message(id, &AskRequest::Receipt(statement.clone())),
            Signal::Frame(frame) => {
                if let Some(AskReply::Receipt(Some(signature))) = frame.message() {
                    env.count("double_signer: sent somebody else's receipt");
                    env.message(*put, &PutReply::Receipt(signature));
                }
                env.close(id);
                self.questions.remove(&id);
            }
            Signal::Lost => drop(self.questions.remove(&id)),
            _ => {}
        }
    }
}
