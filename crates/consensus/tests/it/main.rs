//! The objects of this crate on the wire and in the log, each byte labelled in `testdata`.

#![allow(clippy::unwrap_used)] // helpers outside of test functions are test code as well

#[path = "../../../core/tests/it/wire_type.rs"]
mod wire_type;

use holdfast_consensus::guard::{GUARD_BYTES_MAX, Guard};
use holdfast_consensus::message::{Decided, MESSAGE_BYTES_MAX, Message, SignedVote, VOTES_MAX};
use holdfast_consensus::polka::Polka;
use holdfast_consensus::proposal::{Proposal, ProposalHead, SignedProposal};
use holdfast_consensus::record::{Begin, Lock, RECORD_BYTES_MAX, Record};
use holdfast_core::bls::Signature;
use holdfast_core::codec::{self, Bounded};
use holdfast_core::id::NodeId;
use holdfast_proofs::header::{BlockHash, BlockTime, Header, Height, Round, StateRoot};
use holdfast_proofs::list::ListRoot;
use holdfast_proofs::validators::ValidatorsId;
use holdfast_proofs::vote::{Step, Vote};
use wire_type::check_wire_type;

const MESSAGES: &str = include_str!("../../testdata/messages.json");
const RECORDS: &str = include_str!("../../testdata/records.json");

/// The bytes, in hex, of the parts whose labels start with this name.
fn parts(golden: &str, name: &str) -> Vec<String> {
    let golden: serde_json::Value = serde_json::from_str(golden).unwrap();
    let parts = golden["parts"].as_array().unwrap().iter();
    let prefix = format!("{name}: ");
    let of_name = parts.filter(|part| part["what"].as_str().unwrap().starts_with(&prefix));
    of_name.map(|part| part["bytes"].as_str().unwrap().to_owned()).collect()
}

const BLOCK: BlockHash = BlockHash::new([10; 32]);

fn header() -> Header {
    Header {
        height: Height(7),
        parent: BlockHash::new([1; 32]),
        time: BlockTime(1_700_000_000_123),
        round: Round(1),
        proposer: NodeId::new([2; 32]),
        seal: Signature::new([3; 48]),
        validators: ValidatorsId::new([4; 32]),
        next_validators: ValidatorsId::new([5; 32]),
        transactions: ListRoot::new([6; 32]),
        receipts: ListRoot::new([7; 32]),
        state: StateRoot::new([8; 32]),
    }
}

fn proposal(pol_round: Option<Round>) -> Proposal {
    Proposal { height: Height(7), round: Round(3), pol_round, header: header() }
}

fn signed_proposal(pol_round: Option<Round>) -> SignedProposal {
    SignedProposal { proposal: proposal(pol_round), signature: Signature::new([9; 48]) }
}

fn vote(step: Step, block: Option<BlockHash>) -> Vote {
    Vote { height: Height(7), round: Round(3), step, block }
}

fn signed_vote(node: u8, step: Step, block: Option<BlockHash>) -> SignedVote {
    let node_id = NodeId::new([node; 32]);
    SignedVote { node: node_id, vote: vote(step, block), signature: Signature::new([node + 1; 48]) }
}

/// A polka whose bitmap cannot be made without keys, read from its own golden bytes.
fn polka(round: u32) -> Polka {
    let mut bytes = vec![0x85, 7, u8::try_from(round).unwrap()];
    bytes.extend(codec::encode(&BLOCK));
    bytes.extend([0x41, 0x0b]);
    bytes.extend(codec::encode(&Signature::new([11; 48])));
    codec::decode(&bytes, MESSAGE_BYTES_MAX).unwrap()
}

fn lock() -> Lock {
    Lock { proposal: signed_proposal(None), polka: polka(3) }
}

#[test]
fn messages() {
    let votes = vec![signed_vote(12, Step::Prevote, None), signed_vote(14, Step::Precommit, Some(BLOCK))];
    for (name, message) in [
        ("proposal", Message::Proposal(Box::new(signed_proposal(Some(Round(1)))))),
        ("vote", Message::Vote(signed_vote(12, Step::Precommit, Some(BLOCK)))),
        ("decided", Message::Decided(Decided { height: Height(300) })),
        ("polka", Message::Polka(polka(1))),
        ("votes", Message::Votes(Bounded::new(votes).unwrap())),
    ] {
        check_wire_type(&message, &parts(MESSAGES, name), MESSAGE_BYTES_MAX);
        assert_eq!(Message::from_bytes(&message.to_bytes()), Ok(message));
    }
}

#[test]
fn records() {
    let why = Bounded::new(vec![signed_vote(12, Step::Precommit, None)]).unwrap();
    let begin = Begin { height: Height(7), round: Round(4), locked: None, valid: Some(lock()), why };
    for (name, record) in [
        ("begin", Record::Begin(Box::new(begin))),
        ("lock", Record::Lock(Box::new(lock()))),
        ("vote", Record::Vote(vote(Step::Prevote, Some(BLOCK)))),
        ("cast", Record::Cast(signed_vote(12, Step::Prevote, Some(BLOCK)))),
        ("proposal", Record::Proposal(Box::new(proposal(Some(Round(1)))))),
        ("proposed", Record::Proposed(Box::new(signed_proposal(None)))),
    ] {
        check_wire_type(&record, &parts(RECORDS, name), RECORD_BYTES_MAX);
        assert_eq!(Record::from_bytes(&record.to_bytes()), Ok(record));
    }
}

#[test]
fn guard_and_what_is_signed() {
    let guard = Guard { height: Height(7), round: Round(3), step: 2, block: Some(BLOCK) };
    check_wire_type(&guard, &parts(RECORDS, "guard"), GUARD_BYTES_MAX);
    let (height, round, pol_round) = (Height(7), Round(3), Some(Round(1)));
    let head = ProposalHead { height, round, pol_round, block: BLOCK };
    check_wire_type(&head, &parts(RECORDS, "head"), MESSAGE_BYTES_MAX);
    let proposal = proposal(Some(Round(1)));
    assert_eq!(proposal.head(), ProposalHead { block: proposal.header.hash(), ..head });
}

#[test]
fn the_longest_message_and_record_fit() {
    let longest = SignedVote {
        vote: Vote { height: Height(u64::MAX), round: Round(u32::MAX), ..vote(Step::Precommit, Some(BLOCK)) },
        ..signed_vote(12, Step::Precommit, None)
    };
    let why = Bounded::new(vec![longest; VOTES_MAX]).unwrap();
    assert!(Message::Votes(why.clone()).to_bytes().len() <= MESSAGE_BYTES_MAX);
    let begin = Begin {
        height: Height(u64::MAX),
        round: Round(u32::MAX),
        locked: Some(lock()),
        valid: Some(lock()),
        why,
    };
    assert!(Record::Begin(Box::new(begin)).to_bytes().len() <= RECORD_BYTES_MAX);
    // One vote more is refused before the rest is read.
    let mut bytes = vec![0x82, 0x05, 0x98, u8::try_from(VOTES_MAX + 1).unwrap()];
    for _ in 0..=VOTES_MAX {
        bytes.extend(codec::encode(&signed_vote(12, Step::Prevote, None)));
    }
    assert!(bytes.len() < MESSAGE_BYTES_MAX && Message::from_bytes(&bytes).is_err());
}
