//! Whether everything that was acknowledged is there, and proofs, stores and the ledger are sound.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, bail, ensure};

use super::chains;
use super::clients::{LIMIT, last_line};
use super::dice::content;
use super::field::Field;
use super::record::{Acknowledged, Record};
use crate::sandbox::Sandbox;

/// Checks at once.
const THREADS: usize = 3;
/// A whole store of a few GiB is read.
const CHECK_LIMIT: Duration = Duration::from_secs(600);

/// Starts all nodes once more and checks everything.
///
/// # Errors
/// With everything that is lost or wrong.
pub(super) fn run(field: &mut Field<'_>, sandbox: &Sandbox, record: &Record) -> Result<()> {
    field.stop()?;
    field.start()?;
    let pieces = record.acknowledged();
    let network = field.folder().to_owned();
    let next = AtomicUsize::new(0);
    let worker = |number: usize| {
        let mut wrong = Vec::new();
        while let Some(piece) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
            if crate::interrupt::requested() {
                break;
            }
            if let Err(error) = check(number, piece, sandbox, &network) {
                wrong.push(format!("{} of {} bytes: {error:#}", piece.cid, piece.bytes));
            }
            record.count("pieces read back and verified at the end");
        }
        wrong
    };
    let mut wrong = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS).map(|number| scope.spawn(move || worker(number))).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("checks do not panic")).collect::<Vec<_>>()
    });
    let nodes: Vec<_> = (1..=field.nodes()).map(|number| field.node(number)).collect();
    wrong.extend(chains::compare(&nodes, record).err().map(|error| format!("the ledger: {error:#}")));
    field.stop()?;
    wrong.extend(field.look_for_panics().err().map(|error| format!("{error:#}")));
    if field.count_in_logs("the index is damaged")? > 0 {
        wrong.push("an index had to be made again although nothing damaged it".into());
    }
    if field.count_in_logs("a peer sent what no honest node sends")? > 0 {
        wrong.push("a node took another for dishonest".into());
    }
    for number in 1..=field.nodes() {
        let node = field.node(number);
        let task = sandbox.holdfast(CHECK_LIMIT).args(["--json", "node", "check", "--dir"]).args([&node]);
        let output = task.output()?;
        record.count("stores checked");
        if !output.status.success() {
            wrong.push(format!("the store of node {number}: {} {}", output.stdout, last_line(&output)));
        }
    }
    ensure!(!pieces.is_empty(), "nothing was acknowledged, so nothing was shown");
    if !wrong.is_empty() {
        bail!(
            "{} things are wrong; {} pieces were acknowledged:\n{}",
            wrong.len(),
            pieces.len(),
            wrong.join("\n")
        );
    }
    Ok(())
}

fn check(number: usize, piece: &Acknowledged, sandbox: &Sandbox, network: &Path) -> Result<()> {
    let out = sandbox.temporary().join(format!("judge-{number}"));
    let run = |words: &[&std::ffi::OsStr]| {
        sandbox.holdfast(LIMIT).args(["--json"]).args(words).env("HOLDFAST_NETWORK", network).output()
    };
    let get = run(&["get".as_ref(), piece.cid.as_ref(), "-o".as_ref(), out.as_os_str()])?;
    ensure!(get.status.success(), "get ended with {}: {}", get.status, last_line(&get));
    let same = fs::read(&out)? == content(piece.seed, piece.bytes);
    fs::remove_file(&out)?;
    ensure!(same, "it came back as something else");
    let verify = run(&["verify".as_ref(), piece.proof.as_os_str()])?;
    ensure!(verify.status.success(), "verify ended with {}: {}", verify.status, last_line(&verify));
    Ok(())
}
