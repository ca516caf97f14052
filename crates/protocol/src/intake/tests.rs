use super::*;
use crate::pace::GRACE;
use holdfast_core::block::Codec;
use holdfast_core::id::{CommitteeId, Epoch};
use holdfast_proofs::profile::Profile;
use holdfast_proofs::testing::TestNetwork;

const ROOT: PieceRoot = PieceRoot::new([7; 32]);
const SIGNATURE: bls::Signature = bls::Signature::new([8; 48]);

struct Case {
    network: TestNetwork,
    offer: Offer,
}

impl Case {
    fn new() -> Self {
        let network = TestNetwork::new(6);
        let cid = BlockId::of(Codec::Raw, b"hold fast");
        let offer = Offer::without_ledger(&network.committee, Profile::COPY4, cid, 100);
        Self { network, offer }
    }

    /// Members in slot order; from 4 on they own no slot.
    fn node(&self, slot: usize) -> NodeId {
        let order = holdfast_proofs::slots::order(
            holdfast_proofs::slots::Bucket::of(&self.offer.cid),
            self.network.committee.members(),
        );
        self.network.committee.members()[order[slot]].node
    }

    /// Runs inputs after `Open`, and answers the effects of the last.
    fn run(&self, inputs: &[Input]) -> Vec<Effect> {
        let mut intake = Intake::new(Duration::ZERO, &self.network.committee, self.node(0));
        let mut last = Vec::new();
        intake.step(Duration::ZERO, Input::Request(PutRequest::Open(self.offer.clone())), &mut last);
        assert_eq!(last, [Effect::Reserve { cid: self.offer.cid, bytes: 100, order: None, until: Epoch(1) }]);
        for input in inputs {
            last.clear();
            intake.step(Duration::ZERO, input.clone(), &mut last);
        }
        let over = matches!(last.last(), Some(Effect::Close | Effect::End));
        assert_eq!(intake.is_closed(), over);
        last
    }
}

fn refused(effects: &[Effect]) -> Option<Reason> {
    match effects {
        [Effect::Reply(PutReply::Refuse(refusal)), Effect::Close] => Some(refusal.reason),
        _ => None,
    }
}

fn data(bytes: u64) -> [Input; 2] {
    [Input::Data(bytes), Input::Written(Ok(()))]
}

fn seal() -> Input {
    Input::Request(PutRequest::Seal(ROOT))
}

#[test]
fn data_is_persisted_with_the_promise_then_signed_then_answered() {
    let case = Case::new();
    let statement = case.offer.statement(ROOT);
    let mut inputs = vec![Input::Room(Room::Ready(0))];
    inputs.extend(data(60));
    inputs.extend(data(40));
    inputs.push(seal());
    assert_eq!(case.run(&inputs), [Effect::Persist(statement.clone())]);
    inputs.push(Input::Persisted(Ok(())));
    assert_eq!(case.run(&inputs), [Effect::Sign(statement.clone())]);
    inputs.push(Input::Signed(Ok(SIGNATURE)));
    assert_eq!(case.run(&inputs), [Effect::Reply(PutReply::Receipt(SIGNATURE))]);

    let certificate = Box::new(case.network.certificate(&statement, &[0, 1, 2]).certificate().clone());
    let keep = |certificate| Input::Request(PutRequest::Keep(certificate));
    let other = case.network.certificate(&case.offer.statement(PieceRoot::new([9; 32])), &[0, 1, 2]);
    inputs.push(keep(Box::new(other.certificate().clone())));
    assert_eq!(refused(&case.run(&inputs)), Some(Reason::Protocol), "a certificate of something else");
    inputs.pop();
    inputs.push(keep(certificate.clone()));
    assert_eq!(case.run(&inputs), [Effect::Certify(certificate), Effect::End]);
}

