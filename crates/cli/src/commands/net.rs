//! `net up|down|status|create`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use holdfast_client::ask;
use holdfast_client::ledger::LedgerClient;
use holdfast_client::network::Network;
use holdfast_core::explain;
use holdfast_node::folder::{Description, NodeConfig, NodeFolder};
use holdfast_proofs::genesis::Weight;
use holdfast_proofs::profile::Profile;
use serde_json::json;

use super::dialer;
use super::online::{self, Online};
use crate::args::{Common, NetCommand};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings;
use crate::supervisor::{self, Lifetime, Stopping};

pub(crate) mod create;
mod devnet;
mod ledger_file;

use create::{genesis, write, write_proofs};

pub(super) use devnet::Speed;

/// Nodes of a new network on one machine, unless told otherwise: as many as the default profile has slots.
const LOCAL_NODES: u16 = 4;
/// Most nodes of a network on one machine.
const LOCAL_NODES_MAX: u16 = 64;
/// Nodes that have just started find each other and decide on a block in a second or two, on a busy machine in some more.
const FIRST_BLOCK_WINDOW: Duration = Duration::from_secs(60);
/// Pause between two looks for it.
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(super) async fn run(command: NetCommand, common: &Common, output: &Output) -> Result<(), Failure> {
    match command {
        NetCommand::Up { nodes, dir, quota, block, epoch } => {
            if common.dry_run {
                let nodes = count(nodes, &dir)?;
                let text = format!("would run {nodes} nodes in {}", dir.display());
                output.result(&text, "net-plan", json!({"nodes": nodes, "dir": dir}));
                return Ok(());
            }
            let named = block.or(epoch).is_some();
            let speed = Speed::of(block, epoch)?;
            up(nodes, &dir, (quota, speed, named), output).await
        }
        NetCommand::Down { dir } => {
            if common.dry_run {
                output.result(&format!("would stop {}", dir.display()), "net-plan", json!({"dir": dir}));
                return Ok(());
            }
            down(&dir, output)
        }
        NetCommand::Status { dir } => {
            let dir = dir.map_or_else(|| settings::folder(common), Ok)?;
            status(&dir, output).await
        }
        NetCommand::Create(args) => create::run(&args, common, output),
    }
}

/// Starts a network on this machine, made new if there is none, and returns when all its nodes serve.
async fn up(
    nodes: Option<u16>,
    dir: &Path,
    (quota, speed, named): (u64, Speed, bool),
    output: &Output,
) -> Result<(), Failure> {
    let count = count(nodes, dir)?;
    if dir.join("genesis.proofs").exists() {
        if named {
            let message = format!(
                "{} holds a network already, whose blocks and epochs stay as they are; leave out --block and --epoch",
                dir.display()
            );
            return Err(Failure::new(Exit::Conflict, "net.exists", message));
        }
        let there = supervisor::node_folders(dir)?;
        if there.len() != usize::from(count) {
            let message = format!(
                "{} holds a network of {} nodes; start it with --nodes {}, or name another folder",
                dir.display(),
                there.len(),
                there.len()
            );
            return Err(Failure::new(Exit::Conflict, "net.exists", message));
        }
        for folder in &there {
            if let Some(pid) =
                folder.running().map_err(|error| Failure::local("could not look at a node", &error))?
            {
                let message = format!(
                    "the network in {} is running already (process {pid}); `holdfast net down --dir {}` stops it",
                    dir.display(),
                    dir.display()
                );
                return Err(Failure::new(Exit::Conflict, "net.running", message));
            }
        }
    } else {
        make_local(count, dir, quota, speed)?;
    }
    let mut nodes = Stopping(supervisor::start_all(dir, Lifetime::Detached)?);
    check_serving(dir).await?;
    settings::remember_network(dir)?;
    for node in nodes.0.drain(..) {
        node.detach();
    }
    let network = Network::load(dir)?;
    let text = format!(
        "{count} nodes serve network {}\nstop them with: holdfast net down --dir {}",
        network.id(),
        dir.display()
    );
    output.result(&text, "net-up", json!({"network": network.id(), "nodes": count, "dir": dir}));
    Ok(())
}

/// How many nodes to start: as many as named, or as are there, or four.
fn count(named: Option<u16>, dir: &Path) -> Result<u16, Failure> {
    match named {
        Some(count) => Ok(count),
        None if dir.join("genesis.proofs").exists() => {
            Ok(u16::try_from(supervisor::node_folders(dir)?.len()).unwrap_or(u16::MAX))
        }
        None => Ok(LOCAL_NODES),
    }
}

/// Asks every node who it is, over the network, and waits until the ledger goes on.
pub(super) async fn check_serving(dir: &Path) -> Result<(), Failure> {
    let network = Network::load(dir)?;
    let net = dialer().await?;
    for (place, member) in network.committee.members().iter().enumerate() {
        let info = ask::node(&net, &network, place).await?;
        if info.node != member.node {
            let message = format!("node {} answers as {}", member.node.short(), info.node.short());
            return Err(Failure::new(Exit::Internal, "net.confused", message));
        }
    }
    if network.genesis.ledger.is_some() {
        wait_for_block(LedgerClient::new(net, network)?).await?;
    }
    Ok(())
}

