//! `put FILE…`: store pieces and write a proof for each.

use std::path::{Path, PathBuf};

use futures::{StreamExt, stream};
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
use holdfast_store::import::ImportProfile;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::dialer;
use crate::args::{Common, PutArgs, WaitFor};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings;

mod key;
mod prepare;
pub(super) mod target;

use key::KeyFile;
use prepare::{Prepared, prepare};
use target::Target;

/// Bytes of a piece that is stored while others are. A larger one keeps links and disks busy by itself.
const SMALL_BYTES_MAX: u64 = 256 << 10;
/// Small pieces stored at once: half the puts that a provider takes at a time.
const SMALL_PUTS_MAX: usize = 32;

/// One thing to store, and where its proof goes.
struct Job {
    source: PathBuf,
    is_car: bool,
    bundle: PathBuf,
    /// Where the key goes, if it shall be private.
    key: Option<PathBuf>,
}

impl Job {
    fn is_stdin(&self) -> bool {
        self.source == Path::new("-")
    }
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
    output.note(match (args.encrypt, jobs.len()) {
        (false, 1) => "this piece is public: whoever knows its CID can read it",
        (false, _) => "these pieces are public: whoever knows their CIDs can read them",
        (true, 1) => "this piece is private: whoever has its key can read it, and nobody can without; keep the key",
        (true, _) => "these pieces are private: whoever has a key can read its piece, and nobody can without; keep the keys",
    });
    let net = dialer().await?;
    let put = Put {
        net: &net,
        network: &network,
        profile,
        wait: args.wait,
        import: args.profile,
        output,
        preparing: Mutex::new(()),
    };
    let stores = jobs.iter().zip(targets).map(|(job, target)| put.store(job, target));
    let mut stores = stream::iter(stores).buffered(SMALL_PUTS_MAX);
    let (mut texts, mut objects) = (Vec::new(), Vec::new());
    let mut failure = None;
    // In the order of the command line, whichever is done first. One that fails does not take the others with it; the
    // first failure is the command's.
    for job in &jobs {
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

fn jobs(args: &PutArgs) -> Result<Vec<Job>, Failure> {
    let (sources, is_car) = match &args.car {
        Some(car) => (vec![car.clone()], true),
        None => (args.files.clone(), false),
    };
    let several = sources.len() > 1;
    let mut jobs = Vec::new();
    for source in sources {
        let bundle = PROOF.place(args.bundle.as_deref(), &source, several)?;
        let key = match args.encrypt {
            true => Some(KEY.place(args.key_file.as_deref(), &source, several)?),
            false => None,
        };
        if let Some(key) = &key {
            key::check(key, &bundle)?;
        }
        jobs.push(Job { source, is_car, bundle, key });
    }
    target::check_outside(&jobs)?;
    Ok(jobs)
}

/// A file that is written for every source.
struct Companion {
    what: &'static str,
    /// The option that says where it goes.
    option: &'static str,
    /// What its name adds to that of the source.
    suffix: &'static str,
    /// Name of failures about its place.
    reason: &'static str,
}

const PROOF: Companion =
    Companion { what: "proof", option: "--bundle", suffix: ".proof", reason: "put.bundle" };
const KEY: Companion =
    Companion { what: "key", option: "--key-file", suffix: ".key", reason: "put.key_file" };

impl Companion {
    /// Where it goes: as the option says, or beside the source.
    fn place(&self, named: Option<&Path>, source: &Path, several: bool) -> Result<PathBuf, Failure> {
        let Self { what, option, suffix, reason } = *self;
        let usage = |message: String| Failure::new(Exit::Usage, reason, message);
        match named {
            Some(_) if several => Err(usage(format!(
                "{option} names one {what}, but there are several files; leave it out to get FILE{suffix} for each"
            ))),
            Some(path) => Ok(path.to_owned()),
            None if source == Path::new("-") => {
                Err(usage(format!("standard input has no name: say where the {what} goes with {option} OUT")))
            }
            None => beside(source, suffix)?.ok_or_else(|| {
                usage(format!(
                    "{} has no name: say where the {what} goes with {option} OUT",
                    source.display()
                ))
            }),
        }
    }
}

/// `FILE.proof` or `FILE.key`, beside the file, also for a folder that is named as `.` or `..`; none for `/`.
fn beside(source: &Path, suffix: &str) -> Result<Option<PathBuf>, Failure> {
    let named = if source.file_name().is_some() {
        source.to_owned()
    } else {
        std::fs::canonicalize(source).map_err(|error| {
            let message = format!("could not read {}: {error}", source.display());
            Failure::new(Exit::of_file(&error), "file.missing", message)
        })?
    };
    Ok(named.file_name().map(|name| {
        let mut name = name.to_owned();
        name.push(suffix);
        named.with_file_name(name)
    }))
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

struct Put<'a> {
    net: &'a Net,
    network: &'a Network,
    profile: Profile,
    wait: WaitFor,
    import: ImportProfile,
    output: &'a Output,
    /// Held while a piece is prepared, and while a large one is stored.
    preparing: Mutex<()>,
}

struct Stored {
    text: String,
    object: Value,
    /// Why slots gave no receipt, one line each.
    failed: Vec<String>,
    /// Set if the proof was written but fewer slots signed than asked.
    partial: Option<Failure>,
}

impl Put<'_> {
    async fn store(&self, job: &Job, target: Target) -> Result<Stored, Failure> {
        let Self { net, network, profile, wait, output, .. } = self;
        let preparing = self.preparing.lock().await;
        let Prepared { plan, key, spool: _spool } = prepare(job, self.import, output).await?;
        // Others are stored beside a small piece; nothing new begins beside a large one.
        let _alone = (plan.piece_bytes() > SMALL_BYTES_MAX).then_some(preparing);
        // On disk before anything is sent, and out of memory from here on.
        let key_file = match (&job.key, key) {
            (Some(path), Some(key)) => Some(KeyFile::write(&key, path)?),
            _ => None,
        };
        let (cid, bytes) = (plan.root(), plan.piece_bytes());
        let wait_for = match wait {
            WaitFor::Quorum => Wait::Quorum,
            WaitFor::All => Wait::All,
        };
        let progress = output.progress("storing", Some(bytes * u64::from(profile.n)));
        let count = |Progress::Sent(_, bytes)| {
            key_file.as_ref().inspect(|key_file| key_file.keep());
            progress.add(bytes);
        };
        let outcome = put::put(net, network, plan, *profile, wait_for, count).await?;
        drop(progress);
        let Some(certificate) = &outcome.certificate else {
            return Err(self.not_certified(&outcome, key_file.as_ref()));
        };
        key_file.as_ref().inspect(|key_file| key_file.keep());

        let path = target.path().to_owned();
        target.write(&self.bundle(job, certificate)).map_err(|failure| {
            // What was won is not lost with the disk.
            let text = certificate.certificate().to_text();
            let message = format!("{}; {cid} is certified all the same: {text}", failure.message);
            Failure { message, ..failure }
        })?;
        ask::give(net, network, certificate).await;
        let signed = certificate.signers().count();
        let failed = self.describe_failures(&outcome);
        let partial = (*wait == WaitFor::All && signed < profile.n).then(|| {
            let todo = match key_file {
                None => "run the same put again",
                Some(_) => "fetch it without --key, and put what you get as it is",
            };
            let message = format!(
                "{signed} of {} slots signed and the proof is written, but --wait all asks for all; {todo}",
                profile.n
            );
            Failure::new(Exit::Partial, "put.partial", message)
        });
        let statement = certificate.statement();
        let key = key_file.as_ref().map(KeyFile::path);
        let with_key = key.map(|key| format!(", key in {}", key.display())).unwrap_or_default();
        let text = format!(
            "stored {bytes} bytes, certified by {signed} of {} slots, proof in {}{with_key}: {cid}",
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
            "failed": &failed,
            "bundle": path,
            "certificate": certificate.certificate().to_text(),
            "public": key.is_none(),
            "key": key,
        });
        Ok(Stored { text, object, failed, partial })
    }

    fn bundle(&self, job: &Job, certificate: &ValidCertificate) -> Bundle {
        Bundle {
            genesis: self.network.genesis.clone(),
            proofs: self.network.proofs.clone(),
            certificate: certificate.certificate().clone(),
            committee: self.network.committee.record().clone(),
            committee_proof: None,
            headers: Bounded::new(vec![]).expect("no headers"),
            import_profile: (!job.is_car).then(|| Text::new(self.import.name).expect("names are short")),
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

    fn not_certified(&self, outcome: &Outcome, key_file: Option<&KeyFile>) -> Failure {
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
}
