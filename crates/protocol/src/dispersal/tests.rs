use super::*;
use crate::put::{Reason, Refusal};
use holdfast_core::block::{BlockId, Codec};
use holdfast_proofs::testing::TestNetwork;

/// More than is sent eagerly.
const BYTES: u64 = EAGER_BYTES + 100;
const ROOT: PieceRoot = PieceRoot::new([7; 32]);

fn network() -> (TestNetwork, Offer) {
    let network = TestNetwork::new(7);
    let cid = BlockId::of(Codec::Raw, b"hold fast");
    let offer = Offer::without_ledger(&network.committee, Profile::COPY4, cid, BYTES);
    (network, offer)
}

/// A dispersal whose slots all stand right before their receipts, at one second.
fn sealing<'a>(network: &'a TestNetwork, offer: &Offer, wait: Wait) -> Dispersal<'a> {
    let mut out = Vec::new();
    let mut dispersal = Dispersal::new(&network.committee, offer.clone(), wait, &mut out).unwrap();
    assert_eq!(out, (0..4).map(Effect::Dial).collect::<Vec<_>>());
    for slot in 0..4 {
        for input in [
            Input::Connected(slot),
            Input::Reply(slot, PutReply::Accept(0)),
            Input::Progress(slot, BYTES),
            Input::Streamed(slot),
        ] {
            dispersal.step(seconds(1), input, &mut out);
        }
    }
    out.clear();
    dispersal.step(seconds(1), Input::Root(ROOT), &mut out);
    let seals: Vec<_> = (0..4).map(|slot| Effect::Send(slot, PutRequest::Seal(ROOT))).collect();
    assert_eq!(out, seals);
    dispersal
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn receipt(network: &TestNetwork, offer: &Offer, slot: u16) -> Input {
    Input::Reply(slot, PutReply::Receipt(network.receipt(&offer.statement(ROOT), slot).1))
}

fn step(dispersal: &mut Dispersal<'_>, now: Duration, input: Input) -> bool {
    let mut out = Vec::new();
    dispersal.step(now, input, &mut out);
    out.contains(&Effect::Done)
}

fn signers(outcome: &Outcome) -> Vec<u16> {
    outcome.certificate.as_ref().map(|c| c.signers().iter().collect()).unwrap_or_default()
}

#[test]
fn the_tail_is_fed_for_a_while_after_the_quorum() {
    let (network, offer) = network();
    let mut dispersal = sealing(&network, &offer, Wait::Quorum);
    for slot in [0, 1, 2] {
        assert!(!step(&mut dispersal, seconds(2), receipt(&network, &offer, slot)));
    }
    // The fourth might come at once and share the pairing.
    let gathered = seconds(2) + GATHER_WINDOW;
    assert_eq!(dispersal.next_tick(), Some(gathered));
    assert!(!step(&mut dispersal, gathered, Input::Tick));
    // 0.5 s + 0.5 × 2.01 s after that.
    let end = gathered + Duration::from_millis(1505);
    assert_eq!(dispersal.next_tick(), Some(end));
    assert!(!step(&mut dispersal, end - Duration::from_millis(1), Input::Tick));
    assert!(step(&mut dispersal, end, Input::Tick));
    let outcome = dispersal.into_outcome();
    assert_eq!(signers(&outcome), [0, 1, 2]);
    assert_eq!(outcome.slots[3].1, Some(SlotFailure::Unfinished));
}

#[test]
fn a_receipt_in_the_tail_grows_the_certificate() {
    let (network, offer) = network();
    for wait in [Wait::Quorum, Wait::All] {
        let mut dispersal = sealing(&network, &offer, wait);
        for slot in [3, 1, 2] {
            assert!(!step(&mut dispersal, seconds(2), receipt(&network, &offer, slot)));
        }
        assert!(step(&mut dispersal, seconds(3), receipt(&network, &offer, 0)));
        assert_eq!(signers(&dispersal.into_outcome()), [0, 1, 2, 3]);
    }
}

