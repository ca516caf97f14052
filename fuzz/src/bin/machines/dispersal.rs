//! A dispersal ends once, in bounded time, with a certificate if and only if enough slots signed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::Duration;

use holdfast_core::bls::Signature;
use holdfast_core::id::PieceRoot;
use holdfast_fuzz::fixed::{LARGER, cid};
use holdfast_fuzz::script::Script;
use holdfast_proofs::certificate::Certificate;
use holdfast_proofs::profile::Profile;
use holdfast_protocol::dispersal::{ATTEMPTS_MAX, Dispersal, Effect, Input, Outcome, Wait};
use holdfast_protocol::put::{EAGER_BYTES, Offer, PutReply, PutRequest, Reason, Refusal};

const ROOT: PieceRoot = PieceRoot::new([3; 32]);
const SLOTS: u8 = 4;
/// Lengths of the piece: one that is sent at once, and one that waits for an answer.
const PIECE_BYTES: [u64; 2] = [100, EAGER_BYTES + 1];

/// Ticks that a dispersal may need to its end when nobody answers any more: every attempt of every slot ends
/// in a window and a pause.
const TICKS_MAX: u32 = 4 * 2 * (ATTEMPTS_MAX + 2) * SLOTS as u32;

/// What each slot signs if it is honest, for each length of the piece.
pub(crate) static RECEIPTS: LazyLock<[Vec<Signature>; 2]> = LazyLock::new(|| {
    PIECE_BYTES.map(|bytes| {
        let statement = offer(bytes).statement(ROOT);
        (0..u16::from(SLOTS)).map(|slot| LARGER.receipt(&statement, slot).1).collect()
    })
});

fn offer(bytes: u64) -> Offer {
    Offer::without_ledger(&LARGER.committee, Profile::COPY4, cid(), bytes)
}

/// A dispersal with what its caller knows.
struct Run<'a> {
    dispersal: Dispersal<'a>,
    offer: Offer,
    receipts: &'static [Signature],
    now: Duration,
    root: bool,
    done: bool,
    /// Slots that were told to seal, and did not sign since.
    sealing: BTreeSet<u16>,
    /// Slots whose honest receipt arrived while they were sealing.
    honest: BTreeSet<u16>,
    /// Slots that sent what the next one signed.
    swapped: BTreeSet<u16>,
    /// The certificate that slots were given.
    kept: BTreeMap<u16, Certificate>,
    /// Slots whose conversation came to its regular end.
    ended: BTreeSet<u16>,
    dials: BTreeMap<u16, u32>,
}

pub(crate) fn judge(mut script: Script<'_>) {
    let wait = [Wait::Quorum, Wait::All][usize::from(script.below(2))];
    let length = usize::from(script.below(2));
    let offer = offer(PIECE_BYTES[length]);
    let mut out = Vec::new();
    let dispersal = Dispersal::new(&LARGER.committee, offer.clone(), wait, &mut out).expect("a good offer");
    let mut run = Run {
        dispersal,
        offer,
        receipts: &RECEIPTS[length],
        now: Duration::ZERO,
        root: false,
        done: false,
        sealing: BTreeSet::new(),
        honest: BTreeSet::new(),
        swapped: BTreeSet::new(),
        kept: BTreeMap::new(),
        ended: BTreeSet::new(),
        dials: BTreeMap::new(),
    };
    run.check(&out);
    while !script.is_over() {
        let input = run.input(&mut script);
        run.step(input);
    }
    run.end();
}

