//! `order ls`: orders of an account. The ledger has no list of them, so they are found in this machine's journal and in the
//! account's transactions, as one node lists them; what each of them is now is proven.

use std::collections::BTreeMap;

use clap::Args;
use holdfast_client::ledger::LedgerClient;
use holdfast_client::order::Record;
use holdfast_core::id::OrderId;
use holdfast_ledger::account::AccountId;
use holdfast_ledger::storage::{Order, order_id};
use holdfast_ledger::transaction::Payload;
use holdfast_protocol::chain::HistoryQuery;
use serde_json::json;

use super::{epoch_words, journal, object, state};
use crate::args::Common;
use crate::commands::key::unlock::AccountArgs;
use crate::commands::words::money;
use crate::commands::{ls::aligned, online};
use crate::failure::Failure;
use crate::output::Output;

/// Pages of an account's history that are searched: some ten thousand transactions.
const PAGES_MAX: usize = 64;

#[derive(Debug, Args)]
pub(crate) struct LsArgs {
    #[command(flatten)]
    of: AccountArgs,
}

pub(super) async fn run(args: &LsArgs, common: &Common, output: &Output) -> Result<(), Failure> {
    let account = args.of.account()?;
    let mut ledger = online::followed(common).await?;
    let journal = journal(ledger.network().id())?;
    let mut found: BTreeMap<OrderId, Option<Record>> =
        journal.of(&account)?.into_iter().map(|record| (record.id(), Some(record))).collect();
    for order in ordered(&ledger, account, output).await? {
        found.entry(order).or_default();
    }
    let (mut rows, mut objects) = (Vec::new(), Vec::new());
    for (id, record) in found {
        let order = ledger.row::<Order>(id.as_bytes()).await?.row;
        let committee = ledger.network().committee.record();
        match (order, record) {
            (Some(order), record) => {
                rows.push(vec![
                    id.to_string(),
                    state(&order, committee.epoch).to_owned(),
                    format!("until {}", epoch_words(order.until, committee)),
                    money(order.escrow),
                    format!("{} bytes", order.piece_bytes),
                    order.cid.to_string(),
                ]);
                let mut object = object(&id, &order, committee);
                object["proof"] = json!(record.and_then(|record| record.proof));
                objects.push(object);
            }
            // Written down here, and not on the ledger: on its way, or over.
            (None, Some(record)) if !record.done => {
                let place = record.place();
                rows.push(vec![
                    id.to_string(),
                    "unsent".to_owned(),
                    format!("for {} epochs", place.epochs),
                    "-".to_owned(),
                    format!("{} bytes", place.piece_bytes),
                    place.cid.to_string(),
                ]);
                objects.push(json!({
                    "order": id,
                    "state": "unsent",
                    "cid": place.cid.to_string(),
                    "piece_bytes": place.piece_bytes,
                    "profile": place.profile.name(),
                    "proof": record.proof,
                }));
            }
            (None, _) => {}
        }
    }
    let text = match rows.is_empty() {
        true => format!("no orders of {account}; `holdfast put --for TIME FILE` makes one"),
        false => aligned(rows).join("\n"),
    };
    output.result(&text, "order-ls", json!({"account": account.to_string(), "orders": objects}));
    Ok(())
}

/// Orders that the account made, as its transactions say.
async fn ordered(
    ledger: &LedgerClient,
    account: AccountId,
    output: &Output,
) -> Result<Vec<OrderId>, Failure> {
    let (mut orders, mut before) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let page = ledger.history(HistoryQuery { account, before }).await?;
        let made = page.entries.iter().filter(|entry| {
            let Payload::PlaceOrder(_) = &entry.transaction.body.payload else { return false };
            entry.transaction.body.sender == account && entry.receipt.failure.is_none()
        });
        orders.extend(made.map(|entry| order_id(entry.receipt.transaction)));
        before = page.next;
        if before.is_none() {
            return Ok(orders);
        }
    }
    output.note("the account has many transactions; orders before those that were looked at are not listed");
    Ok(orders)
}