#[test]
fn wait_all_outlasts_the_tail() {
    let (network, offer) = network();
    let mut dispersal = sealing(&network, &offer, Wait::All);
    for slot in [0, 1, 2] {
        step(&mut dispersal, seconds(2), receipt(&network, &offer, slot));
    }
    assert!(!step(&mut dispersal, seconds(40), Input::Tick));
    assert!(step(&mut dispersal, seconds(41), receipt(&network, &offer, 3)));
}

#[test]
fn a_liar_is_found_only_when_the_sum_fails_and_does_not_count() {
    let (network, offer) = network();
    let mut dispersal = sealing(&network, &offer, Wait::Quorum);
    let other = network.receipt(&offer.statement(PieceRoot::new([0; 32])), 1).1;
    step(&mut dispersal, seconds(2), receipt(&network, &offer, 0));
    step(&mut dispersal, seconds(2), Input::Reply(1, PutReply::Receipt(other)));
    assert!(!step(&mut dispersal, seconds(2), receipt(&network, &offer, 2)));
    assert!(step(&mut dispersal, seconds(2), receipt(&network, &offer, 3)));
    let outcome = dispersal.into_outcome();
    assert_eq!(signers(&outcome), [0, 2, 3]);
    assert!(matches!(outcome.slots[1].1, Some(SlotFailure::Misbehaved(_))));
}

#[test]
fn lost_slots_are_tried_again_and_refusals_are_final() {
    let (network, offer) = network();
    let mut out = Vec::new();
    let mut dispersal = Dispersal::new(&network.committee, offer, Wait::Quorum, &mut out).unwrap();
    let mut now = Duration::ZERO;
    for attempt in 1..ATTEMPTS_MAX {
        assert!(!step(&mut dispersal, now, Input::Lost(0, "refused".into())));
        now += RETRY_PAUSE * attempt;
        out.clear();
        dispersal.step(now, Input::Tick, &mut out);
        assert_eq!(out, [Effect::Dial(0)]);
    }
    assert!(!step(&mut dispersal, now, Input::Lost(0, "refused".into())));
    // One of four may fail. The second makes the quorum impossible, and the dispersal ends at once.
    step(&mut dispersal, now, Input::Connected(1));
    let refusal = Refusal::new(Reason::Quota, "full");
    assert!(step(&mut dispersal, now, Input::Reply(1, PutReply::Refuse(refusal.clone()))));
    let outcome = dispersal.into_outcome();
    assert!(outcome.certificate.is_none());
    assert_eq!(outcome.slots[0].1, Some(SlotFailure::Lost("refused".into())));
    assert_eq!(outcome.slots[1].1, Some(SlotFailure::Refused(refusal)));
}

#[test]
fn frozen_slots_are_passed_over_at_every_stage() {
    let (network, offer) = network();
    let stages: [&[Input]; 3] =
        [&[], &[Input::Connected(0)], &[Input::Connected(0), Input::Reply(0, PutReply::Accept(0))]];
    for stage in stages {
        let mut out = Vec::new();
        let mut dispersal =
            Dispersal::new(&network.committee, offer.clone(), Wait::Quorum, &mut out).unwrap();
        for input in stage {
            dispersal.step(Duration::ZERO, input.clone(), &mut out);
        }
        for slot in 1..4 {
            dispersal.step(Duration::ZERO, Input::Connected(slot), &mut out);
            dispersal.step(Duration::ZERO, Input::Reply(slot, PutReply::Accept(BYTES)), &mut out);
            assert!(out.contains(&Effect::Close(slot)), "nothing flows while the root is sought");
        }
        let deadline = dispersal.next_tick().unwrap();
        out.clear();
        dispersal.step(deadline, Input::Tick, &mut out);
        assert!(out.contains(&Effect::Close(0)), "{stage:?}");
    }
}

