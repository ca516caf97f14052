//! Serves blocks, in the order asked.

use holdfast_protocol::get::{GetReply, Want};

use super::{Kind, Node};
use crate::links::{ConnectionId, Frame};
use crate::world::Env;

impl Node {
    /// Answers one want; an empty one ends the conversation.
    pub(super) fn serve(&mut self, id: ConnectionId, frame: &Frame, env: &mut Env<'_>) {
        let Some(want) = frame.message::<Want>() else { return self.hang_up(id, env) };
        if want.blocks.is_empty() {
            let talk = self.run().talks.get_mut(&id).expect("the caller has it");
            talk.kind = Kind::Idle;
            return;
        }
        for block in want.blocks.iter() {
            match self.run().store.block(block) {
                Ok(Some(data)) => env.data(id, data),
                Ok(None) => env.message(id, &GetReply::Missing(*block)),
                Err(error) => {
                    env.found(format!("block {block} cannot be served: {error}"));
                    env.message(id, &GetReply::Missing(*block));
                }
            }
        }
    }
}
