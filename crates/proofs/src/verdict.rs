//! The offline check of a bundle: every step, cheapest first, and what the whole amounts to.

use holdfast_core::explain;
use holdfast_core::id::{NetworkId, Timestamp};
use serde::Serialize;

use crate::bundle::{Bundle, CommitteeProof};
use crate::certificate::{CertificateError, ValidCertificate};
use crate::committee::{Committee, CommitteeRecord};
use crate::genesis::ProofsError;
use crate::light::LightClient;
use crate::vote::FinalHeader;

/// What a bundle is worth at a given time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Every check holds and the epoch of the certificate is running.
    Fresh,
    /// Every check holds as of the certificate's epoch, which is over; the promise still runs.
    ValidAsOf,
    /// Every check holds but the promise has ended.
    Expired,
    /// A check failed.
    Invalid,
}

/// One step of the check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Stable dotted name, such as `verify.signature`.
    pub name: &'static str,
    /// What was found, for people.
    pub found: String,
    /// Whether it holds.
    pub holds: bool,
}

/// The outcome of a check, step by step. After a step that fails there are no more.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// What the bundle is worth.
    pub status: Status,
    /// The steps that were taken.
    pub steps: Vec<Step>,
    /// The checked certificate and its committee, unless invalid.
    pub proven: Option<Proven>,
}

/// What a valid bundle proves.
#[derive(Clone, Debug)]
pub struct Proven {
    /// The certificate.
    pub certificate: ValidCertificate,
    /// The committee whose members signed.
    pub committee: Committee,
    /// When the promise ends.
    pub ends: Timestamp,
}

impl Verdict {
    /// The step that failed, if one did.
    pub fn failure(&self) -> Option<&Step> {
        self.steps.last().filter(|step| !step.holds)
    }
}

/// Checks a bundle against the network id that the verifier trusts, at the time it names.
pub fn judge(bundle: &Bundle, network: &NetworkId, now: Timestamp) -> Verdict {
    let mut steps = Vec::new();
    match examine(bundle, network, now, &mut steps) {
        Ok((status, proven)) => Verdict { status, steps, proven: Some(proven) },
        Err(Failed) => Verdict { status: Status::Invalid, steps, proven: None },
    }
}

/// A step failed; the reason is in the last step.
struct Failed;

fn examine(
    bundle: &Bundle,
    network: &NetworkId,
    now: Timestamp,
    steps: &mut Vec<Step>,
) -> Result<(Status, Proven), Failed> {
    let found = bundle.genesis.network();
    let same = if found == *network { Ok(()) } else { Err(format!("the bundle is for network {found}")) };
    step(steps, "verify.network", same, || format!("network {network}"))?;

    // The committee checks genesis before possession; which of the two failed is in the error.
    let members = bundle.genesis.members.len();
    let (genesis, committee) = match Committee::new(&bundle.genesis, &bundle.proofs) {
        Ok(committee) => (Ok(()), Ok(committee)),
        Err(ProofsError::Genesis(error)) => (Err(explain(&error)), Err(String::new())),
        Err(error) => (Ok(()), Err(explain(&error))),
    };
    step(steps, "verify.genesis", genesis, || {
        format!("genesis of {:?} with {members} members", bundle.genesis.name.as_str())
    })?;
    let committee =
        step(steps, "verify.possession", committee, || format!("all {members} members own their keys"))?;

    let committee = match &bundle.committee_proof {
        Some(proof) => later_committee(bundle, proof, steps)?,
        None => {
            let derived = bundle.committee == CommitteeRecord::of_genesis(&bundle.genesis);
            let derived =
                if derived { Ok(()) } else { Err("committee record does not follow from genesis".into()) };
            step(steps, "verify.committee", derived, || named(&committee))?;
            committee
        }
    };

    let certificate = bundle.certificate.clone().verify(&committee).map_err(|error| (step_of(&error), error));
    let certificate = match certificate {
        Ok(certificate) => certificate,
        Err((name, error)) => {
            steps.push(Step { name, found: explain(&error), holds: false });
            return Err(Failed);
        }
    };
    let statement = certificate.statement().clone();
    let profile = certificate.profile();
    for (name, found) in [
        (
            "verify.statement",
            format!("{} of {} bytes, {}", statement.cid, statement.piece_bytes, profile.name()),
        ),
        (
            "verify.quorum",
            format!("{} of {} slots signed, {} needed", certificate.signers().count(), profile.n, profile.q),
        ),
        ("verify.signature", "one aggregate signature over all of it".to_owned()),
    ] {
        steps.push(Step { name, found, holds: true });
    }

    let record = committee.record();
    let ends = committee.end_of(statement.retain_until).expect("the statement was validated");
    let begun = if now >= record.start {
        Ok(())
    } else {
        Err(format!("epoch {} starts at {}, judged as of {now}", record.epoch, record.start))
    };
    step(steps, "verify.time", begun, || format!("promised from {} until {ends}", record.start))?;
    let status = match now {
        now if now < record.end => Status::Fresh,
        now if now < ends => Status::ValidAsOf,
        _ => Status::Expired,
    };
    Ok((status, Proven { certificate, committee, ends }))
}

