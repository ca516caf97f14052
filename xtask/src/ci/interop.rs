//! Other people's libraries agree with us: `interop/run.py` runs them against the release binary.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::tools;
use crate::child::Task;
use crate::sandbox::Sandbox;
use crate::workspace::Workspace;

/// Pairings in pure Python take seconds each, and flips check many bundles.
const LIMIT: Duration = Duration::from_secs(1800);

/// Runs the script in a sandbox.
///
/// # Errors
/// If tools or the binary are missing, or the script does not exit with 0.
pub(super) fn check(workspace: &Workspace) -> Result<()> {
    let (python, node) = (tools::python(workspace), tools::node(workspace));
    ensure!(
        python.is_file() && node.is_file(),
        "Python or Node is not installed: run `cargo xtask ci --only tools`"
    );
    let sandbox = Sandbox::new(workspace.binary()?)?;
    let script = Task::new(python, LIMIT)
        .args([workspace.source("interop/run.py")])
        .args(["--holdfast".as_ref(), sandbox.binary().as_os_str()])
        .args(["--node".as_ref(), node.as_os_str()]);
    sandbox.confine(script).folder(workspace.root()).run()
}
