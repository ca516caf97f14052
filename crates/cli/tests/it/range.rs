//! Some bytes of a file, and standard output as the place for them.

use std::fs;
use std::io::Read;
use std::process::Stdio;

use crate::support::{World, noise};

/// What went to standard output, and the result object on standard error.
fn get(world: &World, args: &[&str]) -> (Vec<u8>, serde_json::Value) {
    let run = world.command().args(["--json", "get", "-o", "-"]).args(args).output().unwrap();
    let stderr = String::from_utf8(run.stderr).unwrap();
    assert!(run.status.success(), "{args:?}: {stderr}");
    let result = serde_json::from_str(stderr.lines().last().unwrap()).unwrap();
    (run.stdout, result)
}

#[test]
fn only_the_blocks_of_a_range_are_fetched() {
    let world = World::with_network(4);
    let content = noise(5_000_000, 21);
    world.file("file", &content);
    let public = world.run(["put", "file"]).ok().last_word().to_owned();
    let small =
        world.run(["put", "file", "--profile", "256KiB-174", "--bundle", "s"]).ok().last_word().to_owned();
    let private = world.run(["put", "--encrypt", "file"]).ok().last_word().to_owned();
    // Range, its bytes, and blocks fetched: of 1 MiB, of 256 KiB, and private of 1 MiB, where the header counts.
    let cases = [
        ("0-0", 0..1, [2, 2, 2]),
        ("0-1023", 0..1024, [2, 2, 2]),
        ("1048575-1048576", 1_048_575..1_048_577, [3, 3, 3]),
        ("1024-", 1024..5_000_000, [6, 21, 6]),
        ("-500", 4_999_500..5_000_000, [2, 2, 3]),
        ("-9999999", 0..5_000_000, [6, 21, 6]),
        ("2500000-2600000", 2_500_000..2_600_001, [2, 2, 3]),
        ("4999999-99999999", 4_999_999..5_000_000, [2, 2, 3]),
    ];
    for (range, place, blocks) in cases {
        let keyed = ["--key", "file.key"];
        for (cid, key, blocks) in
            [(&public, &[][..], blocks[0]), (&small, &[], blocks[1]), (&private, &keyed, blocks[2])]
        {
            let (found, result) = get(&world, &[&[cid, "--range", range], key].concat());
            assert!(found == content[place.clone()], "{range} of {cid}");
            assert_eq!(result["blocks"], blocks, "{range} of {cid}");
            assert_eq!(result["schema"], "holdfast/get/1");
        }
    }
    world.run(["get", &private, "--key", "file.key", "--range", "7-13", "-o", "part"]).ok();
    assert_eq!(fs::read(world.path("part")).unwrap(), content[7..14]);
}

#[test]
fn ranges_that_make_no_sense_are_refused() {
    let world = World::with_network(4);
    world.file("file", "0123456789");
    world.file("empty", "");
    fs::create_dir(world.path("tree")).unwrap();
    let put = |name: &str| world.run(["put", name]).ok().last_word().to_owned();
    let (file, empty, tree) = (put("file"), put("empty"), put("tree"));
    let private = world.run(["put", "--encrypt", "file"]).ok().last_word().to_owned();
    let problem = |args: &[&str]| {
        let run = world.run_json([&["get", "-o", "out"], args].concat());
        assert!(!world.path("out").exists());
        (run.code, run.reason())
    };
    assert_eq!(problem(&[&file, "--range", "10-"]), (2, "get.range".into()));
    assert_eq!(problem(&[&file, "--range", "-0"]), (2, "get.range".into()));
    assert_eq!(problem(&[&empty, "--range", "0-"]), (2, "get.range".into()));
    assert_eq!(problem(&[&private, "--key", "file.key", "--range", "10-20"]), (2, "get.range".into()));
    assert_eq!(problem(&[&tree, "--range", "0-"]), (2, "get.not_a_file".into()));
    for grammar in ["5-4", "x", "-", "1", "0-1,4-5"] {
        assert_eq!(problem(&[&file, "--range", grammar]), (2, "usage".into()), "{grammar}");
    }
    assert_eq!(problem(&[&file, "--range", "0-", "--car"]), (2, "usage".into()));
    let to_stream = world.run_json(["get", &tree, "-o", "-"]);
    assert_eq!((to_stream.code, to_stream.reason().as_str()), (2, "get.not_a_file"));
}

#[test]
fn files_and_cars_go_to_standard_output() {
    let world = World::with_network(4);
    for bytes in [0, 1, 3_000_000] {
        let content = noise(bytes, 9);
        world.file("file", &content);
        let cid = world.run(["put", "file"]).ok().last_word().to_owned();
        assert!(get(&world, &[&cid]).0 == content);
        let (car, result) = get(&world, &[&cid, "--car"]);
        assert_eq!(result["output"], "-");
        world.run(["get", &cid, "--car", "-o", "car"]).ok();
        assert!(car == fs::read(world.path("car")).unwrap());
        fs::remove_file(world.path("car")).unwrap();
    }
    // For people, the result is a line on standard error, and nothing but data is on standard output.
    world.file("file", "text");
    let cid = world.run(["put", "file"]).ok().last_word().to_owned();
    let plain = world.run(["get", &cid, "-o", "-"]).ok();
    assert_eq!(plain.stdout, "text");
    assert!(plain.stderr.contains("fetched and checked"), "{plain:?}");
    assert_eq!(world.run(["--quiet", "get", &cid, "-o", "-"]).ok().stderr, "");
}

#[test]
fn a_reader_of_a_file_may_go_away() {
    let world = World::with_network(4);
    world.file("file", noise(8_000_000, 2));
    let cid = world.run(["put", "file"]).ok().last_word().to_owned();
    let mut child = world.command().args(["get", &cid, "-o", "-"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut some = [0; 1000];
    child.stdout.take().unwrap().read_exact(&mut some).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(some[..], noise(1000, 2));
}
