//! `holdfast demo` shows the main job and leaves nothing behind.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::sandbox::{Processes, Sandbox};
use crate::workspace::Workspace;

/// The demo means to take seconds; a loaded machine gets more.
const LIMIT: Duration = Duration::from_secs(180);

/// Runs the demo and looks for what stayed.
///
/// # Errors
/// If it does not exit with 0, or leaves a process of ours or anything in its temporary folder.
pub(super) fn check(workspace: &Workspace) -> Result<()> {
    let sandbox = Sandbox::new(workspace.binary()?)?;
    let before = Processes::running(sandbox.binary())?;
    let file = workspace.source("LICENSE-MIT");
    let demo = sandbox.holdfast(LIMIT).args(["demo".as_ref(), file.as_os_str()]);
    demo.output()?.expect_exit(0, "the demo")?;

    let left = Processes::running(sandbox.binary())?.without(&before);
    ensure!(left.is_empty(), "the demo left processes running: {left}");
    let entries = fs::read_dir(sandbox.temporary())?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>>>()?;
    ensure!(entries.is_empty(), "the demo left files in its temporary folder: {}", entries.join(", "));
    Ok(())
}
