//! The provider's side of one put, from `Open` to `Receipt` and the certificate.
//!
//! The machine decides what is allowed and in which order things become durable: the piece and the promise about
//! it before the signature, the enclave's journal before the signature leaves. See [`crate::put`] for the messages.
//! What *failed* (a lie, a bad block, no room) is dropped; what was *interrupted* is kept for a while, so that the same put
//! goes on where it stopped.

use std::time::Duration;

use holdfast_core::block::BlockId;
use holdfast_core::bls;
use holdfast_core::id::{Epoch, NodeId, OrderId, PieceRoot};
use holdfast_core::planted::{self, Bug};
use holdfast_proofs::certificate::{Certificate, slots_of};
use holdfast_proofs::committee::Committee;
use holdfast_proofs::statement::{Statement, StatementError};

use crate::pace::{check_time, too_slow_at};
use crate::put::{Offer, PutReply, PutRequest, Reason, Refusal};

/// A client that sends nothing for so long, while something is due, is gone.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// A client may wait that long for its other slots before it brings the certificate: the longest tail, and the slowest
/// seal of another slot.
const CERTIFICATE_WINDOW: Duration = Duration::from_secs(90);

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
    /// The piece was checked to its end, and is on stable storage with the promise.
    Persisted(Result<(), Refusal>),
    /// The enclave signed, or refused.
    Signed(Result<bls::Signature, Refusal>),
    /// The client went away.
    Lost,
    /// Time went by.
    Tick,
}

/// What the store says to a new piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Room {
    /// Space is reserved and a draft is open, which starts with so many bytes of an interrupted put.
    Ready(u64),
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
        /// Who pays for it, if anybody.
        order: Option<OrderId>,
        /// The first epoch for which it need not be kept.
        until: Epoch,
    },
    /// Check and write the data frame reported last. Answer with [`Input::Written`].
    Write,
    /// Check the end of the piece and that it has the statement's root, and bring it to stable storage together with
    /// the promise to keep it as stated. Answer with [`Input::Persisted`].
    Persist(Statement),
    /// Promise, on stable storage, to keep a piece that is here already. Answer with [`Input::Persisted`].
    Promise(Statement),
    /// Have the enclave sign. Answer with [`Input::Signed`].
    Sign(Statement),
    /// Keep a certificate of the piece, unless one with as many signers is kept. Nobody has checked its signature yet.
    Certify(Box<Certificate>),
    /// Send a message.
    Reply(PutReply),
    /// Keep what has arrived for the next put of this piece.
    Suspend,
    /// The conversation has come to its regular end; the link may carry another.
    End,
    /// The conversation is over: drop the draft if there is one, close the link.
    Close,
}

#[derive(Debug)]
enum State {
    Opening,
    Reserving(Offer),
    Receiving {
        offer: Offer,
        /// When data began to flow, and from which byte on.
        since: Duration,
        from: u64,
        received: u64,
    },
    Writing {
        offer: Offer,
        since: Duration,
        from: u64,
        received: u64,
        /// When the frame arrived.
        at: Duration,
    },
    /// The piece is held; its root is known before the client says it. An eager client's data is passed by.
    Held {
        offer: Offer,
        root: PieceRoot,
        /// When the client was told.
        since: Duration,
        passed: u64,
    },
    Persisting(Statement),
    Signing(Statement),
    Receipted(Statement),
    Closed,
}

/// One put, seen by a provider. `now` is the time since any fixed moment.
#[derive(Debug)]
pub struct Intake<'a> {
    committee: &'a Committee,
    /// The committee of the epoch before.
    before: Option<&'a Committee>,
    node: NodeId,
    state: State,
    /// When something was last heard of the client.
    heard: Duration,
}

impl<'a> Intake<'a> {
    /// Waits for `Open` as the member `node`.
    pub fn new(now: Duration, committee: &'a Committee, node: NodeId) -> Self {
        Self { committee, before: None, node, state: State::Opening, heard: now }
    }

