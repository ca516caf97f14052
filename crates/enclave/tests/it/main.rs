//! The calls between host and enclave on the wire, and the frames around them.

#[path = "../../../core/tests/it/wire_type.rs"]
mod wire_type;

use std::io::ErrorKind;

use holdfast_consensus::proposal::ProposalHead;
use holdfast_core::block::{BlockId, Codec};
use holdfast_core::bls;
use holdfast_core::codec::{Bounded, Text};
use holdfast_core::ed25519;
use holdfast_core::frame::{HEAD_BYTES, MESSAGE_BYTES_MAX};
use holdfast_core::id::{Amount, BoxKey, CommitteeId, Epoch, NetworkId, NodeId, OrderId, PieceRoot};
use holdfast_enclave::call::{
    self, AddSeal, Answer, Availability, Call, CastVote, Consent, Identity, Propose, Signed, VERSION,
};
use holdfast_ledger::account::AccountId;
use holdfast_ledger::registry::{Registration, Roles};
use holdfast_proofs::genesis::Weight;
use holdfast_proofs::header::{Beacon, BlockHash, Height, Round, Seal};
use holdfast_proofs::profile::Profile;
use holdfast_proofs::statement::{Coding, Durability, Statement};
use holdfast_proofs::vote::{Step, Vote};
use proptest::prelude::*;
use wire_type::{check_wire_type, for_all, hostile};

/// CIDv1, raw, sha2-256 of "hold fast": tag 42, 37 bytes, multibase identity.
const CID: &str = "d82a5825000155122067f81ab66b0c88901535066e81f6e14db3d6158f6ef75c019e2d5d92aa4ea69b";

fn statement() -> Statement {
    Statement {
        epoch: Epoch(0),
        committee: CommitteeId::new([2; 32]),
        cid: BlockId::of(Codec::Raw, b"hold fast"),
        piece_root: PieceRoot::new([3; 32]),
        piece_bytes: 300,
        coding: Coding::copies(Profile::COPY4),
        retain_until: Epoch(1),
        durability: Durability::SYNCED,
        read_price_max: Amount::ZERO,
        order: None,
    }
}

fn availability(statement: Statement) -> Call {
    let statements = Bounded::new(vec![statement]).expect("one fits");
    Call::Availability(Availability { network: NetworkId::new([1; 32]), statements })
}

fn check<T>(message: &T, golden: &[&str])
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    check_wire_type(message, golden, MESSAGE_BYTES_MAX);
}

#[test]
fn calls() {
    let [one, two, three] = ["01", "02", "03"].map(|byte| byte.repeat(32));
    check(&Call::Hello(VERSION), &["82", "01", "03"]); // [1, version]
    check(&Call::Possession(NetworkId::new([1; 32])), &["82", "02", "5820", &one]); // [2, network id]
    check(
        &availability(statement()),
        &[
            "82",
            "03", // [3, body]
            "82",
            "5820",
            &one, // list of 2: network id
            "81",
            "8a", // list of one statement, list of 10
            "00", // epoch
            "5820",
            &two, // committee id
            CID,  // cid
            "5820",
            &three,   // piece root
            "19012c", // piece bytes
            "86",
            "00",
            "01",
            "04",
            "03",
            "00",
            "f6", // coding: kind, k, n, q, symbol bytes, root
            "01", // retain until
            "01", // durability
            "50",
            &"00".repeat(16), // highest read price
            "f6",             // order
        ],
    );
}

/// What is signed for the ledger: a registration, a vote, a proposal, a seal.
#[test]
fn calls_for_the_ledger() {
    let [one, two, three, four] = ["01", "02", "03", "04"].map(|byte| byte.repeat(32));
    let (network, text) = (NetworkId::new([1; 32]), |text: &str| Text::new(text).expect("short"));
    let registration = Registration {
        owner: AccountId::of(ed25519::PublicKey::new([2; 32])),
        roles: Roles::ALL,
        ed25519: ed25519::PublicKey::new([3; 32]),
        bls: bls::PublicKeyBytes::new([4; 96]),
        box_key: BoxKey::new([4; 32]),
        operator: text("o"),
        failure_domain: text("f"),
        weight: Weight::ONE,
        peer: text("p"),
    };
    check(
        &Call::Consent(Consent { network, registration }),
        &[
            "82",
            "04",
            "82",
            "5820",
            &one, // [4, list of 2: network id
            "89",
            "5820",
            &two,
            "03", // list of 9: owner, roles
            "5820",
            &three,
            "5860",
            &"04".repeat(96),
            "5820",
            &four, // keys
            "61",
            "6f",
            "61",
            "66",
            "01",
            "61",
            "70", // operator, failure domain, weight, peer id
        ],
    );
    let block = Some(BlockHash::new([2; 32]));
    let vote = Vote { height: Height(7), round: Round(1), step: Step::Precommit, block };
    check(
        &Call::Vote(CastVote { network, vote }),
        &["82", "05", "82", "5820", &one, "84", "07", "01", "02", "5820", &two], // height, round, step, block
    );
    let head =
        ProposalHead { height: Height(7), round: Round(1), pol_round: None, block: BlockHash::new([2; 32]) };
    check(
        &Call::Propose(Propose { network, head }),
        &["82", "06", "82", "5820", &one, "84", "07", "01", "f6", "5820", &two], // height, round, earlier round, block
    );
    let seal = Seal { beacon: Beacon::new([2; 32]), height: Height(7) };
    check(
        &Call::Seal(AddSeal { network, seal }),
        &["82", "07", "82", "5820", &one, "82", "5820", &two, "07"],
    );
    let consent = ed25519::Signature::new([2; 64]);
    check(&Answer::Consent(consent), &["82", "06", "5840", &"02".repeat(64)]);
}

