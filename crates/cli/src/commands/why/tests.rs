use super::*;
use holdfast_client::ask::AskError;
use holdfast_client::trace::{BlockError, CertificateFault};
use holdfast_core::block::Codec;
use holdfast_core::id::PieceRoot;
use holdfast_proofs::slots::{self, Bucket};
use holdfast_proofs::testing::TestNetwork;
use holdfast_protocol::ask::PieceInfo;

/// A slot that holds a piece of this root; its certificate, if any, has all signers.
fn slot(place: usize, root: u8, certificate: Option<Result<(), CertificateFault>>) -> Slot {
    let info = PieceInfo { root: PieceRoot::new([root; 32]), bytes: 12_345, blocks: 1, certificate: None };
    let certificate = certificate.map(|found| found.map(|()| (Profile::COPY4, 4)));
    Slot { place, dial: Ok(()), hold: Ok(Some(Held { info, certificate })) }
}

/// Takes the steps over what was found, and answers name, exit code and text of the first that is broken.
fn broken(
    slots: Vec<Slot>,
    root_block: Vec<(usize, Result<u64, BlockError>)>,
) -> Option<(String, Exit, String)> {
    let test = TestNetwork::new(4);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("genesis"), test.genesis.to_bytes()).unwrap();
    std::fs::write(folder.path().join("genesis.proofs"), holdfast_core::codec::encode(&test.proofs)).unwrap();
    let network = Network::load(folder.path()).unwrap();
    let cid = BlockId::of(Codec::Raw, b"x");
    let trace = Trace { bucket: Bucket::of(&cid), slots, root_block };
    let mut way = Way { cid, steps: Vec::new() };
    let failure = follow(&mut way, &network, &trace);
    failure.map(|Failure { exit, reason, message }| (reason.into_owned(), exit, message))
}

fn all(certificate: impl Fn(usize) -> Option<Result<(), CertificateFault>>) -> Vec<Slot> {
    let order =
        slots::order(Bucket::of(&BlockId::of(Codec::Raw, b"x")), TestNetwork::new(4).committee.members());
    order.into_iter().enumerate().map(|(number, place)| slot(place, 3, certificate(number))).collect()
}

#[test]
fn a_sound_way_is_not_broken() {
    assert_eq!(broken(all(|_| Some(Ok(()))), vec![(0, Ok(1))]), None);
    // No certificate was given to them yet: nothing is false.
    assert_eq!(broken(all(|_| None), vec![(0, Err(BlockError::Missing)), (1, Ok(1))]), None);
}

#[test]
fn a_false_word_is_found() {
    let invalid = |broken: Option<(String, Exit, String)>, words: &str| {
        let (name, exit, message) = broken.expect("something is false");
        assert_eq!((name.as_str(), exit), ("why.verify", Exit::Invalid));
        assert!(message.contains(words), "{message}");
    };
    let mut two = all(|_| Some(Ok(())));
    two[2] = slot(two[2].place, 4, None);
    invalid(broken(two, vec![(0, Ok(1))]), "2 different pieces");
    let lying = all(|number| Some(if number == 1 { Err(CertificateFault::OtherPiece) } else { Ok(()) }));
    invalid(broken(lying, vec![(0, Ok(1))]), "a certificate is false");
    let wrong = (0..4).map(|number| (number, Err(BlockError::Wrong { bytes: 7 }))).collect();
    invalid(broken(all(|_| None), wrong), "no holder sent the root block");
    // One liar is told even if the next holder is honest.
    let wrong = vec![(0, Err(BlockError::Wrong { bytes: 7 })), (1, Ok(1))];
    invalid(broken(all(|_| None), wrong), "sent another block");
}

#[test]
fn missing_slots_break_the_way_before_a_false_word_does() {
    let mut slots = all(|_| Some(Err(CertificateFault::OtherPiece)));
    for slot in &mut slots[..2] {
        slot.hold = Ok(None);
    }
    let (name, exit, message) = broken(slots, vec![(2, Ok(1))]).unwrap();
    assert_eq!((name.as_str(), exit), ("why.hold", Exit::Partial));
    assert!(message.contains("2 of 4"), "{message}");

    let mut slots = all(|_| None);
    for slot in &mut slots {
        (slot.dial, slot.hold) = (Err(AskError::Late), Err(AskError::NoAnswer));
    }
    let (name, exit, _) = broken(slots, Vec::new()).unwrap();
    assert_eq!((name.as_str(), exit), ("why.dial", Exit::Unreachable));
}
