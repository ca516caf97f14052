//! All members of a network are replaced, one by one, while it runs. It goes on, and what the first ones signed is still believed.
//!
//! Newcomers know one another and the founders only by what running nodes tell them: each gets a folder of the network whose
//! `peers.toml` is that of one running node.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use holdfast_client::ask;
use holdfast_client::network::{Network, PeerEntry, Peers};
use holdfast_core::id::NodeId;
use holdfast_net::{Keypair, Net};
use holdfast_node::folder::NodeFolder;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Run, World, noise, signal, wait_for_blocks};

const FOUNDERS: usize = 4;
/// Short epochs, so that twenty of them fit into a test; some blocks in each.
const EPOCH: &str = "10s";
const BLOCK_MS: u32 = 500;
/// A few epochs: no state that the test waits for takes longer, on a busy machine either.
const WINDOW: Duration = Duration::from_secs(60);

/// A node, its folder and its process.
struct Node {
    folder: NodeFolder,
    dir: String,
    id: NodeId,
    account: String,
    process: Option<Child>,
}

impl Node {
    fn init(world: &World, name: &str) -> Self {
        let args = ["node", "init", "--dir", name, "--operator", name, "--failure-domain", name];
        let made = world.run_json(args).ok().json();
        Self {
            folder: NodeFolder::at(&world.path(name)),
            dir: name.to_owned(),
            id: made["node"].as_str().unwrap().parse().unwrap(),
            account: made["account"].as_str().unwrap().to_owned(),
            process: None,
        }
    }

    /// Starts it, and returns when it serves.
    fn start(&mut self, world: &World) {
        let log = fs::File::create(self.folder.file("node.log")).unwrap();
        let mut command = world.command();
        command.args(["--json", "node", "run", "--dir", &self.dir]).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("addresses"), "{}", self.log());
        self.process = Some(child);
    }

    fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// Stops it in order; it must end well.
    fn stop(&mut self) {
        let mut child = self.process.take().expect("it runs");
        signal(child.id(), Signal::TERM);
        assert!(child.wait().unwrap().success(), "{}: {}", self.dir, self.log());
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.file("node.log")).unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut child) = self.process.take() {
            let _ = child.kill(); // it may have ended
            let _ = child.wait();
        }
    }
}

fn run(world: &World, args: &[&str]) -> Run {
    world.run_json(["--network", "net"].iter().chain(args))
}

/// What members say of the chain: the epoch of the first who answers, and all who do.
fn status(world: &World) -> Option<(u64, Vec<NodeId>)> {
    let run = run(world, &["chain", "status"]);
    let members = (run.code == 0).then(|| run.json()["members"].as_array().unwrap().clone())?;
    let answering: Vec<&Value> = members.iter().filter(|member| member["state"] == "answers").collect();
    let epoch = answering.iter().filter_map(|member| member["epoch"].as_u64()).max()?;
    let current =
        answering.iter().filter(|member| member["behind"].as_u64().is_some_and(|behind| behind < 5));
    Some((epoch, current.map(|member| member["node"].as_str().unwrap().parse().unwrap()).collect()))
}

fn validators(world: &World) -> Vec<NodeId> {
    let run = run(world, &["chain", "validators"]);
    if run.code != 0 {
        return Vec::new();
    }
    let shown = run.json();
    let validators = shown["validators"].as_array().unwrap().iter();
    validators.map(|one| one["node"].as_str().unwrap().parse().unwrap()).collect()
}

/// Founds a network, and starts its nodes.
fn found(world: &World, treasurer: &str) -> Vec<Node> {
    let mut nodes: Vec<_> =
        (1..=FOUNDERS).map(|number| Node::init(world, &format!("founder-{number}"))).collect();
    let mut file = format!("block_ms = {BLOCK_MS}\nepoch = \"{EPOCH}\"\n");
    file.push_str(&format!("[[allotment]]\naccount = \"{treasurer}\"\namount = \"100000FFG\"\n"));
    for Node { id, account, .. } in &nodes {
        file.push_str(&format!("[[owner]]\nnode = \"{id}\"\naccount = \"{account}\"\n"));
        file.push_str(&format!("[[authority]]\nnode = \"{id}\"\nweight = 1\n"));
        file.push_str(&format!("[[allotment]]\naccount = \"{account}\"\namount = \"1000FFG\"\n"));
    }
    world.file("beginning.toml", file);
    let create = ["net", "create", "--dir", "net"].map(str::to_owned);
    let with = |flag: &str, name: &str| {
        let files = nodes.iter().flat_map(|node| [flag.to_owned(), format!("{}/{name}", node.dir)]);
        create.iter().cloned().chain(files).collect::<Vec<_>>()
    };
    let mut first = with("--member", "member");
    first.extend(["--ledger".to_owned(), "beginning.toml".to_owned()]);
    world.run(first).ok();
    for node in &nodes {
        world.run(["node", "prove", "--dir", &node.dir, "--network", "net"]).ok();
    }
    world.run(with("--possession", "possession")).ok();
    nodes.iter_mut().for_each(|node| node.start(world));
    let entry = |node: &Node| PeerEntry { node: node.id, peer: None, addresses: node.folder.addresses() };
    Peers { peer: nodes.iter().map(entry).collect() }.save(&world.path("net")).unwrap();
    nodes
}

