//! `cert merge`: a certificate grows by what other proofs know, and by receipts that came after it was made.
//!
//! 1. Certificates of the same statement are merged, all of them checked against the committee of the first.
//! 2. Slots that have not signed are asked for their receipt. Each one that is valid is added.
//! 3. Slots that have none are given the certificate, so that they fetch the piece.
//!
//! Whether to trust the network is not asked here: `verify` says so.

use std::path::PathBuf;

use clap::Args;
use holdfast_client::ask::{self, AskError};
use holdfast_client::network::{Network, Standing};
use holdfast_core::{bls, explain};
use holdfast_proofs::bundle::Bundle;
use holdfast_proofs::certificate::{Certificate, Merge, ValidCertificate};
use holdfast_proofs::committee::Committee;
use holdfast_proofs::verdict;
use serde_json::json;
use tokio::task::JoinSet;

use super::{Named, read_proof};
use crate::args::Common;
use crate::commands::dialer;
use crate::commands::put::target::Target;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings;

#[derive(Debug, Args)]
pub(crate) struct MergeArgs {
    /// The proof that shall grow
    #[arg(value_name = "PROOF")]
    proof: PathBuf,
    /// Other proofs of the same piece, or text forms of their certificates, `hfc1…`
    #[arg(value_name = "OTHER")]
    others: Vec<String>,
    /// Where to write the proof, grown or not [default: back to PROOF, if it has grown]
    #[arg(long, short, value_name = "OUT")]
    output: Option<PathBuf>,
    /// Ask nobody; only merge the proofs that are named
    #[arg(long)]
    offline: bool,
}

pub(super) async fn run(args: &MergeArgs, common: &Common, output: &Output) -> Result<(), Failure> {
    let bundle = read_proof(&args.proof)?;
    let committee = committee(args, &bundle)?;
    let name = args.proof.display().to_string();
    let mut certificate = verify(&name, bundle.certificate.clone(), &committee)?;
    let before = certificate.signers().count();
    for other in &args.others {
        merge(&mut certificate, other, &committee, output)?;
    }
    // Opened before anybody is asked, so that nobody is asked in vain.
    let target = Target::at(args.output.as_ref().unwrap_or(&args.proof), "-o")?;
    let network = if args.offline { None } else { Some(network(common, &committee)?) };
    let (cid, slots) = (certificate.statement().cid.to_string(), certificate.profile().n);
    if common.dry_run {
        let asked = if args.offline { 0 } else { missing(&certificate).count() };
        let text = format!("would merge {} certificates and ask {asked} slots", args.others.len() + 1);
        output.result(&text, "cert-merge-plan", json!({"cid": cid, "asked": asked}));
        return Ok(());
    }
    let asked = match &network {
        Some(network) => gather(&mut certificate, network, output).await?,
        None => Asked::default(),
    };
    let signed = certificate.signers().count();
    let grew = signed > before;
    let path = target.path().to_owned();
    let written = grew || args.output.is_some();
    if written {
        target.write(&Bundle { certificate: certificate.certificate().clone(), ..bundle })?;
    }
    if !grew && asked.slots > 0 && asked.reached == 0 {
        let message = format!(
            "none of the {} slots that have not signed could be reached, and there was nothing to merge; \
             is the network running?",
            asked.slots
        );
        return Err(Failure::new(Exit::Unreachable, "cert.unreachable", message));
    }
    let mut text = match grew {
        true => format!("grown from {before} to {signed} of {slots} slots"),
        false => format!("not grown: {signed} of {slots} slots have signed"),
    };
    if written {
        text.push_str(&format!(", proof in {}", path.display()));
    }
    let object = json!({
        "cid": cid,
        "signed_before": before,
        "signed": signed,
        "slots": slots,
        "grew": grew,
        "asked": asked.slots,
        "reached": asked.reached,
        "given": asked.given,
        "bundle": written.then_some(path),
        "certificate": certificate.certificate().to_text(),
    });
    output.result(&format!("{text}: {cid}"), "cert-merge", object);
    Ok(())
}

fn invalid(name: &str, why: &str) -> Failure {
    Failure::new(Exit::Invalid, "cert.invalid", format!("{name} is invalid: {why}"))
}

