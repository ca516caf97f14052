//! `cargo xtask ci`: everything that must hold, cheapest first.
//!
//! 1. What needs only sources: tools, format, lints, documentation, licences, tests.
//! 2. What needs the release binary: interop, the offline check, the demo.

mod demo;
mod interop;
mod licences;
mod offline;
mod tools;

use std::time::Duration;

use crate::child::Task;
use crate::steps::{self, Step};
use crate::workspace::Workspace;

/// The steps, in order.
pub(crate) const NAMES: [&str; 10] =
    ["tools", "fmt", "clippy", "doc", "licences", "tests", "release", "interop", "offline", "demo"];

/// Formatting touches no dependency.
const FORMAT_LIMIT: Duration = Duration::from_secs(120);

/// A cold build of everything on two cores, twice over.
const BUILD_LIMIT: Duration = Duration::from_secs(3600);

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
        "fmt" => Step::task(name, workspace.cargo(&["fmt", "--all", "--check"], FORMAT_LIMIT)),
        "clippy" => Step::task(
            name,
            cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
        ),
        "doc" => Step::task(name, documentation(workspace)),
        "licences" => Step::new(name, alone, licences::check),
        "tests" => Step::task(name, cargo(&["test", "--workspace", "--locked"])),
        "release" => {
            Step::task(name, cargo(&["build", "--release", "--workspace", "--exclude", "xtask", "--locked"]))
        }
        "interop" => Step::new(name, alone, || interop::check(workspace)),
        "offline" => Step::new(name, alone, || offline::check(workspace)),
        "demo" => Step::new(name, alone, || demo::check(workspace)),
        _ => unreachable!("every name in NAMES has a step"),
    }
}

fn documentation(workspace: &Workspace) -> Task {
    workspace
        .cargo(&["doc", "--workspace", "--no-deps", "--locked"], BUILD_LIMIT)
        .env("RUSTDOCFLAGS", "-D warnings")
}
