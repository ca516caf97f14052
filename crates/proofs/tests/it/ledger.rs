//! A network with a ledger: its genesis, and a bundle about a later committee, with a change of validators on the way.

use holdfast_core::block::{BlockId, Codec};
use holdfast_core::codec::{self, Bounded};
use holdfast_core::id::{Amount, Epoch, NodeId, OrderId, PieceRoot, Salt, Timestamp};
use holdfast_core::purpose::Signable;
use holdfast_core::{bls, id::hex};
use holdfast_proofs::bundle::{BUNDLE_BYTES_MAX, Bundle, CommitteeProof};
use holdfast_proofs::certificate::{Certificate, ValidCertificate};
use holdfast_proofs::committee::{Committee, CommitteeRecord};
use holdfast_proofs::genesis::{ContentsHash, GENESIS_BYTES_MAX, Genesis, Weight};
use holdfast_proofs::header::{BlockHash, BlockTime, Header, Height, Round, StateRoot};
use holdfast_proofs::light::{Handover, SignedHeader};
use holdfast_proofs::list::ListRoot;
use holdfast_proofs::profile::Profile;
use holdfast_proofs::row::{EMPTY, Path, RowKey, RowProof, Table, hash_leaf, hash_node, hash_row};
use holdfast_proofs::slots::{self, Bucket};
use holdfast_proofs::statement::{Coding, Durability, Statement};
use holdfast_proofs::testing::{TestNetwork, keys, member};
use holdfast_proofs::validators::{Validator, ValidatorSet, Validators};
use holdfast_proofs::verdict::{Status, judge};
use holdfast_proofs::vote::{Finality, Step, Vote};

use crate::parts;
use crate::wire_type::check_wire_type;

const GENESIS: &str = include_str!("../../testdata/ledger_genesis.json");
const BUNDLE: &str = include_str!("../../testdata/ledger_bundle.json");

fn network() -> TestNetwork {
    TestNetwork::with_ledger(4, ContentsHash::new([7; 32]))
}

/// Members of a network, each with its weight as a validator.
fn set(weights: &[(u8, u8)]) -> ValidatorSet {
    let validator = |(number, weight): &(u8, u8)| {
        let member = member(*number);
        Validator { node: member.node, bls: member.bls, weight: Weight::new(*weight).unwrap() }
    };
    ValidatorSet::new(weights.iter().map(validator).collect()).unwrap()
}

fn number(node: &NodeId) -> u8 {
    (1..=u8::MAX).find(|number| member(*number).node == *node).unwrap()
}

/// A header of a set, decided by some of its members.
fn decided(network: &TestNetwork, header: Header, set: &ValidatorSet, by: &[u8]) -> SignedHeader {
    let round = Round(1);
    let block = Some(header.hash());
    let vote = Vote { height: header.height, round, step: Step::Precommit, block };
    let input = vote.signing_input(&network.genesis.network());
    let sign = |by: &u8| (set.place(&member(*by).node).unwrap(), keys(*by).1.sign(&input));
    let votes: Vec<_> = by.iter().map(sign).collect();
    let finality = Finality::of(round, &votes, &Validators::admitted(set.clone()).unwrap()).unwrap();
    SignedHeader { header, finality }
}

fn header(height: u64, set: &ValidatorSet, next: &ValidatorSet, state: StateRoot) -> Header {
    Header {
        height: Height(height),
        parent: BlockHash::new([1; 32]),
        time: BlockTime(2_000_000 + height),
        round: Round(0),
        proposer: set.proposer(Height(height), Round(0)).node,
        seal: bls::Signature::new([2; 48]),
        validators: set.id(),
        next_validators: next.id(),
        transactions: ListRoot::of([]),
        receipts: ListRoot::of([[3; 32]]),
        state,
    }
}

/// The record of epoch 1: member 5 has joined.
fn record(network: &TestNetwork) -> CommitteeRecord {
    let before = network.committee.record();
    let mut members = before.members.to_vec();
    members.push(holdfast_proofs::genesis::Member { salt: Salt::new([9; 32]), ..member(5) });
    members.sort_by_key(|member| member.node);
    CommitteeRecord {
        epoch: Epoch(1),
        previous: Some(before.id()),
        start: Timestamp(2000),
        end: Timestamp(3000),
        members: Bounded::new(members).unwrap(),
        ..before.clone()
    }
}

fn certificate(record: &CommitteeRecord) -> Certificate {
    let committee = Committee::admitted(record.clone());
    let statement = Statement {
        epoch: record.epoch,
        committee: committee.id(),
        cid: BlockId::of(Codec::Raw, b"hold fast"),
        piece_root: PieceRoot::new([3; 32]),
        piece_bytes: 12_345,
        coding: Coding::copies(Profile::COPY4),
        retain_until: Epoch(4),
        durability: Durability::SYNCED,
        read_price_max: Amount(258),
        order: Some(OrderId::new([5; 32])),
    };
    let places = slots::order(Bucket::of(&statement.cid), committee.members());
    let input = statement.signing_input(committee.network());
    let sign = |slot: u16| {
        let node = committee.members()[places[usize::from(slot)]].node;
        (slot, keys(number(&node)).1.sign(&input))
    };
    let receipts = [0, 2, 3].map(sign);
    ValidCertificate::from_receipts(statement, &receipts, &committee).unwrap().certificate().clone()
}

