//! Performs what the intake machine of one put decides.

use std::time::Duration;

use bytes::Bytes;
use holdfast_core::block::BlockId;
use holdfast_core::codec;
use holdfast_proofs::statement::Statement;
use holdfast_protocol::intake::{Effect, Input, Intake, Room};
use holdfast_protocol::put::{Reason, Refusal};
use holdfast_store::log::Promise;

use super::{Arrived, Done, Kind, Node, Putting, refusal};
use crate::links::{ConnectionId, Frame};
use crate::world::Env;

impl Node {
    /// A put begins on this connection.
    pub(super) fn begin_put(&mut self, id: ConnectionId, env: &mut Env<'_>) {
        let intake = Intake::new(env.now(), &self.network.committee, self.id);
        let talk = self.run().talks.get_mut(&id).expect("the caller has it");
        talk.since = env.now();
        talk.kind = Kind::Put(Box::new(Putting { intake, draft: None, data: Bytes::new(), signed: None }));
    }

    /// The client sent something, or is gone.
    pub(super) fn put_arrived(&mut self, id: ConnectionId, arrived: Arrived, env: &mut Env<'_>) {
        let input = match arrived {
            Arrived::Lost => Input::Lost,
            Arrived::Frame(Frame::Data(data)) => {
                let bytes = data.len() as u64;
                self.putting(id).data = data;
                Input::Data(bytes)
            }
            Arrived::Frame(frame) => match frame.message() {
                Some(request) => Input::Request(request),
                None => Input::Lost, // what cannot be read ends the connection
            },
        };
        self.step_intake(id, input, env);
    }

    /// What was to be persisted is, or is not.
    pub(super) fn persisted(&mut self, id: ConnectionId, result: Result<(), Refusal>, env: &mut Env<'_>) {
        if let Err(refusal) = &result
            && refusal.reason == Reason::Internal
        {
            env.found(format!("the store failed: {}", refusal.detail));
        }
        if self.is_putting(id) {
            self.step_intake(id, Input::Persisted(result), env);
            self.pump(id, env);
        }
    }

    /// The enclave has answered.
    pub(super) fn signed(&mut self, id: ConnectionId, env: &mut Env<'_>) {
        if !self.is_putting(id) {
            return self.answer_signed(id, env);
        }
        if let Some(signed) = self.putting(id).signed.take() {
            self.step_intake(id, Input::Signed(signed), env);
            self.pump(id, env);
        }
    }

    fn is_putting(&mut self, id: ConnectionId) -> bool {
        self.run().talks.get(&id).is_some_and(|talk| matches!(talk.kind, Kind::Put(_)))
    }

    fn putting(&mut self, id: ConnectionId) -> &mut Putting {
        match self.run().talks.get_mut(&id).map(|talk| &mut talk.kind) {
            Some(Kind::Put(putting)) => putting,
            _ => unreachable!("the caller has looked"),
        }
    }

    /// Steps the machine, and performs what it says until it waits for something.
    pub(super) fn step_intake(&mut self, id: ConnectionId, input: Input, env: &mut Env<'_>) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let mut effects = Vec::new();
            let now = env.now();
            self.putting(id).intake.step(now, input, &mut effects);
            for effect in effects {
                // Only the last effect of a step asks something that is answered at once.
                inputs.extend(self.perform(id, effect, env));
            }
            if !self.is_putting(id) {
                return;
            }
        }
    }

    fn perform(&mut self, id: ConnectionId, effect: Effect, env: &mut Env<'_>) -> Option<Input> {
        match effect {
            Effect::Reserve { cid, bytes, .. } => {
                return Some(Input::Room(self.reserve(id, cid, bytes, env)));
            }
            Effect::Write => {
                let data = std::mem::take(&mut self.putting(id).data);
                let draft = self.putting(id).draft.as_mut().expect("data is only asked for with a draft");
                let written = draft.push(&data).map_err(|error| refusal(&error));
                if written.is_err() {
                    self.putting(id).draft = None;
                }
                return Some(Input::Written(written));
            }
            Effect::Persist(statement) => {
                // Without a draft it was held before: the planted bug asks for this once more.
                let draft = self.putting(id).draft.take()?;
                let done = self.run().done.clone();
                draft.seal(&statement.piece_root, Some(promise(&statement)), move |result| {
                    let result = result.map(drop).map_err(|error| refusal(&error));
                    let _ = done.send(Done::Persisted(id, result)); // the node may be gone
                });
                self.sync_soon(env);
            }
            Effect::Promise(statement) => {
                let done = self.run().done.clone();
                self.run().store.promise(statement.cid, promise(&statement), move |result| {
                    let result = result.map_err(|error| refusal(&error.into()));
                    let _ = done.send(Done::Persisted(id, result)); // the node may be gone
                });
                self.sync_soon(env);
            }
            Effect::Sign(statement) => {
                let signed = self.sign(&statement);
                self.putting(id).signed = Some(signed);
                let delay = env.chance().time(Duration::from_micros(200)..=Duration::from_millis(3));
                env.after(delay, "signed", id.0);
            }
            Effect::Certify(certificate) => self.keep(*certificate, None, env),
            Effect::Reply(reply) => env.message(id, &reply),
            Effect::Suspend => {
                if let Some(draft) = self.putting(id).draft.take() {
                    let kept = draft.received();
                    draft.suspend().expect("a disk in memory can be written");
                    env.line(format_args!("c{} kept {kept} bytes of an interrupted put", id.0));
                }
            }
            Effect::End => {
                let talk = self.run().talks.get_mut(&id).expect("it has just been stepped");
                talk.kind = Kind::Idle;
            }
            Effect::Close => self.hang_up(id, env),
        }
        None
    }

    fn reserve(&mut self, id: ConnectionId, cid: BlockId, bytes: u64, env: &mut Env<'_>) -> Room {
        match self.run().store.held(&cid).expect("a disk in memory can be read") {
            Some(row) => Room::Held(row.root, row.bytes),
            None => match self.run().store.draft(cid, bytes) {
                Ok(draft) => {
                    let received = draft.received();
                    if received > 0 {
                        env.count("resumed puts");
                    }
                    self.putting(id).draft = Some(draft);
                    Room::Ready(received)
                }
                Err(error) => Room::Refused(refusal(&error)),
            },
        }
    }
}

/// What a statement means to the store.
pub(super) fn promise(statement: &Statement) -> Promise {
    Promise { until: statement.retain_until, statement: codec::encode(statement) }
}
