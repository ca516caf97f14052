//! A value of every wire type, frames of calls and answers, and names of blocks.

use holdfast_core::block::{BlockId, Codec};
use holdfast_core::bls::{self, Possession, PublicKeyBytes};
use holdfast_core::codec::{Bounded, Text};
use holdfast_core::ed25519;
use holdfast_core::frame::{self, Head};
use holdfast_core::id::{
    Amount, BoxKey, CommitteeId, Epoch, NetworkId, NodeId, OrderId, PieceRoot, Salt, Timestamp,
};
use holdfast_core::tree::{ChunkProof, Sibling};
use holdfast_enclave::call::{Answer, Availability, Call, Identity, Signed, VERSION};
use holdfast_fuzz::fixed::{self, LARGER, NETWORK, cid};
use holdfast_fuzz::wire::seed;
use holdfast_proofs::profile::Profile;
use holdfast_proofs::statement::{Coding, Statement};
use holdfast_protocol::ask::{AskReply, AskRequest, NodeInfo, PieceInfo};
use holdfast_protocol::get::{GetReply, WANT_MAX, Want};
use holdfast_protocol::link::Start;
use holdfast_protocol::put::{Offer, PutReply, PutRequest, Reason, Refusal};

use crate::golden;

/// A CIDv0.
const LEGACY: &str = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG";
const UNIXFS: &str = include_str!("../../../../crates/store/testdata/unixfs.json");

const ROOT: PieceRoot = PieceRoot::new([3; 32]);
const SIGNATURE: bls::Signature = bls::Signature::new([2; 48]);

fn legacy() -> BlockId {
    LEGACY.parse().expect("a CIDv0")
}

pub(crate) fn cids() -> Vec<Vec<u8>> {
    let with = |form: u8, bytes: &[u8]| [&[form], bytes].concat();
    let mut seeds: Vec<_> =
        golden::texts(UNIXFS, "cid_").iter().map(|text| with(0, text.as_bytes())).collect();
    seeds.push(with(0, NodeId::new([0xab; 32]).to_string().as_bytes()));
    // Base "identity", in which not every CID can be written.
    seeds.push(with(0, "\0\u{1}r\0\u{7}\0b\0\0\0\t\u{6c4}".as_bytes()));
    // A raw block has no CIDv0.
    let mut none = cid().to_key();
    none[0] = 0;
    seeds.push(with(1, &none));
    for id in [cid(), legacy(), BlockId::of(Codec::DagPb, b""), BlockId::of(Codec::DagCbor, b"")] {
        seeds.extend([
            with(0, id.to_string().as_bytes()),
            with(1, &id.to_key()),
            with(2, &id.to_cid().to_bytes()),
        ]);
    }
    seeds
}

/// Two statements in one call.
fn availability() -> Availability {
    let statements = Bounded::new(vec![paid(), fixed::statement(&NETWORK)]).expect("few");
    Availability { network: NetworkId::new([1; 32]), statements }
}

fn calls() -> [Call; 3] {
    [Call::Hello(VERSION), Call::Possession(NetworkId::new([1; 32])), Call::Availability(availability())]
}

fn signed() -> [Signed; 2] {
    [Signed::Signature(SIGNATURE), Signed::Refused(Text::cut("no"))]
}

fn answers() -> [Answer; 5] {
    [
        Answer::Identity(identity()),
        Answer::Signature(SIGNATURE),
        Answer::Refused(Text::cut("no")),
        Answer::Failed(Text::cut("full")),
        Answer::Signatures(Bounded::new(signed().to_vec()).expect("few")),
    ]
}

pub(crate) fn frames() -> Vec<Vec<u8>> {
    let mut seeds = vec![[&Head::Data(3).encode()[..], b"abc", &Head::Message(0).encode()].concat()];
    seeds.extend(calls().iter().map(frame::message));
    seeds.extend(answers().iter().map(frame::message));
    seeds.push(calls().iter().flat_map(frame::message).collect());
    seeds.push(answers().iter().flat_map(frame::message).collect());
    seeds
}

fn identity() -> Identity {
    Identity {
        node: NodeId::new([1; 32]),
        ed25519: ed25519::PublicKey::new([2; 32]),
        bls: PublicKeyBytes::new([3; 96]),
        box_key: BoxKey::new([4; 32]),
    }
}