#[test]
fn a_piece_that_is_held_is_promised_and_signed_without_data() {
    let case = Case::new();
    let held = Input::Room(Room::Held(ROOT, 100));
    assert_eq!(case.run(std::slice::from_ref(&held)), [Effect::Reply(PutReply::Accept(100))]);
    let statement = case.offer.statement(ROOT);
    assert_eq!(case.run(&[held.clone(), seal()]), [Effect::Promise(statement.clone())]);
    // An eager client has sent everything before it could know.
    let eager = [held.clone(), Input::Data(100), seal(), Input::Persisted(Ok(()))];
    assert_eq!(case.run(&eager), [Effect::Sign(statement)]);
    assert_eq!(refused(&case.run(&[held, Input::Data(101)])), Some(Reason::Length));
    assert_eq!(refused(&case.run(&[Input::Room(Room::Held(ROOT, 99))])), Some(Reason::Length));
}

#[test]
fn an_interrupted_put_goes_on_where_it_stopped() {
    let case = Case::new();
    let ready = Input::Room(Room::Ready(60));
    assert_eq!(case.run(std::slice::from_ref(&ready)), [Effect::Reply(PutReply::Accept(60))]);
    let [first, second] = data(40);
    assert_eq!(
        case.run(&[ready.clone(), first, second, seal()]),
        [Effect::Persist(case.offer.statement(ROOT))]
    );
    assert_eq!(refused(&case.run(&[ready, Input::Data(41)])), Some(Reason::Length));
}

#[test]
fn what_is_interrupted_is_kept_and_what_fails_is_not() {
    let case = Case::new();
    let [first, second] = data(40);
    let receiving = [Input::Room(Room::Ready(0)), first.clone(), second];
    assert_eq!(case.run(&[&receiving[..], &[Input::Lost]].concat()), [Effect::Suspend, Effect::Close]);
    let writing = [Input::Room(Room::Ready(0)), first, Input::Lost];
    assert_eq!(case.run(&writing), [Effect::Suspend, Effect::Close]);
    let no = Refusal::new(Reason::Piece, "block");
    let bad = [&receiving[..2], &[Input::Written(Err(no))]].concat();
    assert_eq!(refused(&case.run(&bad)), Some(Reason::Piece));
    assert_eq!(case.run(&[Input::Lost]), [Effect::Close]);
}

#[test]
fn silence_and_a_trickle_end_a_put() {
    let case = Case::new();
    let mut offer = case.offer.clone();
    offer.piece_bytes = 100 << 20;
    let mut intake = Intake::new(Duration::ZERO, &case.network.committee, case.node(0));
    assert_eq!(intake.deadline(), Some(SILENCE_MAX));
    let mut out = Vec::new();
    intake.step(Duration::ZERO, Input::Request(PutRequest::Open(offer)), &mut out);
    assert_eq!(intake.deadline(), None, "the store may take its time");
    intake.step(Duration::from_secs(9), Input::Room(Room::Ready(0)), &mut out);

    // A byte now and then is no silence, but too little.
    let mut now = Duration::from_secs(9);
    let mut bytes = 0;
    while !intake.is_closed() {
        now += Duration::from_secs(10);
        assert!(now < Duration::from_secs(60), "a trickle goes on");
        out.clear();
        intake.step(now, Input::Tick, &mut out);
        if !intake.is_closed() {
            intake.step(now, Input::Data(1), &mut out);
            intake.step(now, Input::Written(Ok(())), &mut out);
            bytes += 1;
        }
    }
    assert!(bytes > 1);
    let [Effect::Suspend, Effect::Reply(PutReply::Refuse(refusal)), Effect::Close] = &out[..] else {
        panic!("{out:?}")
    };
    assert_eq!(refusal.reason, Reason::Pace);
}

/// One empty frame every 29 seconds kept a place for ever.
#[test]
fn empty_frames_are_no_sign_of_life() {
    let case = Case::new();
    let [first, second] = data(100);
    let ready = Input::Room(Room::Ready(0));
    let held = Input::Room(Room::Held(ROOT, 100));
    for mut inputs in [vec![], vec![ready.clone()], vec![ready, first, second], vec![held]] {
        inputs.push(Input::Data(0));
        assert_eq!(refused(&case.run(&inputs)), Some(Reason::Protocol), "{inputs:?}");
    }
}

