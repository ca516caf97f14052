//! Disks that are full, and disks that lose or change what they were given.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

use holdfast_node::folder::NodeFolder;

use crate::support::{World, flip_bit, kill, noise, wait_until};

/// A file size limit makes real writes fail, as on a full disk; the log of the node is beyond it as well.
#[test]
fn a_full_disk_is_a_refusal_and_the_node_serves_on() {
    let world = World::with_network(4);
    world.file("before", "kept before");
    world.file("large", noise(3_000_000, 1));
    world.file("after", "kept after");
    let before = world.run(["put", "before", "--wait", "all"]).ok().last_word().to_owned();
    let node = &world.nodes()[0];
    kill(node);
    let log = OpenOptions::new().write(true).open(node.file("node.log")).unwrap();
    log.set_len(2 << 20).unwrap();
    let limited = world.run_node(node, "ulimit -f 4096");

    let put = world.run_json(["put", "large"]).ok().json();
    assert_eq!(put["pieces"][0]["signed"], 3);
    let failed = put["pieces"][0]["failed"][0].as_str().unwrap();
    let named = node.member().unwrap().node.short();
    assert!(failed.contains(&named) && failed.contains("disk is full"), "{failed}");
    assert_eq!(world.says(node)["pieces"], 1, "the large piece is not there by half");
    assert!(!crate::support::holds_partial(node));
    // What still fits is stored, by the same process.
    world.run(["put", "after", "--wait", "all"]).ok();
    world.run(["get", &before, "-o", "back"]).ok();

    // With room again, the same put is whole.
    drop(limited);
    let _node = world.run_node(node, "");
    world.run(["put", "large", "--wait", "all"]).ok();
    assert_eq!(world.says(node)["pieces"], 3);
}

#[test]
fn a_program_whose_errors_nobody_takes_still_does_its_work() {
    let world = World::with_network(4);
    world.file("file", "kept");
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let put = { world.command() }.args(["put", "file"]).stderr(full.try_clone().unwrap()).output().unwrap();
    assert_eq!(put.status.code(), Some(0), "{put:?}");
    let none = { world.command() }.args(["put", "none"]).stderr(full).output().unwrap();
    assert_eq!(none.status.code(), Some(3), "{none:?}");
}

#[test]
fn a_flipped_bit_is_never_served_and_the_others_are_asked() {
    let world = World::with_network(4);
    for (name, bytes) in [("small", 20_000), ("large", 600_000)] {
        let content = noise(bytes, 7);
        world.file(name, &content);
        let cid = world.run(["put", name, "--wait", "all"]).ok().last_word().to_owned();
        let needle = &content[10_000..10_064];
        for holder in &world.holders(&cid)[..3] {
            flip_bit(&holder.file("store"), needle);
        }
        world.run(["get", &cid, "-o", "back"]).ok();
        assert!(fs::read(world.path("back")).unwrap() == content);
        fs::remove_file(world.path("back")).unwrap();

        flip_bit(&world.holders(&cid)[3].file("store"), needle);
        let none = world.run_json(["get", &cid, "-o", "back"]);
        assert_eq!((none.code, none.reason().as_str()), (3, "get.not_found"));
        assert!(!world.path("back").exists());
        assert_eq!(
            fs::read_dir(world.path(""))
                .unwrap()
                .filter(|entry| { entry.as_ref().unwrap().file_name().to_string_lossy().contains("partial") })
                .count(),
            0
        );
    }
    let status = world.run_json(["net", "status", "--dir", "net"]).ok().json();
    assert_eq!(status["serving"], 4);
}

#[test]
fn a_damaged_index_is_made_again_and_a_damaged_log_costs_one_piece_for_a_while() {
    let world = World::with_network(4);
    let content = noise(20_000, 8);
    world.file("damaged", &content);
    let mut cids = vec![world.run(["put", "damaged", "--wait", "all"]).ok().last_word().to_owned()];
    for (number, bytes) in [10, 30_000, 400_000].into_iter().enumerate() {
        let name = format!("file-{number}");
        world.file(&name, noise(bytes, 20 + number as u64));
        cids.push(world.run(["put", &name, "--wait", "all"]).ok().last_word().to_owned());
    }
    world.run(["net", "down", "--dir", "net"]).ok();
    let nodes = world.nodes();
    let index = |node: &NodeFolder| node.file("store/index.redb");
    flip_bit(&nodes[0].file("store"), &content[10_000..10_064]);
    fs::remove_file(index(&nodes[0])).unwrap();
    fs::write(index(&nodes[1]), noise(100_000, 9)).unwrap();
    let file = OpenOptions::new().write(true).open(index(&nodes[2])).unwrap();
    file.write_all_at(&[0xff; 64], 9000).unwrap(); // the database panics over it
    fs::write(index(&nodes[3]), "short").unwrap();
    let check = |node: &NodeFolder| world.run_json(["node", "check", "--dir", node.path().to_str().unwrap()]);
    let told = check(&nodes[3]);
    assert_eq!((told.code, told.reason().as_str()), (6, "store.damaged"));
    assert_eq!(told.json()["index_made_again"], true);
    assert_eq!(check(&nodes[3]).ok().json()["index_made_again"], false);

    world.run(["net", "up", "--dir", "net"]).ok();
    let holders = |cid: &str| world.run_json(["status", cid]).ok().json()["holders"].clone();
    assert!(cids[1..].iter().all(|cid| holders(cid) == 4), "nothing else is gone");
    wait_until("the node has fetched the damaged piece again", || holders(&cids[0]) == 4);
}

#[test]
fn damaged_enclave_state_stops_its_node_and_no_other() {
    let world = World::with_network(4);
    world.file("file", "kept");
    let cid = world.run(["put", "file", "--wait", "all"]).ok().last_word().to_owned();
    let node = &world.nodes()[0];
    kill(node);
    let (keys, journal) = (node.file("enclave/keys"), node.file("enclave/journal.redb"));
    let (good_keys, good_journal) = (fs::read(&keys).unwrap(), fs::read(&journal).unwrap());
    let mut flipped = good_keys.clone();
    flipped[40] ^= 1;
    let damages: [(&str, &dyn Fn()); 4] = [
        ("key file is damaged", &|| fs::write(&keys, &flipped).unwrap()),
        ("key file is damaged", &|| fs::write(&keys, "").unwrap()),
        ("key file is gone", &|| fs::remove_file(&keys).unwrap()),
        ("journal", &|| fs::write(&journal, noise(good_journal.len(), 3)).unwrap()),
    ];
    for (named, damage) in damages {
        damage();
        let run = world.run_json(["node", "run", "--dir", node.path().to_str().unwrap()]);
        assert_eq!((run.code, run.reason().as_str()), (1, "node.start"), "{run:?}");
        assert!(run.stderr.contains(named), "{named}: {run:?}");
        let put = world.run_json(["put", "file"]).ok().json();
        assert_eq!(put["pieces"][0]["signed"], 3);
        fs::write(&keys, &good_keys).unwrap();
        fs::write(&journal, &good_journal).unwrap();
    }
    let _node = world.run_node(node, "");
    world.run(["put", "file", "--wait", "all"]).ok();
    world.run(["get", &cid, "-o", "back"]).ok();
}
