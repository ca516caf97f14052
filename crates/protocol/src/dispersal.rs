//! The client's side of storing a piece: n slots in parallel, a certificate from q receipts, then the tail.
//!
//! Each slot is a conversation of its own (see [`crate::put`]); this machine owns all of them and decides when
//! enough is enough:
//!
//! - A slot that cannot be reached, stalls or refuses is passed over. Lost slots are tried again, up to
//!   [`ATTEMPTS_MAX`] times; refusals are final.
//! - A lost slot goes on where it stopped, if it kept what it had. A slot that takes bytes slower than
//!   [`pace`](crate::pace) allows is lost.
//! - At q receipts, or a moment later if more slots are about to answer, their *sum* is checked, one pairing for all.
//!   Only if that fails are they checked one by one, and the liars dropped.
//! - After q, [`Wait::Quorum`] keeps feeding the tail for min(10 s, 0.5 s + 0.5 × elapsed), [`Wait::All`] until every
//!   slot has answered or failed.
//! - At the end, every slot that signed is given the certificate; those whose links are gone by then, because providers do
//!   not wait for ever, are named in the outcome.
//! - When q can no longer be reached, it ends at once.

use std::time::Duration;

use holdfast_core::bls;
use holdfast_core::id::PieceRoot;
use holdfast_core::planted::{self, Bug};
use holdfast_core::purpose::Signable;
use holdfast_proofs::certificate::{ValidCertificate, slots_of};
use holdfast_proofs::committee::Committee;
use holdfast_proofs::profile::Profile;
use holdfast_proofs::statement::{Statement, StatementError};

use crate::put::{EAGER_BYTES, Offer, PutReply, PutRequest};

/// How often a lost slot is tried.
pub const ATTEMPTS_MAX: u32 = 3;
/// Pause before a lost slot is tried again, once per attempt made.
const RETRY_PAUSE: Duration = Duration::from_millis(300);
/// After q receipts, the others may share the pairing if they come this soon: it takes most of a millisecond, and they
/// are mostly there at once.
const GATHER_WINDOW: Duration = Duration::from_millis(10);
/// Longest tail.
const TAIL_MAX: Duration = Duration::from_secs(10);

mod slot;

use slot::Slot;
pub use slot::{DIAL_WINDOW, SlotFailure};

/// How long to go on after the certificate is possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Until q receipts and a short tail.
    Quorum,
    /// Until every slot has answered or failed.
    All,
}

/// What happened. Every input but the root concerns one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The link is open.
    Connected(u16),
    /// A message arrived.
    Reply(u16, PutReply),
    /// The slot took so many bytes.
    Progress(u16, u64),
    /// The slot took the last byte of the piece.
    Streamed(u16),
    /// The link failed or could not be opened.
    Lost(u16, String),
    /// The piece was read to its end; this is its root.
    Root(PieceRoot),
    /// Time went by.
    Tick,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Open a link to the slot. Answer with `Connected` or `Lost`.
    Dial(u16),
    /// Send a message.
    Send(u16, PutRequest),
    /// Send the piece's bytes from this offset on. Answer with `Progress` and `Streamed`, or `Lost`.
    Stream(u16, u64),
    /// Read the piece to its root even if nobody takes its bytes. Answer with `Root`. Said once.
    FindRoot,
    /// Close the link to the slot, if there is one, and stop sending.
    Close(u16),
    /// The conversation with the slot has come to its regular end; the link may carry another.
    End(u16),
    /// The dispersal is over: see [`Dispersal::into_outcome`].
    Done,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The certificate, if q slots signed.
    pub certificate: Option<ValidCertificate>,
    /// Per slot, in order: its member's place in the committee, and why it gave no receipt.
    pub slots: Vec<(usize, Option<SlotFailure>)>,
    /// Slots that signed and whose links were lost before they could be given the certificate.
    pub departed: Vec<u16>,
    /// How many receipts a certificate needs.
    pub needed: u16,
}

