use holdfast_core::block::{BlockId, Codec};
use holdfast_core::ed25519::SecretKey;
use holdfast_core::purpose::Signable;
use holdfast_proofs::certificate::ValidCertificate;
use holdfast_proofs::committee::{Committee, CommitteeRecord};
use holdfast_proofs::profile::Profile;
use holdfast_proofs::slots::{self, Bucket};
use holdfast_proofs::statement::Statement;
use holdfast_proofs::testing;

use super::*;
use crate::epoch::Running;
use crate::supply::Supply;
use crate::testing::{TestChain, free, owner, rich};
use crate::transaction::Payload;

const BYTES: u64 = 12_345;
/// What one provider earns in an epoch, at a price of one unit.
const EACH: u128 = 12_345;

fn cid() -> BlockId {
    BlockId::of(Codec::Raw, b"hold fast")
}

fn chain() -> TestChain {
    TestChain::new(4, free())
}

fn place(epochs: u64) -> Payload {
    Payload::PlaceOrder(PlaceOrder {
        cid: cid(),
        piece_bytes: BYTES,
        profile: Profile::COPY4,
        epochs,
        price_max: Amount(1),
    })
}

/// An order of [`rich`] for so many epochs.
fn ordered(chain: &mut TestChain, epochs: u64) -> OrderId {
    let transaction = chain.transaction(&rich(), place(epochs));
    let id = order_id(transaction.id());
    let executed = chain.block(1000, vec![transaction]);
    assert_eq!(executed.receipts().transactions[0].failure, None);
    id
}

fn committee(chain: &TestChain) -> Committee {
    let epoch = Running::of(&chain.state()).unwrap().epoch;
    let record: CommitteeRecord = chain.state().get(&epoch.0.to_be_bytes()).unwrap().unwrap();
    Committee::admitted(record)
}

/// A certificate of the running epoch, signed by these slots.
fn certificate(chain: &TestChain, order: OrderId, until: u64, signers: &[u16]) -> Certificate {
    let committee = committee(chain);
    let statement = Statement {
        epoch: committee.record().epoch,
        committee: committee.id(),
        retain_until: Epoch(until),
        order: Some(order),
        ..chain.test.network.statement(cid())
    };
    let places = slots::order(Bucket::of(&statement.cid), committee.members());
    let input = statement.signing_input(committee.network());
    let sign = |slot: &u16| {
        let member = &committee.members()[places[usize::from(*slot)]];
        (*slot, testing::keys(chain.test.number(&member.node)).1.sign(&input))
    };
    let receipts: Vec<_> = signers.iter().map(sign).collect();
    ValidCertificate::from_receipts(statement, &receipts, &committee).unwrap().certificate().clone()
}

fn activate(order: OrderId, certificate: Certificate) -> Payload {
    Payload::Activate(Activate { order, certificate })
}

fn active(chain: &mut TestChain, epochs: u64, signers: &[u16]) -> OrderId {
    let order = ordered(chain, epochs);
    let until = Running::of(&chain.state()).unwrap().epoch.0 + epochs;
    let certificate = certificate(chain, order, until, signers);
    chain.done(&owner(1), activate(order, certificate));
    order
}

fn order(chain: &TestChain, id: OrderId) -> Option<Order> {
    Order::get(&chain.state(), &id).unwrap()
}

/// All money that is somewhere is what was issued and not burned.
fn conserved(chain: &TestChain) {
    let state = chain.state();
    let supply = Supply::of(&state).unwrap();
    let (mut sum, mut key) = (0, Vec::new());
    while let Some((next, account)) = state.after::<crate::account::Account>(&key).unwrap() {
        (sum, key) = (sum + account.balance.0, next);
    }
    key.clear();
    while let Some((next, order)) = state.after::<Order>(&key).unwrap() {
        (sum, key) = (sum + order.escrow.0, next);
    }
    key.clear();
    while let Some((next, bond)) = state.after::<crate::stake::Bond>(&key).unwrap() {
        (sum, key) = (sum + bond.total().0, next);
    }
    assert_eq!(sum, supply.total().0);
}

