//! `demo FILE`: the main job end to end on this machine, said in plain words, leaving nothing behind.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use holdfast_client::network::Network;
use holdfast_core::block::BlockId;
use holdfast_proofs::bundle::{BUNDLE_BYTES_MAX, Bundle};
use holdfast_proofs::slots::{self, Bucket};
use serde_json::{Value, json};
use tokio::process::Command;

use super::net;
use crate::args::Common;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings;
use crate::supervisor::{self, Lifetime, Stopping};

/// Providers of the demonstration: one slot each of the default profile.
const NODES: u16 = 4;
/// How long the file is paid for.
const KEPT: &str = "5m";
/// Of an account that is gone with the demonstration.
const PASSPHRASE: &str = "demonstration\n";
/// What each may hold: the disk is the limit.
const QUOTA: u64 = 1 << 40;

pub(super) async fn run(file: &Path, common: &Common, output: &Output) -> Result<(), Failure> {
    let metadata = fs::metadata(file).map_err(|error| {
        Failure::new(Exit::NotFound, "file.missing", format!("could not read {}: {error}", file.display()))
    })?;
    let named = file.display().to_string();
    let file = std::path::absolute(file).map_err(|error| Failure::local("no current folder", &error))?;
    if common.dry_run {
        output.result(
            &format!("would show everything with {}", file.display()),
            "demo-plan",
            json!({"file": file, "nodes": NODES}),
        );
        return Ok(());
    }
    let bytes = metadata.is_file().then_some(metadata.len());
    // Removed when this function ends, however it ends; nodes are stopped before that.
    let folder = tempfile::Builder::new().prefix("holdfast-demo-").tempdir();
    let folder = folder.map_err(|error| Failure::local("could not make a temporary folder", &error))?;
    let demo = Demo { dir: folder.path().join("network"), home: folder.path().join("home"), named, output };
    fs::create_dir(&demo.home)
        .map_err(|error| Failure::local("could not make a temporary folder", &error))?;

    supervisor::adopt_orphans().map_err(|error| Failure::local("could not adopt processes", &error))?;
    let mut nodes = Stopping(Vec::new());
    let shown = demo.show(&file, bytes, &mut nodes).await;
    output.note("stopping the network and removing its folder");
    drop(nodes);
    folder.close().map_err(|error| Failure::local("could not remove the temporary folder", &error))?;
    let shown = shown?;
    output.result(&shown.text, "demo", shown.object);
    Ok(())
}

struct Demo<'a> {
    dir: std::path::PathBuf,
    /// Home folder of the commands that the demonstration runs: empty, so that nothing is known beforehand.
    home: std::path::PathBuf,
    /// The file as the user named it.
    named: String,
    output: &'a Output,
}

struct Shown {
    text: String,
    object: Value,
}

impl Demo<'_> {
    async fn show(&self, file: &Path, bytes: Option<u64>, nodes: &mut Stopping) -> Result<Shown, Failure> {
        self.say(
            1,
            &format!(
                "starting a network of {NODES} providers, each two processes: host and enclave; they also decide about a ledger"
            ),
        );
        net::make_local(NODES, &self.dir, QUOTA, net::Speed::default())?;
        nodes.0 = supervisor::start_all(&self.dir, Lifetime::Bound)?;
        net::check_serving(&self.dir).await?;
        let network = Network::load(&self.dir)?;

        self.say(2, "making an account, and asking the network's faucet for money");
        let passphrase = self.home.join("passphrase");
        fs::write(&passphrase, PASSPHRASE)
            .map_err(|error| Failure::local("could not write to the temporary folder", &error))?;
        self.holdfast(&["key", "new"], &["--passphrase-file".as_ref(), passphrase.as_os_str()]).await?;
        self.holdfast(&["wallet", "faucet"], &[]).await?;

        self.say(
            3,
            &format!(
                "ordering {} to be kept on all four for {KEPT}: paying, storing, asking each to sign",
                self.named
            ),
        );
        let proof = self.home.join("proof");
        let put = [
            file.as_os_str(),
            "--for".as_ref(),
            KEPT.as_ref(),
            "--passphrase-file".as_ref(),
            passphrase.as_os_str(),
            "--bundle".as_ref(),
            proof.as_os_str(),
            "--wait".as_ref(),
            "all".as_ref(),
        ];
        self.holdfast(&["put"], &put).await?;
        let bundle = settings::read_limited(&proof, BUNDLE_BYTES_MAX)?;
        let bundle = Bundle::from_bytes(&bundle)
            .map_err(|error| Failure::local("the proof was not written", &error))?;
        let statement = &bundle.certificate.statement;
        let (cid, order) =
            (statement.cid, statement.order.map(|order| order.to_string()).unwrap_or_default());

        self.say(4, "asking the ledger about the order, and believing what is proven under a final header");
        let order = self.holdfast(&["order", "show"], &[order.as_ref()]).await?;

        self.say(5, "checking the proof in a process that knows the network id and nothing else");
        let id = network.id().to_string();
        let check = [proof.as_os_str(), "--network-id".as_ref(), id.as_ref()];
        let verified = self.holdfast(&["verify"], &check).await?;

        let victim = self.kill_holder(&network, &cid, nodes)?;
        self.say(6, &format!("killed provider {victim}, which held a copy, without warning"));

        self.say(7, "fetching from the others, in a process without cache and without a path to the file");
        let fetched = self.home.join("fetched");
        let text = cid.to_string();
        self.holdfast(&["get"], &[text.as_ref(), "-o".as_ref(), fetched.as_os_str()]).await?;
        if !same(file, &fetched)? {
            let message = format!("{} came back different from what was stored", file.display());
            return Err(Failure::new(Exit::Internal, "demo.different", message));
        }
        Ok(Shown {
            text: plain_words(&self.named, bytes, &cid, &id),
            object: json!({
                "cid": text,
                "network": id,
                "file": file,
                "bytes": bytes,
                "providers": NODES,
                "order": order,
                "killed": victim,
                "equal": true,
                "verify": verified,
            }),
        })
    }

    fn say(&self, step: u8, text: &str) {
        self.output.note(&format!("{step}. {text}"));
    }

    /// Runs this program as a stranger would: empty home, another folder, the network named by its folder.
    async fn holdfast(&self, command: &[&str], args: &[&std::ffi::OsStr]) -> Result<Value, Failure> {
        let program =
            std::env::current_exe().map_err(|error| Failure::local("no path to this program", &error))?;
        let mut child = Command::new(program);
        child.args(["--json", "--quiet"]).args(command).args(args);
        child.env_clear().env("HOME", &self.home).env("HOLDFAST_NETWORK", &self.dir).current_dir(&self.home);
        for kept in ["PATH", "TMPDIR", "HOLDFAST_LOG"] {
            if let Some(value) = std::env::var_os(kept) {
                child.env(kept, value);
            }
        }
        // Signals of the terminal are for us; we end the command in order.
        child.stdin(Stdio::null()).process_group(0).kill_on_drop(true);
        let done =
            child.output().await.map_err(|error| Failure::local("could not run this program", &error))?;
        if !done.status.success() {
            return Err(failure_of(&command.join(" "), &done));
        }
        serde_json::from_slice(&done.stdout).map_err(|error| Failure::local("unreadable result", &error))
    }

    /// Kills (SIGKILL) the provider in the first slot of the piece.
    fn kill_holder(&self, network: &Network, cid: &BlockId, nodes: &mut Stopping) -> Result<String, Failure> {
        let members = network.committee.members();
        let first = members[slots::order(Bucket::of(cid), members)[0]].node;
        for at in 0..nodes.0.len() {
            if nodes.0[at].folder().member()?.node == first {
                let node = nodes.0.swap_remove(at);
                node.kill().map_err(|error| Failure::local("could not kill a provider", &error))?;
                return Ok(first.short());
            }
        }
        Err(Failure::new(Exit::Internal, "demo.no_holder", "no provider process holds the piece"))
    }
}

