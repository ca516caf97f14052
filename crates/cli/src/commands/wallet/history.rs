//! `wallet history`: the transactions of an account, as one node lists them. Each is signed by its sender; that none is
//! missing is the node's word.

use clap::Args;
use holdfast_ledger::receipt::EventPosition;
use holdfast_protocol::chain::{HistoryEntry, HistoryQuery};
use serde_json::json;

use crate::args::{Common, position};
use crate::commands::key::unlock::AccountArgs;
use crate::commands::words::{place, transaction};
use crate::commands::{ls::aligned, online};
use crate::failure::Failure;
use crate::output::Output;

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    of: AccountArgs,
    /// Only transactions before this place, such as 120.3
    #[arg(long, value_name = "H.I", value_parser = position)]
    before: Option<EventPosition>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    max: u32,
}

pub(super) async fn run(args: &HistoryArgs, common: &Common, output: &Output) -> Result<(), Failure> {
    let account = args.of.account()?;
    let ledger = online::ledger(common).await?;
    let max = usize::try_from(args.max).unwrap_or(usize::MAX);
    let (mut entries, mut before, mut more) = (Vec::new(), args.before, true);
    while more && entries.len() < max {
        let page = ledger.history(HistoryQuery { account, before }).await?;
        before = page.next;
        more = before.is_some();
        entries.extend(page.entries.into_inner());
    }
    more |= entries.len() > max;
    entries.truncate(max);
    let (mut rows, mut objects) = (Vec::new(), Vec::new());
    for HistoryEntry { position, transaction: signed, receipt } in &entries {
        let (text, mut object) = transaction(signed, receipt.failure);
        object["position"] = json!(place(*position));
        object["transaction"] = json!(receipt.transaction);
        objects.push(object);
        rows.push(vec![place(*position), receipt.transaction.short(), text]);
    }
    let next = entries.last().filter(|_| more).map(|entry| place(entry.position));
    let mut lines = aligned(rows);
    if let Some(next) = &next {
        lines.push(format!("there are older ones: --before {next}"));
    }
    if lines.is_empty() {
        lines.push("no transactions".to_owned());
    }
    let object = json!({"account": account.to_string(), "transactions": objects, "next": next});
    output.result(&lines.join("\n"), "wallet-history", object);
    Ok(())
}