/// The hash of a subtree, as the specification defines it.
fn subtree(leaves: &[(Path, [u8; 32])], depth: usize) -> [u8; 32] {
    match leaves {
        [] => EMPTY,
        [(path, row)] => hash_leaf(path, row),
        _ => {
            let [left, right] = halves(leaves, depth);
            hash_node(&subtree(&left, depth + 1), &subtree(&right, depth + 1))
        }
    }
}

fn halves(leaves: &[(Path, [u8; 32])], depth: usize) -> [Vec<(Path, [u8; 32])>; 2] {
    [false, true].map(|side| leaves.iter().copied().filter(|(path, _)| path.bit(depth) == side).collect())
}

/// A state that holds the record among other rows, and the proof of it.
fn state(record: &CommitteeRecord) -> (StateRoot, RowProof) {
    let other = |number: u8| (RowKey::new(Table::ACCOUNTS, &[number; 32]), vec![number]);
    let row = (CommitteeRecord::row(record.epoch), codec::encode(record));
    let path = Path::of(&row.0);
    let rows = (0..9).map(other).chain([row]);
    let mut leaves: Vec<_> = rows.map(|(key, row)| (Path::of(&key), hash_row(&row))).collect();
    let root = StateRoot::new(subtree(&leaves, 0));
    let mut siblings = Vec::new();
    while leaves.len() > 1 {
        let [left, right] = halves(&leaves, siblings.len());
        let (on, beside) = if path.bit(siblings.len()) { (right, left) } else { (left, right) };
        siblings.push(subtree(&beside, siblings.len() + 1));
        leaves = on;
    }
    (root, RowProof::new(None, siblings))
}

fn bundle() -> Bundle {
    let network = network();
    let sets = [set(&[(1, 1), (2, 1), (3, 1), (4, 1)]), set(&[(2, 2), (3, 1), (5, 3)])];
    let last = header(258, &sets[0], &sets[1], StateRoot::new([4; 32]));
    let last = decided(&network, last, &sets[0], &[1, 2, 4]);
    let record = record(&network);
    let (state, row) = state(&record);
    let header = decided(&network, header(300, &sets[1], &sets[1], state), &sets[1], &[2, 5]);
    Bundle {
        genesis: network.genesis.clone(),
        proofs: network.proofs,
        certificate: certificate(&record),
        committee: record,
        committee_proof: Some(CommitteeProof { header, row }),
        headers: Bounded::new(vec![Handover { last, next: sets[1].clone() }]).unwrap(),
        import_profile: None,
    }
}

#[test]
fn genesis_with_a_ledger() {
    let genesis = network().genesis;
    check_wire_type::<Genesis>(&genesis, &parts(GENESIS, ""), GENESIS_BYTES_MAX);
    assert_eq!(Genesis::from_bytes(&genesis.to_bytes()), Ok(genesis));
}

#[test]
fn bundle_of_a_later_committee() {
    let file = parts(BUNDLE, "");
    let (bundle, id) = (bundle(), network().genesis.network());
    assert_eq!(hex(&bundle.to_bytes()), file.concat());
    check_wire_type(&bundle, &file[1..file.len() - 1], BUNDLE_BYTES_MAX);
    let golden: serde_json::Value = serde_json::from_str(BUNDLE).unwrap();
    assert_eq!(golden["network"], id.to_string());
    let at = |second| judge(&bundle, &id, Timestamp(second)).status;
    let statuses = [Status::Invalid, Status::Fresh, Status::ValidAsOf, Status::ValidAsOf, Status::Expired];
    assert_eq!([1999, 2000, 3000, 4999, 5000].map(at), statuses);
}

/// Each lie about the ledger fails its own step.
#[test]
fn lies_about_a_later_committee() {
    let (good, id) = (bundle(), network().genesis.network());
    let fails = |change: &dyn Fn(&mut Bundle), expected: &str| {
        let mut changed = good.clone();
        change(&mut changed);
        let verdict = judge(&changed, &id, Timestamp(2500));
        assert_eq!(verdict.failure().map(|step| step.name), Some(expected));
    };
    let proof = |bundle: &mut Bundle, change: &dyn Fn(&mut CommitteeProof)| {
        change(bundle.committee_proof.as_mut().unwrap());
    };
    fails(&|bundle| bundle.headers = Bounded::new(vec![]).unwrap(), "verify.headers");
    fails(&|bundle| proof(bundle, &|proof| proof.header.header.height = Height(301)), "verify.headers");
    fails(&|bundle| proof(bundle, &|proof| proof.header.finality.round = Round(2)), "verify.headers");
    let twice = |bundle: &mut Bundle| {
        let again = bundle.headers[0].clone();
        bundle.headers = Bounded::new(vec![again.clone(), again]).unwrap();
    };
    fails(&twice, "verify.headers");
    fails(&|bundle| proof(bundle, &|proof| proof.row = RowProof::new(None, vec![])), "verify.committee");
    fails(&|bundle| bundle.committee.end = Timestamp(9000), "verify.committee");
    fails(&|bundle| bundle.committee_proof = None, "verify.committee");
    fails(&|bundle| bundle.certificate.statement.retain_until = Epoch(1), "verify.statement");
    fails(&|bundle| bundle.certificate.statement.order = None, "verify.signature");
}