#[test]
fn an_order_is_paid_certified_kept_and_ends() {
    let mut chain = chain();
    let before = chain.balance(&rich()).0;
    let id = active(&mut chain, 3, &[0, 1, 2]);
    assert_eq!(chain.balance(&rich()).0, before - 4 * 3 * EACH);
    let row = order(&chain, id).unwrap();
    assert_eq!((row.until, row.escrow.0), (Epoch(3), 4 * 3 * EACH));
    let signers = row.active.unwrap().signers.to_vec();
    assert_eq!(signers.len(), 3);

    // Nothing is earned before an epoch is over.
    assert_eq!(chain.fails(&owner(1), Payload::Claim(Claim { order: id })), Failure::Nothing);
    chain.next_epoch();
    let events = chain.done(&owner(1), Payload::Claim(Claim { order: id }));
    assert_eq!(events.len(), 3);
    assert_eq!(order(&chain, id).unwrap().escrow.0, (4 * 3 - 3) * EACH);
    conserved(&chain);
    chain.next_epoch();
    chain.next_epoch();
    // It ends with the next block; what the fourth provider did not earn comes back.
    chain.block(1000, vec![]);
    assert_eq!(order(&chain, id), None);
    assert_eq!(chain.balance(&rich()).0, before - 3 * 3 * EACH);
    assert_eq!(chain.state().after::<Expiry>(&[]).unwrap(), None);
    conserved(&chain);
}

#[test]
fn an_order_that_nobody_certifies_is_paid_back() {
    let mut chain = chain();
    let before = chain.balance(&rich());
    let id = ordered(&mut chain, 100);
    chain.next_epoch();
    assert_eq!(order(&chain, id).unwrap().ends, Epoch(2));
    chain.next_epoch();
    chain.block(1000, vec![]);
    assert_eq!((order(&chain, id), chain.balance(&rich())), (None, before));
    let certificate = certificate(&chain, id, 50, &[0, 1, 2]);
    assert_eq!(chain.fails(&owner(1), activate(id, certificate)), Failure::Unknown);
    conserved(&chain);
}

#[test]
fn only_a_certificate_of_this_order_activates_it() {
    let mut chain = chain();
    let id = ordered(&mut chain, 3);
    let other = ordered(&mut chain, 3);
    let good = certificate(&chain, id, 3, &[0, 1, 2]);
    assert_eq!(chain.fails(&rich(), activate(other, good.clone())), Failure::Certificate);
    let changes: [fn(&mut Statement); 4] = [
        |statement| statement.cid = BlockId::of(Codec::Raw, b"another"),
        |statement| statement.piece_bytes += 1,
        |statement| statement.retain_until = Epoch(4),
        |statement| statement.read_price_max = Amount(1),
    ];
    for change in changes {
        let mut forged = good.clone();
        change(&mut forged.statement);
        assert_eq!(chain.fails(&rich(), activate(id, forged)), Failure::Certificate);
    }
    chain.done(&rich(), activate(id, good.clone()));
    // The same again says nothing new; one with more signers does.
    assert_eq!(chain.fails(&rich(), activate(id, good)), Failure::Taken);
    let more = certificate(&chain, id, 3, &[0, 1, 2, 3]);
    chain.done(&rich(), activate(id, more));
    assert_eq!(order(&chain, id).unwrap().active.unwrap().signers.len(), 4);
}

#[test]
fn a_certificate_of_two_epochs_ago_is_too_old() {
    let mut chain = chain();
    let id = active(&mut chain, 9, &[0, 1, 2]);
    let old = certificate(&chain, id, 9, &[0, 1, 2, 3]);
    chain.next_epoch();
    chain.next_epoch();
    assert_eq!(chain.fails(&rich(), activate(id, old)), Failure::Certificate);
}

/// In the first block of the epoch in which it ends, an order was activated if its certificate came in that block, and not if it
/// came in the next.
#[test]
fn an_order_that_waits_for_its_end_is_not_activated() {
    let mut chain = chain();
    let before = chain.balance(&rich());
    let id = ordered(&mut chain, 100);
    chain.next_epoch();
    chain.next_epoch();
    let certificate = certificate(&chain, id, 50, &[0, 1, 2]);
    assert_eq!(chain.fails(&owner(1), activate(id, certificate)), Failure::Late);
    assert_eq!((order(&chain, id), chain.balance(&rich())), (None, before));
    conserved(&chain);
}

