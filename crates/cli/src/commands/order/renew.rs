//! `order renew ID --for TIME`: pay for more epochs, and have the slots promise as much.
//!
//! 1. The order's transaction moves money into escrow.
//! 2. The slots, which hold the piece already, sign a new statement; the certificate that comes of it activates the order anew.
//! 3. The proof is written, in place of the one that `put` wrote.
//!
//! Whoever is interrupted after the first step runs the same command again: an order that is paid for longer than is promised is
//! not paid again, but promised.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use holdfast_client::network::Network;
use holdfast_client::order::{OrderError, Orders, renewal, whole_epochs};
use holdfast_client::promise::promise;
use holdfast_core::id::{Amount, OrderId};
use holdfast_ledger::storage::{Active, Order};
use holdfast_net::Net;
use holdfast_proofs::bundle::{BUNDLE_BYTES_MAX, Bundle};
use holdfast_proofs::certificate::ValidCertificate;
use holdfast_protocol::put::{Offer, Terms};
use serde_json::json;

use super::{bad_time, epoch_words, journal};
use crate::args::{Common, amount, duration};
use crate::commands::key::unlock::KeyArgs;
use crate::commands::online::{self, lock};
use crate::commands::put::{bundle, target::Target};
use crate::commands::words::money;
use crate::failure::Failure;
use crate::output::Output;
use crate::settings;

#[derive(Debug, Args)]
pub(crate) struct RenewArgs {
    /// The order
    #[arg(value_name = "ID")]
    order: OrderId,
    /// How much longer (such as 12h, 30d), at least
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    time: Duration,
    /// Give up if it costs more than this, the fee included (such as 1.5FFG)
    #[arg(long, value_name = "AMOUNT", value_parser = amount)]
    price_max: Option<Amount>,
    /// Where to write the new proof [default: where `put` wrote it, if that was on this machine]
    #[arg(long, value_name = "OUT")]
    bundle: Option<PathBuf>,
    #[command(flatten)]
    key: KeyArgs,
}

pub(super) async fn run(args: &RenewArgs, common: &Common, output: &Output) -> Result<(), Failure> {
    let id = args.order;
    let online = online::online(common, output).await?;
    let mut ledger = online.ledger()?;
    let record = online.network.committee.record().clone();
    let epochs = whole_epochs(args.time, &record).ok_or_else(|| bad_time(args.time, &record))?;
    let journal = journal(online.network.id())?;
    let known = journal.get(&id)?.and_then(|record| record.proof).filter(|path| path.exists());
    if common.dry_run {
        let order = ledger.row::<Order>(id.as_bytes()).await?.row.ok_or(OrderError::Missing(id))?;
        let params = ledger.params().await?.row;
        let renewal = renewal(&order, record.epoch, epochs, &params).ok_or(OrderError::Unpayable)?;
        let text = format!(
            "would pay {} and a fee, so that order {id} is paid until {}",
            money(renewal.pays),
            epoch_words(renewal.until, &record)
        );
        let object = json!({"order": id, "epochs": epochs, "pays": renewal.pays, "until": renewal.until});
        output.result(&text, "order-plan", object);
        return Ok(());
    }
    // Opened before anything is paid, so that nothing is paid in vain.
    let target = match args.bundle.as_ref().or(known.as_ref()) {
        Some(path) => Some(Target::at(path, "--bundle")?),
        None => None,
    };
    let key = args.key.unlock(output).await?;
    let _lock = lock(key.account()).await?;
    let mut orders = Orders { ledger, journal: &journal, key: &key };
    let (order, renewal) = orders.renewal(&id, epochs).await?;
    let promised = order.active.as_ref().map(|active| active.promised);
    let paid_ahead = promised.is_some_and(|promised| order.until > promised);
    let (order, pays) = if paid_ahead {
        output.note(&format!(
            "the order is paid until {} already, longer than is promised: nothing is paid now",
            epoch_words(order.until, &record)
        ));
        (order, Amount::ZERO)
    } else {
        let (order, _) = orders.renew(&id, epochs, args.price_max).await?;
        (order, renewal.pays)
    };
    let certificate = certify(&online.net, &online.network, &id, &order).await?;
    let order = orders.activate(&id, &certificate).await?;
    let path = target.as_ref().map(|target| target.path().to_owned());
    if let Some(target) = target {
        let old = settings::read_limited(target.path(), BUNDLE_BYTES_MAX).ok();
        let old = old.and_then(|bytes| Bundle::from_bytes(&bytes).ok());
        let profile = old.and_then(|bundle| bundle.import_profile);
        target.write(&bundle(&online.network, &certificate, profile)?)?;
    }
    let signed = certificate.signers().count();
    let proof = path.as_ref().map(|path| format!(", proof in {}", path.display())).unwrap_or_default();
    let text = format!(
        "paid {}: {signed} of {} slots promise to keep the piece until {}{proof}: {id}",
        money(pays),
        certificate.profile().n,
        epoch_words(order.until, &record)
    );
    let object = json!({
        "order": id,
        "pays": pays,
        "until": order.until,
        "escrow": order.escrow,
        "signed": signed,
        "slots": certificate.profile().n,
        "bundle": path,
        "certificate": certificate.certificate().to_text(),
    });
    output.result(&text, "order-renew", object);
    Ok(())
}

/// A new promise from the slots, which hold the piece.
async fn certify(
    net: &Net,
    network: &Network,
    id: &OrderId,
    order: &Order,
) -> Result<ValidCertificate, Failure> {
    let terms = Terms { retain_until: order.until, order: Some(*id) };
    let offer = Offer::new(&network.committee, order.profile, order.cid, order.piece_bytes, terms);
    let Some(Active { piece_root, .. }) = order.active else {
        return Err(OrderError::NotActive(*id).into());
    };
    Ok(promise(net, network, &offer, piece_root).await?)
}
