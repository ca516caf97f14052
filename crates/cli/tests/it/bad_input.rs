//! Bad input gets one clear line and its exit code, and leaves nothing behind.

use std::fs;

use crate::support::{Run, World};

/// Runs a command and compares exit code and reason.
fn check(world: &World, args: &[&str], code: i32, reason: &str) {
    let run = world.run_json(args);
    assert_eq!((run.code, run.reason().as_str()), (code, reason), "{args:?}: {run:?}");
    let people = world.run(args);
    assert_eq!(people.code, code);
    let last: Vec<_> = people.stderr.lines().filter(|line| line.starts_with("holdfast: ")).collect();
    assert_eq!(last.len(), 1, "one clear line: {people:?}");
}

#[test]
fn without_a_network() {
    let world = World::empty();
    world.file("file", "x");
    let cid = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
    check(&world, &["put", "file"], 2, "network.none");
    check(&world, &["get", cid], 2, "network.none");
    check(&world, &["status", cid], 2, "network.none");
    check(&world, &["put", "file", "--network", "nowhere"], 2, "network.missing");
    check(&world, &["cid", "none"], 3, "file.missing");
    check(&world, &["verify", "none", "--network-id", &"0".repeat(64)], 3, "file.missing");
    check(&world, &["net", "down", "--dir", "nowhere"], 3, "net.missing");
    check(&world, &["node", "run", "--dir", "nowhere"], 3, "node.missing");
    check(&world, &["net", "up", "--nodes", "0", "--dir", "net"], 2, "net.nodes");
    assert!(!world.path("net").exists());
    // What the grammar itself refuses.
    for args in [&["get", "not-a-cid"][..], &["verify", "x", "--network-id", "12"], &["put"], &["frobnicate"]]
    {
        assert_eq!(world.run(args).code, 2, "{args:?}");
        assert_eq!(world.run_json(args).reason(), "usage", "{args:?}");
    }
    assert_eq!(world.run(["--help"]).code, 0);
    // Named by the environment but empty is not named.
    let unset = world.command().args(["cid", "file"]).env("HOLDFAST_NETWORK", "").output().unwrap();
    assert!(unset.status.success());
}

#[test]
fn with_a_network() {
    let world = World::with_network(4);
    world.file("file", "x");
    world.file("other", "y");
    world.file("notes.txt", "not a proof");
    let unknown = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
    check(&world, &["get", unknown, "-o", "out"], 3, "get.not_found");
    check(&world, &["status", unknown], 3, "status.not_found");
    check(&world, &["put", "none"], 3, "file.missing");
    check(&world, &["put", "file", "--copies", "5"], 2, "put.copies");
    check(&world, &["put", "file", "--copies", "3"], 2, "put.copies");
    check(&world, &["put", "file", "other", "--bundle", "proof"], 2, "put.bundle");
    check(&world, &["put", "file", "--bundle", "notes.txt"], 9, "file.exists");
    check(&world, &["put", "--car", "file", "--bundle", "proof"], 2, "car.unsupported");
    check(&world, &["net", "up", "--nodes", "4", "--dir", "net"], 9, "net.running");
    check(&world, &["net", "up", "--nodes", "5", "--dir", "net"], 9, "net.exists");
    assert_eq!(fs::read_to_string(world.path("notes.txt")).unwrap(), "not a proof");

    let cid = world.run(["put", "file"]).ok().last_word().to_owned();
    check(&world, &["get", &cid, "-o", "notes.txt"], 9, "file.exists");
    check(&world, &["get", &cid, "-o", "no/such/folder"], 3, "file.write");
    let left: Vec<_> =
        fs::read_dir(world.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("partial")), "{left:?}");
    assert_eq!(fs::read_dir(world.path("tmp")).unwrap().count(), 0);
}

#[test]
fn unknown_configuration_keys_are_errors() {
    let world = World::empty();
    fs::create_dir_all(world.path("home/.config/holdfast")).unwrap();
    world.file("home/.config/holdfast/config.toml", "netwrok = \"x\"");
    world.file("file", "x");
    check(&world, &["put", "file"], 2, "config.malformed");
}

#[test]
fn a_full_disk_of_the_client_is_told_as_such() {
    let world = World::empty();
    world.file("file", "x");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = world.command();
    let run = Run::from(command.args(["--json", "cid", "file"]).stdout(full).output().unwrap());
    assert_eq!((run.code, run.reason().as_str()), (5, "file.write"));
}

#[test]
fn a_node_is_not_run_for_a_time() {
    check(&World::empty(), &["node", "run", "--dir", "n", "--timeout", "5s"], 2, "usage");
}

#[test]
fn dry_runs_do_nothing() {
    let world = World::empty();
    world.file("file", "x");
    world.run(["--dry-run", "net", "up", "--dir", "net"]).ok();
    world.run(["--dry-run", "demo", "file"]).ok();
    world.run(["--dry-run", "node", "init", "--dir", "n", "--operator", "o", "--failure-domain", "f"]).ok();
    assert!(!world.path("net").exists() && !world.path("n").exists());
    let world = World::with_network(4);
    world.file("file", "x");
    let planned = world.run(["--dry-run", "put", "file"]).ok();
    assert_eq!(planned.last_word(), world.run(["cid", "file"]).ok().last_word());
    assert!(!world.path("file.proof").exists());
    assert_eq!(world.run_json(["status", planned.last_word()]).code, 3);
}

#[test]
fn nothing_is_stored_in_vain_and_no_source_is_overwritten() {
    let world = World::with_network(4);
    world.file("file", "x");
    world.file("empty", "");
    check(&world, &["put", "file", "--bundle", "no/such/proof"], 3, "file.write");
    check(&world, &["put", "file", "--bundle", "file"], 9, "file.exists");
    check(&world, &["put", "file", "--bundle", "empty"], 9, "file.exists");
    let cid = world.run(["cid", "file"]).ok().last_word().to_owned();
    assert_eq!(world.run(["status", &cid]).code, 3, "nothing was stored");

    // One of several that fails does not take the others with it.
    let some = world.run_json(["put", "file", "none"]);
    assert_eq!((some.code, some.reason().as_str()), (3, "file.missing"));
    let quiet = world.run(["-q", "put", "file", "none", "neither"]);
    assert_eq!(quiet.stderr.lines().count(), 2, "{quiet:?}");
    assert!(quiet.stderr.contains("none: ") && quiet.stderr.contains("neither: "), "each by name: {quiet:?}");
    assert_eq!(some.json()["pieces"][0]["cid"], cid.as_str());

    // A folder named by a dot has its proof beside it, not in it.
    fs::create_dir(world.path("tree")).unwrap();
    world.file("tree/leaf", "y");
    let put = world.command().args(["put", "."]).current_dir(world.path("tree")).output().unwrap();
    assert!(put.status.success(), "{put:?}");
    assert!(world.path("tree.proof").exists());
    assert_eq!(fs::read_dir(world.path("tree")).unwrap().count(), 1);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let world = World::empty();
    world.file("file", "x");
    let mut child =
        world.command().args(["cid", "file"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
