//! A provider never signs what it does not hold, and never answers before the receipt is durable.

use holdfast_core::bls;
use holdfast_core::id::{Epoch, PieceRoot};
use holdfast_fuzz::fixed::{LARGER, cid};
use holdfast_fuzz::script::Script;
use holdfast_proofs::profile::Profile;
use holdfast_proofs::slots::{self, Bucket};
use holdfast_protocol::intake::{Effect, Input, Intake, Room};
use holdfast_protocol::put::{Offer, PutReply, PutRequest, Reason, Refusal};

/// Of the piece offered, unless the script says another length.
const PIECE_BYTES: u64 = 100;

/// What the caller knows to be true.
#[derive(Default)]
struct Facts {
    offer: Option<Offer>,
    received: u64,
    room: bool,
    /// The piece lies here, with this root.
    held: Option<PieceRoot>,
    /// The client said this root.
    sealed: Option<PieceRoot>,
    signed: Option<bls::Signature>,
    kept: bool,
}

pub(crate) fn judge(mut script: Script<'_>) {
    let committee = &LARGER.committee;
    let order = slots::order(Bucket::of(&cid()), committee.members());
    let node = committee.members()[order[usize::from(script.below(5))]].node;
    let mut intake = Intake::new(committee, node);
    let mut facts = Facts::default();
    while !script.is_over() && !intake.is_closed() {
        let input = input(&mut script);
        let mut out = Vec::new();
        intake.step(input.clone(), &mut out);
        facts.learn(&input);
        for (place, effect) in out.iter().enumerate() {
            let last = place + 1 == out.len();
            facts.check(effect, last, &input);
        }
        assert_eq!(intake.is_closed(), out.last() == Some(&Effect::Close));
    }
}

fn input(script: &mut Script<'_>) -> Input {
    let root = |script: &mut Script<'_>| PieceRoot::new([script.below(2); 32]);
    let refusal = || Refusal::new(Reason::Internal, "disk");
    match script.below(12) {
        0 => {
            let mut offer = Offer::without_ledger(&LARGER.committee, Profile::COPY4, cid(), PIECE_BYTES);
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
        4 => Input::Room(Room::Ready),
        5 => Input::Room(Room::Held(root(script), u64::from(script.byte()))),
        6 => Input::Room(Room::Refused(refusal())),
        7 => Input::Written(Ok(())),
        8 => Input::Persisted(Ok(root(script))),
        9 => Input::Signed(Ok(bls::Signature::new([script.byte(); 48]))),
        10 => Input::Kept(Ok(())),
        _ => match script.below(4) {
            0 => Input::Written(Err(refusal())),
            1 => Input::Persisted(Err(refusal())),
            2 => Input::Signed(Err(refusal())),
            _ => Input::Kept(Err(refusal())),
        },
    }
}

impl Facts {
    fn learn(&mut self, input: &Input) {
        match input {
            Input::Request(PutRequest::Open(offer)) => self.offer = Some(offer.clone()),
            Input::Request(PutRequest::Seal(root)) => self.sealed = Some(*root),
            Input::Data(bytes) => self.received = self.received.saturating_add(*bytes),
            Input::Room(Room::Ready) => self.room = true,
            Input::Room(Room::Held(root, _)) | Input::Persisted(Ok(root)) => self.held = Some(*root),
            Input::Signed(Ok(signature)) => self.signed = Some(*signature),
            Input::Kept(Ok(())) => self.kept = true,
            _ => {}
        }
    }

    fn check(&self, effect: &Effect, last: bool, input: &Input) {
        let offer = self.offer.as_ref();
        match effect {
            Effect::Reserve { cid, bytes } => {
                let offer = offer.expect("a put starts with an offer");
                assert_eq!((*cid, *bytes), (offer.cid, offer.piece_bytes));
                assert!(offer.statement(PieceRoot::new([0; 32])).validate(&LARGER.committee).is_ok());
            }
            Effect::Write => {
                assert!(self.room && matches!(input, Input::Data(_)));
                assert!(self.received <= offer.expect("offered").piece_bytes, "more than announced");
            }
            Effect::Persist(root) => {
                assert_eq!((Some(*root), self.received), (self.sealed, offer.expect("offered").piece_bytes));
            }
            Effect::Sign(statement) => {
                assert_eq!(self.held, self.sealed, "signed for what is not here");
                let root = self.held.expect("signed for what is not here");
                assert_eq!(*statement, offer.expect("offered").statement(root));
            }
            Effect::Keep(statement, signature) => {
                assert_eq!((Some(statement.piece_root), Some(*signature)), (self.held, self.signed));
            }
            Effect::Reply(PutReply::Receipt(signature)) => {
                assert!(self.kept, "answered before the receipt was durable");
                assert_eq!(Some(*signature), self.signed);
            }
            Effect::Reply(PutReply::Accept(from)) => {
                assert!(*from == 0 || Some(*from) == offer.map(|offer| offer.piece_bytes));
            }
            Effect::Reply(PutReply::Refuse(_)) => {}
            Effect::Close => assert!(last, "the conversation ends once"),
        }
    }
}
