//! `cargo xtask quick`: what to run before a commit.

use std::time::{Duration, Instant};

use crate::steps::{self, Step, seconds};
use crate::workspace::Workspace;

/// What a run may take once dependencies are built; people stop using what is slower.
const EXPECTED_MAX: Duration = Duration::from_secs(180);

/// A cold build of all dependencies on two cores, with room.
const STEP_LIMIT: Duration = Duration::from_secs(1200);

/// Runs all steps and says whether they passed.
pub(crate) fn run(workspace: &Workspace) -> bool {
    let cargo = |name, args: &[&str]| Step::task(name, workspace.cargo(args, STEP_LIMIT));
    let started = Instant::now();
    let passed = steps::run(vec![
        cargo("fmt", &["fmt", "--all", "--check"]),
        cargo("clippy", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
        cargo("tests", &["test", "--workspace", "--lib"]),
        cargo("api", &["test", "-p", "holdfast-api", "-p", "holdfast-server", "--test", "it"]),
    ]);
    if started.elapsed() > EXPECTED_MAX {
        eprintln!(
            "\nwarning: this took longer than {}; if it does so with everything built, move slow tests to `tests/`",
            seconds(EXPECTED_MAX)
        );
    }
    passed
}
