//! A small network in a sandbox. It goes down with its guard.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Sandbox;
use crate::child::Task;

/// Four nodes start and find each other in seconds; a loaded machine gets more.
const UP_LIMIT: Duration = Duration::from_secs(120);

/// A few MiB, four times over, on local disks.
const PUT_LIMIT: Duration = Duration::from_secs(120);

/// Nodes close their stores.
const DOWN_LIMIT: Duration = Duration::from_secs(60);

/// One question to local files and processes.
const STATUS_LIMIT: Duration = Duration::from_secs(30);

/// A running network of four nodes.
pub(crate) struct Network<'a> {
    sandbox: &'a Sandbox,
    folder: PathBuf,
    is_up: bool,
}

impl<'a> Network<'a> {
    /// Starts a network.
    pub(crate) fn up(sandbox: &'a Sandbox) -> Result<Self> {
        // The guard comes first: a network that comes up in part goes down as well.
        let network = Self { sandbox, folder: sandbox.folder("net")?, is_up: true };
        network.net("up", UP_LIMIT).args(["--nodes", "4"]).output()?.expect_exit(0, "net up")?;
        Ok(network)
    }

    /// Stores `file` and writes its bundle.
    pub(crate) fn put(&self, file: &Path, bundle: &Path) -> Result<()> {
        self.sandbox
            .holdfast(PUT_LIMIT)
            .args(["put".as_ref(), file.as_os_str(), "--bundle".as_ref(), bundle.as_os_str()])
            .env("HOLDFAST_NETWORK", &self.folder)
            .output()?
            .expect_exit(0, "put")
            .map(drop)
    }

    /// The network id, in its text form.
    pub(crate) fn id(&self) -> Result<String> {
        let text =
            self.net("status", STATUS_LIMIT).args(["--json"]).output()?.expect_exit(0, "net status")?;
        let status: Value = serde_json::from_str(&text).context("net status did not print JSON")?;
        let id = status["network"].as_str().context("net status has no text field `network`")?;
        Ok(id.to_owned())
    }

    /// Stops the network.
    pub(crate) fn down(mut self) -> Result<()> {
        self.is_up = false;
        self.net("down", DOWN_LIMIT).despite_interrupt().output()?.expect_exit(0, "net down").map(drop)
    }

    fn net(&self, verb: &str, limit: Duration) -> Task {
        self.sandbox.holdfast(limit).args(["net", verb, "--dir"]).args([&self.folder])
    }
}

impl Drop for Network<'_> {
    fn drop(&mut self) {
        if self.is_up {
            // After a failure that is already on its way up. What stays running, the sandbox kills.
            let _ = self.net("down", DOWN_LIMIT).despite_interrupt().output();
        }
    }
}
