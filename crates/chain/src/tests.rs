use std::convert::Infallible;
use std::sync::LazyLock;

use holdfast_core::codec::Bounded;
use holdfast_core::ed25519::SecretKey;
use holdfast_core::id::{Amount, NetworkId, NodeId};
use holdfast_ledger::account::AccountId;
use holdfast_ledger::accounts::account;
use holdfast_ledger::block::Block;
use holdfast_ledger::execute::{self, Executed, Parent};
use holdfast_ledger::genesis::Contents;
use holdfast_ledger::memory::MemoryLedger;
use holdfast_ledger::state::{RowKey, Rows, State, Table};
use holdfast_ledger::testing::{TestLedger, free, rich};
use holdfast_ledger::transaction::{CheckedTransaction, Payload, Transfer};
use holdfast_ledger::tree::{StateRoot, prove};

use super::*;

const CACHE_BYTES: usize = 1 << 20;

static TEST: LazyLock<TestLedger> = LazyLock::new(|| TestLedger::new(4, free()));

fn id(seed: u8) -> AccountId {
    AccountId::of(SecretKey::from_seed(&[seed; 32]).public())
}

fn network() -> NetworkId {
    TEST.network.genesis.network()
}

fn pay(nonce: u64, to: u8) -> CheckedTransaction {
    TEST.transaction(&rich(), nonce, Payload::Transfer(Transfer { to: id(to), amount: Amount(5) }))
}

fn next(parent: Parent<'_>, transactions: Vec<CheckedTransaction>) -> Executed {
    TEST.next(parent, transactions).unwrap()
}

#[test]
fn a_ledger_on_disk_is_the_one_in_memory_and_opens_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut memory = MemoryLedger::new(TEST.founded.clone());
    for round in 0..3 {
        let chain = Chain::open(&path, CACHE_BYTES, &TEST.founded).unwrap();
        for height in round * 4..round * 4 + 4 {
            let transactions =
                vec![pay(2 * height, 2), pay(2 * height + 1, 10 + u8::try_from(height).unwrap())];
            let executed = next(chain.view().unwrap().parent(), transactions);
            chain.commit(&executed, b"final").unwrap();
            // Who reads what was written can follow.
            let bytes = chain.view().unwrap().block_at(Height(height + 1)).unwrap().unwrap();
            let block = Block::from_bytes(&bytes).unwrap().check(&network()).unwrap();
            memory.commit(&execute::check(memory.parent(), block).unwrap());
        }
        let view = chain.view().unwrap();
        assert_eq!(view.header(), memory.header());
        assert_eq!(account(&State::over(&view), &id(2)).unwrap().balance, Amount(20 * u128::from(round + 1)));
    }
    let view = Chain::open(&path, CACHE_BYTES, &TEST.founded).unwrap().view().unwrap();
    assert_eq!(view.header_at(Height(0)).unwrap(), Some(TEST.founded.header.clone()));
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
    let chain = Chain::open(&folder.path().join("ledger"), CACHE_BYTES, &TEST.founded).unwrap();
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
    Chain::open(&path, CACHE_BYTES, &TEST.founded).unwrap();
    let owners = TEST.contents.owners.clone();
    let other = Contents { owners, allotments: Bounded::new(vec![]).unwrap(), params: free() };
    let other = TestLedger::of(4, other).founded;
    assert!(matches!(Chain::open(&path, CACHE_BYTES, &other), Err(ChainError::Genesis)));
}

/// Blocks of a chain with one transaction each.
fn blocks(count: u8) -> Vec<Vec<u8>> {
    let mut ledger = MemoryLedger::new(TEST.founded.clone());
    let block = |nonce: u8| {
        let executed = next(ledger.parent(), vec![pay(nonce.into(), 2)]);
        ledger.commit(&executed);
        executed.block().to_block().to_bytes()
    };
    (0..count).map(block).collect()
}

fn believe(_: &Header, _: &CheckedBlock, finality: &[u8]) -> Result<(), Infallible> {
    assert_eq!(finality, b"final");
    Ok(())
}

fn imported(blocks: Vec<Vec<u8>>) -> (Result<(), ImportError<Infallible>>, u64) {
    let folder = tempfile::tempdir().unwrap();
    let chain = Chain::open(&folder.path().join("ledger"), CACHE_BYTES, &TEST.founded).unwrap();
    let mut heights = Vec::new();
    let result = import(
        &chain,
        &network(),
        blocks.into_iter().map(|block| (block, b"final".to_vec())),
        believe,
        |header| {
            heights.push(header.height.0);
        },
    );
    let last = chain.view().unwrap().header().height.0;
    assert_eq!(heights, (1..=last).collect::<Vec<_>>());
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
