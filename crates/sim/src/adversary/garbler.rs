//! Sends what has no place: receipts before anything was sent, acceptances twice, noise, blocks nobody asked for.

use holdfast_core::bls;
use holdfast_protocol::ask::AskReply;
use holdfast_protocol::get::GetReply;
use holdfast_protocol::put::{PutReply, Reason, Refusal};

use super::{Member, Talk, Trick};
use crate::links::{ConnectionId, Frame};
use crate::world::Env;

/// See the module's documentation.
pub struct Garbler;

fn garble(id: ConnectionId, env: &mut Env<'_>) {
    env.count("garbler: sent something out of place");
    let noise = env.chance().bytes(20);
    match env.chance().below(7) {
        0 => env.send(id, Frame::Message(noise.into())),
        1 => env.data(id, noise),
        2 => env.message(id, &PutReply::Receipt(bls::Signature::new([7; 48]))),
        3 => env.message(id, &PutReply::Accept(u64::MAX)),
        4 => env.message(id, &PutReply::Refuse(Refusal::new(Reason::Protocol, "no"))),
        5 => env.message(id, &AskReply::Failed(())),
        _ => {}
    }
}

impl Trick for Garbler {
    fn put(&mut self, _: &Member, _: &mut Talk, id: ConnectionId, _: &Frame, env: &mut Env<'_>) {
        garble(id, env);
    }

    fn get(&mut self, _: &Member, talk: &mut Talk, id: ConnectionId, _: &Frame, env: &mut Env<'_>) {
        if let Some(offer) = &talk.offer {
            env.message(id, &GetReply::Missing(offer.cid));
        }
        garble(id, env);
    }

    fn ask(&mut self, _: &Member, id: ConnectionId, _: &Frame, env: &mut Env<'_>) {
        garble(id, env);
    }
}
