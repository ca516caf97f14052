//! Receipts with every kind of event.

use holdfast_core::codec::Bounded;
use holdfast_core::id::{Amount, CommitteeId, Epoch};
use holdfast_ledger::governance::MotionId;
use holdfast_ledger::receipt::{
    Bonded, Decided, EpochBegan, Event, Failure, NodeChanged, OrderActive, OrderChanged, OrderEnded,
    OrderPaid, Receipt, Receipts, Rewarded, Slashed, Transferred,
};
use holdfast_ledger::registry::Status;
use holdfast_ledger::transaction::TransactionId;
use holdfast_ledger::units::FFG;
use holdfast_proofs::header::Height;

use crate::golden::{account, cid, node, parts};
use crate::payloads::ORDER;
use crate::wire_type::check_wire_type;

const RECEIPTS: &str = include_str!("../../testdata/receipts.json");

fn receipt(number: u8, failure: Option<Failure>, events: Vec<Event>) -> Receipt {
    let events = Bounded::new(events).unwrap();
    Receipt { transaction: TransactionId::new([number; 32]), failure, events }
}

pub(crate) fn receipts() -> Receipts {
    let (order, node) = (ORDER, node(1));
    let many = vec![
        Event::NodeChanged(NodeChanged { node, status: Status::Leaving }),
        Event::Bonded(Bonded { node, bonded: Amount(7) }),
        Event::Slashed(Slashed { node, taken: Amount(100), burned: Amount(90) }),
        Event::OrderChanged(OrderChanged { order, until: Epoch(9), escrow: Amount(77) }),
        Event::OrderActive(OrderActive { order, cid: cid(), signers: 3, promised: Epoch(9) }),
        Event::OrderPaid(OrderPaid { order, to: account(2), amount: Amount(11) }),
        Event::OrderEnded(OrderEnded { order, refunded: Amount(0) }),
        Event::Decided(Decided { motion: MotionId::new([6; 32]) }),
        epoch(),
    ];
    let paid = Transferred { from: account(1), to: account(2), amount: Amount(3) };
    let rewarded = Rewarded { to: account(1), issued: Amount(40 * FFG.0), fees: Amount(1000) };
    Receipts {
        transactions: Bounded::new(vec![
            receipt(1, None, many),
            receipt(2, Some(Failure::Price), vec![]),
            receipt(3, None, vec![Event::Transferred(paid)]),
        ])
        .unwrap(),
        events: Bounded::new(vec![Event::Rewarded(rewarded), epoch()]).unwrap(),
    }
}

fn epoch() -> Event {
    let committee = CommitteeId::new([7; 32]);
    Event::EpochBegan(EpochBegan { epoch: Epoch(8), committee, first: Height(300), members: 4 })
}

#[test]
fn receipts_with_every_event_and_a_failure() {
    check_wire_type(&receipts(), &parts(RECEIPTS, "receipts"), 1 << 20);
}

/// Numbers of failures are part of the format.
#[test]
fn failures_have_their_numbers() {
    for (place, failure) in Failure::ALL.into_iter().enumerate() {
        check_wire_type(&receipt(1, Some(failure), vec![]), &[failed(place + 1)], 64);
    }
}

fn failed(number: usize) -> String {
    format!("835820{}{number:02x}80", "01".repeat(32))
}
