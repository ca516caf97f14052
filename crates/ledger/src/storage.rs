//! Storage orders: money in escrow for providers that promise to keep a piece.
//!
//! ```text
//! order ─► open ── activate (certificate) ─► active ── claim … ─► ended
//!            └─ nobody certified it in time ────────────────────► ended, all money back
//! ```
//!
//! An order is paid in full when it is made. Every epoch that is over, each provider that signed for it has earned price × bytes; what
//! is not earned goes back. Nothing is counted every epoch: an order is settled when somebody claims, renews or cancels, and
//! when it ends. Specification: docs/spec/ledger.md, "Storage".

use holdfast_core::codec::Bounded;
use holdfast_core::id::{Amount, Epoch, NodeId, OrderId};
use holdfast_proofs::certificate::Certificate;
use holdfast_proofs::committee::RETAIN_EPOCHS_MAX;

use crate::account::AccountId;
use crate::accounts;
use crate::context::Context;
use crate::execute::Halt;
use crate::params::Params;
use crate::receipt::{
    BLOCK_EVENTS_MAX, EVENTS_MAX, Event, Failure, OrderActive, OrderChanged, OrderEnded, OrderPaid,
};
use crate::registry::Node;
use crate::state::{RowsError, State};
use crate::transaction::TransactionId;

mod order;

pub use order::{Activate, Active, Cancel, Claim, Expiry, Order, PlaceOrder, Renew};

/// Epochs after the one in which it is made until an order must be active.
pub const OPEN_EPOCHS: u64 = 2;

/// Orders that one block ends. Those beyond wait for the next.
pub const ENDINGS_MAX: usize = 128;

/// Room for what a block says after the endings of orders: that an epoch begins.
const LAST_EVENTS: usize = 1;

/// An order is named by the transaction that made it.
pub fn order_id(transaction: TransactionId) -> OrderId {
    OrderId::new(*transaction.as_bytes())
}

/// What an order costs, or `None` if nobody could pay it.
pub fn cost(bytes: u64, copies: u16, epochs: u64, price: Amount) -> Option<Amount> {
    price.times(bytes)?.times(copies.into())?.times(epochs)
}

pub(crate) fn place(
    state: &mut State<'_>,
    context: &mut Context,
    params: &Params,
    sender: AccountId,
    id: OrderId,
    place: &PlaceOrder,
    events: &mut Vec<Event>,
) -> Result<(), Halt> {
    let PlaceOrder { cid, piece_bytes, profile, epochs, price_max } = place;
    if *piece_bytes == 0 || *epochs == 0 {
        return Err(Failure::Nothing.into());
    }
    if *epochs > RETAIN_EPOCHS_MAX {
        return Err(Failure::Late.into());
    }
    let epoch = context.epoch;
    let committee = context.committee(state, epoch)?.ok_or(Failure::Epoch)?;
    if !committee.allows(profile) {
        return Err(Failure::Profile.into());
    }
    let price = params.price_byte_epoch;
    if price > *price_max {
        return Err(Failure::Price.into());
    }
    let escrow = cost(*piece_bytes, profile.n, *epochs, price).ok_or(Failure::Balance)?;
    accounts::debit(state, &sender, escrow)?;
    let until = epoch.0.checked_add(*epochs).map(Epoch).ok_or(Failure::Late)?;
    let order = Order {
        owner: sender,
        cid: *cid,
        piece_bytes: *piece_bytes,
        profile: *profile,
        price,
        until,
        escrow,
        ends: until.min(Epoch(epoch.0 + OPEN_EPOCHS)),
        active: None,
    };
    order.create(state, &id);
    events.push(Event::OrderChanged(OrderChanged { order: id, until, escrow }));
    Ok(())
}