#[test]
fn messages_out_of_place_end_the_slot() {
    let (network, offer) = network();
    for reply in [PutReply::Accept(BYTES + 1), PutReply::Receipt(bls::Signature::new([1; 48]))] {
        let mut out = Vec::new();
        let mut dispersal =
            Dispersal::new(&network.committee, offer.clone(), Wait::Quorum, &mut out).unwrap();
        dispersal.step(Duration::ZERO, Input::Connected(2), &mut out);
        dispersal.step(Duration::ZERO, Input::Reply(2, reply), &mut out);
        assert_eq!(out.last(), Some(&Effect::Close(2)));
        assert!(matches!(dispersal.into_outcome().slots[2].1, Some(SlotFailure::Misbehaved(_))));
    }
}

/// Reading a large piece takes longer than a provider waits on a silent link.
#[test]
fn slots_that_hold_the_piece_are_dialed_again_when_the_root_is_known() {
    let (network, offer) = network();
    let mut out = Vec::new();
    let mut dispersal = Dispersal::new(&network.committee, offer.clone(), Wait::All, &mut out).unwrap();
    for slot in 0..4 {
        dispersal.step(seconds(1), Input::Connected(slot), &mut out);
        dispersal.step(seconds(1), Input::Reply(slot, PutReply::Accept(BYTES)), &mut out);
    }
    assert_eq!(dispersal.next_tick(), None, "nothing is late while the piece is read");
    out.clear();
    dispersal.step(seconds(3600), Input::Root(ROOT), &mut out);
    assert_eq!(out, (0..4).map(Effect::Dial).collect::<Vec<_>>());
    for slot in 0..4 {
        out.clear();
        dispersal.step(seconds(3600), Input::Connected(slot), &mut out);
        dispersal.step(seconds(3600), Input::Reply(slot, PutReply::Accept(BYTES)), &mut out);
        assert_eq!(out.last(), Some(&Effect::Send(slot, PutRequest::Seal(ROOT))));
        step(&mut dispersal, seconds(3600), receipt(&network, &offer, slot));
    }
    assert_eq!(signers(&dispersal.into_outcome()), [0, 1, 2, 3]);
}

#[test]
fn every_slot_that_signed_is_given_the_certificate() {
    let (network, offer) = network();
    let mut dispersal = sealing(&network, &offer, Wait::All);
    let mut out = Vec::new();
    for slot in [0, 1, 2, 3] {
        out.clear();
        dispersal.step(seconds(2), receipt(&network, &offer, slot), &mut out);
    }
    let certificate = network.certificate(&offer.statement(ROOT), &[0, 1, 2, 3]).certificate().clone();
    let mut expected = Vec::new();
    for slot in 0..4 {
        expected.push(Effect::Send(slot, PutRequest::Keep(Box::new(certificate.clone()))));
        expected.push(Effect::End(slot));
    }
    expected.push(Effect::Done);
    assert_eq!(out, expected);
}

/// A provider closes 90 seconds after its receipt; in a longer put it was never given the certificate.
#[test]
fn a_slot_that_left_after_its_receipt_counts_and_is_named() {
    let (network, offer) = network();
    let mut dispersal = sealing(&network, &offer, Wait::All);
    let mut out = Vec::new();
    for slot in [0, 1, 2] {
        step(&mut dispersal, seconds(2), receipt(&network, &offer, slot));
    }
    dispersal.step(seconds(92), Input::Lost(1, "closed the link".into()), &mut out);
    assert_eq!(out, [Effect::Close(1)]);
    out.clear();
    dispersal.step(seconds(100), receipt(&network, &offer, 3), &mut out);
    let kept = out.iter().filter_map(|effect| match effect {
        Effect::Send(slot, PutRequest::Keep(_)) => Some(*slot),
        _ => None,
    });
    assert_eq!(kept.collect::<Vec<_>>(), [0, 2, 3]);
    assert_eq!(out.last(), Some(&Effect::Done));
    let outcome = dispersal.into_outcome();
    assert_eq!(signers(&outcome), [0, 1, 2, 3]);
    assert_eq!(outcome.departed, [1]);
    assert!(outcome.slots.iter().all(|(_, failure)| failure.is_none()));
}

