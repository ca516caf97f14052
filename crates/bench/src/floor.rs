//! Floors: programs that do only the unavoidable work of an operation, as fast as this machine can.
//!
//! A floor runs as a process of its own: our binary again under a hidden subcommand, so that it starts cold, as
//! ours does, and nothing of it stays behind. Inside it is threads, not processes: whatever stands for a client
//! and for providers shares one address space, which can only make the floor lower.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use holdfast_core::explain;
use serde::{Deserialize, Serialize};

use crate::figure::Unit;
use holdfast_net::link::tls::TlsError;

mod cid;
mod direct;
mod get;
mod parts;
mod put;
mod small;
mod verify;
mod wire;

/// Hidden subcommand of our own binary under which it is a floor; one argument follows, a [`Job`] in JSON.
pub const SUBCOMMAND: &str = "bench-floor";

/// Bytes handled at once: a frame of a put, and small enough to stay in the cache from stage to stage.
const SEGMENT_BYTES: usize = 256 << 10;
/// Copies of the default profile.
pub(crate) const COPIES: usize = 4;

/// What a floor process shall do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Job {
    /// Store a file in four copies; files go to `folder` and are removed. Answers seconds.
    Put {
        /// What to store.
        file: PathBuf,
        /// Where the copies go.
        folder: PathBuf,
    },
    /// Fetch a file. Answers seconds.
    Get {
        /// What to fetch.
        file: PathBuf,
        /// Where it goes.
        folder: PathBuf,
    },
    /// Store and certify one byte. Answers the median of so many rounds in seconds.
    Small {
        /// Where the logs of the four providers go.
        folder: PathBuf,
        /// How often.
        rounds: usize,
    },
    /// Check one signature. Answers the median of so many rounds in seconds.
    Verify {
        /// How often.
        rounds: usize,
    },
    /// Hash a file. Answers seconds.
    Cid {
        /// What to hash.
        file: PathBuf,
    },
    /// Measure each part of the floors alone. Answers parts.
    Parts {
        /// Where files go that are written.
        folder: PathBuf,
    },
}

/// What a floor process found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// How long it took.
    Seconds(f64),
    /// How fast each part is alone.
    Parts(Vec<Part>),
}

/// One part of the unavoidable work, measured alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// What.
    pub name: String,
    /// How fast, or how long.
    pub value: f64,
    /// Unit of the value.
    pub unit: Unit,
}

/// Why a floor could not be measured.
#[derive(Debug, thiserror::Error)]
enum FloorError {
    #[error("unreadable job")]
    Job(#[from] serde_json::Error),
    #[error("could not move or write data")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Link(#[from] TlsError),
    #[error("could not set up TLS")]
    Tls(#[from] tokio_rustls::rustls::Error),
    #[error("{got} of {expected} bytes arrived")]
    Short { got: u64, expected: u64 },
    #[error("what arrived is not what was sent")]
    Different,
    #[error("the library refuses its own signature")]
    Signature,
}

/// The floor process: does the job and prints the answer.
pub fn main(job: &OsStr) -> ExitCode {
    let done = perform(job).and_then(|answer| {
        let mut text = serde_json::to_string(&answer)?;
        text.push('\n');
        Ok(io::stdout().write_all(text.as_bytes())?)
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{}", explain(&error)); // nobody may be listening
            ExitCode::FAILURE
        }
    }
}

fn perform(job: &OsStr) -> Result<Answer, FloorError> {
    let seconds = match serde_json::from_slice(job.as_encoded_bytes())? {
        Job::Put { file, folder } => put::run(&file, &folder)?,
        Job::Get { file, folder } => get::run(&file, &folder)?,
        Job::Small { folder, rounds } => small::run(&folder, rounds)?,
        Job::Verify { rounds } => verify::run(rounds)?,
        Job::Cid { file } => cid::run(&file)?,
        Job::Parts { folder } => return Ok(Answer::Parts(parts::run(&folder)?)),
    };
    Ok(Answer::Seconds(seconds))
}

/// Joins a thread, passing on its panic.
fn join<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[cfg(test)]
mod tests;