/// An enclave signs statements of networks that it does not know, also those with prices and orders.
#[test]
fn a_call_with_every_optional_field() {
    let [one, two, three] = ["01", "02", "03"].map(|byte| byte.repeat(32));
    let statement = Statement {
        coding: Coding { coding_root: Some(PieceRoot::new([4; 32])), ..Coding::copies(Profile::COPY4) },
        read_price_max: Amount(258),
        order: Some(OrderId::new([5; 32])),
        ..statement()
    };
    check(
        &availability(statement),
        &[
            "82",
            "03",
            "82",
            "5820",
            &one,
            "81",
            "8a",
            "00",
            "5820",
            &two,
            CID,
            "5820",
            &three,
            "19012c",
            "86",
            "00",
            "01",
            "04",
            "03",
            "00", // coding: kind, k, n, q, symbol bytes
            "5820",
            &"04".repeat(32), // coding root
            "01",
            "01", // retain until, durability
            "50",
            &"00".repeat(14),
            "0102", // highest read price, big-endian
            "5820",
            &"05".repeat(32), // order
        ],
    );
}

#[test]
fn answers() {
    let identity = Identity {
        node: NodeId::new([1; 32]),
        ed25519: ed25519::PublicKey::new([2; 32]),
        bls: bls::PublicKeyBytes::new([3; 96]),
        box_key: BoxKey::new([4; 32]),
    };
    check(
        &Answer::Identity(identity),
        &[
            "82",
            "01",
            "84", // [1, list of 4]
            "5820",
            &"01".repeat(32), // node id
            "5820",
            &"02".repeat(32), // Ed25519 key
            "5860",
            &"03".repeat(96), // BLS key
            "5820",
            &"04".repeat(32), // box key
        ],
    );
    check(&Answer::Signature(bls::Signature::new([2; 48])), &["82", "02", "5830", &"02".repeat(48)]);
    check(&Answer::Refused(Text::cut("no")), &["82", "03", "62", "6e6f"]); // [3, "no"]
    check(&Answer::Failed(Text::cut("full")), &["82", "04", "64", "66756c6c"]); // [4, "full"]
    check(&Answer::Failed(Text::cut("")), &["82", "04", "60"]); // [4, ""]
    let signed = vec![Signed::Signature(bls::Signature::new([2; 48])), Signed::Refused(Text::cut("no"))];
    check(
        &Answer::Signatures(Bounded::new(signed).expect("two fit")), // [5, [[1, signature], [2, "no"]]]
        &["82", "05", "82", "82", "01", "5830", &"02".repeat(48), "82", "02", "62", "6e6f"],
    );
}

fn frame(call: &Call) -> Vec<u8> {
    let mut frame = Vec::new();
    call::write(&mut frame, call).expect("memory takes all bytes");
    frame
}

#[test]
fn a_frame_is_a_head_and_one_message() {
    assert_eq!(frame(&Call::Hello(VERSION)), [0, 0, 0, 3, 0x82, 0x01, 0x03]);
    let two = [frame(&availability(statement())), frame(&Call::Hello(VERSION))].concat();
    let mut socket = &two[..];
    let mut next = || call::read::<Call>(&mut socket).expect("two good frames");
    assert_eq!(next(), Some(availability(statement())));
    assert_eq!(next(), Some(Call::Hello(VERSION)));
    assert_eq!(next(), None);
}

/// Inside the head the other side has simply gone; inside the body it broke off a message.
#[test]
fn a_cut_frame_is_an_end_or_an_error() {
    let whole = frame(&availability(statement()));
    for end in 0..whole.len() {
        match call::read::<Call>(&mut &whole[..end]) {
            Ok(read) => assert!(read.is_none() && end < HEAD_BYTES, "cut after {end} bytes"),
            Err(error) => assert_eq!((error.kind(), end < HEAD_BYTES), (ErrorKind::UnexpectedEof, false)),
        }
    }
}

#[test]
fn heads_of_other_frames_are_refused_before_the_body() {
    let hello = [0x82, 0x01, 0x01];
    let refused = |head: [u8; 4]| {
        let bytes = [&head[..], &hello].concat();
        let mut socket = &bytes[..];
        let error = call::read::<Call>(&mut socket).expect_err("no message of this length");
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{head:02x?}");
        socket.len()
    };
    let over = u32::try_from(MESSAGE_BYTES_MAX + 1).expect("16 KiB and one").to_be_bytes();
    for head in [over, [0x7f, 0xff, 0xff, 0xff], [0x80, 0, 0, 3], [0x80, 0, 0, 0], [0xff; 4]] {
        assert_eq!(refused(head), hello.len(), "{head:02x?}: the body was read");
    }
    assert_eq!(refused([0; 4]), hello.len(), "an empty message is none");
    assert_eq!(refused([0, 0, 0, 2]), 1, "a message cut short by its head");
}

#[test]
fn hostile_bytes_on_the_socket() {
    for_all(&hostile(frame(&availability(statement()))), |bytes| {
        let mut socket = &bytes[..];
        while let Ok(Some(call)) = call::read::<Call>(&mut socket) {
            let end = bytes.len() - socket.len();
            let again = frame(&call);
            prop_assert_eq!(&bytes[end - again.len()..end], &again[..]);
        }
        Ok(())
    });
}
