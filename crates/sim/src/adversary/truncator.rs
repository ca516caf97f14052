//! Ends everything before its end: closes while data flows, claims to have what it has not, serves a part of a block.

use holdfast_protocol::ask::{AskReply, AskRequest};
use holdfast_protocol::put::{PutReply, PutRequest};

use super::{Member, Talk, Trick};
use crate::links::{ConnectionId, Frame};
use crate::world::Env;

/// See the module's documentation.
pub struct Truncator;

impl Trick for Truncator {
    fn put(&mut self, _: &Member, talk: &mut Talk, id: ConnectionId, frame: &Frame, env: &mut Env<'_>) {
        let Some(offer) = &talk.offer else { return };
        match (frame, frame.message()) {
            (_, Some(PutRequest::Open(_))) => {
                // All but the last byte, or all of it, is said to be here already.
                env.count("truncator: claimed what it lacks");
                let short = env.chance().below(3).min(offer.piece_bytes);
                let from = if env.chance().one_in(2) { 0 } else { offer.piece_bytes - short };
                env.message(id, &PutReply::Accept(from));
            }
            (Frame::Data(_), _) if env.chance().one_in(2) => {
                env.count("truncator: closed in the middle");
                env.close(id);
            }
            (_, Some(PutRequest::Seal(_))) => {
                env.count("truncator: closed before its receipt");
                env.close(id);
            }
            _ => {}
        }
    }

    fn get(&mut self, _: &Member, _: &mut Talk, id: ConnectionId, _: &Frame, env: &mut Env<'_>) {
        env.count("truncator: served a part of a block");
        env.data(id, vec![0]);
        env.close(id);
    }

    fn ask(&mut self, _: &Member, id: ConnectionId, frame: &Frame, env: &mut Env<'_>) {
        env.count("truncator: closed without an answer");
        if let Some(AskRequest::Keep(_)) = frame.message() {
            env.message(id, &AskReply::Kept(true));
        }
        env.close(id);
    }
}
