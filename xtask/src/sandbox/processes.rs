//! Which processes run a given binary, by what Linux says in `/proc`.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::{fmt, fs};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

/// Processes that run one binary.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Processes(BTreeSet<i32>);

impl Processes {
    /// Who runs `binary` (an absolute path without links) now. Zombies run nothing.
    pub(crate) fn running(binary: &Path) -> Result<Self> {
        let mut found = BTreeSet::new();
        for entry in fs::read_dir("/proc").context("could not list /proc")? {
            // What is not a number is no process; what has no executable is gone, or not ours to see.
            let Some(id) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let Ok(executable) = fs::read_link(format!("/proc/{id}/exe")) else { continue };
            if executable == binary {
                found.insert(id);
            }
        }
        Ok(Self(found))
    }

    /// These but for `others`.
    pub(crate) fn without(&self, others: &Self) -> Self {
        Self(self.0.difference(&others.0).copied().collect())
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Kills those whose environment or command line names `folder`: they were started in it.
    pub(crate) fn kill_those_with(&self, folder: &Path) {
        let folder = folder.as_os_str().as_bytes();
        let names_folder = |id: i32, file: &str| {
            fs::read(format!("/proc/{id}/{file}"))
                .is_ok_and(|content| content.windows(folder.len()).any(|window| window == folder))
        };
        for &id in &self.0 {
            if (names_folder(id, "environ") || names_folder(id, "cmdline"))
                && let Some(process) = Pid::from_raw(id)
            {
                // An error says that it is gone.
                let _ = kill_process(process, Signal::KILL);
            }
        }
    }
}

/// Their ids.
impl fmt::Display for Processes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<String> = self.0.iter().map(i32::to_string).collect();
        f.write_str(&ids.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::{Child, Command};
    use std::time::{Duration, Instant};
    use std::{env, thread};

    use super::*;

    /// A binary that others may run as well.
    fn sleep() -> PathBuf {
        env::split_paths(&env::var_os("PATH").unwrap())
            .map(|folder| folder.join("sleep"))
            .find(|path| path.is_file())
            .and_then(|path| path.canonicalize().ok())
            .unwrap()
    }

    fn start(folder: &Path) -> (Child, i32) {
        let child = Command::new("sleep").arg("60").env("TMPDIR", folder).spawn().unwrap();
        let id = child.id().try_into().unwrap();
        (child, id)
    }

    #[test]
    fn only_those_started_in_the_folder_are_killed() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let ((mut ours, our_id), (mut theirs, their_id)) = (start(folder.path()), start(other.path()));

        // A child counts from its `exec` on.
        let started = Instant::now();
        let mut running = Processes::running(&sleep()).unwrap();
        while !(running.0.contains(&our_id) && running.0.contains(&their_id)) {
            assert!(started.elapsed() < Duration::from_secs(10), "no child in {running}");
            thread::sleep(Duration::from_millis(5));
            running = Processes::running(&sleep()).unwrap();
        }
        running.kill_those_with(folder.path());
        ours.wait().unwrap();
        let left = Processes::running(&sleep()).unwrap();
        theirs.kill().unwrap();
        theirs.wait().unwrap();

        assert!(left.0.contains(&their_id));
        assert!(!left.0.contains(&our_id));
        assert!(running.without(&left).0.contains(&our_id));
        assert!(left.without(&left).is_empty());
    }
}
