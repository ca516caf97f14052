//! A network in a temporary folder, and the program run against it with a home folder of its own.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use holdfast_client::network::{Network, PeerEntry, Peers};
use holdfast_core::block::BlockId;
use holdfast_node::folder::NodeFolder;
use holdfast_proofs::slots::{self, Bucket};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// The program under test.
pub(crate) const HOLDFAST: &str = env!("CARGO_BIN_EXE_holdfast");

/// What a run of the program gave.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// The result object of a run with `--json`.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The stable reason of a failed run with `--json`.
    pub(crate) fn reason(&self) -> String {
        let problem = self.stderr.lines().last().expect("a failure says why");
        let problem: Value =
            serde_json::from_str(problem).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        problem["reason"].as_str().expect("a problem has a reason").to_owned()
    }

    /// The last word of the last line.
    pub(crate) fn last_word(&self) -> &str {
        self.stdout.split_whitespace().last().unwrap_or_default()
    }

    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A folder with a home folder and a temporary folder in it, and perhaps a network.
pub(crate) struct World {
    folder: TempDir,
}

impl World {
    /// Nothing but empty folders.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        fs::create_dir(folder.path().join("tmp")).unwrap();
        Self { folder }
    }

    /// A running network of `nodes` nodes.
    pub(crate) fn with_network(nodes: u16) -> Self {
        let world = Self::empty();
        let count = nodes.to_string();
        world.run(["net", "up", "--nodes", &count, "--dir", "net"]).ok();
        world
    }

    /// A running network of four nodes, and the key of an account that has nothing.
    pub(crate) fn with_account() -> Self {
        let world = Self::with_network(4);
        world.file("own-passphrase", "correct horse\n");
        world.key("default");
        world
    }

    /// A complete network of four members that have no ledger, none of which runs, and the key of an account.
    pub(crate) fn without_ledger() -> Self {
        let world = Self::empty();
        let mut create = vec!["net".to_owned(), "create".into(), "--dir".into(), "plain".into()];
        let mut complete = create.clone();
        for number in 1..=4 {
            let dir = format!("n{number}");
            let site = format!("site-{number}");
            let init = ["node", "init", "--dir", &dir, "--operator", &dir, "--failure-domain", &site];
            world.run(init).ok();
            create.extend(["--member".into(), format!("{dir}/member")]);
            complete.extend(["--possession".into(), format!("{dir}/possession")]);
        }
        world.run(create).ok();
        for number in 1..=4 {
            let dir = format!("n{number}");
            world.run(["node", "prove", "--dir", &dir, "--network", "plain"]).ok();
        }
        world.run(complete).ok();
        fs::create_dir_all(world.path("home/.config/holdfast")).unwrap();
        world.file("home/.config/holdfast/config.toml", format!("network = {:?}\n", world.path("plain")));
        world.file("own-passphrase", "correct horse\n");
        world.key("default");
        world
    }

    /// Draws a key of an account, under the passphrase of this world.
    pub(crate) fn key(&self, name: &str) {
        self.run(["key", "new", name]).ok();
    }

    /// The account of a key.
    pub(crate) fn account(&self, name: &str) -> String {
        let keys = self.run_json(["key", "ls"]).ok().json();
        let keys = keys["keys"].as_array().unwrap();
        let key = keys.iter().find(|key| key["name"] == name).expect("the key is there");
        key["account"].as_str().unwrap().to_owned()
    }

    /// What the account of the key `default` has, in the smallest unit.
    pub(crate) fn balance(&self) -> u128 {
        self.run_json(["wallet", "balance"]).ok().json()["balance"].as_str().unwrap().parse().unwrap()
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file in the folder.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// The program, in the folder, with nothing of the tester's environment.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(HOLDFAST);
        let passphrase = self.path("own-passphrase");
        command
            .env_clear()
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .envs(passphrase.exists().then_some(("HOLDFAST_PASSPHRASE_FILE", passphrase)))
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, args: I) -> Run {
        self.command().args(args).output().unwrap().into()
    }

    /// Runs the program to its end with `--json`.
    pub(crate) fn run_json<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, args: I) -> Run {
        self.command().arg("--json").args(args).output().unwrap().into()
    }

    /// The network as a client sees it.
    pub(crate) fn network(&self) -> Network {
        Network::load(&self.path("net")).unwrap()
    }

    /// Folders of all nodes.
    pub(crate) fn nodes(&self) -> Vec<NodeFolder> {
        let nodes = fs::read_dir(self.path("net/nodes")).unwrap();
        nodes.map(|entry| NodeFolder::at(&entry.unwrap().path())).collect()
    }

    /// Folders of the nodes that own the slots of a piece, in slot order.
    pub(crate) fn holders(&self, cid: &str) -> Vec<NodeFolder> {
        let cid: BlockId = cid.parse().unwrap();
        let network = self.network();
        let members = network.committee.members();
        let folders = self.nodes();
        let folder_of = |place: &usize| {
            let node = members[*place].node;
            folders.iter().find(|folder| folder.member().unwrap().node == node).unwrap().clone()
        };
        slots::order(Bucket::of(&cid), members).iter().take(4).map(folder_of).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if self.path("net/nodes").exists() {
            let stopped = self.run(["net", "down", "--dir", "net"]);
            if !std::thread::panicking() {
                stopped.ok();
            }
        }
    }
}