    /// Takes offers for the committee of the epoch before as well: an epoch may end while a client gets ready.
    pub fn or_before(mut self, before: Option<&'a Committee>) -> Self {
        self.before = before;
        self
    }

    /// Whether the conversation is over.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Whether the next thing must come from the client; else it comes from store or enclave.
    pub fn awaits_client(&self) -> bool {
        matches!(
            self.state,
            State::Opening | State::Receiving { .. } | State::Held { .. } | State::Receipted(_)
        )
    }

    /// When [`Input::Tick`] is due, if the client sends nothing before.
    pub fn deadline(&self) -> Option<Duration> {
        match &self.state {
            State::Opening => Some(self.heard + SILENCE_MAX),
            // A client that does not know the root by then closes the link, and comes back with it.
            State::Held { since, passed, .. } => {
                Some((self.heard + SILENCE_MAX).min(too_slow_at(*since, *passed)))
            }
            // Before the seal, the client may have to read what it did not send.
            State::Receiving { offer, received, .. } if *received == offer.piece_bytes => {
                Some(self.heard + SILENCE_MAX + check_time(offer.piece_bytes))
            }
            State::Receiving { since, from, received, .. } => {
                Some((self.heard + SILENCE_MAX).min(too_slow_at(*since, received - from)))
            }
            State::Receipted(_) => Some(self.heard + CERTIFICATE_WINDOW),
            _ => None,
        }
    }

    /// Takes one input and appends what to do.
    pub fn step(&mut self, now: Duration, input: Input, out: &mut Vec<Effect>) {
        match input {
            Input::Lost => return self.lose(None, out),
            Input::Tick => {
                if self.deadline().is_some_and(|deadline| now >= deadline) {
                    let late = Refusal::new(Reason::Pace, "nothing, or too little, arrived in time");
                    self.lose(Some(late), out);
                }
                return;
            }
            // While we were at work, the client could not be heard.
            _ => self.heard = now,
        }
        let state = std::mem::replace(&mut self.state, State::Closed);
        match self.next(now, state, input, out) {
            Ok(next) => self.state = next,
            Err(refusal) => out.extend([Effect::Reply(PutReply::Refuse(refusal)), Effect::Close]),
        }
    }

    /// The client has gone, or is as good as gone.
    fn lose(&mut self, refusal: Option<Refusal>, out: &mut Vec<Effect>) {
        let state = std::mem::replace(&mut self.state, State::Closed);
        if matches!(state, State::Closed) {
            return;
        }
        if matches!(state, State::Receiving { .. } | State::Writing { .. }) {
            out.push(Effect::Suspend);
        }
        // Who has the receipt is told nothing more.
        let refusal = refusal.filter(|_| !matches!(state, State::Receipted(_)));
        out.extend(refusal.map(|refusal| Effect::Reply(PutReply::Refuse(refusal))));
        out.push(Effect::Close);
    }