/// Nothing but the length of the piece bounded the time to pass it by.
#[test]
fn a_put_of_a_piece_that_is_held_keeps_to_the_pace() {
    let case = Case::new();
    let mut offer = case.offer.clone();
    offer.piece_bytes = 1 << 40;
    let mut intake = Intake::new(Duration::ZERO, &case.network.committee, case.node(0));
    let (began, mut out) = (Duration::from_secs(9), Vec::new());
    intake.step(Duration::ZERO, Input::Request(PutRequest::Open(offer)), &mut out);
    intake.step(began, Input::Room(Room::Held(ROOT, 1 << 40)), &mut out);
    assert_eq!(intake.deadline(), Some(began + SILENCE_MAX), "silence");
    // A byte now and then is no silence, but too little.
    for second in (10..began.as_secs() + 30).step_by(10) {
        intake.step(Duration::from_secs(second), Input::Data(1), &mut out);
    }
    assert_eq!(intake.deadline(), Some(began + GRACE), "a trickle");
    out.clear();
    intake.step(began + GRACE, Input::Tick, &mut out);
    assert_eq!(refused(&out), Some(Reason::Pace));
}

#[test]
fn lengths_are_honest_in_both_directions() {
    let case = Case::new();
    let ready = Input::Room(Room::Ready(0));
    assert_eq!(refused(&case.run(&[ready.clone(), Input::Data(101)])), Some(Reason::Length));
    assert_eq!(refused(&case.run(&[ready.clone(), Input::Data(u64::MAX)])), Some(Reason::Length));
    assert_eq!(refused(&case.run(&[ready.clone(), seal()])), Some(Reason::Length));
    let [first, second] = data(99);
    assert_eq!(refused(&case.run(&[ready, first, second, seal()])), Some(Reason::Length));
}

#[test]
fn another_root_at_the_client_is_refused_and_named() {
    let case = Case::new();
    let other = PieceRoot::new([9; 32]);
    let effects = case.run(&[Input::Room(Room::Held(other, 100)), seal()]);
    assert_eq!(refused(&effects), Some(Reason::Root));
    let [Effect::Reply(PutReply::Refuse(refusal)), _] = &effects[..] else { panic!("refused") };
    assert!(refusal.detail.as_str().contains(&ROOT.to_string()));
    assert!(refusal.detail.as_str().contains(&other.to_string()));
}

#[test]
fn every_failure_on_the_way_ends_in_a_refusal() {
    let case = Case::new();
    let no = || Refusal::new(Reason::Internal, "disk");
    let [first, second] = data(100);
    let path = [
        (Input::Room(Room::Ready(0)), Input::Room(Room::Refused(no()))),
        (first, Input::Request(PutRequest::Open(case.offer.clone()))),
        (second, Input::Written(Err(no()))),
        (seal(), Input::Data(1)),
        (Input::Persisted(Ok(())), Input::Persisted(Err(no()))),
        (Input::Signed(Ok(SIGNATURE)), Input::Signed(Err(no()))),
    ];
    for at in 0..path.len() {
        let mut inputs: Vec<_> = path[..at].iter().map(|(good, _)| good.clone()).collect();
        inputs.push(path[at].1.clone());
        assert!(refused(&case.run(&inputs)).is_some(), "step {at}");
    }
}

#[test]
fn strangers_other_epochs_and_bad_terms_are_not_admitted() {
    let case = Case::new();
    let open = |slot: usize, change: &dyn Fn(&mut Offer)| {
        let mut offer = case.offer.clone();
        change(&mut offer);
        let mut out = Vec::new();
        Intake::new(Duration::ZERO, &case.network.committee, case.node(slot)).step(
            Duration::ZERO,
            Input::Request(PutRequest::Open(offer)),
            &mut out,
        );
        refused(&out)
    };
    assert_eq!(open(3, &|_| ()), None);
    assert_eq!(open(4, &|_| ()), Some(Reason::Slot));
    assert_eq!(open(0, &|offer| offer.epoch = Epoch(1)), Some(Reason::Committee));
    assert_eq!(open(0, &|offer| offer.committee = CommitteeId::new([0; 32])), Some(Reason::Committee));
    assert_eq!(open(0, &|offer| offer.coding.q = 4), Some(Reason::Terms));
    assert_eq!(open(0, &|offer| offer.retain_until = Epoch(9)), Some(Reason::Terms));
}
