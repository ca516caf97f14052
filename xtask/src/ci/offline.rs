//! A bundle needs nobody's help to be checked: not the network's, not a configuration's.
//!
//! A small network certifies a file and goes down. Then `holdfast verify` runs with an empty home in a
//! network namespace that has no interface up, not even loopback. It must accept the bundle, and refuse it
//! once a single bit is turned over.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::child::Task;
use crate::sandbox::{Network, Sandbox};
use crate::workspace::Workspace;

/// One pairing check takes milliseconds.
const VERIFY_LIMIT: Duration = Duration::from_secs(60);

/// Three leaves of 1 MiB and an odd rest.
const FILE_BYTES: usize = (3 << 20) + 17;

/// `verify`: the bundle holds.
const EXIT_VALID: i32 = 0;

/// `verify`: a check failed.
const EXIT_INVALID: i32 = 6;

/// Ways to lose the network: as root, or as root of a user namespace of our own.
const NAMESPACES: [&[&str]; 2] = [&["--net"], &["--user", "--map-root-user", "--net"]];

/// Makes a bundle, takes the network away, and verifies.
///
/// # Errors
/// If any command does not exit as it should, or the system grants no namespace.
pub(super) fn check(workspace: &Workspace) -> Result<()> {
    let namespace = namespace()?;
    let sandbox = Sandbox::new(workspace.binary()?)?;
    let file = sandbox.folder("owner")?.join("file");
    fs::write(&file, content())?;

    let network = Network::up(&sandbox)?;
    let bundle = file.with_extension("proof");
    network.put(&file, &bundle)?;
    let id = network.id()?;
    network.down()?;

    let verify = |bundle: &Path, home: &str, code: i32, what: &str| {
        let home = sandbox.folder(home)?;
        let task = Task::new("unshare", VERIFY_LIMIT)
            .args(namespace)
            .args([sandbox.binary(), "verify".as_ref(), bundle])
            .args(["--network-id", &id]);
        sandbox.confine(task).env("HOME", &home).folder(&home).output()?.expect_exit(code, what)
    };
    verify(&bundle, "auditor", EXIT_VALID, "verifying the bundle offline")?;

    let flipped = file.with_extension("flipped");
    fs::write(&flipped, flip(fs::read(&bundle)?)?)?;
    verify(&flipped, "second-auditor", EXIT_INVALID, "verifying a flipped bundle offline").map(drop)
}

/// The first way to lose the network that this system grants.
fn namespace() -> Result<&'static [&'static str]> {
    let mut refusals = String::new();
    for arguments in NAMESPACES {
        let output = Task::new("unshare", VERIFY_LIMIT).args(arguments).args(["true"]).output()?;
        if output.status.success() {
            return Ok(arguments);
        }
        refusals.push_str(&output.stderr);
    }
    bail!("this needs root or user namespaces, and the system refuses both:\n{refusals}")
}

/// Bytes that differ from leaf to leaf.
fn content() -> Vec<u8> {
    (0u32..).flat_map(u32::to_be_bytes).take(FILE_BYTES).collect()
}

/// Turns over a bit in the middle, well within the certified body.
fn flip(mut bundle: Vec<u8>) -> Result<Vec<u8>> {
    let middle = bundle.len() / 2;
    *bundle.get_mut(middle).context("the bundle is empty")? ^= 1;
    Ok(bundle)
}
