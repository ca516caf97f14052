//! What a ledger begins with, blocks, and who decides about them.

use holdfast_core::codec;
use holdfast_core::ed25519;
use holdfast_core::id::Amount;
use holdfast_ledger::block::{BLOCK_BYTES_MAX, Block};
use holdfast_ledger::genesis::{Allotment, CONTENTS_BYTES_MAX, Contents, Owner};
use holdfast_ledger::transaction::{Body, Payload, TRANSACTION_BYTES_MAX, Transaction, Transfer};
use holdfast_proofs::genesis::GENESIS_BYTES_MAX;
use holdfast_proofs::header::{BlockHash, BlockTime, HEADER_BYTES_MAX, Header, Height, Round, StateRoot};
use holdfast_proofs::light::{Handover, SignedHeader};
use holdfast_proofs::list::ListRoot;
use holdfast_proofs::validators::{Validator, ValidatorSet, ValidatorsId};
use holdfast_proofs::vote::{FINALITY_BYTES_MAX, Finality, Vote};

use crate::golden::{account, bls_key, bytes, list, node, params, parts, signature, weight};
use crate::payloads::vote;
use crate::wire_type::check_wire_type;

const BLOCKS: &str = include_str!("../../testdata/blocks.json");

pub(crate) fn contents() -> Contents {
    let owner = |number| Owner { node: node(number), account: account(2) };
    let allotment = |number, amount| Allotment { account: account(number), amount: Amount(amount) };
    Contents {
        params: params(),
        owners: list(vec![owner(1), owner(3)]),
        allotments: list(vec![allotment(2, 10_u128.pow(18)), allotment(4, 1)]),
    }
}

pub(crate) fn transaction() -> Transaction {
    let body = Body {
        sender: account(1),
        nonce: 7,
        fee: Amount(1000),
        valid_until: Height(100),
        payload: Payload::Transfer(Transfer { to: account(2), amount: Amount(258) }),
    };
    Transaction { body, signature: ed25519::Signature::new([9; 64]) }
}

pub(crate) fn header() -> Header {
    Header {
        height: Height(258),
        parent: BlockHash::new([1; 32]),
        time: BlockTime(1_700_000_000_000),
        round: Round(2),
        proposer: node(2),
        seal: signature(3),
        validators: ValidatorsId::new([4; 32]),
        next_validators: ValidatorsId::new([5; 32]),
        transactions: ListRoot::new([6; 32]),
        receipts: ListRoot::new([7; 32]),
        state: StateRoot::new([8; 32]),
    }
}

pub(crate) fn validators() -> ValidatorSet {
    let validator =
        |(number, votes)| Validator { node: node(number), bls: bls_key(number + 8), weight: weight(votes) };
    ValidatorSet { validators: list([(1, 1), (2, 2), (3, 16), (9, 1)].map(validator).to_vec()) }
}

/// Who signed cannot be set from outside, so what is read is looked at.
fn finality() -> Finality {
    let finality: Finality = codec::decode(&bytes(BLOCKS, "finality"), FINALITY_BYTES_MAX).unwrap();
    assert_eq!((finality.round, finality.signature), (Round(3), signature(7)));
    assert_eq!(finality.signers(4).unwrap().iter().collect::<Vec<_>>(), [0, 1, 3]);
    assert!(finality.signers(3).is_none() && finality.signers(9).is_none());
    finality
}

#[test]
fn the_contents_of_a_ledger() {
    check_wire_type(&contents(), &parts(BLOCKS, "contents"), CONTENTS_BYTES_MAX);
}

#[test]
fn a_transaction() {
    check_wire_type(&transaction(), &parts(BLOCKS, "transaction"), TRANSACTION_BYTES_MAX);
}

#[test]
fn a_header_and_a_block() {
    check_wire_type(&header(), &parts(BLOCKS, "header"), HEADER_BYTES_MAX);
    let block = Block { header: header(), transactions: list(vec![transaction()]) };
    check_wire_type(&block, &parts(BLOCKS, "block"), BLOCK_BYTES_MAX);
}

#[test]
fn votes_and_what_they_decide() {
    let block = Some(BlockHash::new([8; 32]));
    check_wire_type::<Vote>(&vote(block), &parts(BLOCKS, "vote"), 64);
    check_wire_type::<Vote>(&vote(None), &parts(BLOCKS, "no vote"), 64);
    check_wire_type(&finality(), &parts(BLOCKS, "finality"), FINALITY_BYTES_MAX);
    let signed = SignedHeader { header: header(), finality: finality() };
    check_wire_type(&signed, &parts(BLOCKS, "signed header"), GENESIS_BYTES_MAX);
    let handover = Handover { last: signed, next: validators() };
    check_wire_type(&handover, &parts(BLOCKS, "handover"), GENESIS_BYTES_MAX);
}
