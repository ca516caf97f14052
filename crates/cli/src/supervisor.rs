//! Node processes on this machine: started, found again through their lock, stopped.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use holdfast_client::network::{PeerEntry, Peers};
use holdfast_node::folder::NodeFolder;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, waitpid};

use crate::failure::{Exit, Failure};

/// A node that does not serve by then has failed: it opens two databases and one socket.
const START_WINDOW: Duration = Duration::from_secs(30);
/// A node that has not stopped by then is killed.
const STOP_WINDOW: Duration = Duration::from_secs(10);
/// How often a process is looked at while it stops.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What becomes of nodes when the process that started them ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// They run on.
    Detached,
    /// They stop.
    Bound,
}

/// The folders of a local network's nodes, in order.
pub(crate) fn node_folders(network: &Path) -> Result<Vec<NodeFolder>, Failure> {
    let failed = |error: io::Error| Failure::local("could not list the network's nodes", &error);
    let nodes = network.join("nodes");
    let mut folders: Vec<(u32, PathBuf)> = Vec::new();
    match fs::read_dir(&nodes) {
        Ok(entries) => {
            for entry in entries {
                let path = entry.map_err(failed)?.path();
                let number = path.file_name().and_then(|name| name.to_str()?.parse().ok());
                if let Some(number) = number {
                    folders.push((number, path));
                }
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let message = format!("{} is no network that `net up` made", network.display());
            return Err(Failure::new(Exit::NotFound, "net.missing", message));
        }
        Err(error) => return Err(failed(error)),
    }
    folders.sort();
    Ok(folders.into_iter().map(|(_, path)| NodeFolder::at(&path)).collect())
}

/// A node process that this process started.
pub(crate) struct NodeProcess {
    folder: NodeFolder,
    process: Child,
}

impl NodeProcess {
    /// Starts a node; its log goes to `node.log` in its folder.
    pub(crate) fn start(folder: &NodeFolder, lifetime: Lifetime) -> Result<(Self, Ready), Failure> {
        let failed = |error: io::Error| Failure::local("could not start a node process", &error);
        let program = std::env::current_exe().map_err(failed)?;
        let log = folder.file("node.log");
        let log = OpenOptions::new().create(true).append(true).open(log).map_err(failed)?;
        let mut command = Command::new(program);
        command.args(["--json", "node", "run", "--dir"]).arg(folder.path());
        match lifetime {
            Lifetime::Detached => command.stdin(Stdio::null()),
            Lifetime::Bound => command.arg("--until-stdin-closes").stdin(Stdio::piped()),
        };
        // A group of its own: a Ctrl-C at the terminal is for us, and we stop our nodes in order.
        command.stdout(Stdio::piped()).stderr(log).process_group(0);
        let mut process = command.spawn().map_err(failed)?;
        let stdout = process.stdout.take().expect("piped above");
        let (line, ready) = mpsc::channel();
        std::thread::spawn(move || {
            let mut text = String::new();
            let read = BufReader::new(stdout).read_line(&mut text);
            let _ = line.send(read.map(|_| text)); // whoever waited may have given up
        });
        Ok((Self { folder: folder.clone(), process }, Ready(ready)))
    }

    /// The node's folder.
    pub(crate) fn folder(&self) -> &NodeFolder {
        &self.folder
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Kills the node as a power cut would, and waits until it and its enclave are gone.
    pub(crate) fn kill(mut self) -> io::Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        wait_enclave(&self.folder)
    }

    /// Lets the process live on by itself.
    pub(crate) fn detach(self) {
        drop(self.process);
    }

    /// Stops the node in order, or by force if it does not.
    pub(crate) fn stop(mut self) -> io::Result<()> {
        drop(self.process.stdin.take());
        let _ = signal(self.pid(), Signal::TERM); // it may have stopped by itself
        let deadline = Instant::now() + STOP_WINDOW;
        while self.process.try_wait()?.is_none() {
            if Instant::now() >= deadline {
                self.process.kill()?;
                self.process.wait()?;
                break;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        wait_enclave(&self.folder)
    }
}

/// Tells when a node serves.
pub(crate) struct Ready(mpsc::Receiver<io::Result<String>>);

impl Ready {
    /// Waits until the node serves.
    pub(crate) fn wait(self, folder: &NodeFolder) -> Result<(), Failure> {
        let line = self.0.recv_timeout(START_WINDOW);
        if matches!(&line, Ok(Ok(text)) if !text.is_empty()) {
            return Ok(());
        }
        let log = folder.file("node.log");
        let last = fs::read_to_string(&log).unwrap_or_default();
        let last = last.lines().last().unwrap_or("nothing was logged");
        let message = format!("a node did not start: {last} (log: {})", log.display());
        Err(Failure::new(Exit::Internal, "net.node_failed", message))
    }
}

/// Starts all nodes of a local network and writes their addresses to `peers.toml`. If one fails, all are stopped.
pub(crate) fn start_all(network: &Path, lifetime: Lifetime) -> Result<Vec<NodeProcess>, Failure> {
    let mut nodes = Stopping(Vec::new());
    let mut waiting = Vec::new();
    for folder in node_folders(network)? {
        let (node, ready) = NodeProcess::start(&folder, lifetime)?;
        nodes.0.push(node);
        waiting.push((folder, ready));
    }
    let mut peers = Peers::default();
    for (folder, ready) in waiting {
        ready.wait(&folder)?;
        let addresses = folder.addresses();
        peers.peer.push(PeerEntry { node: folder.member()?.node, peer: None, addresses });
    }
    peers.save(network)?;
    Ok(std::mem::take(&mut nodes.0))
}

/// Nodes that are stopped when this is dropped.
pub(crate) struct Stopping(pub(crate) Vec<NodeProcess>);

impl Drop for Stopping {
    fn drop(&mut self) {
        for node in self.0.drain(..) {
            let folder = node.folder().path().to_owned();
            if let Err(error) = node.stop() {
                tracing::error!(folder = %folder.display(), %error, "could not stop a node");
            }
        }
    }
}

/// Stops nodes that some process started: all are told, then each is waited for. Says of each whether it ran.
pub(crate) fn stop_all(folders: Vec<NodeFolder>) -> Vec<(NodeFolder, io::Result<bool>)> {
    let tell = |folder: NodeFolder| {
        let told = folder.running().and_then(|pid| {
            pid.map_or(Ok(()), |pid| signal(pid, Signal::TERM))?;
            Ok(pid)
        });
        (folder, told)
    };
    let told: Vec<_> = folders.into_iter().map(tell).collect();
    let wait = |(folder, told): (NodeFolder, io::Result<Option<u32>>)| {
        let stopped = told.and_then(|pid| {
            pid.map_or(Ok(()), |pid| wait_stopped(&folder, pid))?;
            wait_enclave(&folder)?;
            Ok(pid.is_some())
        });
        (folder, stopped)
    };
    told.into_iter().map(wait).collect()
}

/// Waits until a node that was told to stop has done so; kills it if it does not.
fn wait_stopped(folder: &NodeFolder, pid: u32) -> io::Result<()> {
    let deadline = Instant::now() + STOP_WINDOW;
    while folder.running()? == Some(pid) {
        if Instant::now() >= deadline {
            signal(pid, Signal::KILL)?;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

fn signal(pid: u32, signal: Signal) -> io::Result<()> {
    match kill_process(to_pid(pid)?, signal) {
        Ok(()) | Err(Errno::SRCH) => Ok(()), // it has gone by itself
        Err(error) => Err(error.into()),
    }
}

/// Makes this process the parent of processes that lose theirs, so that it can clear away the enclave of a node
/// that it kills.
pub(crate) fn adopt_orphans() -> io::Result<()> {
    Ok(set_child_subreaper(Some(getpid()))?)
}

/// Process id that the enclave noted last, or `None` if it never ran.
fn enclave_pid(folder: &NodeFolder) -> io::Result<Option<u32>> {
    match fs::read_to_string(folder.enclave().join("pid")) {
        Ok(pid) => pid.trim().parse().map(Some).map_err(|_| io::ErrorKind::InvalidData.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn to_pid(pid: u32) -> io::Result<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput.into())
}

/// Clears away an enclave process that has ended, if it is ours by adoption.
fn reap(folder: &NodeFolder) -> io::Result<()> {
    let Some(pid) = enclave_pid(folder)? else { return Ok(()) };
    match waitpid(Some(to_pid(pid)?), WaitOptions::empty()) {
        Ok(_) | Err(Errno::CHILD) => Ok(()), // not ours: its own parent clears it away
        Err(error) => Err(error.into()),
    }
}

/// Waits until the enclave process of a stopped node has gone, and kills it if it does not end: it holds a lock on
/// its journal while it lives.
fn wait_enclave(folder: &NodeFolder) -> io::Result<()> {
    let journal = match File::open(folder.enclave().join("journal.redb")) {
        Ok(journal) => journal,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let deadline = Instant::now() + STOP_WINDOW;
    loop {
        match journal.try_lock() {
            Ok(()) => return reap(folder),
            Err(fs::TryLockError::Error(error)) => return Err(error),
            Err(fs::TryLockError::WouldBlock) if Instant::now() >= deadline => {
                // The lock shows that the process which wrote this number still lives.
                let pid = enclave_pid(folder)?.ok_or(io::ErrorKind::NotFound)?;
                signal(pid, Signal::KILL)?;
                std::thread::sleep(LOOK_EVERY);
            }
            Err(fs::TryLockError::WouldBlock) => std::thread::sleep(LOOK_EVERY),
        }
    }
}
