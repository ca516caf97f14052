use std::sync::LazyLock;

use holdfast_core::codec::Bounded;
use holdfast_core::ed25519::SecretKey;
use holdfast_core::id::{Amount, NetworkId, NodeId};
use holdfast_ledger::account::AccountId;
use holdfast_ledger::accounts::account;
use holdfast_ledger::block::Block;
use holdfast_ledger::execute::{self, Parent};
use holdfast_ledger::genesis::{Allotment, Contents};
use holdfast_ledger::memory::MemoryLedger;
use holdfast_ledger::state::{RowKey, Rows, State, Table};
use holdfast_ledger::testing::{TestLedger, free};
use holdfast_ledger::transaction::{Body, CheckedTransaction, Payload, Transaction, Transfer};
use holdfast_ledger::tree::{StateRoot, prove};

use super::*;

mod crash;
mod disk;
mod explorer;
mod restore;

static ONE: LazyLock<TestLedger> = LazyLock::new(|| found(1));
static TWO: LazyLock<TestLedger> = LazyLock::new(|| found(2));
static NETWORK: LazyLock<NetworkId> = LazyLock::new(|| ONE.network.genesis.network());
const CACHE_BYTES: usize = 1 << 20;

fn id(seed: u8) -> AccountId {
    AccountId::of(SecretKey::from_seed(&[seed; 32]).public())
}

fn found(owner: u8) -> TestLedger {
    let allotments = vec![Allotment { account: id(owner), amount: Amount(1_000_000) }];
    let allotments = Bounded::new(allotments).unwrap();
    TestLedger::of(4, Contents { allotments, ..TestLedger::new(4, free()).contents })
}

/// One of two networks.
fn founded(which: u64) -> Founded {
    if which == 1 { ONE.founded.clone() } else { TWO.founded.clone() }
}

fn pay(nonce: u64, to: u8) -> CheckedTransaction {
    signed(nonce, Payload::Transfer(Transfer { to: id(to), amount: Amount(5) }))
}

/// By account 1.
fn signed(nonce: u64, payload: Payload) -> CheckedTransaction {
    let body = Body { sender: id(1), nonce, fee: Amount(1), valid_until: Height(1_000), payload };
    Transaction::sign(body, &NETWORK, &SecretKey::from_seed(&[1; 32])).check(&NETWORK).unwrap()
}

fn next(parent: Parent<'_>, transactions: Vec<CheckedTransaction>) -> Executed {
    execute::propose(parent, ONE.draft(parent, 1), transactions).unwrap()
}

#[test]
fn a_ledger_on_disk_is_the_one_in_memory_and_opens_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut memory = MemoryLedger::new(founded(1));
    for round in 0..3 {
        let chain = Chain::open(&path, CACHE_BYTES, &founded(1)).unwrap();
        for height in round * 4..round * 4 + 4 {
            let transactions =
                vec![pay(2 * height, 2), pay(2 * height + 1, 10 + u8::try_from(height).unwrap())];
            let executed = next(chain.view().unwrap().parent(), transactions);
            chain.commit(&executed, b"final").unwrap();
            // Who reads what was written can follow.
            let bytes = chain.view().unwrap().block_at(Height(height + 1)).unwrap().unwrap();
            let block = Block::from_bytes(&bytes).unwrap().check(&NETWORK).unwrap();
            memory.commit(&execute::check(memory.parent(), block).unwrap());
        }
        let view = chain.view().unwrap();
        assert_eq!(view.header(), memory.header());
        assert_eq!(account(&State::over(&view), &id(2)).unwrap().balance, Amount(20 * u128::from(round + 1)));
    }
    let view = Chain::open(&path, CACHE_BYTES, &founded(1)).unwrap().view().unwrap();
    assert_eq!(view.header_at(Height(0)).unwrap(), Some(founded(1).header));
    assert_eq!(view.header_at(Height(13)).unwrap(), None);
    // Every row is under the root that the header names.
    let root: StateRoot = view.header().state;
    let (mut key, mut rows) = (RowKey::new(Table::ACCOUNTS, &[]), 0);
    while let Some((next, row)) = view.after(&key).unwrap() {
        prove(&view, &next).unwrap().verify(&root, &next, Some(&row)).unwrap();
        (key, rows) = (next, rows + 1);
    }
    assert!(rows > 50, "{rows} rows");
}

#[test]
fn a_view_stays_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let chain = Chain::open(&folder.path().join("ledger"), CACHE_BYTES, &founded(1)).unwrap();
    let before = chain.view().unwrap();
    let executed = next(before.parent(), vec![pay(0, 2)]);
    chain.commit(&executed, b"final").unwrap();
    assert_eq!(before.header().height, Height(0));
    assert_eq!(account(&State::over(&before), &id(2)).unwrap().balance, Amount::ZERO);
    assert!(matches!(chain.commit(&executed, b"final"), Err(ChainError::Parent)), "once is enough");
}

