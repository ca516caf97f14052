//! Nodes that begin late: with the state of others where blocks are too many or gone, and with blocks where they are few.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use holdfast_node::folder::NodeFolder;
use serde_json::Value;

use crate::support::{World, stop, wait_for_blocks};

/// Blocks that the nodes of this test keep: the fewest that a node may.
const KEEP: u64 = 1024;
/// More than a thousand blocks take less, on a busy machine too.
const WINDOW: Duration = Duration::from_secs(300);

/// What a node's HTTP API answers, and the status of the answer.
fn get(node: &NodeFolder, path: &str) -> Option<(u16, Value)> {
    let url = fs::read_to_string(node.file("api")).ok()?;
    let host = url.trim().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nhost: {host}\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).ok()?))
}

/// The last block of a node, and the oldest that it keeps.
fn height_and_earliest(node: &NodeFolder) -> Option<(u64, u64)> {
    let (_, status) = get(node, "/v1/status")?;
    Some((status["tip"]["height"].as_u64()?, status["earliest"].as_u64()?))
}

fn wait_for_height(node: &NodeFolder, height: u64) {
    wait_for_blocks(&format!("block {height} is there"), WINDOW, || {
        height_and_earliest(node).is_some_and(|(found, _)| found >= height)
    });
}

/// Makes a node that is no member and follows the network.
fn follower(world: &World, name: &str, settings: &str) -> NodeFolder {
    world.run(["node", "init", "--dir", name, "--operator", name, "--failure-domain", name]).ok();
    let node = NodeFolder::at(&world.path(name));
    configure(&node, &format!("network = \"../net\"\nlisten_api = \"127.0.0.1:0\"\n{settings}"));
    node
}

/// Changes settings.
fn configure(node: &NodeFolder, settings: &str) {
    let read = |text: &str| text.parse::<toml::Table>().unwrap();
    let mut all = read(&fs::read_to_string(node.file("node.toml")).unwrap());
    all.extend(read(settings));
    fs::write(node.file("node.toml"), all.to_string()).unwrap();
}

#[test]
fn nodes_that_begin_late_take_the_state_and_follow() {
    let world = World::empty();
    // One node decides, as fast as it can.
    world.run(["net", "up", "--nodes", "1", "--dir", "net", "--block", "1ms"]).ok();
    world.file("own-passphrase", "correct horse\n");
    world.key("default");
    let paid = world.run_json(["wallet", "faucet", "--amount", "7FFG"]).ok().json();
    let founder = &world.nodes()[0];
    stop(founder);
    configure(founder, &format!("keep_blocks = {KEEP}"));
    world.run(["net", "up", "--dir", "net"]).ok();

    // One follows block by block for a while, for the network is young.
    let early = follower(&world, "early", "");
    let running = world.run_node(&early, "");
    wait_for_height(&early, 1);
    let (left, earliest) = height_and_earliest(&early).unwrap();
    assert_eq!(earliest, 1);
    drop(running);

    wait_for_blocks("the blocks that the first one needs are gone", WINDOW, || {
        height_and_earliest(founder).is_some_and(|(_, earliest)| earliest > left + 100)
    });
    let head = world.run_json(["chain", "light", "--count", "1"]).ok().json();
    let checkpoint = head["checkpoint"].as_str().unwrap();
    world.run(["chain", "light", "--count", "1", "--checkpoint", checkpoint]).ok();
    let fresh = follower(&world, "fresh", &format!("checkpoint = {checkpoint:?}"));
    let mut began = None;
    for node in [&fresh, &early] {
        let running = world.run_node(node, "");
        let (height, earliest) = height_and_earliest(node).unwrap();
        assert!(earliest > left + 100, "{earliest}: blocks were not executed one by one");
        began.get_or_insert(earliest);
        wait_for_height(node, height + 20);
        // It knows what the ledger says, and what it has no blocks of it does not make up.
        let account = world.account("default");
        let (_, found) = get(node, &format!("/v1/accounts/{account}")).unwrap();
        assert_eq!(found["balance"], "7000000000000000000");
        assert_eq!(get(node, "/v1/blocks/1").unwrap().0, 410);
        let latest = get(node, "/v1/blocks/latest").unwrap();
        assert_eq!(latest.0, 200, "{latest:?}");
        let transaction = paid["transaction"].as_str().unwrap();
        assert_eq!(get(node, &format!("/v1/transactions/{transaction}")).unwrap().0, 404);
        let leftover = ["chain.synced", "chain.synced.restoring", "chain.old"];
        for name in leftover {
            assert!(!node.file("ledger").join(name).exists(), "{name}");
        }
        drop(running);
    }

    // What was missed meanwhile is little, and comes block by block.
    let running = world.run_node(&fresh, "");
    wait_for_height(&fresh, height_and_earliest(founder).unwrap().0);
    let (last, earliest) = height_and_earliest(&fresh).unwrap();
    assert_eq!(Some(earliest), began);
    drop(running);

    // Who is told of validators that nobody knows takes nothing.
    let unknown = format!("checkpoint = \"5:{}\"", "ab".repeat(32));
    follower(&world, "misled", &unknown);
    let refused = world.run(["node", "run", "--dir", "misled"]);
    assert!(refused.stderr.contains("nobody shows the validators of the checkpoint"), "{}", refused.stderr);
    let malformed = world.run(["chain", "light", "--checkpoint", "5"]);
    assert_eq!(malformed.code, 2, "{malformed:?}");
    // Nor does who has a ledger that went another way.
    configure(&fresh, &format!("checkpoint = \"{}:{}\"", last - 2, "ab".repeat(32)));
    let broken = world.run(["node", "run", "--dir", "fresh"]);
    assert!(broken.stderr.contains("does not go through the checkpoint"), "{}", broken.stderr);

    // An archive wants all blocks, which nobody has any more.
    let archive = follower(&world, "archive", "archive = true");
    let running = world.run_node(&archive, "");
    assert_eq!(height_and_earliest(&archive).unwrap().0, 0);
    drop(running);
    configure(&archive, "keep_blocks = 5000");
    let refused = world.run(["node", "run", "--dir", "archive"]);
    assert!(refused.stderr.contains("an archive keeps all blocks"), "{}", refused.stderr);
}
