//! Nodes, enclaves and whole networks that die and come back.

use std::fs;

use crate::support::{World, children, kill, noise, signal, wait_until};
use rustix::process::Signal;

#[test]
fn one_holder_of_four_is_enough_to_fetch() {
    let world = World::with_network(7);
    let file = world.file("file", noise(3_000_000, 1));
    let cid = world.run(["put", "file", "--wait", "all"]).ok().last_word().to_owned();
    for holder in &world.holders(&cid)[..3] {
        kill(holder);
    }
    // A client with an empty home and no path to the file.
    let stranger = World::empty();
    let get = stranger
        .command()
        .args(["get", &cid, "-o", "back"])
        .env("HOLDFAST_NETWORK", world.path("net"))
        .output()
        .unwrap();
    assert!(get.status.success(), "{get:?}");
    assert!(fs::read(file).unwrap() == fs::read(stranger.path("back")).unwrap());
}

#[test]
fn dead_slots_are_passed_over_until_the_quorum_is_gone() {
    let world = World::with_network(4);
    world.file("file", "kept");
    let cid = world.run(["cid", "file"]).ok().last_word().to_owned();
    let holders = world.holders(&cid);

    kill(&holders[1]);
    let three = world.run_json(["put", "file"]).ok().json();
    assert_eq!(three["pieces"][0]["signed"], 3);
    let all = world.run_json(["put", "file", "--wait", "all"]);
    assert_eq!((all.code, all.reason().as_str()), (8, "put.partial"));
    world.run(["verify", "file.proof"]).ok();

    kill(&holders[2]);
    fs::remove_file(world.path("file.proof")).unwrap();
    let two = world.run_json(["put", "file"]);
    assert_eq!((two.code, two.reason().as_str()), (8, "put.no_quorum"));
    assert!(!world.path("file.proof").exists());
    world.run(["get", &cid, "-o", "back"]).ok();

    kill(&holders[0]);
    kill(&holders[3]);
    let none = world.run_json(["get", &cid, "-o", "again"]);
    assert_eq!((none.code, none.reason().as_str()), (7, "get.unreachable"));
    assert_eq!(world.run_json(["status", &cid]).code, 7);
}

#[test]
fn a_network_comes_back_with_its_keys_and_everything_it_acknowledged() {
    let world = World::with_network(4);
    world.file("file", noise(2_000_000, 2));
    let cid = world.run(["put", "file", "--wait", "all"]).ok().last_word().to_owned();
    let before = world.network();
    // The slots keep the certificate, as nobody waits for, a moment after they were given it.
    let certified = || {
        let status = world.run_json(["status", &cid]).ok().json();
        status["slots"].as_array().unwrap().iter().all(|slot| slot["certificate_signers"] == 4)
    };
    wait_until("all slots keep the certificate", certified);
    for node in world.nodes() {
        kill(&node);
    }
    world.run(["net", "up", "--dir", "net"]).ok();
    let after = world.network();
    assert_eq!(before.id(), after.id());
    let addresses = |network: &holdfast_client::network::Network| {
        (0..4).map(|place| network.reach(place).unwrap().1.to_vec()).collect::<Vec<_>>()
    };
    let kept = addresses(&before).into_iter().zip(addresses(&after)).filter(|(old, new)| old == new).count();
    // Another process may have taken a port meanwhile, but hardly all four.
    assert!(kept > 0, "ports are kept where they are free");
    let status = world.run_json(["status", &cid]).ok().json();
    assert_eq!(status["holders"], 4);
    assert!(certified(), "certificates survive");
    world.run(["get", &cid, "-o", "back"]).ok();
    assert!(fs::read(world.path("file")).unwrap() == fs::read(world.path("back")).unwrap());
}

#[test]
fn a_killed_enclave_is_started_again_at_the_next_signature() {
    let world = World::with_network(4);
    for node in world.nodes() {
        let pid = node.running().unwrap().unwrap();
        let [enclave] = children(pid)[..] else { panic!("a node has one child") };
        signal(enclave, Signal::KILL);
        // Killed, it has no command line any more; reaped, because the node has noticed already, it has no entry.
        wait_until("the enclave is dead", || {
            fs::read(format!("/proc/{enclave}/cmdline")).map_or(true, |line| line.is_empty())
        });
    }
    world.file("file", "kept");
    let put = world.run_json(["put", "file", "--wait", "all"]).ok().json();
    assert_eq!(put["pieces"][0]["signed"], 4);
}

#[test]
fn nodes_end_their_enclaves_with_them() {
    let world = World::with_network(4);
    let enclaves: Vec<u32> =
        world.nodes().iter().flat_map(|node| children(node.running().unwrap().unwrap())).collect();
    assert_eq!(enclaves.len(), 4);
    kill(&world.nodes()[0]);
    world.run(["net", "down", "--dir", "net"]).ok();
    wait_until("no enclave is left", || {
        enclaves
            .iter()
            .all(|pid| fs::read(format!("/proc/{pid}/cmdline")).map_or(true, |line| line.is_empty()))
    });
}

#[test]
fn a_full_provider_is_an_error_of_its_own() {
    let world = World::empty();
    world.run(["net", "up", "--nodes", "4", "--dir", "net", "--quota", "100000"]).ok();
    world.file("small", noise(10_000, 1));
    world.file("large", noise(200_000, 1));
    let full = world.run_json(["put", "large"]);
    assert_eq!((full.code, full.reason().as_str()), (5, "put.quota"));
    assert!(full.stderr.contains("100000"), "both numbers are named: {full:?}");
    world.run(["put", "small"]).ok();
}

/// Requests for many small blocks once overflowed the mailbox of the one provider that was left.
#[test]
fn a_folder_of_small_files_comes_back_from_one_holder() {
    let world = World::with_network(7);
    fs::create_dir(world.path("tree")).unwrap();
    for number in 0..400 {
        world.file(&format!("tree/{number}"), format!("content {number}"));
    }
    let cid = world.run(["put", "tree", "--wait", "all"]).ok().last_word().to_owned();
    for holder in &world.holders(&cid)[1..] {
        kill(holder);
    }
    world.run(["get", &cid, "-o", "back"]).ok();
    assert_eq!(world.run(["cid", "back"]).ok().last_word(), cid);
}

#[test]
fn a_network_stops_although_an_enclave_is_frozen() {
    let world = World::with_network(4);
    let frozen = world.nodes()[0].running().unwrap().unwrap();
    let [enclave] = children(frozen)[..] else { panic!("a node has one child") };
    signal(enclave, Signal::STOP);
    world.run(["net", "down", "--dir", "net"]).ok();
    assert!(world.nodes().iter().all(|node| node.running().unwrap().is_none()));
    wait_until("the frozen enclave is gone", || {
        fs::read(format!("/proc/{enclave}/cmdline")).map_or(true, |line| line.is_empty())
    });
}
