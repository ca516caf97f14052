//! Private pieces: encrypted before they leave, opened by their key alone.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use data_encoding::BASE32_NOPAD;

use crate::support::{World, find_bytes, kill, noise};

/// The secret in a key file.
fn secret(path: &Path) -> Vec<u8> {
    let text = fs::read_to_string(path).unwrap();
    let letters = text.trim_end().strip_prefix("hfk1").unwrap().to_uppercase();
    BASE32_NOPAD.decode(letters.as_bytes()).unwrap()[..32].to_vec()
}

#[test]
fn a_private_file_is_read_by_its_key_and_no_node_sees_either() {
    let world = World::with_network(4);
    let mut content = noise(3_000_000, 11);
    content[..28].copy_from_slice(b"this sentence is in the file");
    world.file("file", &content);
    let put = world.run(["put", "--encrypt", "file", "--wait", "all"]).ok();
    assert!(put.stderr.contains("private") && !put.stderr.contains("public"), "{put:?}");
    let cid = put.last_word();
    let mode = world.path("file.key").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    world.run(["get", cid, "--key", "file.key", "-o", "back"]).ok();
    assert!(fs::read(world.path("back")).unwrap() == content);
    world.run(["verify", "file.proof"]).ok();

    // Without the key it is what the nodes have: the ciphertext, of which the proof speaks.
    world.run(["get", cid, "-o", "ciphertext"]).ok();
    let ciphertext = fs::read(world.path("ciphertext")).unwrap();
    assert_eq!(ciphertext.len(), 48 + 3_000_000 + 46 * 16);
    assert!(ciphertext.starts_with(b"holdfast/priv/01"));
    world.run(["verify", "file.proof", "--file", "ciphertext"]).ok();

    let (key, text) = (secret(&world.path("file.key")), fs::read(world.path("file.key")).unwrap());
    let piece = ciphertext[1_000_000..1_000_032].to_vec();
    let net = world.path("net");
    assert!(find_bytes(&net, &piece).is_some(), "the search finds what is there");
    for needle in [&content[..28], &content[1_000_000..1_000_032], &key, &text[..40]] {
        assert!(find_bytes(&net, needle).is_none(), "a node has what is private");
        assert!(find_bytes(&world.path("tmp"), needle).is_none(), "temporary space has what is private");
    }
    let proof = fs::read(world.path("file.proof")).unwrap();
    assert!(!proof.windows(32).any(|window| window == key), "the proof is public");
    let all = format!("{}{}", put.stdout, put.stderr);
    assert!(!all.contains("hfk1"), "keys never print");
}

#[test]
fn a_private_folder_hides_its_names_and_comes_back_whole() {
    let world = World::with_network(4);
    fs::create_dir_all(world.path("tree/sub/empty")).unwrap();
    world.file("tree/a telling name", noise(2_000_000, 5));
    world.file("tree/sub/same content", noise(2_000_000, 5));
    world.file("tree/sub/nothing", "");
    std::os::unix::fs::symlink("a telling name", world.path("tree/link")).unwrap();
    let put = world.run_json(["put", "--encrypt", "tree"]).ok().json();
    let piece = &put["pieces"][0];
    assert_eq!((piece["public"].as_bool(), piece["key"].as_str()), (Some(false), Some("tree.key")));
    let cid = piece["cid"].as_str().unwrap();

    world.run(["get", cid, "--key", "tree.key", "-o", "back"]).ok();
    let plain = |name: &str| world.run(["cid", name]).ok().last_word().to_owned();
    assert_eq!(plain("tree"), plain("back"));
    assert!(world.path("back/sub/empty").is_dir());
    assert!(find_bytes(&world.path("net"), b"a telling name").is_none(), "a node knows a name");

    // The CAR in it, places that are taken, and what makes no sense.
    let file = world.run(["put", "--encrypt", "tree/a telling name"]).ok().last_word().to_owned();
    for (cid, key) in [(cid, "tree.key"), (&file, "tree/a telling name.key")] {
        let taken = world.run_json(["get", cid, "--key", key, "-o", "back"]);
        assert_eq!((taken.code, taken.reason().as_str()), (9, "file.exists"));
    }
    let no_car = world.run_json(["get", &file, "--key", "tree/a telling name.key", "--car", "-o", "x"]);
    assert_eq!((no_car.code, no_car.reason().as_str()), (2, "get.private_kind"));
    for name in ["tree/a telling name.key", "tree/a telling name.proof"] {
        fs::remove_file(world.path(name)).unwrap();
    }
    world.run(["get", cid, "--key", "tree.key", "--car", "-o", "inner.car"]).ok();
    let inner = world.run(["--dry-run", "put", "--car", "inner.car", "--bundle", "x"]).ok();
    assert_eq!(inner.last_word(), plain("tree"));
    for args in [&["--range", "0-9"][..], &["-o", "-"]] {
        let run = world.run_json([&["get", cid, "--key", "tree.key"], args].concat());
        assert_eq!((run.code, run.reason().as_str()), (2, "get.private_kind"));
    }
}

