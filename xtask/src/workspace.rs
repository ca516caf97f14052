//! What Cargo says about this workspace.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::child::Task;

/// Cargo may first have to download every dependency.
const METADATA_LIMIT: Duration = Duration::from_secs(600);

/// Where sources are, and where builds go.
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// The workspace around the current folder.
    pub(crate) fn find() -> Result<Self> {
        let metadata = metadata(&["--no-deps"])?;
        let path = |field: &str| {
            let path = metadata[field].as_str().with_context(|| format!("cargo metadata has no {field}"))?;
            Ok::<_, anyhow::Error>(PathBuf::from(path))
        };
        Ok(Self { root: path("workspace_root")?, target: path("target_directory")? })
    }

    /// A file or folder of the sources.
    pub(crate) fn source(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// The folder of the sources.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where tools are installed: a folder that `cargo clean` removes.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// Where fuzz targets are built and run, apart from all other builds.
    pub(crate) fn fuzzing(&self) -> PathBuf {
        self.target.join("fuzz")
    }

    /// Where logs of a soak that failed are kept.
    pub(crate) fn soaked(&self) -> PathBuf {
        self.target.join("soak")
    }

    /// The release build of `holdfast`.
    ///
    /// # Errors
    /// If it has not been built.
    pub(crate) fn binary(&self) -> Result<PathBuf> {
        let binary = self.target.join("release/holdfast");
        ensure!(binary.is_file(), "{} is missing: run `cargo xtask ci --only release`", binary.display());
        Ok(binary)
    }

    /// A Cargo command in this workspace.
    pub(crate) fn cargo(&self, args: &[&str], limit: Duration) -> Task {
        Task::new("cargo", limit).args(args).folder(&self.root)
    }
}

/// `cargo metadata`, with more arguments.
pub(crate) fn metadata(args: &[&str]) -> Result<Value> {
    let output =
        Task::new("cargo", METADATA_LIMIT).args(["metadata", "--format-version", "1"]).args(args).output()?;
    if !output.status.success() {
        bail!("cargo metadata ended with {}:\n{}", output.status, output.stderr);
    }
    serde_json::from_str(&output.stdout).context("cargo metadata did not print JSON")
}
