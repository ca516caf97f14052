//! Store, certify, verify, fetch: files, folders, CARs, standard input.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use crate::support::{World, noise};

#[test]
fn files_of_every_shape_come_back_byte_for_byte() {
    let world = World::with_network(4);
    for bytes in [0, 1, 1000, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5_000_000] {
        let file = world.file("file", noise(bytes, 7));
        let put = world.run(["put", "file", "--wait", "all"]).ok();
        assert!(put.stderr.contains("public"), "{put:?}");
        let cid = put.last_word();
        assert_eq!(world.run(["cid", "file"]).ok().last_word(), cid);
        world.run(["get", cid, "-o", "back"]).ok();
        assert!(fs::read(&file).unwrap() == fs::read(world.path("back")).unwrap(), "{bytes} bytes differ");
        fs::remove_file(world.path("back")).unwrap();
        world.run(["verify", "file.proof", "--file", "file"]).ok();
    }
    let status = world.run_json(["net", "status"]).ok().json();
    for node in status["nodes"].as_array().unwrap() {
        assert_eq!(node["pieces"], 7, "every node holds every piece once");
    }
}

#[test]
fn several_files_make_several_pieces_and_putting_again_changes_nothing() {
    let world = World::with_network(4);
    world.file("one", "one");
    world.file("two", "two");
    let put = world.run_json(["put", "one", "two", "--wait", "all"]).ok().json();
    let pieces = put["pieces"].as_array().unwrap();
    assert_eq!(pieces.len(), 2);
    for piece in pieces {
        assert_eq!((piece["signed"].as_u64(), piece["public"].as_bool()), (Some(4), Some(true)));
        assert!(piece["certificate"].as_str().unwrap().starts_with("hfc1"));
    }
    let again = world.run_json(["put", "one", "two", "--wait", "all"]).ok().json();
    assert_eq!(put["pieces"][0]["certificate"], again["pieces"][0]["certificate"]);
    world.run(["verify", "one.proof", "--file", "one"]).ok();
    let other = world.run_json(["verify", "one.proof", "--file", "two"]);
    assert_eq!((other.code, other.reason().as_str()), (6, "verify.file"));
}

#[test]
fn folders_and_cars_round_trip() {
    let world = World::with_network(4);
    fs::create_dir_all(world.path("tree/a/empty")).unwrap();
    for number in 0..300 {
        world.file(&format!("tree/a/file {number}"), noise(number, 3));
    }
    world.file("tree/large", noise(3_000_000, 4));
    std::os::unix::fs::symlink("large", world.path("tree/link")).unwrap();
    let cid = world.run(["put", "tree"]).ok().last_word().to_owned();

    world.run(["get", &cid, "-o", "back"]).ok();
    assert_eq!(world.run(["cid", "back"]).ok().last_word(), cid, "the same tree has the same CID");
    assert_eq!(fs::read_link(world.path("back/link")).unwrap().to_str(), Some("large"));
    assert!(world.path("back/a/empty").is_dir());

    world.run(["get", &cid, "--car", "-o", "tree.car"]).ok();
    let put = world.run(["put", "--car", "tree.car", "--bundle", "car.proof"]).ok();
    assert_eq!(put.last_word(), cid);
    let piece_bytes = fs::metadata(world.path("tree.car")).unwrap().len();
    let verified = world.run_json(["verify", "car.proof"]).ok().json();
    assert_eq!(verified["piece_bytes"], piece_bytes, "what `get --car` writes is the piece itself");
}

#[test]
fn standard_input_is_stored_and_needs_a_name_for_its_proof() {
    let world = World::with_network(4);
    let mut child = world
        .command()
        .args(["put", "-", "--bundle", "stdin.proof"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"from a pipe").unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
    world.file("same", "from a pipe");
    world.run(["verify", "stdin.proof", "--file", "same"]).ok();
    assert_eq!(world.run_json(["put", "-"]).code, 2);
}

#[test]
fn a_proof_is_judged_by_network_time_and_every_bit() {
    let world = World::with_network(4);
    let id = world.network().id().to_string();
    world.file("file", "kept");
    world.run(["put", "file"]).ok();
    world.run(["net", "down", "--dir", "net"]).ok();

    // A stranger: empty home, no network, no configuration.
    let stranger = World::empty();
    fs::copy(world.path("file.proof"), stranger.path("proof")).unwrap();
    let verify = |args: &[&str]| {
        let run = stranger.run_json([&["verify", "proof"], args].concat());
        let reason = if run.code == 0 { String::new() } else { run.reason() };
        (run.code, reason)
    };
    assert_eq!(verify(&[]), (2, "verify.no_network_id".into()));
    assert_eq!(verify(&["--network-id", &id]), (0, String::new()));
    let other = "00".repeat(32);
    assert_eq!(verify(&["--network-id", &other]), (6, "verify.network".into()));
    assert_eq!(verify(&["--network-id", &id, "--at", "99999999999"]), (10, "verify.expired".into()));
    assert_eq!(verify(&["--network-id", &id, "--at", "0"]), (6, "verify.time".into()));
    let by_environment =
        stranger.command().args(["verify", "proof"]).env("HOLDFAST_NETWORK_ID", &id).output();
    assert_eq!(by_environment.unwrap().status.code(), Some(0));

    // The whole program over flipped bits; that no bit at all is accepted is tested in `proofs`.
    let good = fs::read(stranger.path("proof")).unwrap();
    for bit in (0..good.len() * 8).step_by(397) {
        let mut flipped = good.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        stranger.file("proof", flipped);
        assert_eq!(verify(&["--network-id", &id]), (6, "verify.damaged".into()), "bit {bit}");
    }
    stranger.file("proof", &good[..good.len() / 2]);
    assert_eq!(verify(&["--network-id", &id]).0, 6);
    stranger.file("proof", vec![0; 5 << 20]);
    assert_eq!(verify(&["--network-id", &id]).0, 6);
}

#[test]
fn the_bundle_of_another_well_formed_network_is_invalid() {
    let (ours, theirs) = (World::with_network(4), World::with_network(4));
    theirs.file("file", "kept");
    theirs.run(["put", "file", "--bundle", "proof"]).ok();
    fs::copy(theirs.path("proof"), ours.path("proof")).unwrap();
    theirs.run(["verify", "proof"]).ok();
    let run = ours.run_json(["verify", "proof"]);
    assert_eq!((run.code, run.reason().as_str()), (6, "verify.network"));
}
