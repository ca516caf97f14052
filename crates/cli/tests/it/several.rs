//! Several things stored by one command.

use std::fs;

use crate::support::{World, noise};

#[test]
fn small_files_are_stored_side_by_side_and_told_in_order() {
    let world = World::with_network(4);
    let mut names = Vec::new();
    for number in 0..70 {
        // Large ones between the small ones, which must not overtake in what is told.
        let bytes = if number % 20 == 10 { 600_000 } else { 100 + number };
        let name = format!("file-{number:02}");
        world.file(&name, noise(bytes, 1 + number as u64));
        names.push(name);
    }
    names.insert(35, "none".into());
    let mut args = vec!["put", "--wait", "all"];
    args.extend(names.iter().map(String::as_str));
    let put = world.run_json(&args);
    assert_eq!((put.code, put.reason().as_str()), (3, "file.missing"), "{put:?}");
    let stored: Vec<String> = put.json()["pieces"]
        .as_array()
        .unwrap()
        .iter()
        .map(|piece| {
            assert_eq!(piece["signed"], 4, "{piece}");
            piece["bundle"].as_str().unwrap().to_owned()
        })
        .collect();
    names.remove(35);
    assert_eq!(stored, names.iter().map(|name| format!("{name}.proof")).collect::<Vec<_>>());
    for name in &names {
        world.run(["verify", &format!("{name}.proof"), "--file", name]).ok();
    }
    assert!(!world.path("none.proof").exists());
    assert_eq!(fs::read_dir(world.path("tmp")).unwrap().count(), 0);
}

/// The proof of `tree/big` was once opened inside `tree` before `tree` was read, and a stray file was stored.
#[test]
fn proofs_and_keys_never_lie_in_what_is_stored() {
    let world = World::with_network(4);
    fs::create_dir_all(world.path("tree/sub")).unwrap();
    world.file("tree/big", noise(700_000, 1));
    world.file("tree/sub/small", "small");
    std::os::unix::fs::symlink("tree", world.path("way")).unwrap();
    let before = world.run(["cid", "tree"]).ok().last_word().to_owned();
    let refused = |args: &[&str], reason: &str| {
        let run = world.run_json(args);
        assert_eq!((run.code, run.reason().as_str()), (2, reason), "{args:?}: {run:?}");
        assert!(run.stderr.contains("would lie in"), "{run:?}");
    };
    refused(&["put", "tree", "tree/big"], "put.bundle");
    refused(&["put", "tree/sub", "tree"], "put.bundle");
    refused(&["put", "tree", "--bundle", "tree/x.proof"], "put.bundle");
    refused(&["put", "tree", "--bundle", "tree/sub/x.proof"], "put.bundle");
    refused(&["put", "tree", "--bundle", "way/x.proof"], "put.bundle");
    refused(&["put", "way", "--bundle", "tree/x.proof"], "put.bundle");
    refused(&["put", "--encrypt", "tree", "--key-file", "tree/x.key"], "put.key_file");
    assert_eq!(world.run(["cid", "tree"]).ok().last_word(), before, "nothing was left in the folder");

    let put = world.run(["put", "tree", "--wait", "all"]).ok();
    assert_eq!(put.last_word(), before);
    world.run(["put", "tree/big", "tree/sub/small"]).ok();
    assert!(world.path("tree/big.proof").exists());
}
