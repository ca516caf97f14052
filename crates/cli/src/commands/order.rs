//! `order ls|show|renew|cancel`: the orders of an account.

use std::time::Duration;

use clap::Subcommand;
use holdfast_client::order::{Journal, OrderError, begin_of, epoch_seconds};
use holdfast_core::id::{Epoch, NetworkId, OrderId};
use holdfast_ledger::storage::Order;
use holdfast_proofs::committee::{CommitteeRecord, RETAIN_EPOCHS_MAX};
use humantime::format_duration;
use serde_json::{Value, json};

use super::online;
use super::words::money;
use crate::args::Common;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings;

mod cancel;
mod ls;
mod renew;

use cancel::CancelArgs;
use ls::LsArgs;
use renew::RenewArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum OrderCommand {
    /// List the orders of an account that are on the ledger, or on their way there
    Ls(LsArgs),
    /// Show everything about an order, as the ledger proves it
    Show {
        /// The order, as `put --for` and `order ls` name it
        #[arg(value_name = "ID")]
        order: OrderId,
    },
    /// Pay for more time, and have the providers promise as much; no data moves
    Renew(RenewArgs),
    /// End an order with the running epoch, or at once if nobody keeps its piece yet; what is not earned comes back
    Cancel(CancelArgs),
}

pub(super) async fn run(command: OrderCommand, common: &Common, output: &Output) -> Result<(), Failure> {
    match command {
        OrderCommand::Ls(args) => ls::run(&args, common, output).await,
        OrderCommand::Show { order } => show(&order, common, output).await,
        OrderCommand::Renew(args) => renew::run(&args, common, output).await,
        OrderCommand::Cancel(args) => cancel::run(&args, common, output).await,
    }
}

/// The journal of orders on a network.
pub(super) fn journal(network: &NetworkId) -> Result<Journal, Failure> {
    Ok(Journal::open(&settings::orders_folder()?, network))
}

/// An epoch, and about when it begins.
pub(super) fn epoch_words(epoch: Epoch, record: &CommitteeRecord) -> String {
    format!("epoch {epoch} ({})", begin_of(epoch, record))
}

/// Why a time is no number of epochs that can be paid.
pub(super) fn bad_time(time: Duration, record: &CommitteeRecord) -> Failure {
    let length = epoch_seconds(record);
    // The running epoch counts, and may end at once.
    let most = Duration::from_secs(length.saturating_mul(RETAIN_EPOCHS_MAX - 1));
    let message = match time.is_zero() {
        true => "nothing is no time to pay for".to_owned(),
        false => format!(
            "nobody can promise {} here: epochs of this network last {}, and at most {RETAIN_EPOCHS_MAX} can be \
             promised, which is {}",
            format_duration(time),
            format_duration(Duration::from_secs(length)),
            format_duration(most)
        ),
    };
    Failure::new(Exit::Usage, "put.time", message)
}

/// Whether providers keep its piece.
pub(super) fn state(order: &Order, running: Epoch) -> &'static str {
    match &order.active {
        None => "open",
        Some(_) if order.until.0 <= running.0 + 1 => "ending",
        Some(_) => "active",
    }
}

/// An order for programs.
pub(super) fn object(id: &OrderId, order: &Order, record: &CommitteeRecord) -> Value {
    let active = order.active.as_ref().map(|active| {
        json!({
            "committee": active.committee,
            "piece_root": active.piece_root,
            "promised": active.promised,
            "signers": &active.signers[..],
            "settled": active.settled,
        })
    });
    json!({
        "order": id,
        "state": state(order, record.epoch),
        "owner": order.owner.to_string(),
        "cid": order.cid.to_string(),
        "piece_bytes": order.piece_bytes,
        "profile": order.profile.name(),
        "price": order.price,
        "until": order.until,
        "until_time": begin_of(order.until, record),
        "escrow": order.escrow,
        "active": active,
    })
}

async fn show(id: &OrderId, common: &Common, output: &Output) -> Result<(), Failure> {
    let mut ledger = online::followed(common).await?;
    let proven = ledger.row::<Order>(id.as_bytes()).await?;
    let order = proven.row.ok_or(OrderError::Missing(*id))?;
    let network = ledger.network();
    let record = network.committee.record();
    let mut lines = vec![
        format!("order        {id}"),
        format!("state        {}", state(&order, record.epoch)),
        format!("owner        {}", order.owner),
        format!("cid          {}", order.cid),
        format!("piece        {} bytes, {}", order.piece_bytes, order.profile.name()),
        format!("price        {} for a byte, copy and epoch", money(order.price)),
        format!("paid until   {}", epoch_words(order.until, record)),
        format!("in escrow    {}", money(order.escrow)),
    ];
    if let Some(active) = &order.active {
        lines.push(format!("promised     until {}", epoch_words(active.promised, record)));
        lines.push(format!("piece root   {}", active.piece_root));
        for node in active.signers.iter() {
            let member = network.committee.place(node).map(|place| &network.committee.members()[place]);
            let operator = member.map_or("no member any more", |member| member.operator.as_str());
            lines.push(format!("kept by      node {} of {operator}", node.short()));
        }
    }
    let height = proven.header.header().height;
    lines.push(format!("proven as of block {height}"));
    let mut object = object(id, &order, record);
    object["height"] = json!(height);
    output.result(&lines.join("\n"), "order-show", object);
    Ok(())
}