/// The committee that the proof brings with it.
fn committee(args: &MergeArgs, bundle: &Bundle) -> Result<Committee, Failure> {
    verdict::committee(bundle).map_err(|why| invalid(&args.proof.display().to_string(), &why))
}

fn verify(name: &str, certificate: Certificate, committee: &Committee) -> Result<ValidCertificate, Failure> {
    certificate.verify(committee).map_err(|error| invalid(name, &explain(&error)))
}

/// The network in use, which must be that of the proof. Those are asked who owned the slots when it was made.
fn network(common: &Common, committee: &Committee) -> Result<Network, Failure> {
    let mut network = settings::network(common)?;
    if network.id() == committee.network() {
        (network.committee, network.standing) = (committee.clone(), Standing::default());
        return Ok(network);
    }
    let message = format!(
        "the proof is of network {}, and the network in use is {}; name the right one with --network, or ask \
         nobody with --offline",
        committee.network(),
        network.id()
    );
    Err(Failure::new(Exit::Conflict, "cert.network", message))
}

/// Merges what another proof knows.
fn merge(
    certificate: &mut ValidCertificate,
    named: &str,
    committee: &Committee,
    output: &Output,
) -> Result<(), Failure> {
    let Named { certificate: other, bundle } = Named::read(named)?;
    let name = if bundle.is_some() { named } else { "the certificate that is named by its text" };
    let differs = |cid: &dyn std::fmt::Display| {
        let message =
            format!("{name} certifies another statement, about {cid}; only certificates of one merge");
        Failure::new(Exit::Conflict, "cert.statement", message)
    };
    // Before it is verified: what another network's committee has signed is no invalid certificate.
    if other.statement != *certificate.statement() {
        return Err(differs(&other.statement.cid));
    }
    let other = verify(name, other, committee)?;
    let merged = certificate.merge(&other).map_err(|_| differs(&other.statement().cid))?;
    if merged == Merge::Overlapping {
        output.note(&format!(
            "{name} has signers that the other lacks, and lacks some that it has; sums of signatures cannot be taken \
             apart, so the larger one is kept"
        ));
    }
    Ok(())
}

/// Slots that have not signed.
fn missing(certificate: &ValidCertificate) -> impl Iterator<Item = u16> {
    (0..certificate.profile().n).filter(|slot| !certificate.signers().contains(*slot))
}

/// What came of asking.
#[derive(Default)]
struct Asked {
    /// Slots that were asked for their receipt.
    slots: u16,
    /// Slots that answered.
    reached: u16,
    /// Slots without a receipt, which were given the certificate.
    given: Vec<u16>,
}

/// Asks the slots that have not signed for their receipts, and gives the certificate to those that have none.
async fn gather(
    certificate: &mut ValidCertificate,
    network: &Network,
    output: &Output,
) -> Result<Asked, Failure> {
    let net = dialer().await?;
    let mut asking = JoinSet::new();
    for slot in missing(certificate) {
        let (net, network, place) = (net.clone(), network.clone(), certificate.slots()[usize::from(slot)]);
        let statement = certificate.statement().clone();
        asking.spawn(async move { (slot, place, ask::receipt(&net, &network, place, &statement).await) });
    }
    let mut answers: Vec<(u16, usize, Result<Option<bls::Signature>, AskError>)> = asking.join_all().await;
    answers.sort_by_key(|(slot, ..)| *slot);
    let mut asked = Asked::default();
    for (slot, place, answer) in answers {
        asked.slots += 1;
        asked.reached += u16::from(answer.is_ok());
        let member = &network.committee.members()[place];
        let note = |what: &str| {
            output.note(&format!("slot {slot}, node {} of {}: {what}", member.node.short(), member.operator));
        };
        match answer {
            Ok(Some(signature)) => {
                if let Err(error) = certificate.add(slot, &signature, &network.committee) {
                    note(&format!("its receipt is invalid: {}", explain(&error)));
                }
            }
            Ok(None) => asked.given.push(slot),
            Err(error) => note(&explain(&error)),
        }
    }
    if !asked.given.is_empty() {
        ask::give_to(&net, network, certificate, asked.given.iter().copied()).await;
        let slots: Vec<_> = asked.given.iter().map(u16::to_string).collect();
        output.note(&format!(
            "no receipt yet from slots {}: they were given the certificate and fetch the piece; merge again later",
            slots.join(", ")
        ));
    }
    Ok(asked)
}