/// The folder of the network as whoever runs this node hands it out.
fn folder_of(world: &World, node: &Node, name: &str) {
    fs::create_dir(world.path(name)).unwrap();
    for file in ["genesis", "genesis.proofs", "ledger"] {
        fs::copy(world.path("net").join(file), world.path(name).join(file)).unwrap();
    }
    fs::copy(node.folder.file("peers.toml"), world.path(name).join("peers.toml")).unwrap();
}

/// The owners of validators support something until it is accepted.
fn decide(world: &World, nodes: &[Node], motion: &[&str]) {
    for node in nodes {
        let mut args = vec!["motion", motion[0], "--dir", &node.dir];
        args.extend(&motion[1..]);
        if run(world, &args).ok().json()["accepted"] == true {
            return;
        }
    }
    panic!("nobody accepted {motion:?}");
}

/// Puts a new node in the place of the oldest.
fn replace_oldest(world: &World, nodes: &mut Vec<Node>, number: usize) {
    let mut new = Node::init(world, &format!("new-{number}"));
    let network = format!("network-of-{number}");
    folder_of(world, &nodes[nodes.len() - 1], &network);
    run(world, &["wallet", "send", &new.account, "50FFG"]).ok();
    let registered =
        world.run_json(["node", "register", "--dir", &new.dir, "--network", &network]).ok().json();
    new.start(world);
    wait_for_blocks(
        &format!("new node {number} is a member from {}", registered["from_epoch"]),
        WINDOW,
        || status(world).is_some_and(|(_, members)| members.contains(&new.id)),
    );
    let (id, old) = (new.id, nodes[0].id);
    decide(world, nodes, &["authority", &id.to_string(), "--weight", "1"]);
    decide(world, nodes, &["authority", &old.to_string(), "--weight", "0"]);
    run(world, &["node", "retire", "--dir", &nodes[0].dir]).ok();
    nodes.push(new);
    wait_for_blocks("the new node decides and the old one does not", WINDOW, || {
        let now = validators(world);
        now.len() == FOUNDERS && now.contains(&id) && !now.contains(&old)
    });
    wait_for_blocks("the old node is no member", WINDOW, || {
        status(world).is_some_and(|(_, members)| members.len() == FOUNDERS && !members.contains(&old))
    });
}

/// Whether a founder still says that it holds a piece.
fn still_holds(world: &World, founder: &NodeId, cid: &str) -> bool {
    let network = Network::load(&world.path("net")).unwrap();
    let place = network.committee.place(founder).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let net = Net::start(Keypair::generate_ed25519(), &[]).await.unwrap();
        ask::piece(&net, &network, place, cid.parse().unwrap()).await.unwrap().is_some()
    })
}

#[test]
fn every_member_is_replaced_and_the_network_goes_on() {
    let world = World::empty();
    world.file("own-passphrase", "correct horse\n");
    world.key("default");
    let mut nodes = found(&world, &world.account("default"));
    let began = Instant::now();
    wait_for_blocks("epoch 1 runs", WINDOW, || status(&world).is_some_and(|(epoch, _)| epoch >= 1));
    world.file("photo", noise(300_000, 3));
    let put = world.run(["--network", "net", "put", "photo", "--for", "20m"]).ok();
    let cid = put.last_word().to_owned();
    let (first_epoch, _) = status(&world).unwrap();

    for number in 1..=FOUNDERS {
        replace_oldest(&world, &mut nodes, number);
        let mut old = nodes.remove(0);
        // It left, and still runs and keeps what it promised to keep.
        assert!(old.is_running() && still_holds(&world, &old.id, &cid), "{}", old.log());
        old.stop();
        println!("{} replaced after {:?}", old.dir, began.elapsed());
    }
    wait_for_blocks("ten more epochs are over", WINDOW, || {
        status(&world).is_some_and(|(epoch, _)| epoch > first_epoch + 10)
    });

    // The proof of the founders' time holds for whoever knows the network id, offline.
    let id = Network::load(&world.path("net")).unwrap().id().to_string();
    let verdict = world.run_json(["verify", "photo.proof", "--network-id", &id]).ok().json();
    // Not fresh: it ends with a header of its own time.
    assert_eq!(verdict["status"], "valid-as-of", "{verdict}");
    // Who knew only founders found the others out; who comes new is told by any node.
    let light = run(&world, &["chain", "light", "--count", "2"]).ok();
    folder_of(&world, &nodes[0], "newcomer");
    let mut newcomer = world.command();
    fs::create_dir(world.path("another-home")).unwrap();
    newcomer.env("HOME", world.path("another-home"));
    newcomer.args(["--json", "--network", "newcomer", "chain", "light", "--count", "2"]);
    let newcomer: Run = newcomer.output().unwrap().into();
    for light in [light, newcomer.ok()] {
        let first: Value = serde_json::from_str(light.stdout.lines().next().unwrap()).unwrap();
        assert!(first["handovers"].as_u64().unwrap() >= FOUNDERS as u64, "{first}");
    }
    // The newcomers keep new pieces.
    world.file("again", noise(10_000, 4));
    run(&world, &["put", "again", "--for", "1m"]).ok();
    for node in &mut nodes {
        assert!(node.is_running(), "{}", node.log());
        node.stop();
    }
    println!("done after {:?}", began.elapsed());
}
