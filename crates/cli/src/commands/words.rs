//! Transactions and events in words: a line for people, an object for programs.

use holdfast_core::id::{Amount, hex};
use holdfast_ledger::receipt::{Event, EventPosition, Failure as Rule};
use holdfast_ledger::registry::Status;
use holdfast_ledger::transaction::{Payload, Transaction};
use holdfast_ledger::units::Money;
use holdfast_proofs::header::BlockTime;
use serde_json::{Value, json};

/// A sum, for people.
pub(super) fn money(amount: Amount) -> String {
    Money(amount).to_string()
}

/// Where an event or transaction stands.
pub(super) fn place(EventPosition { height, index }: EventPosition) -> String {
    format!("{height}.{index}")
}

/// A block's time, to the second.
pub(super) fn time(time: BlockTime) -> String {
    time.second().to_string()
}

/// What became of a transaction.
pub(super) fn outcome(failure: Option<Rule>) -> String {
    failure.map_or_else(|| "done".to_owned(), |failure| format!("failed: {failure}"))
}

/// What a transaction does.
pub(super) fn payload(payload: &Payload) -> (String, Value) {
    match payload {
        Payload::Transfer(one) => (
            format!("sends {} to {}", money(one.amount), one.to),
            json!({"kind": "transfer", "to": one.to.to_string(), "amount": one.amount}),
        ),
        Payload::PlaceOrder(one) => {
            let (bytes, profile) = (one.piece_bytes, one.profile.name());
            (
                format!("orders {profile} of {} ({bytes} bytes) for {} epochs", one.cid, one.epochs),
                json!({
                    "kind": "order",
                    "cid": one.cid.to_string(),
                    "piece_bytes": bytes,
                    "profile": profile,
                    "epochs": one.epochs,
                    "price_max": one.price_max,
                }),
            )
        }
        Payload::Activate(one) => (
            format!("activates order {} with a certificate", one.order),
            json!({"kind": "activate", "order": one.order}),
        ),
        Payload::Renew(one) => (
            format!("renews order {} for {} epochs", one.order, one.epochs),
            json!({"kind": "renew", "order": one.order, "epochs": one.epochs, "price_max": one.price_max}),
        ),
        Payload::Cancel(one) => {
            (format!("cancels order {}", one.order), json!({"kind": "cancel", "order": one.order}))
        }
        Payload::Claim(one) => (
            format!("has the providers of order {} paid", one.order),
            json!({"kind": "claim", "order": one.order}),
        ),
        Payload::Register(one) => {
            let node = holdfast_core::id::NodeId::of(&one.registration.ed25519);
            (format!("registers node {}", node.short()), json!({"kind": "register", "node": node}))
        }
        Payload::Update(one) => of_node("update", "changes the entry of", &one.node),
        Payload::ReportDead(one) => of_node("report-dead", "reports as dead", &one.node),
        Payload::Lock(one) => (
            format!("locks {} for node {}", money(one.amount), one.node.short()),
            json!({"kind": "lock", "node": one.node, "amount": one.amount}),
        ),
        Payload::Unlock(one) => (
            format!("asks for {} back from node {}", money(one.amount), one.node.short()),
            json!({"kind": "unlock", "node": one.node, "amount": one.amount}),
        ),
        Payload::Withdraw(one) => of_node("withdraw", "takes what is free of", &one.node),
        Payload::Accuse(one) => of_node("accuse", "shows an offence of", &one.node),
        Payload::Support(one) => {
            (format!("node {} supports a motion", one.by.short()), json!({"kind": "support", "by": one.by}))
        }
    }
}

fn of_node(kind: &str, does: &str, node: &holdfast_core::id::NodeId) -> (String, Value) {
    (format!("{does} node {}", node.short()), json!({"kind": kind, "node": node}))
}

/// A transaction with what became of it.
pub(super) fn transaction(transaction: &Transaction, failure: Option<Rule>) -> (String, Value) {
    let body = &transaction.body;
    let (words, what) = payload(&body.payload);
    let text = format!("{words}; fee {}; {}", money(body.fee), outcome(failure));
    let object = json!({
        "sender": body.sender.to_string(),
        "nonce": body.nonce,
        "fee": body.fee,
        "valid_until": body.valid_until,
        "payload": what,
        "failure": failure.map(|failure| failure.to_string()),
    });
    (text, object)
}

/// Something that happened.
pub(super) fn event(event: &Event) -> (String, Value) {
    match event {
        Event::Transferred(one) => (
            format!("{} went from {} to {}", money(one.amount), one.from, one.to),
            json!({
                "kind": "transferred",
                "from": one.from.to_string(),
                "to": one.to.to_string(),
                "amount": one.amount,
            }),
        ),
        Event::Rewarded(one) => (
            format!("{} got {} for the block, and {} of fees", one.to, money(one.issued), money(one.fees)),
            json!({
                "kind": "rewarded",
                "to": one.to.to_string(),
                "issued": one.issued,
                "fees": one.fees,
            }),
        ),
        Event::NodeChanged(one) => (
            format!("node {} is {}", one.node.short(), status(one.status)),
            json!({"kind": "node-changed", "node": one.node, "status": status(one.status)}),
        ),
        Event::Bonded(one) => (
            format!("node {} has a bond of {}", one.node.short(), money(one.bonded)),
            json!({"kind": "bonded", "node": one.node, "bonded": one.bonded}),
        ),
        Event::Slashed(one) => (
            format!("node {} was expelled, and lost {}", one.node.short(), money(one.taken)),
            json!({"kind": "slashed", "node": one.node, "taken": one.taken, "burned": one.burned}),
        ),
        Event::OrderChanged(one) => (
            format!("order {} is paid until epoch {}, {} in escrow", one.order, one.until, money(one.escrow)),
            json!({
                "kind": "order-changed",
                "order": one.order,
                "until": one.until,
                "escrow": one.escrow,
            }),
        ),
        Event::OrderActive(one) => (
            format!(
                "order {}: {} providers keep {} until epoch {}",
                one.order, one.signers, one.cid, one.promised
            ),
            json!({
                "kind": "order-active",
                "order": one.order,
                "cid": one.cid.to_string(),
                "signers": one.signers,
                "promised": one.promised,
            }),
        ),
        Event::OrderPaid(one) => (
            format!("order {} paid {} to {}", one.order, money(one.amount), one.to),
            json!({
                "kind": "order-paid",
                "order": one.order,
                "to": one.to.to_string(),
                "amount": one.amount,
            }),
        ),
        Event::OrderEnded(one) => (
            format!("order {} ended, {} came back", one.order, money(one.refunded)),
            json!({"kind": "order-ended", "order": one.order, "refunded": one.refunded}),
        ),
        Event::Decided(one) => {
            let motion = hex(one.motion.as_bytes());
            (format!("motion {motion} was accepted"), json!({"kind": "decided", "motion": motion}))
        }
        Event::EpochBegan(one) => (
            format!(
                "epoch {} begins with block {}: {} members, committee {}",
                one.epoch,
                one.first,
                one.members,
                one.committee.short()
            ),
            json!({
                "kind": "epoch-began",
                "epoch": one.epoch,
                "committee": one.committee,
                "first": one.first,
                "members": one.members,
            }),
        ),
    }
}

/// Whether a node serves.
pub(super) fn status(status: Status) -> &'static str {
    match status {
        Status::Active => "active",
        Status::Leaving => "leaving",
        Status::Gone => "gone",
        Status::Dead => "dead",
        Status::Expelled => "expelled",
    }
}