/// A statement with every optional field.
fn paid() -> Statement {
    Statement {
        coding: Coding { coding_root: Some(ROOT), ..Coding::copies(Profile::COPY4) },
        read_price_max: Amount(258),
        order: Some(OrderId::new([5; 32])),
        ..fixed::statement(&NETWORK)
    }
}

pub(crate) fn values() -> Vec<Vec<u8>> {
    [core(), proofs(), protocol(), enclave()].concat()
}

fn core() -> Vec<Vec<u8>> {
    let siblings = Bounded::new(vec![Sibling::new([1; 32]); 3]).expect("few");
    vec![
        seed(&cid()),
        seed(&legacy()),
        seed(&Bounded::<_, WANT_MAX>::new(vec![cid(), legacy()]).expect("few")),
        seed(&Text::<64>::cut("hält fest")),
        seed(&Amount(258)),
        seed(&Epoch(1 << 40)),
        seed(&Timestamp(1_795_203_298)),
        seed(&NetworkId::new([1; 32])),
        seed(&NodeId::new([1; 32])),
        seed(&ROOT),
        seed(&CommitteeId::new([1; 32])),
        seed(&OrderId::new([1; 32])),
        seed(&Salt::new([1; 32])),
        seed(&BoxKey::new([1; 32])),
        seed(&ed25519::PublicKey::new([1; 32])),
        seed(&ed25519::Signature::new([1; 64])),
        seed(&PublicKeyBytes::new([1; 96])),
        seed(&SIGNATURE),
        seed(&Possession { node: NodeId::new([1; 32]), key: PublicKeyBytes::new([2; 96]) }),
        seed(&Sibling::new([1; 32])),
        seed(&ChunkProof { chunk: b"chunk".to_vec(), siblings }),
    ]
}

fn proofs() -> Vec<Vec<u8>> {
    let statement = fixed::statement(&LARGER);
    let member = &NETWORK.genesis.members[0];
    vec![
        seed(&NETWORK.genesis),
        seed(member),
        seed(&member.weight),
        seed(&Profile::COPY4),
        seed(&NETWORK.proofs),
        seed(&NETWORK.proofs.members[0]),
        seed(NETWORK.committee.record()),
        seed(&statement),
        seed(&paid()),
        seed(&statement.coding),
        seed(&statement.durability),
        seed(&fixed::certificate(&LARGER, &[0, 1, 3])),
        seed(&fixed::bundle()),
    ]
}

fn protocol() -> Vec<Vec<u8>> {
    let offer = Offer::without_ledger(&NETWORK.committee, Profile::COPY4, cid(), 300);
    let refusal = Refusal::new(Reason::Quota, "full");
    let certificate = fixed::certificate(&LARGER, &[0, 1, 3]);
    let info = PieceInfo { root: ROOT, bytes: 300, blocks: 4, certificate: Some(certificate.clone()) };
    let node = NodeInfo { node: NodeId::new([2; 32]), pieces: 1, bytes: 300, quota: 24 };
    vec![
        seed(&PutRequest::Open(offer.clone())),
        seed(&PutRequest::Seal(ROOT)),
        seed(&PutRequest::Keep(Box::new(certificate.clone()))),
        seed(&offer),
        seed(&PutReply::Accept(300)),
        seed(&PutReply::Receipt(SIGNATURE)),
        seed(&PutReply::Refuse(refusal.clone())),
        seed(&refusal.reason),
        seed(&refusal),
        seed(&Want { blocks: Bounded::new(vec![cid(), legacy()]).expect("few") }),
        seed(&GetReply::Missing(cid())),
        seed(&AskRequest::Piece(cid())),
        seed(&AskRequest::Node(())),
        seed(&AskRequest::Keep(certificate)),
        seed(&AskRequest::Receipt(paid())),
        seed(&AskReply::Piece(None)),
        seed(&AskReply::Piece(Some(info.clone()))),
        seed(&AskReply::Node(node.clone())),
        seed(&AskReply::Kept(true)),
        seed(&AskReply::Failed(())),
        seed(&AskReply::Receipt(None)),
        seed(&AskReply::Receipt(Some(SIGNATURE))),
        seed(&info),
        seed(&node),
        seed(&Start::Put(())),
        seed(&Start::Get(())),
    ]
}

fn enclave() -> Vec<Vec<u8>> {
    let mut seeds: Vec<_> = calls().iter().map(seed).chain(answers().iter().map(seed)).collect();
    seeds.push(seed(&identity()));
    seeds.push(seed(&availability()));
    seeds.extend(signed().iter().map(seed));
    seeds
}
