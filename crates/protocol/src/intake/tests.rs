use super::*;
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
        let mut intake = Intake::new(&self.network.committee, self.node(0));
        let mut last = Vec::new();
        intake.step(Input::Request(PutRequest::Open(self.offer.clone())), &mut last);
        assert_eq!(last, [Effect::Reserve { cid: self.offer.cid, bytes: 100 }]);
        for input in inputs {
            last.clear();
            intake.step(input.clone(), &mut last);
        }
        assert_eq!(intake.is_closed(), last.last() == Some(&Effect::Close));
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
fn data_is_persisted_then_signed_then_kept_then_answered() {
    let case = Case::new();
    let mut inputs = vec![Input::Room(Room::Ready)];
    inputs.extend(data(60));
    inputs.extend(data(40));
    inputs.push(seal());
    assert_eq!(case.run(&inputs), [Effect::Persist(ROOT)]);
    inputs.push(Input::Persisted(Ok(ROOT)));
    let statement = case.offer.statement(ROOT);
    assert_eq!(case.run(&inputs), [Effect::Sign(statement.clone())]);
    inputs.push(Input::Signed(Ok(SIGNATURE)));
    assert_eq!(case.run(&inputs), [Effect::Keep(statement, SIGNATURE)]);
    inputs.push(Input::Kept(Ok(())));
    assert_eq!(case.run(&inputs), [Effect::Reply(PutReply::Receipt(SIGNATURE)), Effect::Close]);
}

#[test]
fn a_piece_that_is_held_is_signed_without_data() {
    let case = Case::new();
    let held = Input::Room(Room::Held(ROOT, 100));
    assert_eq!(case.run(std::slice::from_ref(&held)), [Effect::Reply(PutReply::Accept(100))]);
    assert_eq!(case.run(&[held.clone(), seal()]), [Effect::Sign(case.offer.statement(ROOT))]);
    assert_eq!(refused(&case.run(&[held, Input::Data(1)])), Some(Reason::Protocol));
    assert_eq!(refused(&case.run(&[Input::Room(Room::Held(ROOT, 99))])), Some(Reason::Length));
}

#[test]
fn lengths_are_honest_in_both_directions() {
    let case = Case::new();
    let ready = Input::Room(Room::Ready);
    assert_eq!(refused(&case.run(&[ready.clone(), Input::Data(101)])), Some(Reason::Length));
    assert_eq!(refused(&case.run(&[ready.clone(), Input::Data(u64::MAX)])), Some(Reason::Length));
    assert_eq!(refused(&case.run(&[ready.clone(), seal()])), Some(Reason::Length));
    let [first, second] = data(99);
    assert_eq!(refused(&case.run(&[ready, first, second, seal()])), Some(Reason::Length));
}

#[test]
fn another_root_at_the_client_is_refused_and_named() {
    let case = Case::new();
    let [first, second] = data(100);
    let other = PieceRoot::new([9; 32]);
    let effects = case.run(&[Input::Room(Room::Ready), first, second, seal(), Input::Persisted(Ok(other))]);
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
        (Input::Room(Room::Ready), Input::Room(Room::Refused(no()))),
        (first, Input::Request(PutRequest::Open(case.offer.clone()))),
        (second, Input::Written(Err(no()))),
        (seal(), Input::Data(1)),
        (Input::Persisted(Ok(ROOT)), Input::Persisted(Err(no()))),
        (Input::Signed(Ok(SIGNATURE)), Input::Signed(Err(no()))),
        (Input::Kept(Ok(())), Input::Kept(Err(no()))),
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
        Intake::new(&case.network.committee, case.node(slot))
            .step(Input::Request(PutRequest::Open(offer)), &mut out);
        refused(&out)
    };
    assert_eq!(open(3, &|_| ()), None);
    assert_eq!(open(4, &|_| ()), Some(Reason::Slot));
    assert_eq!(open(0, &|offer| offer.epoch = Epoch(1)), Some(Reason::Committee));
    assert_eq!(open(0, &|offer| offer.committee = CommitteeId::new([0; 32])), Some(Reason::Committee));
    assert_eq!(open(0, &|offer| offer.coding.q = 4), Some(Reason::Terms));
    assert_eq!(open(0, &|offer| offer.retain_until = Epoch(9)), Some(Reason::Terms));
}
