//! `order cancel ID`.

use clap::Args;
use holdfast_client::order::{OrderError, Orders};
use holdfast_core::id::OrderId;
use holdfast_ledger::storage::Order;
use serde_json::json;

use super::{epoch_words, journal};
use crate::args::Common;
use crate::commands::key::unlock::KeyArgs;
use crate::commands::online::{self, lock};
use crate::commands::words::money;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    /// The order
    #[arg(value_name = "ID")]
    order: OrderId,
    #[command(flatten)]
    key: KeyArgs,
}

pub(super) async fn run(args: &CancelArgs, common: &Common, output: &Output) -> Result<(), Failure> {
    let id = args.order;
    let mut ledger = online::followed(common).await?;
    let journal = journal(ledger.network().id())?;
    if common.dry_run {
        let order = ledger.row::<Order>(id.as_bytes()).await?.row;
        let order = order.ok_or(OrderError::Missing(id))?;
        let text = format!("would cancel order {id}, which has {} in escrow", money(order.escrow));
        output.result(&text, "order-plan", json!({"order": id, "escrow": order.escrow}));
        return Ok(());
    }
    let key = args.key.unlock(output).await?;
    let _lock = lock(key.account()).await?;
    let record = ledger.network().committee.record().clone();
    let mut orders = Orders { ledger, journal: &journal, key: &key };
    let (left, sent) = orders.cancel(&id).await?;
    let text = match &left {
        Some(order) => format!(
            "cancelled in block {}: the running epoch is still paid, and order {id} ends with {}",
            sent.height,
            epoch_words(order.until, &record)
        ),
        None => format!("cancelled in block {}: order {id} has ended, and everything came back", sent.height),
    };
    let object = json!({
        "order": id,
        "transaction": sent.id,
        "height": sent.height,
        "until": left.as_ref().map(|order| order.until),
        "escrow": left.as_ref().map(|order| order.escrow),
    });
    output.result(&text, "order-cancel", object);
    Ok(())
}
