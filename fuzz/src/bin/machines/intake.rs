//! A provider never signs what it does not hold, and never before the promise is on stable storage.

use std::sync::LazyLock;
use std::time::Duration;

use holdfast_core::bls;
use holdfast_core::id::{Epoch, PieceRoot};
use holdfast_fuzz::fixed::{self, LARGER, cid};
use holdfast_fuzz::script::Script;
use holdfast_proofs::certificate::Certificate;
use holdfast_proofs::profile::Profile;
use holdfast_proofs::slots::{self, Bucket};
use holdfast_proofs::statement::Statement;
use holdfast_protocol::intake::{Effect, Input, Intake, Room};
use holdfast_protocol::put::{Offer, PutReply, PutRequest, Reason, Refusal};

/// Of the piece offered, unless the script says another length.
const PIECE_BYTES: u64 = 100;

/// A certificate of what is offered, with the first of the two roots, and one of something else.
pub(crate) static CERTIFICATES: LazyLock<[Certificate; 2]> = LazyLock::new(|| {
    let statement = offer().statement(PieceRoot::new([0; 32]));
    let certificate = LARGER.certificate(&statement, &[0, 1, 2]).certificate().clone();
    [certificate, fixed::certificate(&LARGER, &[0, 1, 2])]
});

fn offer() -> Offer {
    Offer::without_ledger(&LARGER.committee, Profile::COPY4, cid(), PIECE_BYTES)
}

/// What the caller knows to be true.
#[derive(Default)]
struct Facts {
    offer: Option<Offer>,
    /// Where the client was told to start.
    from: Option<u64>,
    received: u64,
    /// A draft is open, and the client has not sealed.
    open: bool,
    /// The piece lay here before, with this root.
    held: Option<PieceRoot>,
    /// The client said this root.
    sealed: Option<PieceRoot>,
    /// What is being made durable, and what has been.
    persisting: Option<Statement>,
    promised: Option<Statement>,
    signed: Option<bls::Signature>,
    receipted: bool,
}

pub(crate) fn judge(mut script: Script<'_>) {
    let committee = &LARGER.committee;
    let order = slots::order(Bucket::of(&cid()), committee.members());
    let node = committee.members()[order[usize::from(script.below(5))]].node;
    let mut now = Duration::ZERO;
    let mut intake = Intake::new(now, committee, node);
    let mut facts = Facts::default();
    while !script.is_over() && !intake.is_closed() {
        let input = input(&mut script, &mut now);
        let deadline = intake.deadline();
        assert_eq!(deadline.is_some(), intake.awaits_client(), "who waits for ever");
        let mut out = Vec::new();
        intake.step(now, input.clone(), &mut out);
        facts.learn(&input);
        for (place, effect) in out.iter().enumerate() {
            let last = place + 1 == out.len();
            facts.check(effect, last, &input);
        }
        assert_eq!(intake.is_closed(), matches!(out.last(), Some(Effect::Close | Effect::End)));
        match input {
            Input::Tick => assert_eq!(intake.is_closed(), deadline.is_some_and(|deadline| now >= deadline)),
            Input::Lost => assert!(intake.is_closed()),
            _ => {}
        }
    }
}

fn input(script: &mut Script<'_>, now: &mut Duration) -> Input {
    let root = |script: &mut Script<'_>| PieceRoot::new([script.below(2); 32]);
    let refusal = || Refusal::new(Reason::Internal, "disk");
    match script.below(15) {
        0 => {
            let mut offer = offer();
            match script.below(6) {
                1 => offer.epoch = Epoch(script.long()),
                2 => offer.retain_until = Epoch(script.long()),
                3 => offer.piece_bytes = script.long(),
                4 => offer.coding.n = script.short(),
                5 => offer.coding.q = script.short(),
                _ => {}
            }
            Input::Request(PutRequest::Open(offer))
        }
        1 => Input::Request(PutRequest::Seal(root(script))),
        2 => Input::Data(script.byte().into()),
        3 => Input::Data(script.long()),
        4 => Input::Room(Room::Ready(0)),
        // The store never has more of a piece than there is.
        5 => Input::Room(Room::Ready(u64::from(script.byte()) % PIECE_BYTES)),
        6 => Input::Room(Room::Held(root(script), u64::from(script.byte()))),
        7 => Input::Room(Room::Refused(refusal())),
        8 => Input::Written(Ok(())),
        9 => Input::Persisted(Ok(())),
        10 => Input::Signed(Ok(bls::Signature::new([script.byte(); 48]))),
        11 => Input::Request(PutRequest::Keep(Box::new(CERTIFICATES[usize::from(script.below(2))].clone()))),
        12 => Input::Lost,
        13 => {
            *now += Duration::from_secs(script.byte().into());
            Input::Tick
        }
        _ => match script.below(3) {
            0 => Input::Written(Err(refusal())),
            1 => Input::Persisted(Err(refusal())),
            _ => Input::Signed(Err(refusal())),
        },
    }
}

