//! Takes every piece and keeps none, signs another root than it was sent, and serves wrong blocks.

use holdfast_core::id::PieceRoot;
use holdfast_protocol::ask::{AskReply, AskRequest, PieceInfo};
use holdfast_protocol::get::Want;
use holdfast_protocol::put::{PutReply, PutRequest};

use super::{Member, Talk, Trick};
use crate::links::{ConnectionId, Frame};
use crate::world::Env;

/// See the module's documentation.
pub struct Liar;

const OTHER_ROOT: PieceRoot = PieceRoot::new([0xbd; 32]);

impl Trick for Liar {
    fn put(&mut self, me: &Member, talk: &mut Talk, id: ConnectionId, frame: &Frame, env: &mut Env<'_>) {
        match (frame.message(), &talk.offer) {
            (Some(PutRequest::Open(_)), _) => env.message(id, &PutReply::Accept(0)),
            (Some(PutRequest::Seal(_)), Some(offer)) => {
                env.count("liar: signed another root");
                env.message(id, &PutReply::Receipt(me.sign(&offer.statement(OTHER_ROOT))));
            }
            _ => {}
        }
    }

    fn get(&mut self, _: &Member, _: &mut Talk, id: ConnectionId, frame: &Frame, env: &mut Env<'_>) {
        let Some(want) = frame.message::<Want>() else { return };
        for _ in want.blocks.iter() {
            env.count("liar: served a wrong block");
            let length = env.chance().index(3000);
            let block = env.chance().bytes(length);
            env.data(id, block);
        }
    }

    fn ask(&mut self, me: &Member, id: ConnectionId, frame: &Frame, env: &mut Env<'_>) {
        env.count("liar: answered with a lie");
        let reply = match frame.message() {
            Some(AskRequest::Receipt(statement)) => {
                let other = holdfast_proofs::statement::Statement { piece_root: OTHER_ROOT, ..statement };
                AskReply::Receipt(Some(me.sign(&other)))
            }
            Some(AskRequest::Keep(_)) => AskReply::Kept(true),
            _ => {
                AskReply::Piece(Some(PieceInfo { root: OTHER_ROOT, bytes: 1, blocks: 1, certificate: None }))
            }
        };
        env.message(id, &reply);
        env.close(id);
    }
}
