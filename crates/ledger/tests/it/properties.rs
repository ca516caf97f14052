//! What holds of a ledger, whatever is asked of it: many transactions of many senders over several epochs.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use holdfast_core::codec;
use holdfast_core::id::Amount;
use holdfast_ledger::account::{Account, AccountId};
use holdfast_ledger::execute;
use holdfast_ledger::params::Params;
use holdfast_ledger::receipt::{Event, Failure};
use holdfast_ledger::registry::Node;
use holdfast_ledger::state::{Changes, RowKey, Table};
use holdfast_ledger::testing::audit::{audit, rows};
use holdfast_ledger::testing::life::{Life, MEMBERS};
use holdfast_ledger::testing::{TestLedger, free, owner, rich};
use holdfast_ledger::transaction::{CheckedTransaction, Payload, Transfer};
use holdfast_ledger::units::FFG;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

/// Lives of a property.
const LIVES: u32 = 24;

static FREE: LazyLock<TestLedger> = LazyLock::new(|| TestLedger::new(MEMBERS, bonds(free())));
static FEES: LazyLock<TestLedger> = LazyLock::new(|| TestLedger::new(MEMBERS, bonds(Params::default())));

/// Bond comes back within a life.
fn bonds(params: Params) -> Params {
    Params { unbond_epochs: 3, evidence_epochs: 2, ..params }
}

