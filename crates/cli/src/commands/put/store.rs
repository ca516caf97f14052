//! Storing one thing: prepare it, order what is paid, disperse it, write its proof.

use std::sync::Arc;
use std::time::Duration;

use holdfast_client::ask;
use holdfast_client::ledger::LedgerClient;
use holdfast_client::network::Network;
use holdfast_client::order::{Opened, unpaid_epochs};
use holdfast_client::put::{self, Progress};
use holdfast_core::codec::Text;
use holdfast_core::explain;
use holdfast_net::Net;
use holdfast_proofs::profile::Profile;
use holdfast_protocol::dispersal::{Outcome, SlotFailure, Wait};
use holdfast_protocol::put::{Reason, Terms};
use holdfast_store::import::ImportProfile;
use holdfast_store::source::Plan;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::jobs::Job;
use super::key::KeyFile;
use super::paid::Payer;
use super::prepare::{Prepared, prepare};
use super::target::Target;
use super::{Online, bundle};
use crate::args::{PutArgs, WaitFor};
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Bytes of a piece that is stored while others are. A larger one keeps links and disks busy by itself.
const SMALL_BYTES_MAX: u64 = 256 << 10;
/// How often a put is tried whose epoch ended meanwhile, or whose order a node has not seen yet.
const TRIES: u32 = 4;
/// Pause before it is tried again: most of a block.
const PAUSE: Duration = Duration::from_millis(700);

/// How things are stored.
pub(super) struct Put<'a> {
    net: &'a Net,
    /// The network as it was when the command began.
    network: &'a Network,
    /// Says which committee runs now.
    ledger: Option<Mutex<LedgerClient>>,
    profile: Profile,
    wait: WaitFor,
    import: ImportProfile,
    payer: Option<Payer>,
    output: &'a Output,
    /// Held while a piece is prepared, and while a large one is stored.
    preparing: Mutex<()>,
}

/// What became of it.
pub(super) struct Stored {
    pub(super) text: String,
    pub(super) object: Value,
    /// Why slots gave no receipt, one line each.
    pub(super) failed: Vec<String>,
    /// Set if the proof was written but fewer slots signed than asked.
    pub(super) partial: Option<Failure>,
}

impl<'a> Put<'a> {
    pub(super) fn new(
        online: &'a Online,
        args: &PutArgs,
        profile: Profile,
        payer: Option<Payer>,
        output: &'a Output,
    ) -> Self {
        Self {
            net: &online.net,
            network: &online.network,
            ledger: online.ledger().ok().map(Mutex::new),
            profile,
            wait: args.wait,
            import: args.profile,
            payer,
            output,
            preparing: Mutex::new(()),
        }
    }

    pub(super) async fn store(&self, job: &Job, target: Target) -> Result<Stored, Failure> {
        let preparing = self.preparing.lock().await;
        let Prepared { plan, key, spool: _spool } = prepare(job, self.import, self.output).await?;
        // Others are stored beside a small piece; nothing new begins beside a large one.
        let _alone = (plan.piece_bytes() > SMALL_BYTES_MAX).then_some(preparing);
        // On disk before anything is paid or sent, and out of memory from here on.
        let key_file = match (&job.key, key) {
            (Some(path), Some(key)) => Some(KeyFile::write(&key, path)?),
            _ => None,
        };
        let opened = match &self.payer {
            Some(payer) => Some(payer.open(&plan, self.profile, target.path(), self.output).await?),
            None => None,
        };
        let (network, outcome) = self.disperse(&plan, opened.as_ref(), key_file.as_ref()).await?;
        self.conclude(job, target, network, &outcome, opened, key_file).await
    }

    /// The network with its running committee. What was known stays if no node says more.
    async fn now(&self) -> Network {
        let Some(ledger) = &self.ledger else { return self.network.clone() };
        let mut ledger = ledger.lock().await;
        if let Err(error) = ledger.follow().await {
            tracing::info!(error = explain(&error), "could not follow the ledger");
        }
        ledger.network().clone()
    }

