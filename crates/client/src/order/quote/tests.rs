use std::time::Duration;

use holdfast_core::block::Codec;
use holdfast_core::codec::Bounded;
use holdfast_core::id::{NodeId, Timestamp};
use holdfast_ledger::storage::Active;
use holdfast_ledger::units::FFG;
use holdfast_proofs::testing::TestNetwork;

use super::*;

/// The record of an epoch that is so many seconds long.
fn record(seconds: u64) -> CommitteeRecord {
    let mut record = TestNetwork::new(4).committee.record().clone();
    record.end = Timestamp(record.start.0 + seconds);
    record
}

fn check_epochs(seconds: u64, epoch: u64, epochs: Option<u64>) {
    assert_eq!(epochs_for(Duration::from_secs(seconds), &record(epoch)), epochs, "{seconds} s of {epoch} s");
}

/// The running epoch may end at once, so it is one more.
#[test]
fn a_time_is_rounded_up_to_epochs_and_the_running_one_comes_on_top() {
    const DAY: u64 = 86_400;
    check_epochs(30 * DAY, DAY, Some(31));
    check_epochs(30 * DAY + 1, DAY, Some(32));
    check_epochs(1, DAY, Some(2));
    check_epochs(60, 60, Some(2));
    check_epochs(61, 60, Some(3));
    check_epochs(0, 60, None);
    check_epochs(3659 * DAY, DAY, Some(RETAIN_EPOCHS_MAX));
    check_epochs(3659 * DAY + 1, DAY, None);
    check_epochs(u64::MAX, 1, None);
    assert_eq!(epochs_for(Duration::from_millis(1500), &record(1)), Some(3));
    assert_eq!(epochs_for(Duration::from_secs(5), &record(0)), Some(6), "an epoch has at least a second");
}

#[test]
fn unpaid_pieces_are_kept_for_a_day() {
    for (epoch, epochs) in
        [(86_400, 1), (60, 1440), (50_000, 1), (200_000, 1), (1, RETAIN_EPOCHS_MAX), (0, RETAIN_EPOCHS_MAX)]
    {
        assert_eq!(unpaid_epochs(&record(epoch)), epochs, "epochs of {epoch} s");
    }
}

#[test]
fn epochs_begin_when_it_is_planned() {
    let mut record = record(60);
    (record.epoch, record.start, record.end) = (Epoch(10), Timestamp(6000), Timestamp(6060));
    for (epoch, second) in [(10, 6000), (11, 6060), (20, 6600), (9, 5940), (0, 5400)] {
        assert_eq!(begin_of(Epoch(epoch), &record), Timestamp(second), "epoch {epoch}");
    }
}

fn purchase(bytes: u64, epochs: u64) -> Purchase {
    let cid = BlockId::of(Codec::Raw, b"hold fast");
    Purchase { cid, piece_bytes: bytes, profile: Profile::COPY4, epochs }
}

#[test]
fn a_quote_is_price_times_bytes_copies_and_epochs_and_two_fees() {
    let network = TestNetwork::new(4);
    let params = Params::default();
    let quote = purchase(1 << 20, 31).quote(&params, &network.committee).unwrap();
    assert_eq!(quote.price, Amount(FFG.0 / 1_000_000_000));
    assert_eq!(quote.escrow, Amount((1 << 20) * 4 * 31 * quote.price.0));
    // What is signed in the end has no higher fee.
    let base = params.fee_flat.0;
    let (order, activation) = (quote.order_fee.0 - base, quote.activation_fee.0 - base);
    assert!((150..250).contains(&(order / params.fee_byte.0)), "{quote:?}");
    assert!((350..550).contains(&(activation / params.fee_byte.0)), "{quote:?}");
    assert_eq!(quote.total().0, quote.escrow.0 + quote.order_fee.0 + quote.activation_fee.0);

    let huge = purchase(u64::MAX, u64::MAX);
    assert_eq!(huge.quote(&params, &network.committee), None, "more money than can be counted");
}

#[test]
fn a_limit_for_all_of_it_becomes_one_for_each_byte() {
    let network = TestNetwork::new(4);
    let params = Params {
        fee_flat: Amount(10),
        fee_byte: Amount(0),
        price_byte_epoch: Amount(3),
        ..Params::default()
    };
    let quote = purchase(100, 5).quote(&params, &network.committee).unwrap();
    assert_eq!((quote.escrow, quote.total()), (Amount(6000), Amount(6020)));
    for (limit, price) in [(None, 3), (Some(6020), 3), (Some(8019), 3), (Some(8020), 4), (Some(0), 3)] {
        assert_eq!(quote.price_max(limit.map(Amount)), Amount(price), "{limit:?}");
    }
}

#[test]
fn a_renewal_takes_what_is_left_into_account() {
    let params = Params { price_byte_epoch: Amount(2), ..Params::default() };
    let signers = Bounded::new(vec![NodeId::new([1; 32]); 3]).unwrap();
    let active = Active {
        committee: Epoch(0),
        piece_root: PieceRoot::new([0; 32]),
        promised: Epoch(10),
        signers,
        settled: Epoch(0),
    };
    let mut order = Order {
        owner: AccountId::of(holdfast_core::ed25519::PublicKey::new([0; 32])),
        cid: purchase(1, 1).cid,
        piece_bytes: 100,
        profile: Profile::COPY4,
        price: Amount(2),
        until: Epoch(10),
        escrow: Amount(2 * 100 * 4 * 10),
        ends: Epoch(10),
        active: Some(active),
    };
    // Three epochs were earned by three of four; what the fourth did not earn pays for later.
    let renewal = |order: &Order, now, epochs, params: &Params| {
        let Renewal { until, pays, back, .. } = super::renewal(order, Epoch(now), epochs, params).unwrap();
        (until.0, pays.0, back.0)
    };
    assert_eq!(renewal(&order, 0, 5, &params), (15, 4000, 0));
    assert_eq!(renewal(&order, 3, 5, &params), (15, 2 * 100 * 4 * 12 - (8000 - 1800), 0));
    let cheaper = Params { price_byte_epoch: Amount(1), ..params.clone() };
    assert_eq!(renewal(&order, 0, 5, &cheaper), (15, 0, 2000));
    order.active = None;
    assert_eq!(renewal(&order, 0, 1, &params), (11, 800, 0));
    assert_eq!(super::renewal(&order, Epoch(0), u64::MAX, &params), None);
}