/// One dispersal. `now` is the time since it began.
#[derive(Debug)]
pub struct Dispersal<'a> {
    committee: &'a Committee,
    offer: Offer,
    profile: Profile,
    wait: Wait,
    places: Vec<usize>,
    slots: Vec<Slot>,
    attempts: Vec<u32>,
    root: Option<PieceRoot>,
    /// Whether the piece is read for its root alone.
    seeking: bool,
    receipts: Vec<(u16, bls::Signature)>,
    certificate: Option<ValidCertificate>,
    gather_ends: Option<Duration>,
    tail_ends: Option<Duration>,
    done: bool,
}

impl<'a> Dispersal<'a> {
    /// Plans the dispersal of an offer and dials all its slots.
    ///
    /// # Errors
    /// If the offer does not suit the committee.
    pub fn new(
        committee: &'a Committee,
        offer: Offer,
        wait: Wait,
        out: &mut Vec<Effect>,
    ) -> Result<Self, StatementError> {
        let statement = offer.statement(PieceRoot::new([0; 32]));
        let profile = statement.validate(committee)?;
        let places = slots_of(&statement, profile, committee);
        out.extend((0..profile.n).map(Effect::Dial));
        let count = usize::from(profile.n);
        Ok(Self {
            committee,
            offer,
            profile,
            wait,
            places,
            slots: vec![Slot::Dialing { since: Duration::ZERO }; count],
            attempts: vec![1; count],
            root: None,
            seeking: false,
            receipts: Vec::new(),
            certificate: None,
            gather_ends: None,
            tail_ends: None,
            done: false,
        })
    }

    /// Places of the slots' members in the committee.
    pub fn places(&self) -> &[usize] {
        &self.places
    }

    /// Takes one input and appends what to do. Nothing is done after [`Effect::Done`].
    pub fn step(&mut self, now: Duration, input: Input, out: &mut Vec<Effect>) {
        if self.done {
            return;
        }
        match input {
            Input::Connected(slot) => self.connected(now, slot, out),
            Input::Reply(slot, reply) => self.reply(now, slot, reply, out),
            Input::Progress(slot, bytes) => {
                if let Slot::Streaming { last, taken, .. } = self.slot(slot) {
                    *last = now;
                    *taken += bytes;
                }
            }
            Input::Streamed(slot) => {
                if matches!(self.slot(slot), Slot::Streaming { .. }) {
                    self.seal(now, slot, out);
                }
            }
            Input::Lost(slot, why) => self.lost(now, slot, why, out),
            Input::Root(root) => {
                self.root = Some(root);
                for slot in 0..self.profile.n {
                    match self.slot(slot) {
                        Slot::AwaitingRoot => self.seal(now, slot, out),
                        Slot::Held => {
                            *self.slot(slot) = Slot::Dialing { since: now };
                            out.push(Effect::Dial(slot));
                        }
                        _ => {}
                    }
                }
            }
            Input::Tick => self.tick(now, out),
        }
        self.gather(now, out);
        self.judge(now, out);
    }

    /// When [`Input::Tick`] is due next, at the latest.
    pub fn next_tick(&self) -> Option<Duration> {
        let bytes = self.offer.piece_bytes;
        let deadlines = self.slots.iter().filter_map(|slot| slot.deadline(bytes));
        deadlines.chain(self.gather_ends).chain(self.tail_ends).min()
    }

    /// What came of it, after [`Effect::Done`] or when the caller gives up.
    pub fn into_outcome(self) -> Outcome {
        let departed =
            (0..self.profile.n).filter(|slot| self.slots[usize::from(*slot)] == Slot::Departed).collect();
        let slots = self.places.into_iter().zip(self.slots).map(|(place, slot)| {
            let failure = match slot {
                Slot::Receipted | Slot::Departed => None,
                Slot::Failed(failure) => Some(failure),
                _ => Some(SlotFailure::Unfinished),
            };
            (place, failure)
        });
        Outcome { certificate: self.certificate, slots: slots.collect(), departed, needed: self.profile.q }
    }

    fn slot(&mut self, slot: u16) -> &mut Slot {
        &mut self.slots[usize::from(slot)]
    }