/// A life in which everybody has some money.
fn life(test: &'static TestLedger) -> Life<'static> {
    let mut life = Life::new(test);
    let pay = |(nonce, number): (u64, u8)| {
        let to = AccountId::of(owner(number).public());
        test.transaction(&rich(), nonce, Payload::Transfer(Transfer { to, amount: Amount(50 * FFG.0) }))
    };
    let payments = (0..).zip((1..=MEMBERS).chain([9, 10])).map(pay).collect();
    life.block(1000, payments);
    life
}

/// Some transactions as bytes choose them.
fn transactions(life: &mut Life<'_>, choices: &[Vec<u8>]) -> Vec<CheckedTransaction> {
    let mut waiting = Vec::new();
    for choices in choices {
        let transaction = life.transaction(&waiting, &mut choices.iter().copied());
        waiting.push(transaction);
    }
    waiting
}

/// Blocks: the choices of each transaction, and whether the epoch ends with it.
fn blocks() -> impl Strategy<Value = Vec<(Vec<Vec<u8>>, bool)>> {
    vec((vec(vec(any::<u8>(), 4..24), 0..8), prop::bool::weighted(0.3)), 1..40)
}

fn key(account: AccountId) -> RowKey {
    RowKey::new(Table::ACCOUNTS, Account::key(&account))
}

/// A payload that fails changes its sender's balance and nonce, and what the proposer gets: as if it were not there.
fn fails_without_a_trace(life: &Life<'_>, transaction: &CheckedTransaction) -> Result<(), TestCaseError> {
    let parent = life.ledger.parent();
    let draft = life.test.draft(parent, 1);
    let proposer = Node::get(&life.state(), &draft.proposer).unwrap().unwrap().owner;
    let Ok(with) = execute::propose(parent, draft, vec![transaction.clone()]) else { return Ok(()) };
    if with.receipts().transactions[0].failure.is_none() {
        return Ok(());
    }
    let without = execute::propose(parent, draft, vec![]).unwrap();
    let rest = |changes: &Changes| {
        let mut changes = changes.clone();
        changes.remove(&key(transaction.body().sender));
        changes.remove(&key(proposer));
        changes
    };
    prop_assert_eq!(rest(with.changes()), rest(without.changes()));
    let events = &with.receipts().transactions[0].events;
    prop_assert!(events.is_empty());
    Ok(())
}

fn check(test: &'static TestLedger, blocks: Vec<(Vec<Vec<u8>>, bool)>) -> Result<(), TestCaseError> {
    let mut life = life(test);
    for (choices, ends) in blocks {
        let waiting = transactions(&mut life, &choices);
        if let Some(first) = waiting.first() {
            fails_without_a_trace(&life, first)?;
        }
        let later = if ends { life.rest_of_epoch() } else { 1 };
        life.block(later, waiting);
        audit(&life.state());
    }
    Ok(())
}

/// Rows that do not say when or by whom a block was made.
fn lasting(life: &Life<'_>) -> Vec<String> {
    use holdfast_ledger::governance::{Allowed, Authority, Motion};
    use holdfast_ledger::stake::Bond;
    use holdfast_ledger::storage::{Expiry, Order};

    let state = life.state();
    let nodes = rows::<Node>(&state).into_iter().map(|(_, mut node)| {
        // The height at which it was registered.
        node.since = holdfast_ledger::block::Height(0);
        format!("{node:?}")
    });
    let mut all: Vec<_> = nodes.collect();
    all.push(format!("{:?}", rows::<Order>(&state)));
    all.push(format!("{:?}", rows::<Expiry>(&state)));
    all.push(format!("{:?}", rows::<Bond>(&state)));
    all.push(format!("{:?} {:?}", rows::<Motion>(&state), rows::<Allowed>(&state)));
    all.push(format!("{:?} {:?}", rows::<Authority>(&state), rows::<Params>(&state)));
    // Who proposes no block has what it did not spend.
    for owner in [rich(), owner(9), owner(10)] {
        let account = AccountId::of(owner.public());
        all.push(format!("{:?}", state.get::<Account>(Account::key(&account)).unwrap()));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: LIVES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_without_fees(blocks in blocks()) {
        check(&FREE, blocks)?;
    }

    #[test]
    fn nothing_is_lost_with_fees(blocks in blocks()) {
        check(&FEES, blocks)?;
    }

    /// How a proposer cuts what waits into blocks changes rewards and the beacon, and nothing else of the rows.
    #[test]
    fn it_does_not_matter_how_blocks_are_cut(
        before in blocks(),
        choices in vec(vec(any::<u8>(), 4..24), 1..24),
        cut in 1..6_usize,
    ) {
        let mut one = life(&FREE);
        for (choices, ends) in before.into_iter().take(12) {
            let waiting = transactions(&mut one, &choices);
            let later = if ends { one.rest_of_epoch() } else { 1 };
            one.block(later, waiting);
        }
        let mut many = Life::new(&FREE);
        many.ledger = one.ledger.clone();
        let mut waiting = transactions(&mut one, &choices);
        // A death ends the epoch with its block; and of whoever has too little, the reward of a block may make the difference.
        let fixed = |transaction: &CheckedTransaction| match &transaction.body().payload {
            Payload::ReportDead(_) => false,
            Payload::Transfer(Transfer { amount, .. }) => amount.0 < FFG.0,
            Payload::Lock(lock) => lock.amount.0 < FFG.0,
            _ => true,
        };
        if waiting.iter().any(|transaction| !fixed(transaction)) {
            waiting.truncate(waiting.iter().take_while(|transaction| fixed(transaction)).count());
        }
        one.block(100, waiting.clone());
        for part in waiting.chunks(cut) {
            many.block(1, part.to_vec());
        }
        // What ends with the epoch before ends in a block of each, even if nothing waited.
        one.block(1, vec![]);
        many.block(1, vec![]);
        prop_assert_eq!(lasting(&one), lasting(&many));
    }
}

/// The search is worth something only if everything happens in it: every event, and most failures.
#[test]
fn lives_see_everything() {
    let mut random = 1_u64;
    let mut byte = move || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        random.to_be_bytes()[0]
    };
    let (mut events, mut failures) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..12 {
        let mut life = life(&FREE);
        for _ in 0..60 {
            let choices: Vec<Vec<_>> = (0..byte() % 12).map(|_| (0..24).map(|_| byte()).collect()).collect();
            let waiting = transactions(&mut life, &choices);
            let later = if byte() < 40 { life.rest_of_epoch() } else { 1 };
            let executed = life.block(later, waiting);
            audit(&life.state());
            let kind = |event: &Event| codec::encode(event)[1];
            events.extend(executed.receipts().events().map(kind));
            failures.extend(executed.receipts().transactions.iter().filter_map(|receipt| receipt.failure));
        }
    }
    assert_eq!(events.into_iter().collect::<Vec<_>>(), (1..=11).collect::<Vec<_>>());
    let unseen: Vec<_> = Failure::ALL.into_iter().filter(|failure| !failures.contains(failure)).collect();
    assert_eq!(unseen, [Failure::Full, Failure::Params, Failure::Epoch], "which have tests of their own");
}
