//! What keeping a piece costs, and how long an epoch is.

use std::time::Duration;

use holdfast_core::block::BlockId;
use holdfast_core::bls;
use holdfast_core::id::{Amount, Epoch, OrderId, PieceRoot};
use holdfast_ledger::account::AccountId;
use holdfast_ledger::params::Params;
use holdfast_ledger::storage::{Activate, Order, PlaceOrder, cost};
use holdfast_ledger::transaction::{Body, Payload};
use holdfast_proofs::certificate::Certificate;
use holdfast_proofs::committee::{Committee, CommitteeRecord, RETAIN_EPOCHS_MAX};
use holdfast_proofs::header::Height;
use holdfast_proofs::profile::Profile;
use holdfast_protocol::put::{Offer, Terms};
use serde_bytes::ByteBuf;

use crate::send::fee;

/// What an unpaid piece is kept for.
const DAY: u64 = 86_400;

/// How long the epochs of a record's network are, in seconds; at least one.
pub fn epoch_seconds(record: &CommitteeRecord) -> u64 {
    record.end.0.saturating_sub(record.start.0).max(1)
}

/// Whole epochs that are as long as a time. `None` if it is no time, or more than can be promised.
pub fn whole_epochs(time: Duration, record: &CommitteeRecord) -> Option<u64> {
    let seconds = time.as_secs().checked_add(u64::from(time.subsec_nanos() > 0))?;
    let epochs = seconds.div_ceil(epoch_seconds(record));
    (1..RETAIN_EPOCHS_MAX).contains(&epochs).then_some(epochs)
}

/// Epochs that cover a time from any moment of the running one on, which counts as one. `None` if it is no time, or more than
/// can be promised.
pub fn epochs_for(time: Duration, record: &CommitteeRecord) -> Option<u64> {
    Some(whole_epochs(time, record)? + 1)
}

/// Epochs for which an unpaid piece is put: a day's worth.
pub fn unpaid_epochs(record: &CommitteeRecord) -> u64 {
    (DAY / epoch_seconds(record)).clamp(1, RETAIN_EPOCHS_MAX)
}

/// The planned time at which an epoch begins; a past one, or one that began early, is only near it.
pub fn begin_of(epoch: Epoch, record: &CommitteeRecord) -> holdfast_core::id::Timestamp {
    let (later, length) = (epoch.0.saturating_sub(record.epoch.0), epoch_seconds(record));
    let earlier = record.epoch.0.saturating_sub(epoch.0).saturating_mul(length);
    let start = record.start.0.saturating_add(later.saturating_mul(length));
    holdfast_core::id::Timestamp(start.saturating_sub(earlier))
}

/// What shall be kept, on how many providers, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purchase {
    /// The piece.
    pub cid: BlockId,
    /// Its length.
    pub piece_bytes: u64,
    /// How many copies.
    pub profile: Profile,
    /// For how many epochs, the running one included.
    pub epochs: u64,
}

impl Purchase {
    /// The payload that orders it, at no higher price than this.
    pub fn payload(&self, price_max: Amount) -> Payload {
        let Self { cid, piece_bytes, profile, epochs } = *self;
        Payload::PlaceOrder(PlaceOrder { cid, piece_bytes, profile, epochs, price_max })
    }

    /// What it costs under these parameters; `None` if nobody could pay it.
    pub fn quote(&self, params: &Params, committee: &Committee) -> Option<Quote> {
        let price = params.price_byte_epoch;
        let escrow = cost(self.piece_bytes, self.profile.n, self.epochs, price)?;
        let order_fee = self.fee_of(self.payload(price), params)?;
        let activation_fee = self.fee_of(self.activation(committee)?, params)?;
        Some(Quote { purchase: *self, price, escrow, order_fee, activation_fee })
    }