    fn connected(&mut self, now: Duration, slot: u16, out: &mut Vec<Effect>) {
        if matches!(self.slot(slot), Slot::Dialing { .. }) {
            out.push(Effect::Send(slot, PutRequest::Open(self.offer.clone())));
            if self.offer.piece_bytes <= EAGER_BYTES {
                self.stream(now, slot, 0, out);
            } else {
                *self.slot(slot) = Slot::Opening { since: now };
            }
        }
    }

    fn reply(&mut self, now: Duration, slot: u16, reply: PutReply, out: &mut Vec<Effect>) {
        match (self.slot(slot).clone(), reply) {
            (Slot::Opening { .. }, PutReply::Accept(from)) if from < self.offer.piece_bytes => {
                self.stream(now, slot, from, out);
                if from > 0 {
                    // If all slots start late, nobody reads the beginning.
                    self.seek(out);
                }
            }
            // An eager slot is sent everything, and passes by what it has.
            (Slot::Streaming { .. } | Slot::AwaitingRoot | Slot::Sealing { .. }, PutReply::Accept(from))
                if self.offer.piece_bytes <= EAGER_BYTES && from <= self.offer.piece_bytes => {}
            (Slot::Opening { .. }, PutReply::Accept(from)) if from == self.offer.piece_bytes => {
                if self.root.is_some() {
                    self.seal(now, slot, out);
                } else {
                    // Held already. Reading the piece to its root may take longer than a provider waits on an idle link.
                    *self.slot(slot) = Slot::Held;
                    out.push(Effect::Close(slot));
                    self.seek(out);
                }
            }
            (Slot::Sealing { .. }, PutReply::Receipt(signature)) => self.receipt(slot, signature, out),
            (Slot::Receipted, PutReply::Receipt(signature)) if planted::is(Bug::AcceptDuplicateSigner) => {
                self.receipt(slot, signature, out);
            }
            (Slot::Failed(_) | Slot::Receipted | Slot::Departed | Slot::Resting { .. } | Slot::Held, _) => {}
            (_, PutReply::Refuse(refusal)) => self.fail(slot, SlotFailure::Refused(refusal), out),
            _ => self.fail(slot, SlotFailure::Misbehaved("sent a message out of place"), out),
        }
    }

    fn stream(&mut self, now: Duration, slot: u16, from: u64, out: &mut Vec<Effect>) {
        *self.slot(slot) = Slot::Streaming { last: now, since: now, taken: 0 };
        out.push(Effect::Stream(slot, from));
    }

    fn seek(&mut self, out: &mut Vec<Effect>) {
        if self.root.is_none() && !std::mem::replace(&mut self.seeking, true) {
            out.push(Effect::FindRoot);
        }
    }

    fn seal(&mut self, now: Duration, slot: u16, out: &mut Vec<Effect>) {
        match self.root {
            Some(root) => {
                *self.slot(slot) = Slot::Sealing { since: now };
                out.push(Effect::Send(slot, PutRequest::Seal(root)));
            }
            None => *self.slot(slot) = Slot::AwaitingRoot,
        }
    }

    fn receipt(&mut self, slot: u16, signature: bls::Signature, out: &mut Vec<Effect>) {
        *self.slot(slot) = Slot::Receipted;
        if let Some(certificate) = &mut self.certificate {
            if certificate.add(slot, &signature, self.committee).is_err() {
                self.fail(slot, SlotFailure::Misbehaved("signed something else"), out);
            }
            return;
        }
        self.receipts.push((slot, signature));
    }

    /// Slots that may still give a receipt.
    fn pending(&self) -> usize {
        let over = |slot: &&Slot| matches!(slot, Slot::Receipted | Slot::Departed | Slot::Failed(_));
        self.slots.len() - self.slots.iter().filter(over).count()
    }

