//! A child process that cannot outlive its time.
//!
//! Each child leads a process group of its own. When its time is over, or somebody asks us to stop, the
//! whole group gets SIGTERM and, after [`GRACE`], SIGKILL. Output that we keep goes through files instead of
//! pipes: a daemon that inherits a pipe would hold its reader for as long as it lives.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::interrupt;

/// From SIGTERM to SIGKILL: enough for a script to take down the network that it started.
const GRACE: Duration = Duration::from_secs(15);

/// Between two looks at a child: short beside every step, long beside a system call.
const POLL: Duration = Duration::from_millis(20);

/// A program to run, its arguments and its time limit.
pub(crate) struct Task {
    command: Command,
    limit: Duration,
    heeds_interrupt: bool,
}

/// What a child left behind.
pub(crate) struct Output {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// Its standard output, with bytes that are not UTF-8 replaced.
    pub(crate) stdout: String,
    /// Its standard error, likewise.
    pub(crate) stderr: String,
}

impl Task {
    /// A program that is killed after `limit`.
    pub(crate) fn new(program: impl AsRef<OsStr>, limit: Duration) -> Self {
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).process_group(0);
        Self { command, limit, heeds_interrupt: true }
    }

    /// Adds arguments.
    pub(crate) fn args(mut self, args: impl IntoIterator<Item: AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Removes an environment variable.
    pub(crate) fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.command.env_remove(key);
        self
    }

    /// Sets the working folder.
    pub(crate) fn folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Runs to the end even though somebody asked us to stop: for cleaning up.
    pub(crate) fn despite_interrupt(mut self) -> Self {
        self.heeds_interrupt = false;
        self
    }

    /// Starts the child and does not wait: whoever asked ends it.
    ///
    /// # Errors
    /// If it does not start.
    pub(crate) fn spawn(mut self) -> Result<Child> {
        self.command.spawn().with_context(|| format!("could not start `{self}`"))
    }

    /// Runs the child with our standard output and error.
    ///
    /// # Errors
    /// If it does not start, does not end in time, or does not exit with 0.
    pub(crate) fn run(mut self) -> Result<()> {
        let status = self.wait()?;
        if !status.success() {
            bail!("`{self}` ended with {status}");
        }
        Ok(())
    }

    /// Runs the child and keeps what it prints, whatever its exit status.
    ///
    /// # Errors
    /// If it does not start or does not end in time.
    pub(crate) fn output(mut self) -> Result<Output> {
        let keep = || tempfile::tempfile().context("could not make a file for the output");
        let (stdout, stderr) = (keep()?, keep()?);
        self.command.stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
        let status = self.wait();
        let (stdout, stderr) = (read(stdout)?, read(stderr)?);
        match status {
            Ok(status) => Ok(Output { status, stdout, stderr }),
            Err(error) => bail!("{error:#}; it had printed:\n{stdout}{stderr}"),
        }
    }

    fn wait(&mut self) -> Result<ExitStatus> {
        let mut child = self.command.spawn().with_context(|| format!("could not start `{self}`"))?;
        let started = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if started.elapsed() > self.limit {
                stop(&mut child)?;
                bail!("`{self}` did not end within {} s", self.limit.as_secs());
            }
            if self.heeds_interrupt && interrupt::requested() {
                stop(&mut child)?;
                bail!("interrupted");
            }
            thread::sleep(POLL);
        }
    }
}

impl Output {
    /// Standard output, if the child exited with `code`.
    ///
    /// # Errors
    /// Otherwise, with everything it printed.
    pub(crate) fn expect_exit(self, code: i32, what: &str) -> Result<String> {
        if self.status.code() != Some(code) {
            let Self { status, stdout, stderr } = self;
            bail!("{what} should exit with {code}, but ended with {status}; it printed:\n{stdout}{stderr}");
        }
        Ok(self.stdout)
    }
}

/// As one would type it: variables, program, arguments.
impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, value) in self.command.get_envs() {
            if let Some(value) = value {
                write!(f, "{}={} ", key.to_string_lossy(), quoted(value))?;
            }
        }
        f.write_str(&quoted(self.command.get_program()))?;
        self.command.get_args().try_for_each(|arg| write!(f, " {}", quoted(arg)))
    }
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Ends a child's whole group and waits for the child.
fn stop(child: &mut Child) -> io::Result<()> {
    let group = Pid::from_child(child);
    // An error says that nobody is left in the group.
    let _ = kill_process_group(group, Signal::TERM);
    let asked = Instant::now();
    while asked.elapsed() < GRACE && child.try_wait()?.is_none() {
        thread::sleep(POLL);
    }
    let _ = kill_process_group(group, Signal::KILL);
    child.wait().map(drop)
}

fn read(mut file: File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Task {
        Task::new("sh", limit).args(["-c", script])
    }

    #[test]
    fn output_and_status_are_kept() {
        let output = shell("echo out; echo err >&2; exit 6", Duration::from_secs(10)).output().unwrap();
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("out\n", "err\n"));
        assert_eq!(output.expect_exit(6, "the script").unwrap(), "out\n");
    }

    #[test]
    fn the_whole_group_ends_with_its_time() {
        let started = Instant::now();
        let late = shell("echo before; sleep 60 & sleep 60", Duration::from_millis(200)).output();
        let error = format!("{:#}", late.err().unwrap());
        assert!(error.contains("before") && error.contains("did not end"), "{error}");
        assert!(started.elapsed() < GRACE);
    }

    #[test]
    fn a_daemon_that_keeps_the_output_open_does_not_hold_us() {
        let started = Instant::now();
        shell("sleep 3 & echo up", Duration::from_secs(60)).output().unwrap();
        assert!(started.elapsed() < Duration::from_secs(3));
    }

    #[test]
    fn a_task_is_shown_as_one_would_type_it() {
        let task = Task::new("cargo", GRACE).env("RUSTDOCFLAGS", "-D warnings").args(["doc", "it's"]);
        assert_eq!(task.to_string(), r"RUSTDOCFLAGS='-D warnings' cargo doc 'it'\''s'");
    }
}
