use super::*;
use crate::ask::{ADDRESSES_MAX, AskReply, AskRequest, HINTS_MAX, NodeInfo, PeerHint, PeersQuery, PieceInfo};
use crate::get::{GetReply, WANT_MAX, Want};
use crate::link::Start;
use holdfast_core::block::Codec;
use holdfast_core::codec::{self, Bounded};
use holdfast_core::frame::MESSAGE_BYTES_MAX;
use holdfast_core::id::{NodeId, hex};
use holdfast_proofs::testing::TestNetwork;

use crate::golden::check;

const CID: &str = "d82a5825000155122067f81ab66b0c88901535066e81f6e14db3d6158f6ef75c019e2d5d92aa4ea69b";

fn cid() -> BlockId {
    BlockId::of(Codec::Raw, b"hold fast")
}

#[test]
fn put_messages() {
    let offer = Offer {
        epoch: Epoch(0),
        committee: CommitteeId::new([2; 32]),
        cid: cid(),
        piece_bytes: 300,
        coding: Coding::copies(Profile::COPY4),
        retain_until: Epoch(1),
        read_price_max: Amount::ZERO,
        order: None,
    };
    let two = "02".repeat(32);
    check(
        &PutRequest::Open(offer),
        &[
            "8201",
            "88", // [1, list of 8]
            "00", // epoch
            "5820",
            &two,     // committee
            CID,      //
            "19012c", // piece bytes
            "86000104",
            "0300f6", // coding: kind, k, n, q, symbol bytes, root
            "01",     // retain until
            "50",
            &"00".repeat(16), // price
            "f6",             // order
        ],
    );
    check(&PutRequest::Seal(PieceRoot::new([2; 32])), &["8202", "5820", &two]);
    let network = TestNetwork::new(4);
    let certificate = network.certificate(&network.statement(cid()), &[0, 1, 2]).certificate().clone();
    check(&PutRequest::Keep(Box::new(certificate.clone())), &["8203", &hex(&certificate.to_bytes())]);
    check(&Start::Put(()), &["8201", "f6"]);
    check(&Start::Get(()), &["8202", "f6"]);
    check(&PutReply::Accept(300), &["8201", "19012c"]);
    check(&PutReply::Receipt(bls::Signature::new([2; 48])), &["8202", "5830", &"02".repeat(48)]);
    check(&PutReply::Refuse(Refusal::new(Reason::Quota, "full")), &["8203", "82", "04", "6466756c6c"]);
}

#[test]
fn get_and_ask_messages() {
    check(&Want { blocks: Bounded::new(vec![cid()]).unwrap() }, &["81", "81", CID]);
    check(&GetReply::Missing(cid()), &["8201", CID]);
    check(&AskRequest::Piece(cid()), &["8201", CID]);
    check(&AskRequest::Node(()), &["8202", "f6"]);
    let network = TestNetwork::new(4);
    let statement = network.statement(cid());
    check(&AskRequest::Receipt(statement.clone()), &["8204", &hex(&codec::encode(&statement))]);
    check(&AskReply::Receipt(None), &["8205", "f6"]);
    check(&AskReply::Receipt(Some(bls::Signature::new([2; 48]))), &["8205", "5830", &"02".repeat(48)]);
    check(&AskReply::Piece(None), &["8201", "f6"]);
    let info = PieceInfo { root: PieceRoot::new([2; 32]), bytes: 300, blocks: 4, certificate: None };
    check(&AskReply::Piece(Some(info)), &["8201", "84", "5820", &"02".repeat(32), "19012c", "04", "f6"]);
    let node = NodeInfo { node: NodeId::new([2; 32]), pieces: 1, bytes: 300, quota: 24 };
    check(&AskReply::Node(node), &["8202", "84", "5820", &"02".repeat(32), "01", "19012c", "1818"]);
    check(&AskReply::Kept(true), &["8203", "f5"]);
    check(&AskReply::Failed(()), &["8204", "f6"]);
    let address = Text::new("/ip4/1.2.3.4/tcp/5").unwrap();
    let listening = Bounded::new(vec![address]).unwrap();
    let text = "722f6970342f312e322e332e342f7463702f35";
    let two = "02".repeat(32);
    let wanted = Bounded::new(vec![NodeId::new([2; 32])]).unwrap();
    let query = PeersQuery { listening: listening.clone(), wanted };
    check(&AskRequest::Peers(query), &["8205", "82", "81", text, "81", "5820", &two]);
    let hint =
        PeerHint { node: NodeId::new([2; 32]), peer: Text::new("12D3").unwrap(), addresses: listening };
    let hints = Bounded::new(vec![hint]).unwrap();
    check(&AskReply::Peers(hints), &["8206", "81", "83", "5820", &two, "6431324433", "81", text]);
}

#[test]
fn the_largest_messages_fit_their_limit() {
    let want = Want { blocks: Bounded::new(vec![cid(); WANT_MAX]).unwrap() };
    assert!(codec::encode(&want).len() <= MESSAGE_BYTES_MAX);
    let network = TestNetwork::new(4);
    let certificate = network.certificate(&network.statement(cid()), &[0, 1, 2]).certificate().clone();
    assert!(codec::encode(&AskRequest::Keep(certificate)).len() < 1024);
    let address = Text::new("x".repeat(100)).unwrap();
    let addresses = Bounded::new(vec![address; ADDRESSES_MAX]).unwrap();
    let hint = PeerHint { node: NodeId::new([2; 32]), peer: Text::new("x".repeat(64)).unwrap(), addresses };
    let hints = Bounded::new(vec![hint.clone(); HINTS_MAX]).unwrap();
    assert!(codec::encode(&AskReply::Peers(hints)).len() <= MESSAGE_BYTES_MAX);
    let wanted = Bounded::new(vec![hint.node; HINTS_MAX]).unwrap();
    let query = PeersQuery { listening: hint.addresses, wanted };
    assert!(codec::encode(&AskRequest::Peers(query)).len() <= MESSAGE_BYTES_MAX);
}

#[test]
fn long_details_are_cut_between_characters() {
    let refusal = Refusal::new(Reason::Piece, format!("{}\n{}", "x".repeat(150), "é".repeat(100)));
    assert_eq!(refusal.detail.as_str().len(), 200);
    let refusal = Refusal::new(Reason::Piece, format!("y{}", "é".repeat(150)));
    assert_eq!(refusal.detail.as_str().len(), 199);
}
