//! What a measurement stands on: a folder of its own, files of random bytes, processes, and networks.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use rustix::fs::{statvfs, syncfs};
use tokio::process::{Child, Command};

use crate::figure::size_name;
use crate::floor::{self, Answer, Job};

pub mod peak;

/// Bytes made at once.
const CONTENT_STEP: usize = 1 << 20;
/// Room beyond what a measurement writes: indexes, journals, outboards.
const ROOM_MARGIN: u64 = 1 << 30;

/// Why something could not be measured. That a bound is missed is no error.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A file of the measurement's own failed.
    #[error("could not use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Too little room on the disk.
    #[error(
        "this needs {} free in {}, there are {}; choose another folder with --dir, or less with --size",
        size_name(*needed), folder.display(), size_name(*free >> 20 << 20)
    )]
    Room {
        /// Where.
        folder: PathBuf,
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// A process could not be started or waited for.
    #[error("could not run {what}")]
    Process {
        /// Which.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// A process failed.
    #[error("{what} failed: {why}")]
    Failed {
        /// Which.
        what: String,
        /// The last line that it said.
        why: String,
    },
    /// A network could not be started.
    #[error("could not start a network: {0}")]
    Network(String),
    /// The client library failed.
    #[error("could not put a piece: {0}")]
    Put(String),
    /// The ledger failed.
    #[error("the ledger failed: {0}")]
    Ledger(String),
    /// The objects of a measurement were refused by our own rules.
    #[error("could not make a committee: {0}")]
    Committee(String),
}

/// Starts networks on this machine. The program does it, because it is what nodes are started from.
pub trait Networks {
    /// A running network; it stops when this is dropped.
    type Running: Running;

    /// Makes a network of four nodes in a folder and returns when all serve.
    ///
    /// # Errors
    /// [`BenchError::Network`].
    fn start(&self, folder: &Path) -> impl Future<Output = Result<Self::Running, BenchError>>;
}

/// A network that runs.
pub trait Running {
    /// Process ids of its hosts; their enclaves are their children.
    fn hosts(&self) -> Vec<u32>;
}

/// What all measurements share.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The program to measure; floors and nodes are the same file.
    pub program: PathBuf,
    /// A folder that the caller removes afterwards.
    pub folder: PathBuf,
    /// How many runs a median is taken of.
    pub runs: usize,
}

impl Ground {
    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Makes a folder.
    ///
    /// # Errors
    /// If it is there already or cannot be made.
    pub fn make_folder(&self, name: &str) -> Result<PathBuf, BenchError> {
        let path = self.path(name);
        fs::create_dir(&path).map_err(|source| BenchError::File { path: path.clone(), source })?;
        Ok(path)
    }

    /// Refuses what would fill the disk.
    ///
    /// # Errors
    /// [`BenchError::Room`].
    pub fn need(&self, bytes: u64) -> Result<(), BenchError> {
        let failed = |error: rustix::io::Errno| self.failed(&self.folder, error.into());
        let disk = statvfs(&self.folder).map_err(failed)?;
        let (needed, free) = (bytes.saturating_add(ROOM_MARGIN), disk.f_bavail.saturating_mul(disk.f_frsize));
        if free < needed {
            return Err(BenchError::Room { folder: self.folder.clone(), needed, free });
        }
        Ok(())
    }

    /// Writes a file of bytes that look random and follow from the seed, and makes it and everything before it
    /// durable, so that nothing of it is left to write while something is measured. It stays in the page cache.
    ///
    /// # Errors
    /// If it cannot be written.
    pub async fn content(&self, name: &str, bytes: u64, seed: u64) -> Result<PathBuf, BenchError> {
        let path = self.path(name);
        let written = {
            let path = path.clone();
            blocking(move || write_content(&path, bytes, seed)).await
        };
        written.map_err(|source| self.failed(&path, source))?;
        Ok(path)
    }