#[test]
fn a_wrong_key_opens_nothing_and_leaves_nothing_behind() {
    let world = World::with_network(4);
    world.file("one", noise(200_000, 1));
    world.file("two", noise(200_000, 2));
    let put = world.run_json(["put", "--encrypt", "one", "two"]).ok().json();
    let cid = put["pieces"][0]["cid"].as_str().unwrap();
    world.run(["get", cid, "-o", "good"]).ok();
    let good = fs::read(world.path("good")).unwrap();

    // Damaged by whoever stored it: nodes cannot damage what a CID names.
    let cell = |place: usize| 48 + place * 65_552;
    let mut changed = good.clone();
    changed[cell(2) + 5] ^= 1;
    let mut swapped = good.clone();
    swapped[cell(0)..cell(2)].rotate_left(65_552);
    let mut header = good.clone();
    header[20] ^= 1;
    let damaged = [
        ("changed", changed),
        ("swapped", swapped),
        ("header", header),
        ("cut", good[..cell(2)].to_vec()),
        ("shorter", good[..good.len() - 1].to_vec()),
        ("stub", good[..50].to_vec()),
        ("public", noise(1000, 3)),
        ("empty", Vec::new()),
    ];
    let mut cases = vec![(cid.to_owned(), "two.key")];
    for (name, content) in damaged {
        world.file(name, content);
        cases.push((world.run(["put", name]).ok().last_word().to_owned(), "one.key"));
    }
    fs::create_dir(world.path("folder")).unwrap();
    cases.push((world.run(["put", "folder"]).ok().last_word().to_owned(), "one.key"));
    let before = fs::read_dir(world.path("")).unwrap().count();
    for (cid, key) in cases {
        let run = world.run_json(["get", &cid, "--key", key, "-o", "out"]);
        assert_eq!((run.code, run.reason().as_str()), (6, "get.private"), "{run:?}");
        assert_eq!(fs::read_dir(world.path("")).unwrap().count(), before, "{run:?}");
        assert_eq!(fs::read_dir(world.path("tmp")).unwrap().count(), 0);
    }
    world.file("no.key", "not a key");
    let run = world.run_json(["get", cid, "--key", "no.key", "-o", "out"]);
    assert_eq!((run.code, run.reason().as_str()), (6, "key.malformed"));
    assert_eq!(world.run_json(["get", cid, "--key", "none.key", "-o", "out"]).code, 3);
}

#[test]
fn keys_are_never_written_over_and_never_left_for_nothing() {
    let world = World::with_network(4);
    world.file("file", "content");
    world.file("file.key", "something of the user's");
    let problem = |args: &[&str]| {
        let run = world.run_json([&["put"], args].concat());
        (run.code, run.reason())
    };
    assert_eq!(problem(&["--encrypt", "file"]), (9, "file.exists".into()));
    assert_eq!(fs::read(world.path("file.key")).unwrap(), b"something of the user's");
    assert_eq!(
        problem(&["--encrypt", "file", "--key-file", "x", "--bundle", "x"]),
        (2, "put.key_file".into())
    );
    assert_eq!(
        problem(&["--encrypt", "file", "--key-file", "./x", "--bundle", "x"]),
        (2, "put.key_file".into())
    );
    assert_eq!(problem(&["--encrypt", "file", "--key-file", "no/such/key"]), (3, "file.write".into()));
    assert_eq!(problem(&["--encrypt", "file", "net", "--key-file", "key"]), (2, "put.key_file".into()));
    assert_eq!(problem(&["--encrypt", "-", "--bundle", "proof"]), (2, "put.key_file".into()));
    assert_eq!(problem(&["file", "--key-file", "key"]), (2, "usage".into()));
    assert_eq!(problem(&["--encrypt", "none"]), (3, "file.missing".into()));
    world.run(["--dry-run", "put", "--encrypt", "file", "--key-file", "key"]).ok();
    assert!(!world.path("key").exists());

    // Two of four are gone: no certificate, but two nodes may hold it, so the key stays.
    let nodes = world.nodes();
    nodes[..2].iter().for_each(kill);
    assert_eq!(problem(&["--encrypt", "file", "--key-file", "kept"]), (8, "put.no_quorum".into()));
    assert_eq!(secret(&world.path("kept")).len(), 32);
    // Nobody is there: not one byte went out, so the key goes too.
    nodes[2..].iter().for_each(kill);
    assert_eq!(problem(&["--encrypt", "file", "--key-file", "key"]), (8, "put.no_quorum".into()));
    assert!(!world.path("key").exists());
    assert_eq!(fs::read_dir(world.path("tmp")).unwrap().count(), 0);
}

#[test]
fn standard_input_can_be_private() {
    let world = World::with_network(4);
    let mut child = world
        .command()
        .args(["put", "--encrypt", "-", "--bundle", "in.proof", "--key-file", "in.key"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"from a pipe").unwrap();
    let put = child.wait_with_output().unwrap();
    assert!(put.status.success());
    let text = String::from_utf8(put.stdout).unwrap();
    let cid = text.split_whitespace().last().unwrap();
    let back = world.command().args(["get", cid, "--key", "in.key", "-o", "-"]).output().unwrap();
    assert_eq!(back.stdout, b"from a pipe");
}
