//! `put FILE…`: store pieces and write a proof for each.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdfast_client::network::Network;
use holdfast_client::put::{self, Progress};
use holdfast_core::codec::{Bounded, Text};
use holdfast_net::Net;
use holdfast_proofs::bundle::{BUNDLE_BYTES_MAX, Bundle};
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
    for job in &jobs {
        check_target(&job.bundle)?;
    }
    output.note(if jobs.len() == 1 {
        "this piece is public: whoever knows its CID can read it"
    } else {
        "these pieces are public: whoever knows their CIDs can read them"
    });
    let net = dialer().await?;
    let (mut texts, mut objects) = (Vec::new(), Vec::new());
    let mut partial = None;
    for job in &jobs {
        let (plan, _spool) = plan(job, args.profile, output).await?;
        if common.dry_run {
            let (cid, bytes) = (plan.root(), plan.piece_bytes());
            texts.push(format!("would store {bytes} bytes as {} {cid}", profile.name()));
            objects.push(json!({"cid": cid.to_string(), "piece_bytes": bytes, "profile": profile.name()}));
            continue;
        }
        let import_profile = (!job.is_car).then_some(args.profile);
        let put = Put { net: &net, network: &network, profile, wait: args.wait, import_profile, output };
        let stored = put.store(job, plan).await?;
        partial = partial.or(stored.partial);
        texts.push(stored.text);
        objects.push(stored.object);
    }
    output.result(&texts.join("\n"), "put", json!({"pieces": objects}));
    partial.map_or(Ok(()), Err)
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
            (None, false) => proof_of(&source),
        };
        jobs.push(Job { source, is_car, bundle });
    }
    Ok(jobs)
}

/// `FILE.proof`, beside the file.
fn proof_of(source: &Path) -> PathBuf {
    let mut name = source.components().as_path().as_os_str().to_owned();
    name.push(".proof");
    name.into()
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

/// Refuses to overwrite what is no proof.
fn check_target(path: &Path) -> Result<(), Failure> {
    let message = match path.symlink_metadata() {
        Err(_) => return Ok(()),
        Ok(metadata) if metadata.is_file() => {
            let bytes = settings::read_limited(path, BUNDLE_BYTES_MAX)?;
            if bytes.is_empty() || Bundle::from_bytes(&bytes).is_ok() {
                return Ok(());
            }
            format!("{} exists and is no proof; name another place with --bundle", path.display())
        }
        Ok(_) => format!("{} exists and is no file; name another place with --bundle", path.display()),
    };
    Err(Failure::new(Exit::Conflict, "file.exists", message))
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
    async fn store(&self, job: &Job, plan: Arc<Plan>) -> Result<Stored, Failure> {
        let Self { net, network, profile, wait, output, .. } = self;
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

        write_bundle(&job.bundle, &self.bundle(certificate))?;
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
            job.bundle.display()
        );
        let object = json!({
            "cid": cid.to_string(),
            "piece_root": statement.piece_root,
            "piece_bytes": bytes,
            "profile": profile.name(),
            "signed": signed,
            "slots": profile.n,
            "failed": failed,
            "bundle": job.bundle,
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

/// Writes a proof in one step: temp, sync, rename.
fn write_bundle(path: &Path, bundle: &Bundle) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || {
        let mut file = holdfast_store::shared_temp_in(folder)?;
        file.write_all(&bundle.to_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        std::fs::File::open(folder)?.sync_all()
    };
    write().map_err(|error| Failure::local(format_args!("could not write {}", path.display()), &error))
}
