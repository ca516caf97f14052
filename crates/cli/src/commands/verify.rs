//! `verify BUNDLE`: the offline check, step by step, and what it does not show.

use std::time::{SystemTime, UNIX_EPOCH};

use holdfast_client::check;
use holdfast_core::explain;
use holdfast_core::id::Timestamp;
use holdfast_proofs::bundle::{BUNDLE_BYTES_MAX, Bundle, BundleError};
use holdfast_proofs::verdict::{Proven, Status, Step, Verdict, judge};
use holdfast_store::import::ImportProfile;
use serde_json::json;

use super::{blocking, scratch};
use crate::args::{Common, VerifyArgs};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings;

/// What no certificate shows, said every time.
const NOT_SHOWN: [&str; 3] = [
    "that the nodes ran any particular code: each node's host said that it verified and synced the data",
    "that two copies lie on two machines",
    "that no old quorum of this network was corrupted later: the members of genesis are trusted",
];

pub(super) async fn run(args: &VerifyArgs, common: &Common, output: &Output) -> Result<(), Failure> {
    let network = settings::trusted_id(common, args.network_id)?;
    let bytes = settings::read_limited(&args.bundle, BUNDLE_BYTES_MAX)?;
    let now = args.at.map_or_else(clock, Ok)?;
    let (bundle, mut verdict) = match Bundle::from_bytes(&bytes) {
        Ok(bundle) => {
            let verdict = judge(&bundle, &network, now);
            (Some(bundle), verdict)
        }
        Err(error) => (None, unreadable(&error)),
    };
    if let (Some(file), Some(proven)) = (&args.file, &verdict.proven) {
        let hint = bundle.as_ref().and_then(|bundle| bundle.import_profile.as_ref());
        let profile = hint.and_then(|name| ImportProfile::by_name(name.as_str()));
        let profile = profile.unwrap_or(ImportProfile::UNIXFS_V1_2025);
        let (path, statement) = (file.clone(), proven.certificate.statement().clone());
        let found = blocking(move || check::file(&path, profile, &statement, &scratch())).await?;
        let text = if found.same {
            format!("{} is what was stored", file.display())
        } else {
            format!("{} is not what was stored: its CID is {}", file.display(), found.cid)
        };
        verdict.steps.push(Step { name: "verify.file", found: text, holds: found.same });
        if !found.same {
            verdict.status = Status::Invalid;
        }
    }
    report(&verdict, output);
    match (verdict.status, verdict.failure()) {
        (Status::Fresh | Status::ValidAsOf, _) => Ok(()),
        (Status::Expired, _) => {
            let ends = verdict.proven.as_ref().map(|proven| proven.ends.to_string()).unwrap_or_default();
            let message = format!("{} has expired: the promise ended at {ends}", args.bundle.display());
            Err(Failure::new(Exit::Expired, "verify.expired", message))
        }
        (Status::Invalid, step) => {
            let (name, found) = step.map_or(("verify", ""), |step| (step.name, step.found.as_str()));
            let message = format!("{} is invalid: {found}", args.bundle.display());
            Err(Failure::new(Exit::Invalid, name, message))
        }
    }
}

/// The time now, by this machine.
pub(super) fn clock() -> Result<Timestamp, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map(|now| Timestamp(now.as_secs()))
        .map_err(|error| Failure::local("this machine's clock stands before 1970; use --at", &error))
}

/// The verdict on bytes that are no bundle.
pub(super) fn unreadable(error: &BundleError) -> Verdict {
    let name = match error {
        BundleError::Damaged => "verify.damaged",
        BundleError::Decode(_) => "verify.malformed",
    };
    let step = Step { name, found: explain(error), holds: false };
    Verdict { status: Status::Invalid, steps: vec![step], proven: None }
}

fn report(verdict: &Verdict, output: &Output) {
    let mut lines: Vec<String> = verdict
        .steps
        .iter()
        .map(|Step { name, found, holds }| {
            let mark = if *holds { "ok    " } else { "FAILED" };
            format!("{mark} {:20} {found}", name.trim_start_matches("verify."))
        })
        .collect();
    let mut object = json!({"status": verdict.status, "steps": verdict.steps});
    if let Some(Proven { certificate, committee, ends }) = &verdict.proven {
        let statement = certificate.statement();
        let signers: Vec<_> = certificate
            .signers()
            .iter()
            .map(|slot| (slot, &committee.members()[certificate.slots()[usize::from(slot)]]))
            .collect();
        for (slot, member) in &signers {
            lines.push(format!("signed slot {slot}: node {} of {}", member.node.short(), member.operator));
        }
        lines.push("not shown by this proof:".into());
        lines.extend(NOT_SHOWN.iter().map(|text| format!("  - {text}")));
        let word = match verdict.status {
            Status::Fresh => "valid (fresh)",
            Status::ValidAsOf => "valid as of its epoch",
            Status::Expired => "expired",
            Status::Invalid => "invalid",
        };
        lines.push(format!(
            "{word}: {} of {} slots promised to keep {}",
            signers.len(),
            certificate.profile().n,
            statement.cid
        ));
        object["cid"] = json!(statement.cid.to_string());
        object["piece_root"] = json!(statement.piece_root);
        object["piece_bytes"] = json!(statement.piece_bytes);
        object["ends"] = json!(ends);
        object["network"] = json!(committee.network());
        object["signers"] =
            signers.iter().map(|(slot, member)| json!({"slot": slot, "node": member.node})).collect();
        object["not_shown"] = json!(NOT_SHOWN);
    } else {
        lines.push("invalid".into());
    }
    output.result(&lines.join("\n"), "verify", object);
}