    fn fee_of(&self, payload: Payload, params: &Params) -> Option<Amount> {
        // Numbers of the longest encoding: a fee is never higher than what was quoted.
        let sender = AccountId::of(holdfast_core::ed25519::PublicKey::new([0; 32]));
        let body =
            Body { sender, nonce: u64::MAX, fee: Amount::ZERO, valid_until: Height(u64::MAX), payload };
        fee(params, &body)
    }

    /// An activation as long as the one that will be sent. Nobody signed it.
    fn activation(&self, committee: &Committee) -> Option<Payload> {
        let order = OrderId::new([0; 32]);
        let terms = Terms { retain_until: Epoch(u64::MAX), order: Some(order) };
        let offer = Offer::new(committee, self.profile, self.cid, self.piece_bytes, terms);
        let statement = offer.statement(PieceRoot::new([0; 32]));
        let bitmap = ByteBuf::from(vec![0; usize::from(self.profile.n).div_ceil(8)]);
        let parts = (statement, bitmap, bls::Signature::new([0; 48]));
        let certificate = Certificate::from_bytes(&holdfast_core::codec::encode(&parts)).ok()?;
        Some(Payload::Activate(Activate { order, certificate }))
    }
}

/// What keeping a piece costs, and what that consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// What is kept.
    pub purchase: Purchase,
    /// For each byte, copy and epoch.
    pub price: Amount,
    /// Price × bytes × copies × epochs: paid at once, and earned by providers epoch by epoch.
    pub escrow: Amount,
    /// The fee of the transaction that makes the order.
    pub order_fee: Amount,
    /// The most that the transaction with the certificate may cost.
    pub activation_fee: Amount,
}

impl Quote {
    /// Both fees.
    pub fn fees(&self) -> Amount {
        self.order_fee.plus(self.activation_fee).unwrap_or(Amount(u128::MAX))
    }

    /// All of it.
    pub fn total(&self) -> Amount {
        self.escrow.plus(self.fees()).unwrap_or(Amount(u128::MAX))
    }

    /// The highest price for each byte, copy and epoch at which all of it costs no more than this; today's if there is no
    /// limit, or if even that is too much.
    pub fn price_max(&self, limit: Option<Amount>) -> Amount {
        let Purchase { piece_bytes, profile, epochs, .. } = self.purchase;
        let units = u128::from(piece_bytes) * u128::from(profile.n);
        let units = units.checked_mul(epochs.into()).filter(|units| *units > 0);
        let left = limit.and_then(|limit| limit.minus(self.fees()));
        let highest = left.zip(units).map(|(left, units)| Amount(left.0 / units));
        highest.unwrap_or(self.price).max(self.price)
    }
}

/// What a renewal changes hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// The first epoch that is not paid afterwards.
    pub until: Epoch,
    /// Today's price for each byte, copy and epoch.
    pub price: Amount,
    /// What is paid on top of what is in escrow.
    pub pays: Amount,
    /// What comes back, where today's price is lower.
    pub back: Amount,
}

/// What it costs to pay an active order for more epochs, all that is left of it at today's price; `None` if nobody could pay it.
pub fn renewal(order: &Order, now: Epoch, epochs: u64, params: &Params) -> Option<Renewal> {
    let price = params.price_byte_epoch;
    let until = Epoch(order.until.0.checked_add(epochs)?);
    let needed = cost(order.piece_bytes, order.profile.n, until.0.saturating_sub(now.0), price)?;
    let left = order.escrow.minus(earned(order, now)?)?;
    let pays = needed.minus(left).unwrap_or_default();
    let back = left.minus(needed).unwrap_or_default();
    Some(Renewal { until, price, pays, back })
}

/// What providers have earned of an order by an epoch, and were not yet paid.
fn earned(order: &Order, now: Epoch) -> Option<Amount> {
    let Some(active) = &order.active else { return Some(Amount::ZERO) };
    let over = now.min(order.until).min(active.promised).0.saturating_sub(active.settled.0);
    let each = cost(order.piece_bytes, 1, over, order.price)?;
    each.times(active.signers.len() as u64)
}

#[cfg(test)]
mod tests;
