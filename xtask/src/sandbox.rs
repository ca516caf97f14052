//! A place for our own binary to run in: its own home, its own temporary folder, nothing from outside.
//!
//! When the sandbox goes, it kills what still runs in it and removes its files.

mod network;
mod processes;

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result};
use tempfile::TempDir;

pub(crate) use self::network::Network;
pub(crate) use self::processes::Processes;
use crate::child::Task;

/// Variables with these beginnings would let the developer's own configuration in.
const FOREIGN_VARIABLES: [&str; 2] = ["HOLDFAST_", "XDG_"];

/// A folder, and the binary that runs there.
pub(crate) struct Sandbox {
    folder: TempDir,
    binary: PathBuf,
}

impl Sandbox {
    /// An empty sandbox for `binary`.
    pub(crate) fn new(binary: PathBuf) -> Result<Self> {
        let binary = binary.canonicalize().with_context(|| format!("no {}", binary.display()))?;
        // In the system's temporary folder, for its path is short, and that of a Unix socket must be.
        let folder = tempfile::Builder::new().prefix("holdfast-ci-").tempdir()?;
        let sandbox = Self { folder, binary };
        for name in ["home", "tmp"] {
            sandbox.folder(name)?;
        }
        Ok(sandbox)
    }

    /// The binary.
    pub(crate) fn binary(&self) -> &Path {
        &self.binary
    }

    /// What `TMPDIR` says in here.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.folder.path().join("tmp")
    }

    /// Makes a folder in the sandbox.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        fs::create_dir(&path).with_context(|| format!("could not make {}", path.display()))?;
        Ok(path)
    }

    /// A run of our binary in here; arguments are still to come.
    pub(crate) fn holdfast(&self, limit: Duration) -> Task {
        self.confine(Task::new(&self.binary, limit))
    }

    /// Gives a task the sandbox's home, temporary folder and working folder.
    pub(crate) fn confine(&self, task: Task) -> Task {
        let foreign = env::vars_os()
            .map(|(key, _)| key)
            .filter(|key| FOREIGN_VARIABLES.iter().any(|begin| key.to_string_lossy().starts_with(begin)));
        foreign
            .fold(task, Task::env_remove)
            .env("HOME", self.folder.path().join("home"))
            .env("TMPDIR", self.temporary())
            .folder(self.folder.path())
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Its files go with the field `folder`.
        if let Ok(processes) = Processes::running(&self.binary) {
            processes.kill_those_with(self.folder.path());
        }
    }
}
