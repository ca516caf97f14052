//! `cargo xtask fuzz`: builds the fuzz targets, plants their seeds, and runs them one after another.
//!
//! The stable compiler can count the branches taken; what steers by those counts is libFuzzer, which needs a C++
//! compiler and no other tool. All that comes of it lies under `target/fuzz`: builds, corpora, artifacts.

mod outcome;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use self::outcome::Outcome;
use crate::child::Task;
use crate::workspace::Workspace;

/// Describes the targets, from the root of the sources.
pub(crate) const MANIFEST: &str = "fuzz/Cargo.toml";

/// Counts branches and comparisons, as libFuzzer reads them. Without a sanitizer: what is fuzzed has no unsafe
/// code of ours, and sanitizers need an unstable compiler.
const FLAGS: [&str; 6] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// What every target is run with: seconds and bytes for one input, and megabytes for all that the process
/// holds. What one input may allocate is bounded by the targets themselves.
const LIMITS: [&str; 3] = ["-timeout=10", "-max_len=65536", "-rss_limit_mb=1024"];

/// A program that says its version.
const PROBE_LIMIT: Duration = Duration::from_secs(60);

/// A cold build of the targets and all below them on two busy cores.
const BUILD_LIMIT: Duration = Duration::from_secs(1800);

/// Seeds are few and small.
const SEEDS_LIMIT: Duration = Duration::from_secs(60);

/// Beyond its time, a target may first read a large corpus, and report a finding.
const GRACE: Duration = Duration::from_secs(600);

/// The program that writes seeds, beside the targets.
const SEEDS: &str = "seeds";

/// Files in memory, where there are any: the targets that write files do little else.
const MEMORY_FOLDER: &str = "/dev/shm";

/// What to run.
pub(crate) struct Plan<'a> {
    /// How long each target runs.
    pub(crate) seconds: u64,
    /// Names of targets; all if empty.
    pub(crate) targets: &'a [String],
    /// Whether `fuzz/Cargo.lock` must be up to date.
    pub(crate) locked: bool,
}

/// Runs the targets, and prints a line for each.
///
/// # Errors
/// At the first finding, with the command that shows it again.
pub(crate) fn run(workspace: &Workspace, plan: &Plan<'_>) -> Result<()> {
    let fuzzing = Fuzzing::new(workspace)?;
    let targets = fuzzing.choose(plan.targets)?;
    fuzzing.build(&targets, plan.locked)?;
    Task::new(fuzzing.binary(SEEDS), SEEDS_LIMIT).args([fuzzing.corpora()]).run()?;
    for target in &targets {
        fuzzing.fuzz(target, plan.seconds)?;
    }
    Ok(())
}

/// Names of all targets: what is in `fuzz/src/bin`.
///
/// # Errors
/// If the folder cannot be read.
fn targets(workspace: &Workspace) -> Result<Vec<String>> {
    let folder = workspace.source("fuzz/src/bin");
    let entries = fs::read_dir(&folder).with_context(|| format!("could not read {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.retain(|name| name != SEEDS);
    names.sort_unstable();
    Ok(names)
}

/// Where the fuzz targets lie, and what they are built for.
struct Fuzzing<'a> {
    workspace: &'a Workspace,
    folder: PathBuf,
    host: String,
}

impl<'a> Fuzzing<'a> {
    fn new(workspace: &'a Workspace) -> Result<Self> {
        let compiler = env::var_os("CXX").unwrap_or_else(|| OsString::from("c++"));
        let found = Task::new(&compiler, PROBE_LIMIT).args(["--version"]).output();
        ensure!(
            found.is_ok_and(|output| output.status.success()),
            "no C++ compiler {:?}, which libFuzzer needs\ninstall with: apt-get install g++",
            compiler.to_string_lossy()
        );
        let version = Task::new("rustc", PROBE_LIMIT).args(["-vV"]).output()?.expect_exit(0, "rustc -vV")?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        let host = host.context("`rustc -vV` names no host")?.to_owned();
        Ok(Self { workspace, folder: workspace.fuzzing(), host })
    }

    fn choose(&self, names: &[String]) -> Result<Vec<String>> {
        let known = targets(self.workspace)?;
        if let Some(name) = names.iter().find(|name| !known.contains(name)) {
            bail!("there is no target {name:?}; there are {}", known.join(", "));
        }
        Ok(if names.is_empty() { known } else { names.to_vec() })
    }

    fn build(&self, targets: &[String], locked: bool) -> Result<()> {
        let names = targets.iter().map(String::as_str).chain([SEEDS]);
        // With a target triple, flags are for what runs there, and not for build scripts and macros.
        self.workspace
            .cargo(&["build", "--release", "--manifest-path", MANIFEST, "--target", &self.host], BUILD_LIMIT)
            .args(locked.then_some("--locked"))
            .args(names.flat_map(|name| ["--bin", name]))
            .env("CARGO_TARGET_DIR", &self.folder)
            .env("RUSTFLAGS", FLAGS.join(" "))
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .run()
    }

    fn fuzz(&self, target: &str, seconds: u64) -> Result<()> {
        let (corpus, artifacts) = (self.corpora().join(target), self.folder.join("artifacts").join(target));
        for folder in [&corpus, &artifacts] {
            fs::create_dir_all(folder).with_context(|| format!("could not make {}", folder.display()))?;
        }
        let temporary =
            if Path::new(MEMORY_FOLDER).is_dir() { MEMORY_FOLDER.into() } else { env::temp_dir() };
        let temporary = tempfile::Builder::new().prefix("holdfast-fuzz-").tempdir_in(temporary)?;
        let output = Task::new(self.binary(target), Duration::from_secs(seconds) + GRACE)
            .args(LIMITS)
            .args([
                format!("-max_total_time={seconds}"),
                format!("-artifact_prefix={}/", artifacts.display()),
            ])
            .args([&corpus])
            .env("TMPDIR", temporary.path())
            .env("RUST_BACKTRACE", "0")
            .output()?;
        match Outcome::of(&output.stderr, output.status.success()) {
            Outcome::Passed(figures) => {
                eprintln!("    {target:<12} {figures}");
                Ok(())
            }
            Outcome::Finding { artifact, report } => {
                let replay = Task::new(self.binary(target), GRACE).args(LIMITS).args([&artifact]);
                bail!("target {target} found something in {artifact}\nshow it again with: {replay}\n{report}")
            }
            Outcome::Broken => {
                bail!("target {target} ended with {} and no finding:\n{}", output.status, output.stderr)
            }
        }
    }

    fn corpora(&self) -> PathBuf {
        self.folder.join("corpus")
    }

    fn binary(&self, name: &str) -> PathBuf {
        self.folder.join(&self.host).join("release").join(name)
    }
}