pub(crate) fn activate(
    state: &mut State<'_>,
    context: &mut Context,
    Activate { order: id, certificate }: &Activate,
    events: &mut Vec<Event>,
) -> Result<(), Halt> {
    let mut order = Order::get(state, id)?.ok_or(Failure::Unknown)?;
    if order.ends <= context.epoch {
        return Err(Failure::Late.into()); // it waits for its end, which may be in this block or a later one
    }
    let (signers, promised) = judge(state, context, id, &order, certificate)?;
    let epoch = context.epoch;
    let mut paid = Vec::new();
    if order.active.is_some() {
        settle(state, &mut order, epoch, &mut paid)?;
    }
    if let Some(active) = &order.active {
        // A certificate that says less than the last one changes nothing.
        let more = promised > active.promised || signers.len() > active.signers.len();
        if promised < active.promised || (promised == active.promised && !more) {
            return Err(Failure::Taken.into());
        }
    }
    let statement = &certificate.statement;
    let (committee, root) = (statement.epoch, statement.piece_root);
    order.active = Some(Active { committee, piece_root: root, promised, signers, settled: epoch });
    order.end_at(state, id, order.until);
    order.store(state, id);
    pay_events(id, paid, events);
    let signers = order.active.as_ref().map_or(0, |active| active.signers.len());
    let signers = u32::try_from(signers).expect("slots are bounded");
    events.push(Event::OrderActive(OrderActive { order: *id, cid: order.cid, signers, promised }));
    Ok(())
}

/// Checks a certificate against an order: who signed, and until when they promise.
fn judge(
    state: &State<'_>,
    context: &mut Context,
    id: &OrderId,
    order: &Order,
    certificate: &Certificate,
) -> Result<(Bounded<NodeId, { order::SIGNERS_MAX }>, Epoch), Halt> {
    let statement = &certificate.statement;
    let same = statement.order == Some(*id)
        && statement.cid == order.cid
        && statement.piece_bytes == order.piece_bytes
        && statement.coding.profile() == Some(order.profile)
        && statement.read_price_max == Amount::ZERO;
    // Signed by those who are a committee, or were one epoch ago.
    let recent = statement.epoch <= context.epoch && context.epoch.0 - statement.epoch.0 <= 1;
    if !same || !recent || statement.retain_until <= context.epoch {
        return Err(Failure::Certificate.into());
    }
    let known = order.active.as_ref().map(|active| active.piece_root);
    if known.is_some_and(|root| root != statement.piece_root) {
        return Err(Failure::Certificate.into());
    }
    let committee = context.committee(state, statement.epoch)?.ok_or(Failure::Epoch)?;
    let valid = certificate.clone().verify(committee).map_err(|_| Failure::Certificate)?;
    let signer = |slot: u16| committee.members()[valid.slots()[usize::from(slot)]].node;
    let signers = valid.signers().iter().map(signer).collect();
    Ok((Bounded::new(signers).expect("slots are bounded"), statement.retain_until))
}

pub(crate) fn renew(
    state: &mut State<'_>,
    context: &Context,
    params: &Params,
    sender: AccountId,
    renew: &Renew,
    events: &mut Vec<Event>,
) -> Result<(), Halt> {
    let mut order = owned(state, sender, &renew.order)?;
    if renew.epochs == 0 {
        return Err(Failure::Nothing.into());
    }
    if order.active.is_none() || order.until <= context.epoch {
        return Err(Failure::Status.into());
    }
    if params.price_byte_epoch > renew.price_max {
        return Err(Failure::Price.into());
    }
    let mut paid = Vec::new();
    settle(state, &mut order, context.epoch, &mut paid)?;
    let until = order.until.0.checked_add(renew.epochs).ok_or(Failure::Late)?;
    let epochs = until - context.epoch.0;
    if epochs > RETAIN_EPOCHS_MAX {
        return Err(Failure::Late.into());
    }
    // All that is left goes on at today's price; the difference is paid, or comes back.
    let needed = cost(order.piece_bytes, order.profile.n, epochs, params.price_byte_epoch);
    let needed = needed.ok_or(Failure::Balance)?;
    match needed.minus(order.escrow) {
        Some(more) => accounts::debit(state, &sender, more)?,
        None => accounts::credit(state, &sender, order.escrow.minus(needed).expect("it is more"))?,
    }
    (order.escrow, order.price) = (needed, params.price_byte_epoch);
    order.until = Epoch(until);
    order.end_at(state, &renew.order, Epoch(until));
    order.store(state, &renew.order);
    pay_events(&renew.order, paid, events);
    let (until, escrow) = (order.until, order.escrow);
    events.push(Event::OrderChanged(OrderChanged { order: renew.order, until, escrow }));
    Ok(())
}

