use std::collections::BTreeMap;
use std::sync::LazyLock;

use holdfast_core::codec::Bounded;
use holdfast_core::ed25519::SecretKey;
use holdfast_core::id::Amount;
use proptest::prelude::*;

use super::*;
use crate::account::AccountId;
use crate::genesis::{Allotment, Contents};
use crate::memory::MemoryLedger;
use crate::state::Table;
use crate::testing::{TestLedger, free};
use crate::transaction::{CheckedTransaction, Payload, Transfer};

fn id(seed: u8) -> AccountId {
    AccountId::of(SecretKey::from_seed(&[seed; 32]).public())
}

static TEST: LazyLock<TestLedger> = LazyLock::new(|| {
    let mut allotments: Vec<_> =
        (1..5).map(|seed| Allotment { account: id(seed), amount: Amount(1_000) }).collect();
    allotments.sort_by_key(|allotment| allotment.account);
    let allotments = Bounded::new(allotments).unwrap();
    TestLedger::of(4, Contents { allotments, ..TestLedger::new(4, free()).contents })
});

fn ledger() -> MemoryLedger {
    MemoryLedger::new(TEST.founded.clone())
}

fn key(number: u8) -> RowKey {
    RowKey::new(Table::ACCOUNTS, &[number])
}

/// Rows by number; none is a row that is removed.
type Batch = BTreeMap<u8, Option<u8>>;

fn changes(batch: &Batch) -> Changes {
    batch.iter().map(|(number, row)| (key(*number), row.map(|row| vec![row]))).collect()
}

fn batches() -> impl Strategy<Value = Batch> {
    prop::collection::btree_map(any::<u8>(), prop::option::of(any::<u8>()), 0..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Every row, the row after it, and every page, of changes that also remove rows; and what more changes come to.
    #[test]
    fn a_layer_reads_like_what_is_committed(before in batches(), over in batches(), next in batches()) {
        let mut below = ledger();
        below.apply(&changes(&before), &TreeChanges::of(&below, &changes(&before)).unwrap());
        let over = changes(&over);
        let tree = TreeChanges::of(&below, &over).unwrap();
        let mut committed = below.clone();
        committed.apply(&over, &tree);
        let layer = Layer { below: below.parent(), header: below.header(), changes: &over, tree: &tree };

        for number in 0..=u8::MAX {
            prop_assert_eq!(layer.get(&key(number)).unwrap(), committed.get(&key(number)).unwrap());
            prop_assert_eq!(
                Rows::after(&layer, &key(number)).unwrap(),
                Rows::after(&committed, &key(number)).unwrap()
            );
        }
        for key in tree.pages.keys() {
            prop_assert_eq!(layer.page(key).unwrap(), committed.page(key).unwrap());
        }
        prop_assert_eq!(layer.top().unwrap(), committed.top().unwrap());
        let next = changes(&next);
        prop_assert_eq!(TreeChanges::of(&layer, &next).unwrap(), TreeChanges::of(&committed, &next).unwrap());
    }

    /// Two blocks that wait, one over the other, lead to the same third block as if they were committed.
    #[test]
    fn a_block_over_layers_is_the_block_over_commits(
        payments in prop::collection::vec((1..5_u8, 1..20_u8, 0..400_u128), 3..30),
    ) {
        let mut nonces = [0; 5];
        let transactions: Vec<_> = payments.into_iter().map(|(from, to, amount)| {
            let nonce = nonces[usize::from(from)];
            nonces[usize::from(from)] += 1;
            pay(from, nonce, to, amount)
        }).collect();
        let mut parts = transactions.chunks(transactions.len().div_ceil(3)).map(<[_]>::to_vec);
        let mut part = || parts.next().unwrap_or_default();
        let mut ledger = ledger();
        let base = ledger.clone();

        let first = TEST.next(base.parent(), part()).unwrap();
        let lower = Layer::new(base.parent(), &first);
        let second = TEST.next(lower.parent(), part()).unwrap();
        let upper = Layer::new(lower.parent(), &second);
        let last = part();
        let third = TEST.next(upper.parent(), last.clone()).unwrap();

        ledger.commit(&first);
        ledger.commit(&second);
        let expected = TEST.next(ledger.parent(), last).unwrap();
        prop_assert_eq!(third.block(), expected.block());
        prop_assert_eq!(third.changes(), expected.changes());
        prop_assert_eq!(third.tree(), expected.tree());
    }
}

fn pay(from: u8, nonce: u64, to: u8, amount: u128) -> CheckedTransaction {
    let payload = Payload::Transfer(Transfer { to: id(to), amount: Amount(amount) });
    TEST.transaction(&SecretKey::from_seed(&[from; 32]), nonce, payload)
}

#[test]
#[should_panic(expected = "the block follows another one")]
fn a_layer_lies_over_its_parent_alone() {
    let mut ledger = ledger();
    let block = TEST.next(ledger.parent(), vec![]).unwrap();
    ledger.commit(&block);
    Layer::new(ledger.parent(), &block);
}
