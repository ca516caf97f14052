//! `order ls`: orders of an account. The ledger's state has no list of them, so they are found in this machine's journal and
//! in the list of one node; what each of them is now is proven.

use std::collections::BTreeMap;

use clap::Args;
use holdfast_client::ledger::LedgerClient;
use holdfast_client::order::Record;
use holdfast_core::id::OrderId;
use holdfast_ledger::account::AccountId;
use holdfast_ledger::storage::Order;
use holdfast_protocol::chain::OrdersQuery;
use serde_json::json;

use super::{epoch_words, journal, object, state};
use crate::args::Common;
use crate::commands::key::unlock::AccountArgs;
use crate::commands::words::money;
use crate::commands::{ls::aligned, online};
use crate::failure::Failure;
use crate::output::Output;

/// Pages of a node's list that are asked for: some sixteen thousand orders.
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

/// Orders that the account made, as one node lists them.
async fn ordered(
    ledger: &LedgerClient,
    account: AccountId,
    output: &Output,
) -> Result<Vec<OrderId>, Failure> {
    let (mut orders, mut after) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let page = ledger.orders(OrdersQuery { account, after }).await?;
        orders.extend(page.orders.into_inner());
        after = page.next;
        if after.is_none() {
            return Ok(orders);
        }
    }
    output.note("the account has more orders; only the first of them are listed");
    Ok(orders)
}
