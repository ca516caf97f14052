//! Many clients at once.

use std::collections::BTreeSet;
use std::fs;

use crate::support::{Run, World, noise, start};

/// Puts files from a process each, all at once, and returns their CIDs.
fn put_at_once(world: &World, files: &[String]) -> BTreeSet<String> {
    let begin = |(client, file): (usize, &String)| {
        let proof = format!("{client}.proof");
        start(world, &["put", file, "--wait", "all", "--bundle", &proof])
    };
    let clients: Vec<_> = files.iter().enumerate().map(begin).collect();
    let finish = |(client, (process, file)): (usize, (std::process::Child, &String))| {
        let put = Run::from(process.wait_with_output().unwrap()).ok().json();
        assert_eq!(put["pieces"][0]["signed"], 4, "{put}");
        world.run(["verify", &format!("{client}.proof"), "--file", file]).ok();
        put["pieces"][0]["cid"].as_str().unwrap().to_owned()
    };
    clients.into_iter().zip(files).enumerate().map(finish).collect()
}

/// All nodes hold so many pieces, no beginnings are left, and all content comes back.
fn check(world: &World, pieces: usize) {
    let status = world.run_json(["net", "status", "--dir", "net"]).ok().json();
    for node in status["nodes"].as_array().unwrap() {
        assert_eq!(node["pieces"], pieces, "{status}");
    }
    assert!(!world.nodes().iter().any(crate::support::holds_partial));
}

fn crowd(clients: usize, bytes: usize) {
    let world = World::with_network(4);
    let same = noise(bytes, 1);
    world.file("same", &same);
    let cids = put_at_once(&world, &vec!["same".to_owned(); clients]);
    let [cid] = &cids.iter().collect::<Vec<_>>()[..] else { panic!("one content has one CID: {cids:?}") };
    world.run(["get", cid, "-o", "back"]).ok();
    assert!(fs::read(world.path("back")).unwrap() == same);
    check(&world, 1);

    let names: Vec<String> = (0..clients).map(|client| format!("file-{client}")).collect();
    for (client, name) in names.iter().enumerate() {
        world.file(name, noise(bytes + client, 2 + client as u64));
    }
    assert_eq!(put_at_once(&world, &names).len(), clients);
    check(&world, 1 + clients);
}

#[test]
fn two_clients_put_large_files_at_once() {
    crowd(2, 8_000_000);
}

#[test]
fn sixty_four_clients_put_small_files_at_once() {
    crowd(64, 20_000);
}