pub(crate) fn cancel(
    state: &mut State<'_>,
    context: &Context,
    sender: AccountId,
    Cancel { order: id }: &Cancel,
    events: &mut Vec<Event>,
) -> Result<(), Halt> {
    let mut order = owned(state, sender, id)?;
    if order.active.is_none() {
        return Ok(end(state, id, order, context.epoch, events)?);
    }
    let mut paid = Vec::new();
    settle(state, &mut order, context.epoch, &mut paid)?;
    // The running epoch is still paid.
    order.until = order.until.min(Epoch(context.epoch.0 + 1));
    let left = order.until.0.saturating_sub(context.epoch.0);
    let needed = cost(order.piece_bytes, order.profile.n, left, order.price).ok_or(Failure::Balance)?;
    let back = order.escrow.minus(needed).unwrap_or_default();
    accounts::credit(state, &order.owner, back)?;
    order.escrow = order.escrow.minus(back).expect("a part of it");
    order.end_at(state, id, order.until);
    order.store(state, id);
    pay_events(id, paid, events);
    let (until, escrow) = (order.until, order.escrow);
    events.push(Event::OrderChanged(OrderChanged { order: *id, until, escrow }));
    Ok(())
}

pub(crate) fn claim(
    state: &mut State<'_>,
    context: &Context,
    Claim { order: id }: &Claim,
    events: &mut Vec<Event>,
) -> Result<(), Halt> {
    let mut order = Order::get(state, id)?.ok_or(Failure::Unknown)?;
    let mut paid = Vec::new();
    settle(state, &mut order, context.epoch, &mut paid)?;
    if paid.is_empty() {
        return Err(Failure::Nothing.into());
    }
    order.store(state, id);
    pay_events(id, paid, events);
    Ok(())
}

/// Ends what ends with the last epoch, a bounded number in each block.
pub(crate) fn end_of_block(
    state: &mut State<'_>,
    context: &Context,
    events: &mut Vec<Event>,
) -> Result<(), RowsError> {
    let mut key = Vec::new();
    for _ in 0..ENDINGS_MAX {
        if events.len() + EVENTS_MAX > BLOCK_EVENTS_MAX - LAST_EVENTS {
            break;
        }
        // From where the last one stood: transactions of the block may have removed many before.
        let Some((next, _)) = state.after::<Expiry>(&key)? else { break };
        key = next;
        let Some((ends, id)) = Expiry::parse(&key) else {
            return Err(RowsError::new("an entry of what ends when cannot be read"));
        };
        if ends > context.epoch {
            break;
        }
        let order = Order::get(state, &id)?.ok_or_else(|| RowsError::new("an order that ends is missing"))?;
        end(state, &id, order, context.epoch, events)?;
    }
    Ok(())
}

fn end(
    state: &mut State<'_>,
    id: &OrderId,
    mut order: Order,
    epoch: Epoch,
    events: &mut Vec<Event>,
) -> Result<(), RowsError> {
    let mut paid = Vec::new();
    settle(state, &mut order, epoch, &mut paid)?;
    accounts::credit(state, &order.owner, order.escrow)?;
    order.remove(state, id);
    pay_events(id, paid, events);
    events.push(Event::OrderEnded(OrderEnded { order: *id, refunded: order.escrow }));
    Ok(())
}

/// Who was paid how much.
type Paid = Vec<(AccountId, Amount)>;

/// Pays every signer for the epochs that are over, up to where it promised and where the order ends.
fn settle(state: &mut State<'_>, order: &mut Order, now: Epoch, paid: &mut Paid) -> Result<(), RowsError> {
    let Some(active) = &mut order.active else { return Ok(()) };
    let to = now.min(order.until).min(active.promised);
    let epochs = to.0.saturating_sub(active.settled.0);
    if epochs == 0 {
        return Ok(());
    }
    let each = cost(order.piece_bytes, 1, epochs, order.price).expect("a part of the escrow");
    for signer in active.signers.iter() {
        let Some(node) = Node::get(state, signer)? else { continue };
        order.escrow = order.escrow.minus(each).expect("no more signers than copies");
        accounts::credit(state, &node.owner, each)?;
        paid.push((node.owner, each));
    }
    active.settled = to;
    Ok(())
}

fn pay_events(order: &OrderId, paid: Paid, events: &mut Vec<Event>) {
    let event = |(to, amount)| Event::OrderPaid(OrderPaid { order: *order, to, amount });
    events.extend(paid.into_iter().map(event));
}

fn owned(state: &State<'_>, sender: AccountId, id: &OrderId) -> Result<Order, Halt> {
    let order = Order::get(state, id)?.ok_or(Failure::Unknown)?;
    if order.owner == sender { Ok(order) } else { Err(Failure::Owner.into()) }
}

#[cfg(test)]
mod tests;
