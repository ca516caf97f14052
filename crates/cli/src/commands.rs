//! One file per command.

use std::future::Future;
use std::time::Duration;

use holdfast_net::{Keypair, Net};

use crate::args::{Command, Common};
use crate::failure::{Exit, Failure};
use crate::output::Output;

mod bench;
pub(crate) mod bond;
pub(crate) mod cert;
pub(crate) mod chain;
mod cid;
mod demo;
pub(crate) mod doctor;
mod get;
pub(crate) mod key;
pub(crate) mod ls;
pub(crate) mod motion;
pub(crate) mod net;
pub(crate) mod node;
mod online;
pub(crate) mod order;
pub(crate) mod owner;
mod params;
mod put;
pub(crate) mod shell;
mod status;
mod verify;
pub(crate) mod wallet;
mod why;
mod words;

/// Threads for disk and hash work: as many as keep two processors and one disk busy.
const BLOCKING_THREADS: usize = 4;

/// Threads that move frames end well within this; what hashes or reads may take longer.
const END_WINDOW: Duration = Duration::from_millis(300);

/// Runs a command to its end.
pub(crate) fn run(command: Command, common: &Common, output: &Output) -> Result<(), Failure> {
    let stops_by_itself = command.is_node_run();
    if stops_by_itself && common.timeout.is_some() {
        let message = "a node runs until it is stopped; leave out --timeout";
        return Err(Failure::new(Exit::Usage, "usage", message));
    }
    let again = command.again();
    let run = async {
        match command {
            Command::Demo { file } => demo::run(&file, common, output).await,
            Command::Put(args) => put::run(&args, common, output).await,
            Command::Get(args) => get::run(&args, common, output).await,
            Command::Status { cid } => status::run(cid, common, output).await,
            Command::Why { cid } => why::run(cid, common, output).await,
            Command::Verify(args) => verify::run(&args, common, output).await,
            Command::Ls(args) => ls::run(&args, common, output).await,
            Command::Cert(command) => cert::run(command, common, output).await,
            Command::Cid { file, profile } => cid::run(file, profile, output).await,
            Command::Bench(args) => bench::run(&args, common, output).await,
            Command::Net(command) => net::run(command, common, output).await,
            Command::Node(command) => node::run(command, common, output).await,
            Command::Key(command) => key::run(command, common, output).await,
            Command::Wallet(command) => wallet::run(command, common, output).await,
            Command::Order(command) => order::run(command, common, output).await,
            Command::Bond(command) => bond::run(command, common, output).await,
            Command::Motion(command) => motion::run(command, common, output).await,
            Command::Chain(command) => chain::run(command, common, output).await,
            Command::Doctor(args) => doctor::run(&args, common, output).await,
            Command::Completions(args) => shell::completions(&args, output),
            Command::Man(args) => shell::man(&args, common, output),
        }
    };
    // Two threads move frames, a few hash and wait for the disk. More would only cost memory, because every
    // thread that allocates keeps some of it.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
        .map_err(|error| Failure::local("could not start", &error))?;
    let result =
        if stops_by_itself { runtime.block_on(run) } else { runtime.block_on(bounded(common, again, run)) };
    // What moves frames ends now, because the library below TLS aborts a process that exits in the middle of a handshake.
    // Hashing that was interrupted holds nothing but unlinked files, and is not waited for beyond that.
    runtime.shutdown_timeout(END_WINDOW);
    result
}

/// Ends a command at Ctrl-C or its timeout. Dropping it undoes what is not finished.
async fn bounded(
    common: &Common,
    again: &str,
    run: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    // All handlers stand before the command takes its first step.
    let listen = |kind| signal(kind).map_err(|error| Failure::local("could not listen for signals", &error));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let mut hangup = listen(SignalKind::hangup())?;
    let timeout = async {
        match common.timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    let interrupted = || Failure::new(Exit::Interrupted, "interrupted", format!("interrupted; {again}"));
    tokio::select! {
        result = run => result,
        _ = interrupt.recv() => Err(interrupted()),
        _ = terminate.recv() => Err(interrupted()),
        _ = hangup.recv() => Err(interrupted()),
        () = timeout => {
            let message = format!("not done within --timeout; {again}");
            Err(Failure::new(Exit::Unreachable, "timeout", message))
        }
    }
}

/// Runs disk and hash work on a thread of its own, so that Ctrl-C and timeouts are heard meanwhile.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("disk and hash work does not panic")
}

/// A network stack that only dials, under a key of this moment.
async fn dialer() -> Result<Net, Failure> {
    Ok(Net::start(Keypair::generate_ed25519(), &[]).await?)
}

/// Where temporary files of a command go.
fn scratch() -> std::path::PathBuf {
    std::env::temp_dir()
}

/// How many bytes a step over a file will take; unknown for folders.
fn size(path: &std::path::Path) -> Option<u64> {
    std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len())
}