/// The committee that the ledger names, under a header that can be reached from genesis.
fn later_committee(
    bundle: &Bundle,
    proof: &CommitteeProof,
    steps: &mut Vec<Step>,
) -> Result<Committee, Failed> {
    let header = final_header(bundle, proof).map_err(|error| explain(&*error));
    let header = step(steps, "verify.headers", header, || {
        let height = proof.header.header.height;
        let changes = bundle.headers.len();
        format!("block {height} is final, {changes} changes of validators after genesis")
    })?;
    let network = bundle.genesis.network();
    let committee = Committee::under(&header, &network, bundle.committee.clone(), &proof.row);
    let committee = committee.map_err(|error| explain(&error));
    let shown = committee.as_ref().map(named).unwrap_or_default();
    step(steps, "verify.committee", committee, || {
        format!("{shown}, as block {} says", header.header().height)
    })
}

/// The committee that a bundle brings with it, believed for the sake of its own genesis: whether to trust that network, and the
/// certificate, says [`judge`].
///
/// # Errors
/// What is wrong with it, for people.
pub fn committee(bundle: &Bundle) -> Result<Committee, String> {
    let committee = Committee::new(&bundle.genesis, &bundle.proofs).map_err(|error| explain(&error))?;
    let Some(proof) = &bundle.committee_proof else {
        let derived = bundle.committee == *committee.record();
        return if derived {
            Ok(committee)
        } else {
            Err("committee record does not follow from genesis".into())
        };
    };
    let header = final_header(bundle, proof).map_err(|error| explain(&*error))?;
    let network = bundle.genesis.network();
    Committee::under(&header, &network, bundle.committee.clone(), &proof.row).map_err(|error| explain(&error))
}

fn final_header(bundle: &Bundle, proof: &CommitteeProof) -> Result<FinalHeader, Box<dyn std::error::Error>> {
    let mut light = LightClient::of_genesis(&bundle.genesis, &bundle.proofs)?;
    for handover in bundle.headers.iter() {
        light.hand_over(handover.clone())?;
    }
    Ok(light.check(proof.header.clone())?)
}

fn named(committee: &Committee) -> String {
    format!("committee {} of epoch {}", committee.id().short(), committee.record().epoch)
}

fn step<T>(
    steps: &mut Vec<Step>,
    name: &'static str,
    result: Result<T, String>,
    found: impl FnOnce() -> String,
) -> Result<T, Failed> {
    match result {
        Ok(value) => {
            steps.push(Step { name, found: found(), holds: true });
            Ok(value)
        }
        Err(found) => {
            steps.push(Step { name, found, holds: false });
            Err(Failed)
        }
    }
}

fn step_of(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::Decode(_) | CertificateError::Text => "verify.certificate",
        CertificateError::Statement(_) => "verify.statement",
        CertificateError::Bitmap { .. } | CertificateError::Quorum { .. } => "verify.quorum",
        CertificateError::Signature(_) => "verify.signature",
    }
}

#[cfg(test)]
mod tests;
