//! What is read of strangers: proofs of rows, blocks with their bytes, accounts and sums as text, pages as they lie on disk.
//!
//! A proof that verifies says what is in the state. A block that is kept as it came is the one that is decoded, and so is its
//! header alone. Texts and pages are written again as they were.

#![no_main]
#![forbid(unsafe_code)]

use std::sync::LazyLock;

use holdfast_core::codec;
use holdfast_fuzz::ledger::{LEDGER, NETWORK, row};
use holdfast_fuzz::script::Script;
use holdfast_fuzz::{bounded, wire};
use holdfast_ledger::account::AccountId;
use holdfast_ledger::block::{Block, MalformedBlock};
use holdfast_ledger::received::{ReceivedBlock, peek_header};
use holdfast_ledger::state::Rows;
use holdfast_ledger::tree::Page;
use holdfast_ledger::units::Money;
use holdfast_proofs::row::RowProof;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    LazyLock::force(&LEDGER);
    bounded(data, judge);
});

fn judge(data: &[u8]) {
    let mut script = Script::new(data);
    let (number, claimed) = (script.byte(), script.byte());
    let rest = script.rest();
    proof(number, claimed, rest);
    block(rest);
    if let Some(page) = Page::from_bytes(rest) {
        assert_eq!(page.to_bytes(), rest, "a second encoding of {page:?}");
    }
    let Ok(text) = std::str::from_utf8(rest) else { return };
    if let Ok(account) = text.parse::<AccountId>() {
        assert_eq!(account.to_string(), text, "a second text of {account:?}");
    }
    if let Ok(money) = text.parse::<Money>() {
        assert_eq!(money.to_string().parse(), Ok(money));
    }
}

/// Reads a block in both ways.
fn block(bytes: &[u8]) {
    let decoded = Block::from_bytes(bytes);
    if let Ok(block) = &decoded {
        assert_eq!(peek_header(bytes).as_ref(), Ok(&block.header));
    }
    let decoded = decoded.map_err(MalformedBlock::from).and_then(|block| block.check(&NETWORK));
    match (ReceivedBlock::check(bytes.to_vec(), &NETWORK), decoded) {
        (Ok(received), Ok(block)) => assert_eq!(received.block(), &block),
        (received, decoded) => assert_eq!(received.err(), decoded.err()),
    }
}

/// Holds a proof against a row that is there or not, with the row of another one as a claim.
fn proof(number: u8, claimed: u8, bytes: &[u8]) {
    wire::check::<RowProof>(bytes, wire::ROW_PROOF_BYTES_MAX);
    let Ok(proof) = codec::decode::<RowProof>(bytes, wire::ROW_PROOF_BYTES_MAX) else { return };
    let key = row(number);
    let truth = LEDGER.get(&key).expect("memory can be read");
    let claim = LEDGER.get(&row(claimed)).expect("memory can be read");
    for claim in [claim, None] {
        if proof.verify(&LEDGER.header().state, &key, claim.as_deref()).is_ok() {
            assert_eq!(claim, truth, "forged");
        }
    }
}
