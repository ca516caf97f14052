//! Proofs of rows that are there and of others, texts, and pages.

use holdfast_core::codec;
use holdfast_fuzz::ledger::{BLOCK, LEDGER, TEST, row};
use holdfast_fuzz::wire::seed;
use holdfast_ledger::tree::{Page, prove};

/// For the target `ledger`.
pub(crate) fn proofs() -> Vec<Vec<u8>> {
    let about = |number: u8, rest: &[u8]| [&[number, number], rest].concat();
    let proof = |number: u8| {
        let proof = prove(&*LEDGER, &row(number)).expect("memory can be read");
        about(number, &codec::encode(&proof))
    };
    let texts = ["hf1", "1.5 FFG", "7 FFGOne", "0.25microFFG"].map(|text| about(0, text.as_bytes()));
    let pages = BLOCK.tree().pages.values().flatten().map(Page::to_bytes).collect::<Vec<_>>();
    let pages = pages.iter().map(|page| about(0, page));
    let account = BLOCK.block().transactions[0].body().sender.to_string();
    (0..60).step_by(6).map(proof).chain(texts).chain(pages).chain([about(0, account.as_bytes())]).collect()
}

/// For the target `codec`.
pub(crate) fn values() -> Vec<Vec<u8>> {
    let block = BLOCK.block().to_block();
    let proof = prove(&*LEDGER, &row(3)).expect("memory can be read");
    let transaction = block.transactions[0].clone();
    vec![seed(&TEST.contents), seed(&block.header), seed(&transaction), seed(&block), seed(&proof)]
}
