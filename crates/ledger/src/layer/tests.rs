use std::collections::BTreeMap;

use holdfast_core::codec::Bounded;
use holdfast_core::ed25519::SecretKey;
use holdfast_core::id::{Amount, NetworkId};
use proptest::prelude::*;

use super::*;
use crate::account::AccountId;
use crate::block::{BlockTime, Height};
use crate::execute::{Draft, propose};
use crate::genesis::{Allotment, LedgerGenesis};
use crate::memory::MemoryLedger;
use crate::params::Params;
use crate::state::Table;
use crate::transaction::{Body, CheckedTransaction, Payload, Transaction, Transfer};

const NETWORK: NetworkId = NetworkId::new([9; 32]);

fn id(seed: u8) -> AccountId {
    AccountId::of(SecretKey::from_seed(&[seed; 32]).public())
}

fn ledger() -> MemoryLedger {
    let mut allotments: Vec<_> =
        (1..5).map(|seed| Allotment { account: id(seed), amount: Amount(1_000) }).collect();
    allotments.sort_by_key(|allotment| allotment.account);
    let allotments = Bounded::new(allotments).unwrap();
    let genesis = LedgerGenesis { time: BlockTime(1), params: Params::default(), allotments };
    MemoryLedger::new(genesis.execute(&NETWORK).unwrap())
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

        let first = propose(base.parent(), draft(base.header()), part()).unwrap();
        let lower = Layer::new(base.parent(), &first);
        let second = propose(lower.parent(), draft(&first.block().header), part()).unwrap();
        let upper = Layer::new(lower.parent(), &second);
        let last = part();
        let third = propose(upper.parent(), draft(&second.block().header), last.clone()).unwrap();

        ledger.commit(&first);
        ledger.commit(&second);
        let expected = propose(ledger.parent(), draft(ledger.header()), last).unwrap();
        prop_assert_eq!(third.block(), expected.block());
        prop_assert_eq!(third.changes(), expected.changes());
        prop_assert_eq!(third.tree(), expected.tree());
    }
}

fn draft(parent: &Header) -> Draft {
    Draft { time: BlockTime(parent.time.0 + 1), proposer: id(9) }
}

fn pay(from: u8, nonce: u64, to: u8, amount: u128) -> CheckedTransaction {
    let payload = Payload::Transfer(Transfer { to: id(to), amount: Amount(amount) });
    let body = Body { sender: id(from), nonce, fee: Amount(0), valid_until: Height(100), payload };
    let key = SecretKey::from_seed(&[from; 32]);
    Transaction::sign(body, &NETWORK, &key).check(&NETWORK).unwrap()
}

#[test]
#[should_panic(expected = "the block follows another one")]
fn a_layer_lies_over_its_parent_alone() {
    let mut ledger = ledger();
    let block = propose(ledger.parent(), draft(ledger.header()), vec![]).unwrap();
    ledger.commit(&block);
    Layer::new(ledger.parent(), &block);
}
