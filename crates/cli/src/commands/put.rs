//! `put FILE…`: store pieces and write a proof for each; pay for them with `--for`.

use futures::{StreamExt, stream};
use holdfast_client::network::Network;
use holdfast_core::codec::{Bounded, Text};
use holdfast_proofs::bundle::Bundle;
use holdfast_proofs::certificate::ValidCertificate;
use holdfast_proofs::profile::Profile;
use holdfast_store::import::ImportProfile;
use serde_json::json;

use super::online::{Online, online};
use crate::args::{Common, PutArgs};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings;

mod jobs;
mod key;
mod paid;
mod prepare;
mod quote;
mod store;
pub(super) mod target;

use jobs::{Job, jobs};
use paid::Payer;
use prepare::{Prepared, prepare};
use store::Put;
use target::Target;

/// Small pieces stored at once: half the puts that a provider takes at a time.
const SMALL_PUTS_MAX: usize = 32;

pub(super) async fn run(args: &PutArgs, common: &Common, output: &Output) -> Result<(), Failure> {
    let jobs = jobs(args)?;
    if let Some(time) = args.time.filter(|_| args.quote || common.dry_run) {
        return quote::run(&jobs, args, time, common, output).await;
    }
    if common.dry_run {
        let profile = choose_profile(&settings::network(common)?, args.copies)?;
        return dry_run(&jobs, args.profile, profile, output).await;
    }
    let online = online(common, output).await?;
    let profile = choose_profile(&online.network, args.copies)?;
    let mut targets = Vec::new();
    for job in &jobs {
        targets.push(Target::open(&job.bundle, &job.source)?);
    }
    let payer = match args.time {
        Some(time) => Some(Payer::new(&online, args, time, output).await?),
        None => None,
    };
    output.note(match (args.encrypt, jobs.len()) {
        (false, 1) => "this piece is public: whoever knows its CID can read it",
        (false, _) => "these pieces are public: whoever knows their CIDs can read them",
        (true, 1) => "this piece is private: whoever has its key can read it, and nobody can without; keep the key",
        (true, _) => "these pieces are private: whoever has a key can read its piece, and nobody can without; keep the keys",
    });
    store_all(&jobs, targets, &Put::new(&online, args, profile, payer, output), output).await
}

/// Stores everything, in the order of the command line, whichever is done first. One that fails does not take the others with
/// it; the first failure is the command's.
async fn store_all(
    jobs: &[Job],
    targets: Vec<Target>,
    put: &Put<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let stores = jobs.iter().zip(targets).map(|(job, target)| put.store(job, target));
    let mut stores = stream::iter(stores).buffered(SMALL_PUTS_MAX);
    let (mut texts, mut objects) = (Vec::new(), Vec::new());
    let mut failure = None;
    for job in jobs {
        let Some(result) = stores.next().await else { break };
        let problem = match result {
            Ok(stored) => {
                stored.failed.iter().for_each(|failed| output.note(failed));
                texts.push(stored.text);
                objects.push(stored.object);
                stored.partial
            }
            Err(problem) => Some(problem),
        };
        if let Some(mut problem) = problem {
            if jobs.len() > 1 {
                problem.message = format!("{}: {}", job.source.display(), problem.message);
            }
            match &failure {
                None => failure = Some(problem),
                Some(_) => output.failure(&problem),
            }
        }
    }
    if !texts.is_empty() {
        output.result(&texts.join("\n"), "put", json!({"pieces": objects}));
    }
    failure.map_or(Ok(()), Err)
}

/// Says what would be stored.
async fn dry_run(
    jobs: &[Job],
    import_profile: ImportProfile,
    profile: Profile,
    output: &Output,
) -> Result<(), Failure> {
    let (mut texts, mut objects) = (Vec::new(), Vec::new());
    for job in jobs {
        let Prepared { plan, key, .. } = prepare(job, import_profile, output).await?;
        let bytes = plan.piece_bytes();
        // Under the key of another time the CID will be another.
        let cid = key.is_none().then(|| plan.root().to_string());
        let named = cid.as_deref().unwrap_or("encrypted, under a CID that no one knows yet");
        texts.push(format!("would store {bytes} bytes as {} {named}", profile.name()));
        objects.push(json!({"cid": cid, "piece_bytes": bytes, "profile": profile.name()}));
    }
    output.result(&texts.join("\n"), "put-plan", json!({"pieces": objects}));
    Ok(())
}

fn choose_profile(network: &Network, copies: Option<u16>) -> Result<Profile, Failure> {
    let allowed = &network.committee.record().profiles;
    let Some(copies) = copies else { return Ok(allowed[0]) };
    let members = network.committee.members().len();
    if usize::from(copies) > members {
        let message = format!("{copies} copies need {copies} nodes, this network has {members}");
        return Err(Failure::new(Exit::Usage, "put.copies", message));
    }
    allowed.iter().copied().find(|profile| profile.n == copies).ok_or_else(|| {
        let names: Vec<_> = allowed.iter().map(|profile| profile.n.to_string()).collect();
        let message = format!("this network keeps {} copies, not {copies}", names.join(" or "));
        Failure::new(Exit::Usage, "put.copies", message)
    })
}

/// The proof of a certificate of the network's running committee.
pub(super) fn bundle(
    network: &Network,
    certificate: &ValidCertificate,
    import_profile: Option<Text<64>>,
) -> Result<Bundle, Failure> {
    let headers = Bounded::new(network.standing.handovers.clone()).map_err(|all| {
        let message = format!("the validators changed {} times, more often than a proof can show", all.len());
        Failure::new(Exit::Internal, "put.bundle", message)
    })?;
    Ok(Bundle {
        genesis: network.genesis.clone(),
        proofs: network.proofs.clone(),
        certificate: certificate.certificate().clone(),
        committee: network.committee.record().clone(),
        committee_proof: network.standing.proof.clone(),
        headers,
        import_profile,
    })
}