#[test]
fn renewing_goes_on_at_todays_price() {
    let mut chain = chain();
    let id = active(&mut chain, 2, &[0, 1, 2, 3]);
    let renew = |epochs, price| Payload::Renew(Renew { order: id, epochs, price_max: Amount(price) });
    assert_eq!(chain.fails(&owner(1), renew(1, 1)), Failure::Owner);
    assert_eq!(chain.fails(&rich(), renew(0, 1)), Failure::Nothing);
    assert_eq!(chain.fails(&rich(), renew(1, 0)), Failure::Price);
    chain.next_epoch();
    let before = chain.balance(&rich()).0;
    chain.done(&rich(), renew(5, 1));
    assert_eq!(chain.balance(&rich()).0, before - 4 * 5 * EACH);
    let row = order(&chain, id).unwrap();
    // One epoch is paid out, six are to come.
    assert_eq!((row.until, row.escrow.0), (Epoch(7), 4 * 6 * EACH));
    // What nobody promised is not earned: the certificate reaches to epoch 2.
    for _ in 0..3 {
        chain.next_epoch();
    }
    chain.done(&rich(), Payload::Claim(Claim { order: id }));
    assert_eq!(order(&chain, id).unwrap().escrow.0, 4 * 5 * EACH);
    // A new statement about the same piece, and they earn again.
    let again = certificate(&chain, id, 7, &[0, 1, 2, 3]);
    chain.done(&rich(), activate(id, again));
    chain.next_epoch();
    chain.done(&rich(), Payload::Claim(Claim { order: id }));
    assert_eq!(order(&chain, id).unwrap().escrow.0, 4 * 4 * EACH);
    conserved(&chain);
}

#[test]
fn cancelling_pays_the_running_epoch_and_gives_back_the_rest() {
    let mut chain = chain();
    let id = active(&mut chain, 10, &[0, 1, 2, 3]);
    let before = chain.balance(&rich()).0;
    assert_eq!(chain.fails(&owner(1), Payload::Cancel(Cancel { order: id })), Failure::Owner);
    chain.done(&rich(), Payload::Cancel(Cancel { order: id }));
    assert_eq!(chain.balance(&rich()).0, before + 4 * 9 * EACH);
    chain.next_epoch();
    chain.block(1000, vec![]);
    assert_eq!(order(&chain, id), None);
    assert_eq!(chain.balance(&rich()).0, before + 4 * 9 * EACH);
    conserved(&chain);

    let before = chain.balance(&rich());
    let open = ordered(&mut chain, 10);
    chain.done(&rich(), Payload::Cancel(Cancel { order: open }));
    assert_eq!((order(&chain, open), chain.balance(&rich())), (None, before));
}

#[test]
fn an_order_that_makes_no_sense_fails() {
    let mut chain = chain();
    let stranger = SecretKey::from_seed(&[0x77; 32]);
    let mut with = |key: &SecretKey, change: fn(&mut PlaceOrder)| {
        let Payload::PlaceOrder(mut order) = place(3) else { unreachable!() };
        change(&mut order);
        chain.fails(key, Payload::PlaceOrder(order))
    };
    assert_eq!(with(&rich(), |order| order.piece_bytes = 0), Failure::Nothing);
    assert_eq!(with(&rich(), |order| order.epochs = 0), Failure::Nothing);
    assert_eq!(with(&rich(), |order| order.epochs = RETAIN_EPOCHS_MAX + 1), Failure::Late);
    assert_eq!(with(&rich(), |order| order.price_max = Amount::ZERO), Failure::Price);
    assert_eq!(with(&rich(), |order| order.profile = Profile::copies(3).unwrap()), Failure::Profile);
    let large = |order: &mut PlaceOrder| (order.piece_bytes, order.epochs) = (u64::MAX, 3000);
    assert_eq!(with(&rich(), large), Failure::Balance);
    assert_eq!(with(&stranger, |_| {}), Failure::Balance);
}

/// Many orders that end at once are ended a bounded number a block, and none is forgotten.
#[test]
fn endings_are_spread_over_blocks() {
    let mut chain = chain();
    let count = ENDINGS_MAX + 10;
    let first = chain.transaction(&rich(), place(1)).body().nonce;
    let orders: Vec<_> =
        (0..count as u64).map(|at| chain.test.transaction(&rich(), first + at, place(1))).collect();
    let before = chain.balance(&rich());
    chain.block(1000, orders);
    chain.next_epoch();
    let left = |chain: &TestChain| {
        let (mut left, mut key) = (0, Vec::new());
        while let Some((next, _)) = chain.state().after::<Order>(&key).unwrap() {
            (left, key) = (left + 1, next);
        }
        left
    };
    assert_eq!(left(&chain), count);
    chain.block(1000, vec![]);
    assert_eq!(left(&chain), 10);
    chain.block(1000, vec![]);
    assert_eq!((left(&chain), chain.balance(&rich())), (0, before));
}
