//! The provider's side of one put, from `Open` to `Receipt`.
//!
//! The machine decides what is allowed and in which order things become durable: data before index, index
//! before signature, receipt kept before reply. See [`crate::put`] for the messages.

use holdfast_core::block::BlockId;
use holdfast_core::bls;
use holdfast_core::id::{NodeId, PieceRoot};
use holdfast_proofs::certificate::slots_of;
use holdfast_proofs::committee::Committee;
use holdfast_proofs::statement::{Statement, StatementError};

use crate::put::{Offer, PutReply, PutRequest, Reason, Refusal};

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A message arrived.
    Request(PutRequest),
    /// A data frame of so many bytes arrived; the shell holds it.
    Data(u64),
    /// The store was asked to make room.
    Room(Room),
    /// The data frame reported last was checked and written.
    Written(Result<(), Refusal>),
    /// The piece was checked to its end and synced, with its index row.
    Persisted(Result<PieceRoot, Refusal>),
    /// The enclave signed, or refused.
    Signed(Result<bls::Signature, Refusal>),
    /// The receipt is durable.
    Kept(Result<(), Refusal>),
}

/// What the store says to a new piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Room {
    /// Space is reserved and a draft is open.
    Ready,
    /// The piece is here already.
    Held(PieceRoot, u64),
    /// No.
    Refused(Refusal),
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Look the piece up, or reserve room for it and open a draft. Answer with [`Input::Room`].
    Reserve {
        /// The piece.
        cid: BlockId,
        /// Its announced length.
        bytes: u64,
    },
    /// Check and write the data frame reported last. Answer with [`Input::Written`].
    Write,
    /// Check the end of the piece and that this is its root, sync data, then index. Answer with
    /// [`Input::Persisted`].
    Persist(PieceRoot),
    /// Have the enclave sign. Answer with [`Input::Signed`].
    Sign(Statement),
    /// Make the receipt durable. Answer with [`Input::Kept`].
    Keep(Statement, bls::Signature),
    /// Send a message.
    Reply(PutReply),
    /// The conversation is over: drop the draft if there is one, close the stream.
    Close,
}

#[derive(Debug)]
enum State {
    Opening,
    Reserving(Offer),
    Receiving {
        offer: Offer,
        received: u64,
    },
    Writing {
        offer: Offer,
        received: u64,
    },
    /// The piece is held; its root is known before the client says it.
    Held {
        offer: Offer,
        root: PieceRoot,
    },
    Persisting {
        offer: Offer,
        client_root: PieceRoot,
    },
    Signing(Statement),
    Keeping(bls::Signature),
    Closed,
}

/// One put, seen by a provider.
#[derive(Debug)]
pub struct Intake<'a> {
    committee: &'a Committee,
    node: NodeId,
    state: State,
}

impl<'a> Intake<'a> {
    /// Waits for `Open` as the member `node`.
    pub fn new(committee: &'a Committee, node: NodeId) -> Self {
        Self { committee, node, state: State::Opening }
    }

    /// Whether the conversation is over.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Takes one input and appends what to do.
    pub fn step(&mut self, input: Input, out: &mut Vec<Effect>) {
        let state = std::mem::replace(&mut self.state, State::Closed);
        match self.next(state, input, out) {
            Ok(next) => {
                if matches!(next, State::Closed) {
                    out.push(Effect::Close);
                }
                self.state = next;
            }
            Err(refusal) => {
                out.push(Effect::Reply(PutReply::Refuse(refusal)));
                out.push(Effect::Close);
            }
        }
    }

    fn next(&self, state: State, input: Input, out: &mut Vec<Effect>) -> Result<State, Refusal> {
        match (state, input) {
            (State::Opening, Input::Request(PutRequest::Open(offer))) => {
                self.admit(&offer)?;
                out.push(Effect::Reserve { cid: offer.cid, bytes: offer.piece_bytes });
                Ok(State::Reserving(offer))
            }
            (State::Reserving(offer), Input::Room(room)) => match room {
                Room::Ready => {
                    out.push(Effect::Reply(PutReply::Accept(0)));
                    Ok(State::Receiving { offer, received: 0 })
                }
                Room::Held(root, bytes) => {
                    check_length(bytes, offer.piece_bytes)?;
                    out.push(Effect::Reply(PutReply::Accept(bytes)));
                    Ok(State::Held { offer, root })
                }
                Room::Refused(refusal) => Err(refusal),
            },
            (State::Receiving { offer, received }, Input::Data(bytes)) => {
                // The first byte past the announced length ends the put.
                let received = received.saturating_add(bytes);
                if received > offer.piece_bytes {
                    let detail = format!("announced {} bytes, sent more", offer.piece_bytes);
                    return Err(Refusal::new(Reason::Length, detail));
                }
                out.push(Effect::Write);
                Ok(State::Writing { offer, received })
            }
            (State::Writing { offer, received }, Input::Written(result)) => {
                result?;
                Ok(State::Receiving { offer, received })
            }
            (State::Receiving { offer, received }, Input::Request(PutRequest::Seal(client_root))) => {
                check_length(received, offer.piece_bytes)?;
                out.push(Effect::Persist(client_root));
                Ok(State::Persisting { offer, client_root })
            }
            (State::Held { offer, root }, Input::Request(PutRequest::Seal(client_root))) => {
                sign(&offer, root, client_root, out)
            }
            (State::Persisting { offer, client_root }, Input::Persisted(root)) => {
                sign(&offer, root?, client_root, out)
            }
            (State::Signing(statement), Input::Signed(signature)) => {
                let signature = signature?;
                out.push(Effect::Keep(statement, signature));
                Ok(State::Keeping(signature))
            }
            (State::Keeping(signature), Input::Kept(result)) => {
                result?;
                out.push(Effect::Reply(PutReply::Receipt(signature)));
                Ok(State::Closed)
            }
            _ => Err(Refusal::new(Reason::Protocol, "message out of place")),
        }
    }

    /// Checks the terms, and that this member owns a slot of the piece.
    fn admit(&self, offer: &Offer) -> Result<(), Refusal> {
        let statement = offer.statement(PieceRoot::new([0; 32]));
        let profile = statement.validate(self.committee).map_err(|error| {
            let reason = match error {
                StatementError::Committee => Reason::Committee,
                _ => Reason::Terms,
            };
            Refusal::new(reason, error.to_string())
        })?;
        let slots = slots_of(&statement, profile, self.committee);
        let mine = slots.iter().any(|place| self.committee.members()[*place].node == self.node);
        if mine { Ok(()) } else { Err(Refusal::new(Reason::Slot, "no slot of this piece is mine")) }
    }
}

fn check_length(found: u64, announced: u64) -> Result<(), Refusal> {
    if found == announced {
        return Ok(());
    }
    Err(Refusal::new(Reason::Length, format!("announced {announced} bytes, found {found}")))
}

fn sign(
    offer: &Offer,
    root: PieceRoot,
    client_root: PieceRoot,
    out: &mut Vec<Effect>,
) -> Result<State, Refusal> {
    if root != client_root {
        let detail = format!("piece root {root} here, {client_root} at the client");
        return Err(Refusal::new(Reason::Root, detail));
    }
    let statement = offer.statement(root);
    out.push(Effect::Sign(statement.clone()));
    Ok(State::Signing(statement))
}

#[cfg(test)]
mod tests;
