//! `put FILE…`: store pieces and write a proof for each.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdfast_client::ask;
use holdfast_client::network::Network;
use holdfast_client::put::{self, Progress};
use holdfast_core::codec::{Bounded, Text};
use holdfast_net::Net;
use holdfast_proofs::bundle::Bundle;
use holdfast_proofs::certificate::ValidCertificate;
use holdfast_proofs::profile::Profile;
use holdfast_protocol::dispersal::{Outcome, SlotFailure, Wait};
use holdfast_protocol::put::Reason;
use holdfast_store::foreign;
use holdfast_store::import::{ImportProfile, import};
use holdfast_store::source::Plan;
use serde_json::{Value, json};

use super::{blocking, dialer, scratch, size};
use crate::args::{Common, PutArgs, WaitFor};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings;

mod target;

use target::Target;

/// One thing to store, and where its proof goes.
struct Job {
    source: PathBuf,
    is_car: bool,
    bundle: PathBuf,
}

pub(super) async fn run(args: &PutArgs, common: &Common, output: &Output) -> Result<(), Failure> {
    let jobs = jobs(args)?;
    let network = settings::network(common)?;
    let profile = choose_profile(&network, args.copies)?;
    if common.dry_run {
        return dry_run(&jobs, args.profile, profile, output).await;
    }
    let mut targets = Vec::new();
    for job in &jobs {
        targets.push(Target::open(&job.bundle, &job.source)?);
    }
    output.note(if jobs.len() == 1 {
        "this piece is public: whoever knows its CID can read it"
    } else {
        "these pieces are public: whoever knows their CIDs can read them"
    });
    let net = dialer().await?;
    let (mut texts, mut objects) = (Vec::new(), Vec::new());
    let mut failure = None;
    for (job, target) in jobs.iter().zip(targets) {
        let import_profile = (!job.is_car).then_some(args.profile);
        let put = Put { net: &net, network: &network, profile, wait: args.wait, import_profile, output };
        // One that fails does not take the others with it; the first failure is the command's.
        let problem = match put.store(job, args.profile, target).await {
            Ok(stored) => {
                texts.push(stored.text);
                objects.push(stored.object);
                stored.partial
            }
            Err(problem) => Some(problem),
        };
        if let Some(problem) = problem {
            if jobs.len() > 1 {
                output.note(&format!("{}: {}", job.source.display(), problem.message));
            }
            failure = failure.or(Some(problem));
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
        let (plan, _spool) = plan(job, import_profile, output).await?;
        let (cid, bytes) = (plan.root(), plan.piece_bytes());
        texts.push(format!("would store {bytes} bytes as {} {cid}", profile.name()));
        objects.push(json!({"cid": cid.to_string(), "piece_bytes": bytes, "profile": profile.name()}));
    }
    output.result(&texts.join("\n"), "put-plan", json!({"pieces": objects}));
    Ok(())
}

fn jobs(args: &PutArgs) -> Result<Vec<Job>, Failure> {
    let (sources, is_car) = match &args.car {
        Some(car) => (vec![car.clone()], true),
        None => (args.files.clone(), false),
    };
    if args.bundle.is_some() && sources.len() > 1 {
        let message =
            "--bundle names one proof, but there are several files; leave it out to get FILE.proof for each";
        return Err(Failure::new(Exit::Usage, "put.bundle", message));
    }
    let mut jobs = Vec::new();
    for source in sources {
        let bundle = match (&args.bundle, source == Path::new("-")) {
            (Some(bundle), _) => bundle.clone(),
            (None, true) => {
                let message = "standard input has no name: say where the proof goes with --bundle OUT";
                return Err(Failure::new(Exit::Usage, "put.bundle", message));
            }
            (None, false) => proof_of(&source)?,
        };
        jobs.push(Job { source, is_car, bundle });
    }
    Ok(jobs)
}

/// `FILE.proof`, beside the file, also for a folder that is named as `.` or `..`.
fn proof_of(source: &Path) -> Result<PathBuf, Failure> {
    let named = if source.file_name().is_some() {
        source.to_owned()
    } else {
        std::fs::canonicalize(source).map_err(|error| {
            let message = format!("could not read {}: {error}", source.display());
            Failure::new(Exit::of_file(&error), "file.missing", message)
        })?
    };
    let Some(name) = named.file_name() else {
        let message = format!("{} has no name: say where the proof goes with --bundle OUT", source.display());
        return Err(Failure::new(Exit::Usage, "put.bundle", message));
    };
    let mut name = name.to_owned();
    name.push(".proof");
    Ok(named.with_file_name(name))
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

/// Hashes the source to its CID and plans its piece. What came from standard input lives as long as the result.
async fn plan(
    job: &Job,
    profile: ImportProfile,
    output: &Output,
) -> Result<(Arc<Plan>, Option<tempfile::NamedTempFile>), Failure> {
    let spooled = if job.source == Path::new("-") { Some(spool().await?) } else { None };
    let source = spooled.as_ref().map_or(job.source.as_path(), tempfile::NamedTempFile::path).to_owned();
    let progress = output.progress("hashing", size(&source));
    let is_car = job.is_car;
    let plan = blocking(move || {
        let (scratch, mut count) = (scratch(), |bytes| progress.add(bytes));
        let dag = if is_car {
            foreign::scan(&source, &scratch, &mut count)?
        } else {
            import(&source, profile, &scratch, &mut count)?
        };
        Ok::<_, Failure>(dag.plan()?)
    })
    .await?;
    if plan.unreachable() > 0 {
        output.note(&format!(
            "{} blocks of the CAR are linked by nothing and were left out",
            plan.unreachable()
        ));
    }
    Ok((Arc::new(plan), spooled))
}

/// Copies standard input to a temporary file, which goes with the result: it must be read twice.
async fn spool() -> Result<tempfile::NamedTempFile, Failure> {
    let failed = |error| Failure::local("could not keep standard input", &error);
    let file = tempfile::NamedTempFile::new_in(scratch()).map_err(failed)?;
    let mut copy = file.reopen().map_err(failed)?;
    blocking(move || std::io::copy(&mut std::io::stdin().lock(), &mut copy)).await.map_err(failed)?;
    Ok(file)
}

struct Put<'a> {
    net: &'a Net,
    network: &'a Network,
    profile: Profile,
    wait: WaitFor,
    import_profile: Option<ImportProfile>,
    output: &'a Output,
}

struct Stored {
    text: String,
    object: Value,
    /// Set if the proof was written but fewer slots signed than asked.
    partial: Option<Failure>,
}

impl Put<'_> {
    async fn store(&self, job: &Job, import: ImportProfile, target: Target) -> Result<Stored, Failure> {
        let Self { net, network, profile, wait, output, .. } = self;
        let (plan, _spool) = plan(job, import, output).await?;
        let (cid, bytes) = (plan.root(), plan.piece_bytes());
        let wait_for = match wait {
            WaitFor::Quorum => Wait::Quorum,
            WaitFor::All => Wait::All,
        };
        let progress = output.progress("storing", Some(bytes * u64::from(profile.n)));
        let count = |Progress::Sent(_, bytes)| progress.add(bytes);
        let outcome = put::put(net, network, plan, *profile, wait_for, count).await?;
        drop(progress);
        let Some(certificate) = &outcome.certificate else { return Err(self.not_certified(&outcome)) };

        let path = target.path().to_owned();
        target.write(&self.bundle(certificate)).map_err(|failure| {
            // What was won is not lost with the disk.
            let text = certificate.certificate().to_text();
            let message = format!("{}; {cid} is certified all the same: {text}", failure.message);
            Failure { message, ..failure }
        })?;
        ask::give(net, network, certificate).await;
        let signed = certificate.signers().count();
        let failed = self.describe_failures(&outcome);
        for failure in &failed {
            output.note(failure);
        }
        let partial = (*wait == WaitFor::All && signed < profile.n).then(|| {
            let message = format!(
                "{signed} of {} slots signed and the proof is written, but --wait all asks for all; \
                 run the same put again",
                profile.n
            );
            Failure::new(Exit::Partial, "put.partial", message)
        });
        let statement = certificate.statement();
        let text = format!(
            "stored {bytes} bytes, certified by {signed} of {} slots, proof in {}: {cid}",
            profile.n,
            path.display()
        );
        let object = json!({
            "cid": cid.to_string(),
            "piece_root": statement.piece_root,
            "piece_bytes": bytes,
            "profile": profile.name(),
            "signed": signed,
            "slots": profile.n,
            "failed": failed,
            "bundle": path,
            "certificate": certificate.certificate().to_text(),
            "public": true,
        });
        Ok(Stored { text, object, partial })
    }

    fn bundle(&self, certificate: &ValidCertificate) -> Bundle {
        Bundle {
            genesis: self.network.genesis.clone(),
            proofs: self.network.proofs.clone(),
            certificate: certificate.certificate().clone(),
            committee: self.network.committee.record().clone(),
            committee_proof: (),
            headers: Bounded::new(vec![]).expect("no headers"),
            import_profile: self
                .import_profile
                .map(|profile| Text::new(profile.name).expect("names are short")),
        }
    }

    /// Why slots gave no receipt, one line each.
    fn describe_failures(&self, outcome: &Outcome) -> Vec<String> {
        let members = self.network.committee.members();
        let failed = outcome.slots.iter().filter_map(|(place, failure)| Some((place, failure.as_ref()?)));
        failed
            .map(|(place, failure)| {
                let member = &members[*place];
                format!("node {} of {}: {failure}", member.node.short(), member.operator)
            })
            .collect()
    }

    fn not_certified(&self, outcome: &Outcome) -> Failure {
        let signed = outcome.slots.iter().filter(|(_, failure)| failure.is_none()).count();
        let refused = |reason: Reason| {
            outcome.slots.iter().any(
                |(_, failure)| matches!(failure, Some(SlotFailure::Refused(refusal)) if refusal.reason == reason),
            )
        };
        let (exit, reason, todo) = if refused(Reason::Quota) {
            (Exit::Quota, "put.quota", "the nodes have no room")
        } else if refused(Reason::Piece) || refused(Reason::Root) {
            (Exit::Conflict, "put.piece", "the file may have changed while it was being stored; try again")
        } else {
            (Exit::Partial, "put.no_quorum", "run the same put again")
        };
        let why = self.describe_failures(outcome).join("; ");
        let message = format!(
            "{signed} of {} needed slots signed, so there is no certificate; {todo} ({why})",
            outcome.needed
        );
        Failure::new(exit, reason, message)
    }
}