impl World {
    /// Runs one node of the network by itself, under limits such as `ulimit -f 4096`, and returns when it serves.
    pub(crate) fn run_node(&self, node: &NodeFolder, limits: &str) -> NodeRun {
        NodeRun(self.spawn_node(node, limits))
    }

    fn spawn_node(&self, node: &NodeFolder, limits: &str) -> Child {
        // The enclave of a node that was killed ends a moment after it.
        let journal = fs::File::open(node.file("enclave/journal.redb")).unwrap();
        wait_until("the last enclave has gone", || journal.try_lock().is_ok());
        drop(journal);
        let log = OpenOptions::new().create(true).append(true).open(node.file("node.log")).unwrap();
        let shell = format!("{limits}\nexec \"$0\" \"$@\"");
        let mut child = Command::new("sh")
            .args(["-c", &shell, HOLDFAST, "--json", "node", "run", "--dir"])
            .arg(node.path())
            .env("TMPDIR", self.path("tmp"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("addresses"), "{}", fs::read_to_string(node.file("node.log")).unwrap());
        // It may have had to take other ports.
        let entry = |node: &NodeFolder| PeerEntry {
            node: node.member().unwrap().node,
            peer: None,
            addresses: node.addresses(),
        };
        Peers { peer: self.nodes().iter().map(entry).collect() }.save(&self.path("net")).unwrap();
        child
    }

    /// What one node says of itself, by its place in the list of nodes.
    pub(crate) fn says(&self, node: &NodeFolder) -> Value {
        let id = node.member().unwrap().node.to_string();
        let status = self.run_json(["net", "status", "--dir", "net"]).ok().json();
        let nodes = status["nodes"].as_array().unwrap();
        nodes.iter().find(|row| row["node"] == id.as_str()).unwrap().clone()
    }
}

/// Starts the program with `--json`, its output kept.
pub(crate) fn start(world: &World, args: &[&str]) -> Child {
    let mut command = world.command();
    command.arg("--json").args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// A node process that is stopped when this is dropped.
pub(crate) struct NodeRun(Child);

impl Drop for NodeRun {
    fn drop(&mut self) {
        if self.0.try_wait().is_ok_and(|ended| ended.is_none()) {
            signal(self.0.id(), Signal::TERM);
        }
        let _ = self.0.wait(); // it is gone either way
    }
}

/// A process that stands still until this is dropped.
pub(crate) struct Frozen(u32);

/// Freezes a running node.
pub(crate) fn freeze(node: &NodeFolder) -> Frozen {
    let pid = node.running().unwrap().expect("the node runs");
    signal(pid, Signal::STOP);
    Frozen(pid)
}

impl Drop for Frozen {
    fn drop(&mut self) {
        signal(self.0, Signal::CONT);
    }
}

/// Whether a node holds the beginning of a piece.
pub(crate) fn holds_partial(node: &NodeFolder) -> bool {
    fs::read_dir(node.file("store/partial")).is_ok_and(|mut entries| entries.next().is_some())
}

/// Kills a running node without warning, and returns when it and its enclave are gone.
pub(crate) fn kill(node: &NodeFolder) {
    end(node, Signal::KILL);
}

/// Stops a running node in order, and returns when it and its enclave are gone.
pub(crate) fn stop(node: &NodeFolder) {
    end(node, Signal::TERM);
}

fn end(node: &NodeFolder, word: Signal) {
    signal(node.running().unwrap().expect("the node runs"), word);
    wait_until("the node is gone", || node.running().unwrap().is_none());
    // The enclave holds this lock until it has noticed.
    let journal = fs::File::open(node.enclave().join("journal.redb")).unwrap();
    wait_until("the node's enclave is gone", || journal.try_lock().is_ok());
}

/// Sends a signal to a process that the test started.
pub(crate) fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal).unwrap();
}

