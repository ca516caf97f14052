use std::sync::LazyLock;

use holdfast_core::codec::Bounded;
use holdfast_core::ed25519::{PublicKey, SecretKey};
use holdfast_core::id::NetworkId;
use holdfast_proofs::validators::ValidatorsId;
use proptest::prelude::*;

use super::*;
use crate::account::Account;
use crate::accounts::account;
use crate::block::{Block, BlockHash, MalformedBlock};
use crate::genesis::Allotment;
use crate::memory::MemoryLedger;
use crate::supply::CAP;
use crate::testing::TestLedger;
use crate::transaction::{Body, Transaction, TransactionError, Transfer};

const START: u128 = 1_000_000;

struct World {
    test: &'static TestLedger,
    ledger: MemoryLedger,
}

impl std::ops::Deref for World {
    type Target = MemoryLedger;

    fn deref(&self) -> &MemoryLedger {
        &self.ledger
    }
}

fn fees() -> Params {
    Params { fee_flat: Amount(100), fee_byte: Amount(1), ..Params::default() }
}

/// Four validators; accounts 1 to 4 have a million units each.
static MILLIONS: LazyLock<TestLedger> = LazyLock::new(|| {
    found((1..5).map(|seed| Allotment { account: id(seed), amount: Amount(START) }).collect())
});