    fn next(
        &self,
        now: Duration,
        state: State,
        input: Input,
        out: &mut Vec<Effect>,
    ) -> Result<State, Refusal> {
        match (state, input) {
            // It moves nothing, and would be taken for a sign of life.
            (_, Input::Data(0)) => Err(Refusal::new(Reason::Protocol, "empty data frame")),
            (State::Opening, Input::Request(PutRequest::Open(offer))) => {
                self.admit(&offer)?;
                let Offer { cid, piece_bytes: bytes, order, retain_until: until, .. } = offer;
                out.push(Effect::Reserve { cid, bytes, order, until });
                Ok(State::Reserving(offer))
            }
            (State::Reserving(offer), Input::Room(room)) => match room {
                Room::Ready(from) => {
                    out.push(Effect::Reply(PutReply::Accept(from)));
                    Ok(State::Receiving { offer, since: now, from, received: from })
                }
                Room::Held(root, bytes) => {
                    check_length(bytes, offer.piece_bytes)?;
                    out.push(Effect::Reply(PutReply::Accept(bytes)));
                    Ok(State::Held { offer, root, since: now, passed: 0 })
                }
                Room::Refused(refusal) => Err(refusal),
            },
            (State::Receiving { offer, since, from, received }, Input::Data(bytes)) => {
                let received = add(received, bytes, &offer)?;
                out.push(Effect::Write);
                Ok(State::Writing { offer, since, from, received, at: now })
            }
            (State::Writing { offer, since, from, received, at }, Input::Written(result)) => {
                result?;
                // The time of our disk is not the client's.
                let since = since + now.saturating_sub(at);
                Ok(State::Receiving { offer, since, from, received })
            }
            (State::Receiving { offer, received, .. }, Input::Request(PutRequest::Seal(root))) => {
                check_length(received, offer.piece_bytes)?;
                let statement = offer.statement(root);
                if planted::is(Bug::SignBeforeSync) {
                    out.push(Effect::Sign(statement.clone()));
                    return Ok(State::Signing(statement));
                }
                out.push(Effect::Persist(statement.clone()));
                Ok(State::Persisting(statement))
            }
            (State::Held { offer, root, since, passed }, Input::Data(bytes)) => {
                let passed = add(passed, bytes, &offer)?;
                Ok(State::Held { offer, root, since, passed })
            }
            (State::Held { offer, root, .. }, Input::Request(PutRequest::Seal(client_root))) => {
                if root != client_root {
                    let detail = format!("piece root {root} here, {client_root} at the client");
                    return Err(Refusal::new(Reason::Root, detail));
                }
                let statement = offer.statement(root);
                out.push(Effect::Promise(statement.clone()));
                Ok(State::Persisting(statement))
            }
            (State::Persisting(statement), Input::Persisted(result)) => {
                result?;
                out.push(Effect::Sign(statement.clone()));
                Ok(State::Signing(statement))
            }
            (State::Signing(statement), Input::Signed(signature)) => {
                out.push(Effect::Reply(PutReply::Receipt(signature?)));
                if planted::is(Bug::SignBeforeSync) {
                    out.push(Effect::Persist(statement.clone()));
                }
                Ok(State::Receipted(statement))
            }
            (State::Receipted(statement), Input::Persisted(_)) if planted::is(Bug::SignBeforeSync) => {
                Ok(State::Receipted(statement))
            }
            (State::Receipted(statement), Input::Request(PutRequest::Keep(certificate))) => {
                if certificate.statement != statement {
                    let detail = "the certificate is about something else";
                    return Err(Refusal::new(Reason::Protocol, detail));
                }
                out.extend([Effect::Certify(certificate), Effect::End]);
                Ok(State::Closed)
            }
            _ => Err(Refusal::new(Reason::Protocol, "message out of place")),
        }
    }

    /// Checks the terms, and that this member owns a slot of the piece.
    fn admit(&self, offer: &Offer) -> Result<(), Refusal> {
        let statement = offer.statement(PieceRoot::new([0; 32]));
        let before = self.before.filter(|before| before.id() == offer.committee);
        let committee = before.unwrap_or(self.committee);
        let profile = statement.validate(committee).map_err(|error| {
            let reason = match error {
                StatementError::Committee => Reason::Committee,
                _ => Reason::Terms,
            };
            Refusal::new(reason, error.to_string())
        })?;
        let slots = slots_of(&statement, profile, committee);
        let mine = slots.iter().any(|place| committee.members()[*place].node == self.node);
        if mine { Ok(()) } else { Err(Refusal::new(Reason::Slot, "no slot of this piece is mine")) }
    }
}

/// The first byte past the announced length ends the put.
fn add(received: u64, bytes: u64, offer: &Offer) -> Result<u64, Refusal> {
    let sum = received.checked_add(bytes).filter(|sum| *sum <= offer.piece_bytes);
    sum.ok_or_else(|| {
        Refusal::new(Reason::Length, format!("announced {} bytes, sent more", offer.piece_bytes))
    })
}

fn check_length(found: u64, announced: u64) -> Result<(), Refusal> {
    if found == announced {
        return Ok(());
    }
    Err(Refusal::new(Reason::Length, format!("announced {announced} bytes, found {found}")))
}

#[cfg(test)]
mod tests;