/// Passes on why a command failed, as it said itself.
fn failure_of(command: &str, done: &std::process::Output) -> Failure {
    let stderr = String::from_utf8_lossy(&done.stderr);
    let last = stderr.lines().last().unwrap_or("it said nothing");
    let problem: Value = serde_json::from_str(last).unwrap_or_default();
    let detail = problem["detail"].as_str().unwrap_or(last);
    let reason = problem["reason"].as_str().unwrap_or("demo.step").to_owned();
    let exit = Exit::of_code(done.status.code().unwrap_or(0));
    Failure::new(exit, reason, format!("`{command}`: {detail}"))
}

fn plain_words(file: &str, bytes: Option<u64>, cid: &BlockId, network: &str) -> String {
    let size = bytes.map(|bytes| format!(" ({bytes} bytes)")).unwrap_or_default();
    format!(
        "\
What was proven
  - {file}{size} has the name {cid}.
  - It is paid for on the ledger: the money lies in escrow, the order is active, and more than two
    thirds of the validators signed the block that says so.
  - Four providers signed that they hold it, verified and synced to disk. Anyone can check that
    offline with the proof and the network id {network}.
  - With one provider killed, the file came back byte for byte, every block checked by its hash.
What was not proven
  - That the providers run any particular code: there is no hardware attestation in this network.
  - That four copies lie on four machines: here they all lie on yours.
  - That the data will still be there tomorrow: a certificate is a signed promise, not an audit.",
    )
}

/// Compares two files, or two folders entry by entry, reading piece by piece.
fn same(left: &Path, right: &Path) -> Result<bool, Failure> {
    compare(left, right).map_err(|error| Failure::local("could not compare", &error))
}

fn compare(left: &Path, right: &Path) -> std::io::Result<bool> {
    use std::io::Read;
    let (kind, other) = (left.symlink_metadata()?.file_type(), right.symlink_metadata()?.file_type());
    if kind.is_symlink() && other.is_symlink() {
        return Ok(fs::read_link(left)? == fs::read_link(right)?);
    }
    if left.is_dir() {
        let names = |folder: &Path| -> std::io::Result<Vec<_>> {
            let mut names =
                fs::read_dir(folder)?.map(|e| Ok(e?.file_name())).collect::<std::io::Result<Vec<_>>>()?;
            names.sort();
            Ok(names)
        };
        let entries = names(left)?;
        if !right.is_dir() || entries != names(right)? {
            return Ok(false);
        }
        for entry in entries {
            if !compare(&left.join(&entry), &right.join(&entry))? {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    let (mut left, mut right) = (fs::File::open(left)?, fs::File::open(right)?);
    if left.metadata()?.len() != right.metadata()?.len() {
        return Ok(false);
    }
    let (mut one, mut two) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let count = left.read(&mut one)?;
        if count == 0 {
            return Ok(true);
        }
        right.read_exact(&mut two[..count])?;
        if one[..count] != two[..count] {
            return Ok(false);
        }
    }
}
