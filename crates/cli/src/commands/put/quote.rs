//! `put --for TIME --quote`: what it costs, and what that consists of.

use std::time::Duration;

use holdfast_client::order::{OrderError, Purchase, Quote, begin_of};
use holdfast_core::id::{Amount, Epoch, Timestamp};
use serde_json::{Value, json};

use super::choose_profile;
use super::jobs::Job;
use super::paid::epochs;
use super::prepare::{Prepared, prepare};
use crate::args::{Common, PutArgs};
use crate::commands::online::followed;
use crate::commands::words::money;
use crate::failure::Failure;
use crate::output::Output;

pub(super) async fn run(
    jobs: &[Job],
    args: &PutArgs,
    time: Duration,
    common: &Common,
    output: &Output,
) -> Result<(), Failure> {
    let mut ledger = followed(common).await?;
    let committee = ledger.network().committee.clone();
    let record = committee.record();
    let profile = choose_profile(ledger.network(), args.copies)?;
    let epochs = epochs(time, record)?;
    let until = Epoch(record.epoch.0.saturating_add(epochs));
    let ends = begin_of(until, record);
    let params = ledger.params().await?.row;
    let (mut lines, mut objects, mut total, mut dear) = (Vec::new(), Vec::new(), Amount::ZERO, None);
    for job in jobs {
        let Prepared { plan, .. } = prepare(job, args.profile, output).await?;
        let (cid, piece_bytes) = (plan.root(), plan.piece_bytes());
        let purchase = Purchase { cid, piece_bytes, profile, epochs };
        let quote = purchase.quote(&params, &committee).ok_or(OrderError::Unpayable)?;
        total = total.plus(quote.total()).ok_or(OrderError::Unpayable)?;
        lines.push(format!("{}: {}", job.source.display(), text(&quote, ends)));
        objects.push(object(&quote, job, until, ends));
        if args.price_max.is_some_and(|limit| limit < quote.total()) {
            dear = dear.or(Some(quote.total()));
        }
    }
    lines.push(format!("in all {}", money(total)));
    let object = json!({"pieces": objects, "total": total, "total_text": money(total)});
    output.result(&lines.join("\n"), "put-quote", object);
    match (dear, args.price_max) {
        (Some(costs), Some(limit)) => Err(OrderError::Price { costs, limit }.into()),
        _ => Ok(()),
    }
}

fn text(quote: &Quote, ends: Timestamp) -> String {
    let Purchase { piece_bytes, profile, epochs, .. } = quote.purchase;
    format!(
        "{piece_bytes} bytes × {} copies × {epochs} epochs (until {ends}) × {} = {}, and fees of up to {}: {}",
        profile.n,
        money(quote.price),
        money(quote.escrow),
        money(quote.fees()),
        money(quote.total())
    )
}

fn object(quote: &Quote, job: &Job, until: Epoch, ends: Timestamp) -> Value {
    let Purchase { cid, piece_bytes, profile, epochs } = quote.purchase;
    // Under the key of another time the CID will be another.
    let cid = job.key.is_none().then(|| cid.to_string());
    json!({
        "file": job.source,
        "cid": cid,
        "piece_bytes": piece_bytes,
        "profile": profile.name(),
        "copies": profile.n,
        "epochs": epochs,
        "until": until,
        "ends": ends,
        "price": quote.price,
        "escrow": quote.escrow,
        "order_fee": quote.order_fee,
        "activation_fee": quote.activation_fee,
        "total": quote.total(),
    })
}