    /// Makes the certificate, once there are enough receipts and no more are to be expected in a moment.
    fn gather(&mut self, now: Duration, out: &mut Vec<Effect>) {
        if self.certificate.is_some() || self.receipts.len() < usize::from(self.profile.q) {
            self.gather_ends = None;
            return;
        }
        let end = *self.gather_ends.get_or_insert(now + GATHER_WINDOW);
        if self.pending() > 0 && now < end {
            return;
        }
        self.gather_ends = None;
        let statement = self.offer.statement(self.root.expect("no slot is sealed without the root"));
        match ValidCertificate::from_receipts(statement.clone(), &self.receipts, self.committee) {
            Ok(certificate) => {
                self.certificate = Some(certificate);
                if self.wait == Wait::Quorum {
                    self.tail_ends = Some(now + TAIL_MAX.min(Duration::from_millis(500) + now / 2));
                }
            }
            Err(_) => {
                self.drop_liars(&statement, out);
                self.gather(now, out); // those that are left may be enough
            }
        }
    }

    /// The sum did not verify: find out who signed something else.
    fn drop_liars(&mut self, statement: &Statement, out: &mut Vec<Effect>) {
        let input = statement.signing_input(self.committee.network());
        for (slot, signature) in std::mem::take(&mut self.receipts) {
            let key = self.committee.key(self.places[usize::from(slot)]);
            if key.verify(&input, &signature).is_ok() {
                self.receipts.push((slot, signature));
            } else {
                self.fail(slot, SlotFailure::Misbehaved("signed something else"), out);
            }
        }
    }

    fn lost(&mut self, now: Duration, slot: u16, why: String, out: &mut Vec<Effect>) {
        match self.slot(slot) {
            Slot::Failed(_) | Slot::Departed | Slot::Resting { .. } | Slot::Held => return,
            Slot::Receipted => {
                *self.slot(slot) = Slot::Departed;
                return out.push(Effect::Close(slot));
            }
            _ => {}
        }
        let attempts = self.attempts[usize::from(slot)];
        if attempts < ATTEMPTS_MAX {
            *self.slot(slot) = Slot::Resting { until: now + RETRY_PAUSE * attempts };
            out.push(Effect::Close(slot));
        } else {
            self.fail(slot, SlotFailure::Lost(why), out);
        }
    }

    fn fail(&mut self, slot: u16, failure: SlotFailure, out: &mut Vec<Effect>) {
        *self.slot(slot) = Slot::Failed(failure);
        out.push(Effect::Close(slot));
    }

    fn tick(&mut self, now: Duration, out: &mut Vec<Effect>) {
        let bytes = self.offer.piece_bytes;
        for slot in 0..self.profile.n {
            if self.slot(slot).deadline(bytes).is_none_or(|deadline| now < deadline) {
                continue;
            }
            let late = match self.slot(slot) {
                Slot::Resting { .. } => {
                    self.attempts[usize::from(slot)] += 1;
                    *self.slot(slot) = Slot::Dialing { since: now };
                    out.push(Effect::Dial(slot));
                    continue;
                }
                Slot::Dialing { .. } => "could not be reached in time",
                Slot::Opening { .. } => "did not answer in time",
                Slot::Streaming { .. } => "took data too slowly",
                _ => "did not sign in time",
            };
            self.lost(now, slot, late.to_owned(), out);
        }
    }

    /// Ends the dispersal when nothing more can be won.
    fn judge(&mut self, now: Duration, out: &mut Vec<Effect>) {
        let pending = self.pending();
        let over = match (&self.certificate, self.wait) {
            (Some(_), Wait::All) => pending == 0,
            (Some(_), Wait::Quorum) => pending == 0 || self.tail_ends.is_some_and(|end| now >= end),
            (None, _) => self.receipts.len() + pending < usize::from(self.profile.q),
        };
        if over {
            self.done = true;
            let keep = self
                .certificate
                .as_ref()
                .map(|valid| PutRequest::Keep(Box::new(valid.certificate().clone())));
            for slot in 0..self.profile.n {
                match (self.slot(slot), &keep) {
                    (Slot::Receipted, Some(keep)) => {
                        out.extend([Effect::Send(slot, keep.clone()), Effect::End(slot)]);
                    }
                    (Slot::Receipted, None) => out.push(Effect::Close(slot)),
                    (Slot::Departed | Slot::Failed(_), _) => {}
                    _ => self.fail(slot, SlotFailure::Unfinished, out),
                }
            }
            out.push(Effect::Done);
        }
    }
}

#[cfg(test)]
mod tests;