fn network() -> NetworkId {
    MILLIONS.network.genesis.network()
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn id(seed: u8) -> AccountId {
    AccountId::of(key(seed).public())
}

fn ledger() -> World {
    World { ledger: MemoryLedger::new(MILLIONS.founded.clone()), test: &MILLIONS }
}

fn found(mut allotments: Vec<Allotment>) -> TestLedger {
    allotments.sort_by_key(|allotment| allotment.account);
    let mut contents = TestLedger::new(4, fees()).contents;
    contents.allotments = Bounded::new(allotments).unwrap();
    TestLedger::of(4, contents)
}

fn body(from: u8, nonce: u64, to: AccountId, amount: u128) -> Body {
    let payload = Payload::Transfer(Transfer { to, amount: Amount(amount) });
    Body { sender: id(from), nonce, fee: Amount(1_000), valid_until: Height(100), payload }
}

fn signed(from: u8, body: Body) -> CheckedTransaction {
    Transaction::sign(body, &network(), &key(from)).check(&network()).unwrap()
}

fn pay(from: u8, nonce: u64, to: u8, amount: u128) -> CheckedTransaction {
    signed(from, body(from, nonce, id(to), amount))
}

fn draft(world: &World) -> Draft {
    world.test.draft(world.parent(), 1)
}

fn step(ledger: &mut World, transactions: Vec<CheckedTransaction>) -> Executed {
    let executed = propose(ledger.parent(), draft(ledger), transactions).unwrap();
    // Everybody else comes to the same.
    check(ledger.parent(), executed.block().clone()).unwrap();
    ledger.ledger.commit(&executed);
    executed
}

fn unfit(ledger: &World, transactions: Vec<CheckedTransaction>) -> (usize, Unfit) {
    match propose(ledger.parent(), draft(ledger), transactions) {
        Err(BlockError::Transaction { index, source }) => (index, source),
        other => panic!("{other:?}"),
    }
}

fn balance(ledger: &World, seed: u8) -> u128 {
    account(&State::over(&ledger.ledger), &id(seed)).unwrap().balance.0
}

fn supply(ledger: &World) -> Supply {
    Supply::of(&State::over(&ledger.ledger)).unwrap()
}

/// What the owners of all validators have.
fn proposers(ledger: &World) -> u128 {
    let owners = ledger.test.contents.owners.iter();
    owners.map(|owner| account(&State::over(&ledger.ledger), &owner.account).unwrap().balance.0).sum()
}

#[test]
fn a_transfer_moves_money_and_pays_its_fee() {
    let mut ledger = ledger();
    let executed = step(&mut ledger, vec![pay(1, 0, 2, 5_000), pay(1, 1, 7, 1)]);
    assert!(executed.receipts().transactions.iter().all(|receipt| receipt.failure.is_none()));
    assert_eq!(executed.receipts().events().count(), 3);
    assert_eq!(balance(&ledger, 1), START - 5_000 - 1 - 2_000);
    assert_eq!([balance(&ledger, 2), balance(&ledger, 7)], [START + 5_000, 1]);
    assert_eq!(proposers(&ledger), reward(Height(1)).0 + 2_000);
}

/// FileFileGo took value and fee of a transaction whose payload failed, and said that all was well (C14).
#[test]
fn a_payload_that_fails_costs_its_fee_and_nothing_else() {
    let mut ledger = ledger();
    let executed = step(&mut ledger, vec![pay(1, 0, 2, START)]);
    let receipt = &executed.receipts().transactions[0];
    assert_eq!(receipt.failure, Some(Failure::Balance));
    assert!(receipt.events.is_empty());
    assert_eq!([balance(&ledger, 1), balance(&ledger, 2)], [START - 1_000, START]);
    let again = step(&mut ledger, vec![pay(1, 1, 2, 0)]);
    assert_eq!(again.receipts().transactions[0].failure, Some(Failure::Nothing));
}

/// C5: what went to an address that cannot be read was gone.
#[test]
fn money_for_a_bad_recipient_stays_with_the_sender() {
    let mut ledger = ledger();
    for bad in [[0; 32], [0xff; 32]] {
        let nonce = account(&State::over(&ledger.ledger), &id(1)).unwrap().nonce;
        let to = AccountId::of(PublicKey::new(bad));
        let executed = step(&mut ledger, vec![signed(1, body(1, nonce, to, 10))]);
        assert_eq!(executed.receipts().transactions[0].failure, Some(Failure::Recipient));
        assert_eq!(State::over(&ledger.ledger).get::<Account>(Account::key(&to)).unwrap(), None);
    }
    assert_eq!(balance(&ledger, 1), START - 2_000);
}

#[test]
fn one_that_pays_itself_pays_the_fee_alone() {
    let mut ledger = ledger();
    step(&mut ledger, vec![pay(1, 0, 1, 700)]);
    assert_eq!(balance(&ledger, 1), START - 1_000);
}

/// C1: a block of a stranger was taken when it was synced. There is one way for all blocks, and this is it.
#[test]
fn a_block_that_follows_another_one_is_refused() {
    let mut ledger = ledger();
    let first = propose(ledger.parent(), draft(&ledger), vec![]).unwrap();
    step(&mut ledger, vec![pay(1, 0, 2, 1)]);
    assert!(matches!(check(ledger.parent(), first.block().clone()), Err(BlockError::Parent)));
    let mut next = propose(ledger.parent(), draft(&ledger), vec![]).unwrap().block().clone();
    next.header.height = Height(7);
    assert!(matches!(check(ledger.parent(), next), Err(BlockError::Header { what: "height" })));
}

/// C2: the transactions under a signed header could be exchanged.
#[test]
fn transactions_cannot_be_swapped_under_a_header() {
    let ledger = ledger();
    let mut block = propose(ledger.parent(), draft(&ledger), vec![pay(1, 0, 2, 5), pay(3, 0, 4, 5)])
        .unwrap()
        .block()
        .clone();
    block.transactions.swap(0, 1);
    let refused = |block| match check(ledger.parent(), block) {
        Err(BlockError::Header { what }) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(block.clone()), "list of transactions");
    block.transactions = vec![pay(1, 0, 2, 6), pay(3, 0, 4, 5)];
    assert_eq!(refused(block.clone()), "list of transactions");
    block.transactions.clear();
    assert_eq!(refused(block), "list of transactions");
}

/// A header that says something else than comes out, field by field.
#[test]
fn every_field_of_a_header_is_checked() {
    let ledger = ledger();
    let block = propose(ledger.parent(), draft(&ledger), vec![pay(1, 0, 2, 5)]).unwrap().block().clone();
    let changes: [fn(&mut Header); 11] = [
        |header| header.height = Height(2),
        |header| header.parent = BlockHash::new([1; 32]),
        |header| header.time = BlockTime(1_000),
        |header| header.round = Round(1), // another one's turn
        |header| header.proposer = NodeId::new([8; 32]),
        |header| header.seal = Signature::new([8; 48]),
        |header| header.validators = ValidatorsId::new([1; 32]),
        |header| header.next_validators = ValidatorsId::new([1; 32]),
        |header| header.transactions = ListRoot::new([1; 32]),
        |header| header.receipts = ListRoot::new([1; 32]),
        |header| header.state = crate::tree::StateRoot::new([1; 32]),
    ];
    for change in changes {
        let mut other = block.clone();
        change(&mut other.header);
        assert!(check(ledger.parent(), other).is_err());
    }
}

/// C3: the coinbase transaction could be repeated. Rewards are no transactions: each block pays one, to its proposer.
#[test]
fn a_block_pays_one_reward() {
    let mut ledger = ledger();
    for height in 1..4 {
        step(&mut ledger, vec![]);
        assert_eq!(proposers(&ledger), height * reward(Height(1)).0);
    }
    assert_eq!(supply(&ledger).issued.0, 4 * START + 3 * reward(Height(1)).0);
}

/// C4: nonce and data were not separated where they were signed.
#[test]
fn a_signature_covers_every_field_by_itself() {
    let transaction = Transaction::sign(body(1, 1, id(2), 5), &network(), &key(1));
    let changes: [fn(&mut Body); 6] = [
        |body| body.sender = id(2),
        |body| body.nonce = 0,
        |body| body.fee = Amount(1_001),
        |body| body.valid_until = Height(101),
        |body| body.payload = Payload::Transfer(Transfer { to: id(3), amount: Amount(5) }),
        |body| body.payload = Payload::Transfer(Transfer { to: id(2), amount: Amount(6) }),
    ];
    for change in changes {
        let mut other = transaction.clone();
        change(&mut other.body);
        assert!(matches!(other.check(&network()), Err(TransactionError::Signature(_))));
    }
    let elsewhere = transaction.check(&NetworkId::new([8; 32]));
    assert!(matches!(elsewhere, Err(TransactionError::Signature(_))));
}

#[test]
fn a_block_with_a_transaction_that_nobody_signed_is_malformed() {
    let ledger = ledger();
    let executed = propose(ledger.parent(), draft(&ledger), vec![pay(1, 0, 2, 5), pay(3, 0, 4, 5)]).unwrap();
    let block = executed.block().to_block();
    assert_eq!(executed.block().to_bytes(), block.to_bytes());
    assert_eq!(Block::from_bytes(&block.to_bytes()), Ok(block.clone()));
    let mut transactions = block.transactions.to_vec();
    transactions[1].body.nonce = 1;
    let forged = Block { transactions: Bounded::new(transactions).unwrap(), ..block };
    assert!(matches!(forged.check(&network()), Err(MalformedBlock::Transaction { index: 1, .. })));
}

#[test]
fn what_does_not_fit_is_in_no_block() {
    let mut ledger = ledger();
    step(&mut ledger, vec![pay(1, 0, 2, 5)]);
    let nonce = |expected, found| Unfit::Nonce { expected, found };
    assert_eq!(unfit(&ledger, vec![pay(1, 0, 2, 5)]), (0, nonce(1, 0)));
    assert_eq!(unfit(&ledger, vec![pay(1, 1, 2, 5), pay(1, 1, 3, 5)]), (1, nonce(2, 1)));
    assert_eq!(unfit(&ledger, vec![pay(1, 2, 2, 5)]), (0, nonce(1, 2)));

    let with = |change: fn(&mut Body)| {
        let mut body = body(1, 1, id(2), 5);
        change(&mut body);
        unfit(&ledger, vec![signed(1, body)]).1
    };
    assert_eq!(with(|body| body.valid_until = Height(1)), Unfit::Expired { until: Height(1) });
    assert_eq!(with(|body| body.fee = Amount(START)), Unfit::Unpayable);
    let needed = fees().fee(signed(1, body(1, 1, id(2), 5)).bytes()).unwrap();
    assert_eq!(with(|body| body.fee = Amount(1)), Unfit::Fee { needed, offered: Amount(1) });
    // A stranger has nothing.
    assert_eq!(unfit(&ledger, vec![pay(8, 0, 2, 5)]), (0, Unfit::Unpayable));
}

#[test]
fn time_grows() {
    let ledger = ledger();
    let start = ledger.header().time;
    let refused = propose(ledger.parent(), Draft { time: start, ..draft(&ledger) }, vec![]);
    assert!(matches!(refused, Err(BlockError::Time { parent, found }) if parent == start && found == start));
}

#[test]
fn a_block_that_is_too_large_is_refused() {
    let ledger = ledger();
    let many = vec![pay(1, 0, 2, 5); BLOCK_TRANSACTIONS_MAX + 1];
    let refused = propose(ledger.parent(), draft(&ledger), many);
    assert!(matches!(refused, Err(BlockError::TooLarge { .. })));
}

/// The largest header that there can be, and the list's own head, fit into what is set aside for them.
#[test]
fn a_full_block_can_be_sent() {
    let header = Header {
        height: Height(u64::MAX),
        parent: BlockHash::new([0; 32]),
        time: BlockTime(u64::MAX),
        round: Round(u32::MAX),
        proposer: NodeId::new([0; 32]),
        seal: Signature::new([0; 48]),
        validators: ValidatorsId::new([0; 32]),
        next_validators: ValidatorsId::new([0; 32]),
        transactions: ListRoot::of([]),
        receipts: ListRoot::of([]),
        state: crate::tree::StateRoot::new([0; 32]),
    };
    let block = Block { header, transactions: Bounded::new(vec![]).unwrap() };
    assert!(block.to_bytes().len() + 8 <= BLOCK_HEAD_BYTES);
    assert!(block.to_bytes().len() <= holdfast_proofs::header::HEADER_BYTES_MAX);
}

/// Money is only what was issued and not burned; the last blocks issue what is left under the cap, to the last unit.
#[test]
fn the_cap_is_reached_exactly() {
    let almost = Amount(CAP.0 - reward(Height(1)).0 - 3);
    let test = Box::leak(Box::new(found(vec![Allotment { account: id(1), amount: almost }])));
    let mut ledger = World { ledger: MemoryLedger::new(test.founded.clone()), test };
    for issued in [CAP.0 - 3, CAP.0, CAP.0] {
        step(&mut ledger, vec![]);
        assert_eq!(supply(&ledger).issued.0, issued);
    }
    assert_eq!(balance(&ledger, 1) + proposers(&ledger), CAP.0);
}

fn total(ledger: &World) -> u128 {
    let state = State::over(&ledger.ledger);
    let (mut sum, mut key) = (0, Vec::new());
    while let Some((next, account)) = state.after::<Account>(&key).unwrap() {
        sum += account.balance.0;
        key = next;
    }
    sum
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever is paid, all money is what was issued; and the rows, though not the rewards, are the same however the
    /// transactions are cut into blocks.
    #[test]
    fn money_is_conserved(
        payments in prop::collection::vec((1..5_u8, 1..9_u8, 0..400_000_u128), 0..40),
        cut in 1..12_usize,
    ) {
        let mut nonces = [0; 5];
        let transactions: Vec<_> = payments.into_iter().map(|(from, to, amount)| {
            let nonce = nonces[usize::from(from)];
            nonces[usize::from(from)] += 1;
            pay(from, nonce, to, amount)
        }).collect();
        let (mut one, mut many) = (ledger(), ledger());
        let whole = propose(one.parent(), draft(&one), transactions.clone());
        // A sender may run out of money for fees; then the block is refused whole, and nothing has changed.
        if let Ok(whole) = whole {
            one.ledger.commit(&whole);
            for part in transactions.chunks(cut) {
                step(&mut many, part.to_vec());
                prop_assert_eq!(total(&many), supply(&many).total().0);
            }
            for seed in 1..9 {
                prop_assert_eq!(balance(&one, seed), balance(&many, seed));
            }
        }
        prop_assert_eq!(total(&one), supply(&one).total().0);
    }
}
