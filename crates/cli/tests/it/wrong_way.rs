//! Hints in `peers.toml` that lead nowhere, or to somebody else.

use std::fs;

use holdfast_client::network::Peers;

use crate::support::{World, has_file};

#[test]
fn wrong_addresses_cost_their_node_and_no_other() {
    let world = World::with_network(4);
    world.file("file", "kept");
    let cid = world.run(["put", "file", "--wait", "all"]).ok().last_word().to_owned();
    let good = Peers::load(&world.path("net")).unwrap();
    let save = |change: &dyn Fn(&mut Peers)| {
        let mut peers = good.clone();
        change(&mut peers);
        peers.save(&world.path("net")).unwrap();
    };

    // One leads nowhere: port 1 of this machine is nobody's.
    save(&|peers| peers.peer[0].addresses = vec!["/ip4/127.0.0.1/tcp/1/tls".parse().unwrap()]);
    let put = world.run_json(["put", "file"]).ok().json();
    assert_eq!(put["pieces"][0]["signed"], 3);
    // One that is not there at all is asked for, and remembered for the next command.
    save(&|peers| drop(peers.peer.remove(0)));
    for _ in 0..2 {
        let put = world.run_json(["put", "file", "--wait", "all"]).ok().json();
        assert_eq!(put["pieces"][0]["signed"], 4);
    }
    assert!(has_file(&world.path("home/.local/state/holdfast/peers")));

    // Two lead to each other: nobody takes one for the other.
    save(&|peers| {
        let (first, rest) = peers.peer.split_at_mut(1);
        std::mem::swap(&mut first[0].addresses, &mut rest[0].addresses);
    });
    let put = world.run_json(["put", "file"]);
    assert_eq!((put.code, put.reason().as_str()), (8, "put.no_quorum"));
    for peer in &good.peer[..2] {
        assert!(put.stderr.contains(&peer.node.short()), "names the node: {put:?}");
    }
    world.run(["get", &cid, "-o", "back"]).ok();
    assert_eq!(fs::read_to_string(world.path("back")).unwrap(), "kept");

    // All of them lead nowhere.
    let nowhere: Vec<_> =
        ["/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/1/tls"].map(|text| text.parse().unwrap()).to_vec();
    save(&|peers| peers.peer.iter_mut().for_each(|peer| peer.addresses.clone_from(&nowhere)));
    let get = world.run_json(["get", &cid, "-o", "again"]);
    assert_eq!((get.code, get.reason().as_str()), (7, "get.unreachable"));
    assert!(!world.path("again").exists());

    fs::write(world.path("net/peers.toml"), "[[peer]]\nnode = 7\n").unwrap();
    let malformed = world.run_json(["put", "file"]);
    assert_eq!((malformed.code, malformed.reason().as_str()), (2, "network.peers"));
    good.save(&world.path("net")).unwrap();
    world.run(["put", "file", "--wait", "all"]).ok();
}