    /// Removes a file.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn remove(&self, path: &Path) -> Result<(), BenchError> {
        fs::remove_file(path).map_err(|source| self.failed(path, source))
    }

    /// Removes a folder with everything in it.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub async fn remove_folder(&self, path: &Path) -> Result<(), BenchError> {
        let folder = path.to_owned();
        blocking(move || fs::remove_dir_all(folder)).await.map_err(|source| self.failed(path, source))
    }

    /// Reads a file, or every file in a folder, so that all of them lie in the page cache.
    ///
    /// # Errors
    /// If one cannot be read.
    pub async fn warm(&self, path: &Path) -> Result<(), BenchError> {
        let all = path.to_owned();
        blocking(move || read_all(&all)).await.map_err(|source| self.failed(path, source))
    }

    /// Runs a command of the program in an empty home, and says how long the whole process took.
    ///
    /// # Errors
    /// If it cannot be run or fails.
    pub async fn command(&self, network: Option<&Path>, words: &[&str]) -> Result<Finished, BenchError> {
        let started = Instant::now();
        let child = self.spawn(network, words)?;
        finish(words, started, child).await
    }

    /// Starts a command of the program in an empty home.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn spawn(&self, network: Option<&Path>, words: &[&str]) -> Result<Child, BenchError> {
        let mut command = Command::new(&self.program);
        command.args(["--json", "--quiet"]).args(words);
        command.env_clear().env("HOME", &self.folder).env("TMPDIR", &self.folder).current_dir(&self.folder);
        if let Some(network) = network {
            command.env("HOLDFAST_NETWORK", network);
        }
        spawn(command, words[0])
    }

    /// Runs a floor as a process of its own.
    ///
    /// # Errors
    /// If it cannot be run or fails.
    pub async fn floor(&self, job: &Job) -> Result<Answer, BenchError> {
        let what = "the floor".to_owned();
        let words = serde_json::to_string(job).expect("a job is plain data");
        let mut command = Command::new(&self.program);
        command.arg(floor::SUBCOMMAND).arg(words).env_clear();
        let started = Instant::now();
        let done = finish(&["the floor"], started, spawn(command, &what)?).await?;
        serde_json::from_str(&done.stdout)
            .map_err(|error| BenchError::Failed { what, why: error.to_string() })
    }

    /// Runs a floor that answers a time, in seconds.
    ///
    /// # Errors
    /// If it cannot be run or fails.
    pub async fn floor_seconds(&self, job: &Job) -> Result<f64, BenchError> {
        match self.floor(job).await? {
            Answer::Seconds(seconds) => Ok(seconds),
            Answer::Parts(_) => Err(BenchError::Failed {
                what: "the floor".into(),
                why: "it answered another question".into(),
            }),
        }
    }

    fn failed(&self, path: &Path, source: io::Error) -> BenchError {
        BenchError::File { path: path.to_owned(), source }
    }
}

/// A process that ended well.
#[derive(Clone, Debug)]
pub struct Finished {
    /// From before its start until it was gone, in seconds.
    pub seconds: f64,
    /// What it printed.
    pub stdout: String,
}

impl Finished {
    /// A field of the object that it printed.
    ///
    /// # Errors
    /// If there is no such text.
    pub fn text(&self, pointer: &str) -> Result<String, BenchError> {
        let object: serde_json::Value = serde_json::from_str(&self.stdout).unwrap_or_default();
        let found = object.pointer(pointer).and_then(serde_json::Value::as_str).map(str::to_owned);
        found.ok_or_else(|| BenchError::Failed {
            what: "a command".into(),
            why: format!("no {pointer} in its result"),
        })
    }
}

fn spawn(mut command: Command, what: &str) -> Result<Child, BenchError> {
    // Signals of the terminal are for us; dropping what we wait for ends the process.
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    command.spawn().map_err(|source| BenchError::Process { what: what.into(), source })
}

/// Waits for a process that was started then.
///
/// # Errors
/// If it fails.
pub async fn finish(words: &[&str], started: Instant, child: Child) -> Result<Finished, BenchError> {
    let what = || format!("`{}`", words.join(" "));
    let done = child.wait_with_output().await;
    let done = done.map_err(|source| BenchError::Process { what: what(), source })?;
    let seconds = started.elapsed().as_secs_f64();
    if !done.status.success() {
        let stderr = String::from_utf8_lossy(&done.stderr);
        let why = stderr.lines().last().unwrap_or("it said nothing").to_owned();
        return Err(BenchError::Failed { what: what(), why });
    }
    Ok(Finished { seconds, stdout: String::from_utf8_lossy(&done.stdout).into_owned() })
}

fn read_all(path: &Path) -> io::Result<()> {
    if path.is_file() {
        return io::copy(&mut File::open(path)?, &mut io::sink()).map(drop);
    }
    fs::read_dir(path)?.try_for_each(|entry| read_all(&entry?.path()))
}

/// Runs disk and hash work on a thread of its own, so that Ctrl-C is heard meanwhile.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("disk and hash work does not panic")
}

fn write_content(path: &Path, bytes: u64, seed: u64) -> io::Result<()> {
    let mut stream = blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof();
    let mut file = File::create(path)?;
    let mut step = vec![0; CONTENT_STEP];
    let mut left = bytes;
    while left > 0 {
        let count = usize::try_from(left).map_or(CONTENT_STEP, |left| left.min(CONTENT_STEP));
        stream.fill(&mut step[..count]);
        file.write_all(&step[..count])?;
        left -= count as u64;
    }
    Ok(syncfs(&file)?)
}