impl Run<'_> {
    fn input(&mut self, script: &mut Script<'_>) -> Input {
        let slot = u16::from(script.below(SLOTS));
        let reply = |reply| Input::Reply(slot, reply);
        match script.below(13) {
            0 => Input::Connected(slot),
            1 => reply(PutReply::Accept(0)),
            2 => reply(PutReply::Accept(self.offer.piece_bytes)),
            3 => reply(PutReply::Accept(script.long())),
            4 => reply(PutReply::Receipt(self.receipts[usize::from(slot)])),
            // What the next slot signs. Swapped receipts have the right sum, and certify.
            5 => reply(PutReply::Receipt(self.receipts[(usize::from(slot) + 1) % usize::from(SLOTS)])),
            6 => reply(PutReply::Receipt(Signature::new([script.byte(); 48]))),
            7 => reply(PutReply::Refuse(Refusal::new(Reason::Quota, "full"))),
            8 => Input::Progress(slot, script.byte().into()),
            9 => Input::Streamed(slot),
            10 => Input::Lost(slot, "reset".into()),
            11 => Input::Root(ROOT),
            _ => {
                self.now += Duration::from_millis(100) * script.byte().into();
                Input::Tick
            }
        }
    }

    fn step(&mut self, input: Input) {
        self.root |= matches!(input, Input::Root(_));
        if let Input::Reply(slot, PutReply::Receipt(signature)) = &input
            && !self.done
            && self.sealing.remove(slot)
        {
            if *signature == self.receipts[usize::from(*slot)] {
                self.honest.insert(*slot);
            } else if *signature == self.receipts[(usize::from(*slot) + 1) % usize::from(SLOTS)] {
                self.swapped.insert(*slot);
            }
        }
        let mut out = Vec::new();
        self.dispersal.step(self.now, input, &mut out);
        self.check(&out);
    }

    fn check(&mut self, effects: &[Effect]) {
        for effect in effects {
            assert!(!self.done, "{effect:?} after the end");
            match effect {
                Effect::Dial(slot) => {
                    let dials = self.dials.entry(*slot).or_default();
                    *dials += 1;
                    // Once more for a slot that holds the piece already.
                    assert!(*dials <= ATTEMPTS_MAX + 1, "slot {slot} is dialed for ever");
                }
                Effect::Send(slot, PutRequest::Seal(root)) => {
                    assert!(self.root && *root == ROOT, "sealed before the root was known");
                    self.sealing.insert(*slot);
                }
                Effect::Send(_, PutRequest::Open(sent)) => assert_eq!(*sent, self.offer),
                Effect::Send(slot, PutRequest::Keep(certificate)) => {
                    assert!(self.kept.insert(*slot, *certificate.clone()).is_none(), "given twice");
                }
                Effect::End(slot) => {
                    assert!(self.kept.contains_key(slot), "ended without the certificate");
                    assert!(self.ended.insert(*slot), "ended twice");
                }
                Effect::Close(slot) => {
                    self.sealing.remove(slot);
                }
                Effect::Stream(_, from) => assert!(*from < self.offer.piece_bytes, "nothing to send"),
                Effect::FindRoot => {}
                Effect::Done => self.done = true,
            }
        }
    }

    /// Nobody answers any more: the dispersal must end by itself.
    fn end(mut self) {
        self.step(Input::Root(ROOT));
        for _ in 0..TICKS_MAX {
            let Some(due) = self.dispersal.next_tick().filter(|_| !self.done) else { break };
            self.now = self.now.max(due);
            self.step(Input::Tick);
        }
        assert!(self.done, "a dispersal that does not end");
        let needed = usize::from(Profile::COPY4.q);
        let statement = self.offer.statement(ROOT);
        let Outcome { certificate, departed, .. } = self.dispersal.into_outcome();
        // If every slot sends what the next one signed, every one has signed, and the sum is right.
        if certificate.is_some() && self.honest.is_empty() && self.swapped.len() == usize::from(SLOTS) {
            self.honest = std::mem::take(&mut self.swapped);
        }
        assert_eq!(certificate.is_some(), self.honest.len() >= needed, "{:?}", self.honest);
        assert!(self.ended.iter().eq(self.kept.keys()), "given a certificate and left there");
        assert!(certificate.is_some() || self.ended.is_empty());
        if let Some(valid) = certificate {
            let bare = valid.certificate().clone();
            assert_eq!(valid.statement(), &statement);
            assert!(valid.signers().iter().eq(self.honest.iter().copied()), "who signed");
            let mut given = self.ended.clone();
            assert!(
                departed.into_iter().all(|slot| given.insert(slot)),
                "both given the certificate and gone"
            );
            assert_eq!(given, self.honest, "who signed is given the certificate, or was gone");
            assert!(self.kept.values().all(|kept| *kept == bare), "another certificate");
            assert_eq!(bare.verify(&LARGER.committee).as_ref(), Ok(&valid));
        }
    }
}