/// Waits for a block of now: before that nobody can be asked about the ledger.
async fn wait_for_block(mut ledger: LedgerClient) -> Result<(), Failure> {
    let deadline = Instant::now() + FIRST_BLOCK_WINDOW;
    loop {
        match ledger.head().await {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error.into()),
            Err(_) => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

/// Makes a network of `count` nodes that all lie in one folder.
pub(super) fn make_local(count: u16, dir: &Path, quota: u64, speed: Speed) -> Result<(), Failure> {
    if !(1..=LOCAL_NODES_MAX).contains(&count) {
        let message = format!("--nodes takes 1 to {LOCAL_NODES_MAX}");
        return Err(Failure::new(Exit::Usage, "net.nodes", message));
    }
    if fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        let message =
            format!("{} is not empty and holds no complete network; name another folder", dir.display());
        return Err(Failure::new(Exit::Conflict, "net.folder", message));
    }
    let mut guard = RemoveUnless { dir: dir.to_owned(), existed: dir.exists(), done: false };
    let mut members = Vec::new();
    let mut folders = Vec::new();
    for number in 1..=count {
        let folder = NodeFolder::at(&dir.join("nodes").join(number.to_string()));
        let description = Description {
            operator: format!("operator-{number}"),
            failure_domain: format!("site-{number}"),
            weight: Weight::ONE,
        };
        let config = NodeConfig { quota_bytes: quota, ..devnet::node_config() };
        members.push(folder.init(&config, &description)?);
        folders.push(folder);
    }
    // Four copies where there are four nodes; a smaller network keeps one on each.
    let copies = count.min(4);
    let profile = Profile::copies(copies).expect("between one and four");
    let contents = devnet::contents(dir, &folders, profile)?;
    let ledger = Some(devnet::part(&contents, speed));
    let genesis = genesis("local", members, &[profile], speed.epoch_seconds, ledger)?;
    write(&dir.join("ledger"), &contents.to_bytes())?;
    write(&dir.join("genesis"), &genesis.to_bytes())?;
    // Relative to the node's folder, so that the whole network can be moved.
    let here = Path::new("../..");
    let proofs = folders.iter().map(|folder| folder.prove(dir, here)).collect::<Result<Vec<_>, _>>()?;
    write_proofs(dir, &genesis, proofs)?;
    guard.done = true;
    Ok(())
}

/// Removes what was made, unless it was finished.
struct RemoveUnless {
    dir: PathBuf,
    /// The folder was there and empty: it stays.
    existed: bool,
    done: bool,
}

impl Drop for RemoveUnless {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let remove = || {
            if !self.existed {
                return fs::remove_dir_all(&self.dir);
            }
            for name in ["genesis", "genesis.proofs", "ledger", "faucet.key"] {
                if self.dir.join(name).exists() {
                    fs::remove_file(self.dir.join(name))?;
                }
            }
            fs::remove_dir_all(self.dir.join("nodes"))
        };
        if let Err(error) = remove()
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(dir = %self.dir.display(), %error, "could not remove an unfinished network");
        }
    }
}

fn down(dir: &Path, output: &Output) -> Result<(), Failure> {
    // Each node is tried, whatever became of the others.
    let (mut stopped, mut failure) = (0, None);
    for (folder, result) in supervisor::stop_all(supervisor::node_folders(dir)?) {
        match result {
            Ok(was_running) => stopped += u32::from(was_running),
            Err(error) => {
                let what = format!("could not stop {}", folder.path().display());
                failure = Some(Failure::local(what, &error));
            }
        }
    }
    if let Some(failure) = failure {
        return Err(failure);
    }
    settings::forget_network(dir);
    output.result(&format!("stopped {stopped} nodes"), "net-down", json!({"stopped": stopped, "dir": dir}));
    Ok(())
}

async fn status(dir: &Path, output: &Output) -> Result<(), Failure> {
    let Online { net, network, .. } = online::follow(settings::network_in(dir)?, output).await?;
    let mut text = format!("network {} ({})\n", network.id(), network.genesis.name);
    let mut rows = Vec::new();
    let mut serving = 0;
    for (place, member) in network.committee.members().iter().enumerate() {
        let (state, detail, info) = match ask::node(&net, &network, place).await {
            Ok(info) => {
                serving += 1;
                let detail = format!("{} pieces, {} of {} bytes", info.pieces, info.bytes, info.quota);
                ("serves", detail, Some(info))
            }
            Err(error) => ("unreachable", explain(&error), None),
        };
        text.push_str(&format!(
            "node {}  {:12} {state:12} {detail}\n",
            member.node.short(),
            member.operator.as_str()
        ));
        rows.push(json!({
            "node": member.node,
            "operator": member.operator,
            "state": state,
            "pieces": info.as_ref().map(|info| info.pieces),
            "bytes": info.as_ref().map(|info| info.bytes),
            "quota": info.as_ref().map(|info| info.quota),
            "detail": detail,
        }));
    }
    if serving == 0 {
        let message =
            format!("none of the {} nodes of network {} answers; is it running?", rows.len(), network.id());
        return Err(Failure::new(Exit::Unreachable, "net.unreachable", message));
    }
    text.push_str(&format!("{serving} of {} nodes serve", rows.len()));
    output.result(
        &text,
        "net-status",
        json!({"network": network.id(), "name": network.genesis.name, "serving": serving, "nodes": rows}),
    );
    Ok(())
}