#[test]
fn a_slot_that_kept_the_beginning_is_sent_the_rest() {
    let (network, offer) = network();
    let mut out = Vec::new();
    let mut dispersal = Dispersal::new(&network.committee, offer, Wait::Quorum, &mut out).unwrap();
    dispersal.step(seconds(1), Input::Connected(0), &mut out);
    out.clear();
    dispersal.step(seconds(1), Input::Reply(0, PutReply::Accept(70)), &mut out);
    assert_eq!(out, [Effect::Stream(0, 70), Effect::FindRoot]);
}

/// Every slot that went on where it stopped had the piece read once more, beside the others.
#[test]
fn the_root_is_sought_once() {
    let (network, offer) = network();
    let mut out = Vec::new();
    let mut dispersal = Dispersal::new(&network.committee, offer, Wait::Quorum, &mut out).unwrap();
    for (slot, from) in [(0, 70), (1, BYTES), (2, 70), (3, 0)] {
        dispersal.step(seconds(1), Input::Connected(slot), &mut out);
        dispersal.step(seconds(1), Input::Reply(slot, PutReply::Accept(from)), &mut out);
    }
    assert_eq!(out.iter().filter(|effect| **effect == Effect::FindRoot).count(), 1);
}

#[test]
fn a_small_piece_is_sent_without_waiting() {
    let (network, mut offer) = network();
    offer.piece_bytes = EAGER_BYTES;
    let mut out = Vec::new();
    let mut dispersal = Dispersal::new(&network.committee, offer.clone(), Wait::All, &mut out).unwrap();
    for slot in 0..4 {
        out.clear();
        dispersal.step(seconds(1), Input::Connected(slot), &mut out);
        assert_eq!(out, [Effect::Send(slot, PutRequest::Open(offer.clone())), Effect::Stream(slot, 0)]);
        dispersal.step(seconds(1), Input::Streamed(slot), &mut out);
    }
    dispersal.step(seconds(1), Input::Root(ROOT), &mut out);
    // Whether a slot is new to the piece or holds it, its answer comes when everything is sent.
    for (slot, from) in [(0, 0), (1, EAGER_BYTES), (2, 0), (3, 0)] {
        out.clear();
        dispersal.step(seconds(1), Input::Reply(slot, PutReply::Accept(from)), &mut out);
        assert_eq!(out, []);
        dispersal.step(seconds(1), receipt(&network, &offer, slot), &mut out);
    }
    assert_eq!(signers(&dispersal.into_outcome()), [0, 1, 2, 3]);
}

#[test]
fn a_slot_that_takes_a_trickle_is_lost() {
    let (network, offer) = network();
    let mut out = Vec::new();
    let mut dispersal = Dispersal::new(&network.committee, offer, Wait::All, &mut out).unwrap();
    for slot in 0..4 {
        dispersal.step(seconds(0), Input::Connected(slot), &mut out);
        dispersal.step(seconds(0), Input::Reply(slot, PutReply::Accept(0)), &mut out);
    }
    out.clear();
    for second in 1..60 {
        for slot in 0..4 {
            dispersal.step(seconds(second), Input::Progress(slot, 10), &mut out);
        }
        dispersal.step(seconds(second), Input::Tick, &mut out);
        if out.contains(&Effect::Close(0)) {
            assert_eq!(second, 30);
            return;
        }
    }
    panic!("a trickle goes on");
}

/// The end of a tail that nobody waits for stayed due for ever, and the caller never slept.
#[test]
fn waiting_for_all_is_due_only_when_a_slot_is() {
    let (network, offer) = network();
    let mut dispersal = sealing(&network, &offer, Wait::All);
    for slot in [0, 1, 2] {
        step(&mut dispersal, seconds(2), receipt(&network, &offer, slot));
    }
    step(&mut dispersal, seconds(2) + GATHER_WINDOW, Input::Tick);
    let due = dispersal.next_tick().unwrap();
    assert!(due > seconds(2) + TAIL_MAX, "due at {due:?}");
    assert!(step(&mut dispersal, due, Input::Lost(3, "reset".into())) || dispersal.next_tick() > Some(due));
}