impl Facts {
    fn learn(&mut self, input: &Input) {
        match input {
            Input::Request(PutRequest::Open(offer)) => self.offer = Some(offer.clone()),
            Input::Request(PutRequest::Seal(root)) => self.sealed = Some(*root),
            Input::Data(bytes) => self.received = self.received.saturating_add(*bytes),
            Input::Room(Room::Ready(from)) => {
                (self.from, self.received, self.open) = (Some(*from), *from, true);
            }
            Input::Room(Room::Held(root, bytes)) => (self.from, self.held) = (Some(*bytes), Some(*root)),
            Input::Persisted(Ok(())) => self.promised = self.persisting.take(),
            Input::Signed(Ok(signature)) => self.signed = Some(*signature),
            _ => {}
        }
    }

    fn statement(&self) -> Statement {
        let offer = self.offer.as_ref().expect("a put starts with an offer");
        offer.statement(self.sealed.expect("stated before the client said the root"))
    }

    fn check(&mut self, effect: &Effect, last: bool, input: &Input) {
        let offer = self.offer.as_ref();
        match effect {
            Effect::Reserve { cid, bytes, .. } => {
                let offer = offer.expect("a put starts with an offer");
                assert_eq!((*cid, *bytes), (offer.cid, offer.piece_bytes));
                assert!(offer.statement(PieceRoot::new([0; 32])).validate(&LARGER.committee).is_ok());
            }
            Effect::Write => {
                assert!(self.open && matches!(input, Input::Data(_)));
                assert!(self.received <= offer.expect("offered").piece_bytes, "more than announced");
            }
            Effect::Persist(statement) => {
                assert!(self.open && self.held.is_none(), "there is no draft");
                assert_eq!(self.received, offer.expect("offered").piece_bytes);
                assert_eq!(*statement, self.statement());
                (self.open, self.persisting) = (false, Some(statement.clone()));
            }
            Effect::Promise(statement) => {
                assert_eq!(self.held, self.sealed, "promised what is not here");
                assert_eq!(*statement, self.statement());
                self.persisting = Some(statement.clone());
            }
            Effect::Sign(statement) => assert_eq!(Some(statement), self.promised.as_ref(), "signed too soon"),
            Effect::Reply(PutReply::Receipt(signature)) => {
                assert!(self.promised.is_some() && Some(*signature) == self.signed);
                self.receipted = true;
            }
            Effect::Certify(certificate) => {
                assert!(self.receipted, "a certificate before the receipt");
                assert_eq!(Some(&certificate.statement), self.promised.as_ref());
            }
            Effect::Reply(PutReply::Accept(from)) => {
                assert_eq!(Some(*from), self.from);
                assert!(self.open || *from == offer.expect("offered").piece_bytes);
            }
            Effect::Reply(PutReply::Refuse(_)) => assert!(!self.receipted || !matches!(input, Input::Tick)),
            Effect::Suspend => {
                assert!(self.open, "nothing is under way");
                assert!(matches!(input, Input::Lost | Input::Tick), "what failed is dropped");
            }
            Effect::End => assert!(last && self.receipted, "the regular end comes after the receipt"),
            Effect::Close => assert!(last, "the conversation ends once"),
        }
    }
}
