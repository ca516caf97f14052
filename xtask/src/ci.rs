//! `cargo xtask ci`: everything that must hold, cheapest first.
//!
//! 1. What needs only sources: tools, format, lints, documentation, licences, tests, a slice of fuzzing.
//! 2. What needs the release binary: interop, the offline check, the demo, a slice of soaking.

mod demo;
mod interop;
mod licences;
mod offline;
mod tools;

use std::time::Duration;

use crate::child::Task;
use crate::fuzz::{self, Plan};
use crate::soak;
use crate::steps::{self, Step};
use crate::workspace::Workspace;

/// The steps, in order.
pub(crate) const NAMES: [&str; 12] = [
    "tools", "fmt", "clippy", "doc", "licences", "tests", "fuzz", "release", "interop", "offline", "demo",
    "soak",
];

/// Formatting touches no dependency.
const FORMAT_LIMIT: Duration = Duration::from_secs(120);

/// A cold build of everything on two cores, twice over.
const BUILD_LIMIT: Duration = Duration::from_secs(3600);

/// What each fuzz target gets: enough for the faults that any change brings, not for those that take luck.
const FUZZ_SECONDS: u64 = 2;

/// How long a network is soaked: enough for every kind of trouble to come up once or twice.
const SOAK: Duration = Duration::from_secs(40);

/// Runs the steps named in `only`, or all of them if it is empty, and says whether they passed.
pub(crate) fn run(workspace: &Workspace, only: &[String]) -> bool {
    let mut steps: Vec<_> = NAMES.iter().map(|name| step(workspace, name)).collect();
    if !only.is_empty() {
        steps.retain(|step| only.iter().any(|name| name == step.name()));
    }
    steps::run(steps)
}

fn step<'a>(workspace: &'a Workspace, name: &'static str) -> Step<'a> {
    let cargo = |args: &[&str]| workspace.cargo(args, BUILD_LIMIT);
    let alone = format!("cargo xtask ci --only {name}");
    match name {
        "tools" => Step::new(name, alone, || tools::install(workspace)),
        "fmt" => {
            let format = |args: &[&str]| workspace.cargo(args, FORMAT_LIMIT);
            let fuzz = format(&["fmt", "--manifest-path", fuzz::MANIFEST, "--check"]);
            both(name, format(&["fmt", "--all", "--check"]), fuzz)
        }
        "clippy" => both(
            name,
            cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
            cargo(&["clippy", "--manifest-path", fuzz::MANIFEST, "--locked", "--", "-D", "warnings"])
                .env("CARGO_TARGET_DIR", workspace.fuzzing()),
        ),
        "doc" => Step::task(name, documentation(workspace)),
        "licences" => Step::new(name, alone, licences::check),
        "tests" => Step::task(name, cargo(&["test", "--workspace", "--locked"])),
        "fuzz" => Step::new(name, alone, || {
            fuzz::run(workspace, &Plan { seconds: FUZZ_SECONDS, targets: &[], locked: true })
        }),
        "release" => {
            Step::task(name, cargo(&["build", "--release", "--workspace", "--exclude", "xtask", "--locked"]))
        }
        "interop" => Step::new(name, alone, || interop::check(workspace)),
        "offline" => Step::new(name, alone, || offline::check(workspace)),
        "demo" => Step::new(name, alone, || demo::check(workspace)),
        "soak" => Step::new(name, "cargo xtask soak".into(), || {
            soak::run(workspace, &soak::Plan { duration: SOAK, seed: soak::any_seed() })
        }),
        _ => unreachable!("every name in NAMES has a step"),
    }
}

/// A step of two commands: one for what ships, one for the workspace of the fuzz targets.
fn both(name: &'static str, ours: Task, fuzz: Task) -> Step<'static> {
    Step::new(name, format!("{ours} && {fuzz}"), || ours.run().and_then(|()| fuzz.run()))
}

fn documentation(workspace: &Workspace) -> Task {
    workspace
        .cargo(&["doc", "--workspace", "--no-deps", "--locked"], BUILD_LIMIT)
        .env("RUSTDOCFLAGS", "-D warnings")
}