    /// Puts a piece, again if its epoch ended meanwhile.
    async fn disperse(
        &self,
        plan: &Arc<Plan>,
        opened: Option<&Opened>,
        key_file: Option<&KeyFile>,
    ) -> Result<(Network, Outcome), Failure> {
        let wait = match self.wait {
            WaitFor::Quorum => Wait::Quorum,
            WaitFor::All => Wait::All,
        };
        let mut tries = 0;
        loop {
            tries += 1;
            let network = self.now().await;
            let terms = opened.map_or_else(|| unpaid(&network), Opened::terms);
            let total = plan.piece_bytes() * u64::from(self.profile.n);
            let progress = self.output.progress("storing", Some(total));
            let count = |Progress::Sent(_, bytes)| {
                key_file.inspect(|key_file| key_file.keep());
                progress.add(bytes);
            };
            let outcome =
                put::put(self.net, &network, plan.clone(), self.profile, terms, wait, count).await?;
            let too_soon = refused(&outcome, Reason::Committee)
                || (opened.is_some() && refused(&outcome, Reason::Terms));
            if outcome.certificate.is_some() || !too_soon || tries == TRIES || self.ledger.is_none() {
                return Ok((network, outcome));
            }
            drop(progress);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Writes the proof, and activates the order.
    async fn conclude(
        &self,
        job: &Job,
        target: Target,
        network: Network,
        outcome: &Outcome,
        opened: Option<Opened>,
        key_file: Option<KeyFile>,
    ) -> Result<Stored, Failure> {
        let Some(certificate) = &outcome.certificate else {
            return Err(not_certified(&network, outcome, key_file.as_ref()));
        };
        key_file.as_ref().inspect(|key_file| key_file.keep());
        let statement = certificate.statement();
        let (cid, bytes) = (statement.cid, statement.piece_bytes);
        let path = target.path().to_owned();
        let hint = (!job.is_car).then(|| Text::new(self.import.name).expect("names are short"));
        let written = bundle(&network, certificate, hint).and_then(|bundle| target.write(&bundle));
        written.map_err(|failure| {
            // What was won is not lost with the disk.
            let text = certificate.certificate().to_text();
            let message = format!("{}; {cid} is certified all the same: {text}", failure.message);
            Failure { message, ..failure }
        })?;
        ask::give(self.net, &network, certificate).await;
        let paid = match (&self.payer, opened) {
            (Some(payer), Some(opened)) => Some(payer.activate(opened, certificate).await?),
            _ => None,
        };
        let (signed, slots) = (certificate.signers().count(), self.profile.n);
        let failed = describe_failures(&network, outcome);
        let partial = (self.wait == WaitFor::All && signed < slots).then(|| {
            let todo = match key_file {
                None => "run the same put again",
                Some(_) => "fetch it without --key, and put what you get as it is",
            };
            let message = format!(
                "{signed} of {slots} slots signed and the proof is written, but --wait all asks for all; {todo}"
            );
            Failure::new(Exit::Partial, "put.partial", message)
        });
        let key = key_file.as_ref().map(KeyFile::path);
        let with_key = key.map(|key| format!(", key in {}", key.display())).unwrap_or_default();
        let ends = network.committee.end_of(statement.retain_until);
        let order = paid.as_ref().map(|paid| paid.id);
        let by_order = order
            .zip(ends)
            .map(|(order, ends)| format!(", paid until {ends} by order {order}"))
            .unwrap_or_default();
        let text = format!(
            "stored {bytes} bytes, certified by {signed} of {slots} slots{by_order}, proof in {}{with_key}: {cid}",
            path.display()
        );
        let object = json!({
            "cid": cid.to_string(),
            "piece_root": statement.piece_root,
            "piece_bytes": bytes,
            "profile": self.profile.name(),
            "signed": signed,
            "slots": slots,
            "failed": &failed,
            "epoch": statement.epoch,
            "retain_until": statement.retain_until,
            "ends": ends,
            "order": order,
            "escrow": paid.as_ref().map(|paid| paid.escrow),
            "resumed": paid.as_ref().map(|paid| paid.resumed),
            "bundle": path,
            "certificate": certificate.certificate().to_text(),
            "public": key.is_none(),
            "key": key,
        });
        Ok(Stored { text, object, failed, partial })
    }
}

/// Terms without an order: for a day where there is a ledger, else until the network ends.
fn unpaid(network: &Network) -> Terms {
    let committee = &network.committee;
    match committee.has_ledger() {
        true => Terms::unpaid(committee, unpaid_epochs(committee.record())),
        false => Terms::without_ledger(committee),
    }
}

/// Whether a slot refused for this reason.
fn refused(outcome: &Outcome, reason: Reason) -> bool {
    outcome.slots.iter().any(
        |(_, failure)| matches!(failure, Some(SlotFailure::Refused(refusal)) if refusal.reason == reason),
    )
}

/// Why slots gave no receipt, one line each.
fn describe_failures(network: &Network, outcome: &Outcome) -> Vec<String> {
    let members = network.committee.members();
    let failed = outcome.slots.iter().filter_map(|(place, failure)| Some((place, failure.as_ref()?)));
    failed
        .map(|(place, failure)| {
            let member = &members[*place];
            format!("node {} of {}: {failure}", member.node.short(), member.operator)
        })
        .collect()
}

fn not_certified(network: &Network, outcome: &Outcome, key_file: Option<&KeyFile>) -> Failure {
    let signed = outcome.slots.iter().filter(|(_, failure)| failure.is_none()).count();
    let (exit, reason, todo) = if refused(outcome, Reason::Quota) {
        (Exit::Quota, "put.quota", "the nodes have no room")
    } else if refused(outcome, Reason::Piece) || refused(outcome, Reason::Root) {
        (Exit::Conflict, "put.piece", "the file may have changed while it was being stored; try again")
    } else {
        (Exit::Partial, "put.no_quorum", "run the same put again")
    };
    let why = describe_failures(network, outcome).join("; ");
    let kept = key_file.filter(|key_file| key_file.is_kept());
    let kept = kept.map(|key_file| {
        format!(
            "; its key stays in {}, in case a node keeps the piece: move it away first",
            key_file.path().display()
        )
    });
    let message = format!(
        "{signed} of {} needed slots signed, so there is no certificate; {todo}{} ({why})",
        outcome.needed,
        kept.unwrap_or_default()
    );
    Failure::new(exit, reason, message)
}
