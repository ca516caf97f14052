//! `ls`: proofs and what they are worth, and folders that only the network has.

use std::fs;

use serde_json::Value;

use crate::support::{World, noise};

/// Name, status and reason of each proof in a list.
fn worth(list: &Value) -> Vec<(String, String, Option<String>)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let proofs = list["proofs"].as_array().unwrap().iter();
    proofs.map(|p| (text(&p["file"]).unwrap(), text(&p["status"]).unwrap(), text(&p["reason"]))).collect()
}

#[test]
fn proofs_are_listed_with_what_they_are_worth() {
    let world = World::with_network(4);
    let id = world.network().id().to_string();
    world.file("one", "1");
    fs::create_dir(world.path("folder")).unwrap();
    world.file("folder/two", noise(2_000_000, 1));
    world.run(["put", "one", "folder/two", "--wait", "all"]).ok();
    let good = fs::read(world.path("one.proof")).unwrap();
    world.file("cut.proof", &good[..good.len() / 2]);
    fs::create_dir(world.path("not-a.proof")).unwrap();

    let list = world.run_json(["ls"]).ok().json();
    assert_eq!(list["schema"], "holdfast/ls/1");
    let fresh = |name: &str| (name.to_owned(), "fresh".to_owned(), None);
    let cut = ("cut.proof".to_owned(), "invalid".to_owned(), Some("verify.damaged".to_owned()));
    assert_eq!(worth(&list), [cut, fresh("one.proof")]);
    let one = &list["proofs"][1];
    assert_eq!((&one["signed"], &one["slots"], &one["network"]), (&4.into(), &4.into(), &id.as_str().into()));
    assert_eq!(one["cid"], world.run(["cid", "one"]).ok().last_word());
    assert_eq!(worth(&world.run_json(["ls", "folder"]).ok().json()), [fresh("folder/two.proof")]);
    let both = world.run_json(["ls", "folder/two.proof", "none", "one.proof"]);
    assert_eq!((both.code, both.reason().as_str()), (3, "file.missing"));
    assert_eq!(worth(&both.json()), [fresh("folder/two.proof"), fresh("one.proof")]);

    let later = world.run_json(["ls", "--at", "99999999999", "one.proof"]).ok().json();
    assert_eq!(worth(&later)[0].1, "expired");
    let other = world.run_json(["ls", "--network-id", &"00".repeat(32), "one.proof"]).ok().json();
    assert_eq!(worth(&other)[0].2.as_deref(), Some("verify.network"));

    // Somebody who has not chosen a network sees what the proof says, and that nobody has judged it.
    world.run(["net", "down", "--dir", "net"]).ok();
    let people = world.run(["ls", "one.proof"]).ok().stdout;
    assert!(people.contains("network not chosen") && people.contains("4 of 4 signed"), "{people}");
    assert_eq!(worth(&world.run_json(["ls", "one.proof"]).ok().json())[0].1, "network-not-chosen");
    assert_eq!(worth(&world.run_json(["ls", "--network-id", &id, "one.proof"]).ok().json())[0].1, "fresh");
    assert!(world.run(["ls", "tmp"]).ok().stdout.contains("no proofs"));
}

#[test]
fn a_stored_folder_is_listed_and_its_files_stay_where_they_are() {
    let world = World::with_network(4);
    fs::create_dir_all(world.path("tree/inner")).unwrap();
    world.file("tree/large", noise(3_000_000, 1));
    world.file("tree/small", "12345");
    world.file("tree/inner/leaf", "x");
    let cid = world.run(["put", "tree", "--wait", "all"]).ok().last_word().to_owned();
    let listed = world.run_json(["ls", &cid]).ok().json();
    let stored = &listed["stored"][0];
    assert_eq!((&stored["cid"], &stored["kind"]), (&cid.as_str().into(), &"folder".into()));
    let entries: Vec<_> = stored["entries"].as_array().unwrap().iter().collect();
    let rows: Vec<_> = entries
        .iter()
        .map(|e| (e["name"].as_str().unwrap(), e["kind"].as_str().unwrap(), e["bytes"].as_u64()))
        .collect();
    assert_eq!(
        rows,
        [("inner", "folder", None), ("large", "file", Some(3_000_000)), ("small", "file", Some(5))]
    );
    assert_eq!(entries[1]["cid"], world.run(["cid", "tree/large"]).ok().last_word());
    // An entry can be listed in turn, and a file lists itself.
    let inner = entries[0]["cid"].as_str().unwrap();
    assert!(world.run(["ls", inner]).ok().stdout.trim_end().ends_with("leaf"));
    let large = entries[1]["cid"].as_str().unwrap();
    assert_eq!(
        world.run(["ls", large]).ok().stdout.split_whitespace().collect::<Vec<_>>(),
        ["file", "3000000", large]
    );

    let unknown = world.run_json(["ls", "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"]);
    assert_eq!((unknown.code, unknown.reason().as_str()), (3, "get.not_found"));
    let alone = World::empty().run_json(["ls", &cid]);
    assert_eq!((alone.code, alone.reason().as_str()), (2, "network.none"));
}
