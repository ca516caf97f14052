//! Proofs of rows that are there and of others, blocks, texts, and pages.

use holdfast_core::codec;
use holdfast_fuzz::ledger::{LEDGER, block, genesis, row};
use holdfast_fuzz::wire::seed;
use holdfast_ledger::chunk::Chunk;
use holdfast_ledger::tree::{Page, RowProof};

/// For the target `ledger`.
pub(crate) fn proofs() -> Vec<Vec<u8>> {
    let about = |number: u8, rest: &[u8]| [&[number, number], rest].concat();
    let proof = |number: u8| {
        let proof = RowProof::make(&*LEDGER, &row(number)).expect("memory can be read");
        about(number, &codec::encode(&proof))
    };
    let texts = ["hf1", "1.5 FFG", "7 FFGOne", "0.25microFFG"].map(|text| about(0, text.as_bytes()));
    let pages = block().tree().pages.values().flatten().map(Page::to_bytes).collect::<Vec<_>>();
    let pages = pages.iter().map(|page| about(0, page));
    let account = block().block().header.proposer.to_string();
    let others = [about(0, account.as_bytes()), about(0, &block().block().to_bytes())];
    (0..60).step_by(6).map(proof).chain(texts).chain(pages).chain(others).collect()
}

/// For the target `codec`.
pub(crate) fn values() -> Vec<Vec<u8>> {
    let executed = block();
    let block = executed.block().to_block();
    let proof = RowProof::make(&*LEDGER, &row(3)).expect("memory can be read");
    let transaction = block.transactions[0].clone();
    let chunk = Chunk::fill(&*LEDGER, None).expect("memory can be read").expect("it has rows");
    let ledger = [seed(&genesis()), seed(&block.header), seed(&transaction), seed(&block)];
    ledger.into_iter().chain([seed(&proof), seed(executed.receipts()), seed(&chunk)]).collect()
}
