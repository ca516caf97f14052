//! What holds of all rows together after every block, whatever was asked of the ledger.

use std::collections::BTreeSet;

use holdfast_core::id::Amount;
use holdfast_proofs::committee::CommitteeRecord;

use crate::account::Account;
use crate::epoch::{Running, validators};
use crate::governance::Motion;
use crate::registry::{self, Node};
use crate::stake::Bond;
use crate::state::{Row, State};
use crate::storage::{Expiry, Order, cost};
use crate::supply::{CAP, Supply};

/// All rows of a table, by their keys.
///
/// # Panics
/// If one cannot be read, or they are not in order.
pub fn rows<R: Row>(state: &State<'_>) -> Vec<(Vec<u8>, R)> {
    let mut found: Vec<(Vec<u8>, R)> = Vec::new();
    let mut key = Vec::new();
    // The empty key is the first of all, and `after` looks beyond it.
    found.extend(state.get(&[]).expect("readable").map(|row| (Vec::new(), row)));
    while let Some((next, row)) = state.after::<R>(&key).expect("readable") {
        assert!(key.is_empty() || key < next, "keys go up");
        found.push((next.clone(), row));
        key = next;
    }
    found
}

/// Looks at all rows.
///
/// # Panics
/// If something does not hold.
pub fn audit(state: &State<'_>) {
    money(state);
    orders(state);
    names(state);
    epoch(state);
}

/// What accounts, escrows and bonds hold together was issued and not burned.
fn money(state: &State<'_>) {
    let supply = Supply::of(state).expect("readable");
    assert!(supply.issued <= CAP && supply.burned <= supply.issued, "{supply:?}");
    let accounts = rows::<Account>(state).into_iter().map(|(_, account)| account.balance);
    let escrows = rows::<Order>(state).into_iter().map(|(_, order)| order.escrow);
    let bonds = rows::<Bond>(state).into_iter().map(|(_, bond)| bond.total());
    let sum = accounts.chain(escrows).chain(bonds).try_fold(Amount::ZERO, Amount::plus);
    assert_eq!(sum, Some(supply.total()), "money is made or lost");
}

/// Every order stands in the index under its end, and can pay all that is still to be earned.
fn orders(state: &State<'_>) {
    let epoch = Running::of(state).expect("readable").epoch;
    let orders = rows::<Order>(state);
    let listed: BTreeSet<_> = rows::<Expiry>(state)
        .into_iter()
        .map(|(key, _)| Expiry::parse(&key).expect("an entry is an epoch and an order"))
        .collect();
    let ends = |(key, order): &(Vec<u8>, Order)| {
        let id = holdfast_core::id::OrderId::new(key[..].try_into().expect("32 bytes"));
        (order.ends, id)
    };
    assert_eq!(orders.iter().map(ends).collect::<BTreeSet<_>>(), listed, "the index says something else");
    for (_, order) in orders {
        let left = order.until.0.saturating_sub(epoch.0);
        let most = cost(order.piece_bytes, order.profile.n, left, order.price);
        assert!(most.is_some_and(|most| order.escrow >= most), "too little for {left} epochs: {order:?}");
        let Some(active) = &order.active else { continue };
        assert_eq!(order.ends, order.until, "an active order ends when it is paid");
        let epochs = order.until.min(active.promised).0.saturating_sub(active.settled.0);
        let signers = u16::try_from(active.signers.len()).expect("slots");
        let owed = cost(order.piece_bytes, signers, epochs, order.price);
        assert!(owed.is_some_and(|owed| order.escrow >= owed), "too little for what is promised: {order:?}");
    }
}

/// Every node holds its names, and nobody else holds one.
fn names(state: &State<'_>) {
    let nodes = rows::<Node>(state);
    for (key, node) in &nodes {
        assert_eq!(key, node.member.node.as_bytes());
        assert!(registry::holds_its_names(state, &node.member), "{node:?}");
    }
    assert_eq!(registry::names_taken(state), 3 * nodes.len(), "names without a node");
}

/// The running epoch has a committee, and somebody decides.
fn epoch(state: &State<'_>) {
    let running = Running::of(state).expect("readable");
    let record: Option<CommitteeRecord> = state.get(&running.epoch.0.to_be_bytes()).expect("readable");
    let record = record.expect("every epoch has a committee");
    assert_eq!((record.id(), record.end, running.ending), (running.committee, running.end, false));
    assert!(record.members.is_sorted_by(|one, other| one.node < other.node));
    assert!(record.profiles.iter().all(|profile| usize::from(profile.n) <= record.members.len()));
    assert_eq!(validators(state).expect("readable").validate(), Ok(()));
    assert!(rows::<Motion>(state).iter().all(|(_, motion)| motion.until >= running.epoch));
}