/// Waits for a state that blocks bring, for at most `limit`, and leaves the processor to whoever makes them.
pub(crate) fn wait_for_blocks(what: &str, limit: Duration, state: impl Fn() -> bool) {
    let deadline = Instant::now() + limit;
    while !state() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Waits for a state, for at most 20 seconds.
pub(crate) fn wait_until(what: &str, state: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !state() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::yield_now();
    }
}

/// Whether there is a whole file under a folder: not one that is still being written.
pub(crate) fn has_file(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| {
        let path = entry.path();
        let temporary = entry.file_name().as_encoded_bytes().starts_with(b".tmp");
        if path.is_dir() { has_file(&path) } else { !temporary }
    })
}

/// The first file under a folder that holds these bytes, and where in it. What goes away meanwhile does not.
pub(crate) fn find_bytes(folder: &Path, needle: &[u8]) -> Option<(PathBuf, u64)> {
    let mut todo = vec![folder.to_owned()];
    while let Some(at) = todo.pop() {
        if at.is_dir() {
            todo.extend(fs::read_dir(&at).unwrap().map(|entry| entry.unwrap().path()));
        } else if let Ok(content) = fs::read(&at)
            && let Some(place) = content.windows(needle.len()).position(|window| window == needle)
        {
            return Some((at, place as u64));
        }
    }
    None
}

/// Flips a bit of the first file under a folder that holds these bytes.
pub(crate) fn flip_bit(folder: &Path, needle: &[u8]) {
    let (path, at) = find_bytes(folder, needle).expect("some file holds the bytes");
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(&[needle[0] ^ 4], at).unwrap();
}

/// Command lines of living processes that name a folder.
pub(crate) fn processes_naming(folder: &Path) -> Vec<String> {
    let needle = folder.to_str().unwrap();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).replace('\0', " ");
        if words.contains(needle) && entry.file_name() != std::process::id().to_string().as_str() {
            found.push(words);
        }
    }
    found
}

/// Process ids of a process's children.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// Bytes that look random and are the same every time.
pub(crate) fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(&mut next).flatten().take(bytes).collect()
}

/// Starts a node of the network by itself, and returns when it serves. It runs until the network is stopped, or it is
/// killed.
pub(crate) fn start_node(world: &World, node: &NodeFolder) {
    let mut process = world.spawn_node(node, "");
    // Whoever waits for a child that has ended frees its process id.
    std::thread::spawn(move || process.wait());
}

/// How many nodes hold a piece, and the signers of the certificate that each of them shows.
pub(crate) fn holders_and_signers(world: &World, cid: &str) -> (u64, Vec<u64>) {
    let status = world.run_json(["status", cid]).ok().json();
    let signers = status["slots"].as_array().unwrap().iter();
    let signers = signers.filter_map(|slot| slot["certificate_signers"].as_u64()).collect();
    (status["holders"].as_u64().unwrap(), signers)
}