#[test]
fn another_genesis_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    Chain::open(&path, CACHE_BYTES, &founded(1)).unwrap();
    assert!(matches!(Chain::open(&path, CACHE_BYTES, &founded(2)), Err(ChainError::Genesis)));
}

/// Blocks of a chain with one transaction each.
fn blocks(count: u8) -> Vec<Vec<u8>> {
    let mut ledger = MemoryLedger::new(founded(1));
    let block = |nonce: u8| {
        let executed = next(ledger.parent(), vec![pay(nonce.into(), 2)]);
        ledger.commit(&executed);
        executed.block().to_block().to_bytes()
    };
    (0..count).map(block).collect()
}

/// What these tests say is final.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("not final")]
struct NotFinal;

fn finality(height: u64) -> Vec<u8> {
    format!("{height} is final").into_bytes()
}

/// Everything that a real check would look at must be what it says it is.
fn verify(parent: &Header, block: &CheckedBlock, certificate: &[u8]) -> Result<(), NotFinal> {
    assert_eq!(parent.hash(), block.header.parent);
    assert_eq!(parent.height.next(), Some(block.header.height));
    if certificate == finality(block.header.height.0) { Ok(()) } else { Err(NotFinal) }
}

fn imported(blocks: Vec<Vec<u8>>) -> (Result<(), ImportError<NotFinal>>, u64) {
    imported_with(blocks.into_iter().zip((1..).map(finality)).collect())
}

fn imported_with(blocks: Vec<(Vec<u8>, Vec<u8>)>) -> (Result<(), ImportError<NotFinal>>, u64) {
    let folder = tempfile::tempdir().unwrap();
    let chain = Chain::open(&folder.path().join("ledger"), CACHE_BYTES, &founded(1)).unwrap();
    let mut heights = Vec::new();
    let given = blocks.clone();
    let result = import(&chain, &NETWORK, blocks.into_iter(), verify, |header| heights.push(header.height.0));
    let view = chain.view().unwrap();
    let last = view.header().height.0;
    assert_eq!(heights, (1..=last).collect::<Vec<_>>());
    for (height, (block, finality)) in (1..=last).map(Height).zip(given) {
        assert_eq!(view.block_at(height).unwrap(), Some(block));
        assert_eq!(view.finality_at(height).unwrap(), Some(finality));
    }
    assert_eq!(view.finality_at(Height(0)).unwrap(), None);
    (result, last)
}

#[test]
fn blocks_are_imported_in_their_order() {
    let (result, last) = imported(blocks(20));
    result.unwrap();
    assert_eq!(last, 20);
}

/// C1 again: what is synced goes the way of every other block. The import stops there and leaves what came before.
#[test]
fn an_import_stops_at_the_first_block_that_does_not_follow() {
    let mut forged = blocks(20);
    let mut block = Block::from_bytes(&forged[7]).unwrap();
    block.header.proposer = NodeId::new([3; 32]);
    forged[7] = block.to_bytes();
    let (result, last) = imported(forged);
    assert!(matches!(result, Err(ImportError::Block { at: 7, .. })), "{result:?}");
    assert_eq!(last, 7);

    let mut garbage = blocks(20);
    garbage[3].pop();
    let (result, last) = imported(garbage);
    assert!(matches!(result, Err(ImportError::Malformed { at: 3, .. })), "{result:?}");
    assert_eq!(last, 3);

    let mut missing = blocks(20);
    missing.remove(5);
    let (result, last) = imported(missing);
    assert!(matches!(result, Err(ImportError::Block { at: 5, .. })), "{result:?}");
    assert_eq!(last, 5);
}

/// Finality is judged before a block is executed, and the first block that lacks it stops the import.
#[test]
fn an_import_stops_at_the_first_block_that_is_not_final() {
    let mut forged: Vec<_> = blocks(20).into_iter().zip((1..).map(finality)).collect();
    forged[6].1 = finality(6);
    forged[9].1.clear();
    let (result, last) = imported_with(forged);
    assert!(matches!(result, Err(ImportError::Finality { at: 6, source: NotFinal })), "{result:?}");
    assert_eq!(last, 6);
}

#[test]
fn finality_of_any_length_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let chain = Chain::open(&folder.path().join("ledger"), CACHE_BYTES, &founded(1)).unwrap();
    let executed = next(chain.view().unwrap().parent(), vec![]);
    let long = vec![0; FINALITY_BYTES_MAX + 1];
    assert!(matches!(chain.commit(&executed, &long), Err(ChainError::Finality { .. })));
    chain.commit(&executed, &long[1..]).unwrap();
    assert_eq!(chain.view().unwrap().finality_at(Height(1)).unwrap().as_deref(), Some(&long[1..]));
}
