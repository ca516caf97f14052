//! The nodes of a soak: started, killed, frozen and started again one by one.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::child::Task;
use crate::sandbox::Sandbox;
use crate::workspace::Workspace;

/// All nodes start, stop or answer within this, on a loaded machine.
const NET_LIMIT: Duration = Duration::from_secs(120);
/// One node starts or ends within this.
const NODE_LIMIT: Duration = Duration::from_secs(60);
/// Between two looks at a node.
const POLL: Duration = Duration::from_millis(10);

/// A network whose nodes get into trouble.
pub(super) struct Field<'a> {
    sandbox: &'a Sandbox,
    folder: PathBuf,
    nodes: u64,
    /// Nodes that were started one by one: ours to clear away.
    children: Vec<Child>,
}

impl<'a> Field<'a> {
    /// Starts a network.
    pub(super) fn up(sandbox: &'a Sandbox, nodes: u64) -> Result<Self> {
        let field = Self { sandbox, folder: sandbox.folder("net")?, nodes, children: Vec::new() };
        field.net("up")?;
        Ok(field)
    }

    /// The network's folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// How many nodes there are; they are numbered from 1.
    pub(super) fn nodes(&self) -> u64 {
        self.nodes
    }

    /// A node's folder.
    pub(super) fn node(&self, number: u64) -> PathBuf {
        self.folder.join("nodes").join(number.to_string())
    }

    /// Stops all nodes in order.
    pub(super) fn stop(&mut self) -> Result<()> {
        self.net("down")?;
        self.reap();
        Ok(())
    }

    /// Starts all nodes, none of which may run.
    pub(super) fn start(&mut self) -> Result<()> {
        self.net("up")
    }

    fn net(&self, verb: &str) -> Result<()> {
        let mut task = self.sandbox.holdfast(NET_LIMIT).args(["net", verb, "--dir"]).args([&self.folder]);
        if verb == "up" {
            task = task.args(["--nodes", &self.nodes.to_string()]);
        }
        task.output()?.expect_exit(0, &format!("net {verb}")).map(drop)
    }

    /// Process id of a node, if it runs.
    pub(super) fn pid(&self, number: u64) -> Result<Option<i32>> {
        let path = self.node(number).join("lock");
        if free(&path)? {
            return Ok(None);
        }
        let text = fs::read_to_string(&path)?;
        Ok(Some(text.trim().parse().context("a lock holds no process id")?))
    }

    /// Process id of a node's enclave, if it runs.
    pub(super) fn enclave(&self, number: u64) -> Result<Option<i32>> {
        let folder = self.node(number).join("enclave");
        if free(&folder.join("journal.redb"))? {
            return Ok(None);
        }
        Ok(fs::read_to_string(folder.join("pid"))?.trim().parse().ok())
    }

    /// Sends a signal to a process of this network, if it still runs.
    pub(super) fn signal(&self, pid: i32, signal: Signal) -> Result<()> {
        // A number may belong to somebody else by now.
        let ours = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let ours = String::from_utf8_lossy(&ours).contains(&*self.sandbox.temporary().to_string_lossy());
        if let (true, Some(process)) = (ours, Pid::from_raw(pid)) {
            let _ = kill_process(process, signal); // an error says that it is gone
        }
        Ok(())
    }

    /// Kills a node, and waits until it and its enclave are gone.
    pub(super) fn kill(&mut self, number: u64) -> Result<()> {
        self.end(number, Signal::KILL)
    }

    /// Has a node stop in order, and waits until it and its enclave are gone.
    pub(super) fn terminate(&mut self, number: u64) -> Result<()> {
        self.end(number, Signal::TERM)
    }

    fn end(&mut self, number: u64, signal: Signal) -> Result<()> {
        if let Some(pid) = self.pid(number)? {
            self.signal(pid, signal)?;
        }
        let since = Instant::now();
        while self.pid(number)?.is_some() || self.enclave(number)?.is_some() {
            ensure!(since.elapsed() < NODE_LIMIT, "node {number} did not end after {signal:?}");
            std::thread::sleep(POLL);
        }
        self.reap();
        Ok(())
    }

    /// Starts one node under limits such as `ulimit -f 4096`. Says whether it serves; under limits it need not.
    pub(super) fn run(&mut self, number: u64, limits: &str) -> Result<bool> {
        let folder = self.node(number);
        let ready = folder.join("ready");
        fs::write(&ready, "")?;
        let before = fs::read_to_string(folder.join("address"))?;
        let script =
            format!("{limits}\nexec \"$0\" --json node run --dir \"$1\" >>\"$1/ready\" 2>>\"$1/node.log\"");
        let task = Task::new("sh", NODE_LIMIT).args(["-c", &script]).args([self.sandbox.binary(), &folder]);
        let mut child = self.sandbox.confine(task).spawn()?;
        let since = Instant::now();
        let serves = loop {
            if fs::read_to_string(&ready)?.contains("addresses") {
                break true;
            }
            if let Some(status) = child.try_wait()? {
                ensure!(!limits.is_empty(), "node {number} did not start: {status}; see its log");
                break false;
            }
            ensure!(since.elapsed() < NODE_LIMIT, "node {number} did not start in time");
            std::thread::sleep(POLL);
        };
        self.children.push(child);
        if serves && fs::read_to_string(folder.join("address"))? != before {
            // Its ports were taken: only the start of a whole network writes new hints for clients.
            self.stop()?;
            self.start()?;
        }
        Ok(serves)
    }

    /// Clears away children that have ended.
    fn reap(&mut self) {
        self.children.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
    }

    /// What no log may hold.
    pub(super) fn look_for_panics(&self) -> Result<()> {
        for number in 1..=self.nodes {
            let path = self.node(number).join("node.log");
            let log = fs::read(&path).with_context(|| format!("no {}", path.display()))?;
            let log = String::from_utf8_lossy(&log);
            if let Some(line) = log.lines().find(|line| line.contains("panicked at")) {
                bail!("node {number} panicked: {line}");
            }
        }
        Ok(())
    }

    /// How often something stands in the logs of all nodes.
    pub(super) fn count_in_logs(&self, what: &str) -> Result<usize> {
        let logs = (1..=self.nodes).map(|number| fs::read(self.node(number).join("node.log")));
        let count = |log: Vec<u8>| String::from_utf8_lossy(&log).matches(what).count();
        Ok(logs.map(|log| log.map(count)).sum::<Result<_, _>>()?)
    }

    /// Copies the logs out of the sandbox, for whoever looks into a failure.
    pub(super) fn keep_logs(&self, workspace: &Workspace) -> Result<PathBuf> {
        let target = workspace.soaked();
        fs::create_dir_all(&target)?;
        for number in 1..=self.nodes {
            fs::copy(self.node(number).join("node.log"), target.join(format!("node-{number}.log")))?;
        }
        Ok(target)
    }
}

/// Whether nobody holds the lock of a file.
fn free(path: &Path) -> Result<bool> {
    let file = File::open(path).with_context(|| format!("no {}", path.display()))?;
    match file.try_lock_shared() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}
