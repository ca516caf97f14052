//! Slots fetch what they lack, and what a repair has taken out.

use std::collections::BTreeSet;
use std::fs;

use holdfast_client::ask;
use holdfast_core::block::{BlockId, Codec};
use holdfast_core::car;
use holdfast_core::id::Epoch;
use holdfast_core::tree::TreeHasher;
use holdfast_net::{Keypair, Net};
use holdfast_proofs::bundle::Bundle;
use holdfast_store::log::Promise;
use holdfast_store::store::Store;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{
    World, flip_bit, holders_and_signers, kill, noise, signal, start_node, stop, wait_until,
};

/// Gives the certificate of a proof to the slots that have not signed it.
fn give(world: &World, proof: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let network = world.network();
        let bundle = Bundle::from_bytes(&fs::read(world.path(proof)).unwrap()).unwrap();
        let certificate = bundle.certificate.verify(&network.committee).unwrap();
        let net = Net::start(Keypair::generate_ed25519(), &[]).await.unwrap();
        ask::give(&net, &network, &certificate).await;
    });
}

/// Fetches what was stored and compares it.
fn come_back(world: &World, cids: &[String], files: &[(&str, Vec<u8>)]) {
    assert_eq!(cids.len(), files.len());
    for (cid, (name, content)) in cids.iter().zip(files) {
        let back = format!("{name}.back");
        world.run(["get", cid, "-o", &back]).ok();
        assert!(fs::read(world.path(&back)).unwrap() == *content, "{name}");
    }
}

#[test]
fn a_slot_that_was_away_fetches_the_piece_signs_it_and_tells_the_others() {
    let world = World::with_network(4);
    let nodes = world.nodes();
    let (away, others) = nodes.split_first().unwrap();
    kill(away);
    // One lies in the log, the other has files of its own.
    let files = [("small", noise(10_000, 1)), ("large", noise(3_000_000, 2))];
    let mut cids = Vec::new();
    for (name, content) in &files {
        world.file(name, content);
        let put = world.run_json(["put", name]).ok().json();
        assert_eq!(put["pieces"][0]["signed"], 3);
        cids.push(put["pieces"][0]["cid"].as_str().unwrap().to_owned());
    }
    start_node(&world, away);
    for (cid, (name, _)) in cids.iter().zip(&files) {
        assert_eq!(holders_and_signers(&world, cid).0, 3, "{name}");
        give(&world, &format!("{name}.proof"));
        wait_until("all four hold the piece and the certificate of four", || {
            holders_and_signers(&world, cid) == (4, vec![4; 4])
        });
    }
    others.iter().for_each(kill);
    come_back(&world, &cids, &files);
}

#[test]
fn a_slot_that_has_signed_adds_its_signature_to_a_certificate_without_it() {
    let world = World::with_network(4);
    world.file("file", "kept");
    let cid = world.run(["cid", "file"]).ok().last_word().to_owned();
    let holders = world.holders(&cid);
    // Only the first slot takes the piece and signs: there is no certificate.
    holders[1..].iter().for_each(kill);
    assert_eq!(world.run_json(["put", "file"]).reason(), "put.no_quorum");
    kill(&holders[0]);
    // The others certify it without the first.
    holders[1..].iter().for_each(|holder| start_node(&world, holder));
    assert_eq!(world.run_json(["put", "file"]).ok().json()["pieces"][0]["signed"], 3);
    start_node(&world, &holders[0]);
    give(&world, "file.proof");
    assert_eq!(holders_and_signers(&world, &cid), (4, vec![4, 3, 3, 3]));
}

#[test]
fn a_node_that_is_stopped_while_it_fetches_leaves_nothing_and_starts_again() {
    let world = World::with_network(4);
    let nodes = world.nodes();
    let (away, others) = nodes.split_first().unwrap();
    let all = |word: Signal| others.iter().for_each(|node| signal(node.running().unwrap().unwrap(), word));
    kill(away);
    world.file("file", noise(3_000_000, 7));
    let cid = world.run(["put", "file"]).ok().last_word().to_owned();
    start_node(&world, away);
    all(Signal::STOP);
    give(&world, "file.proof");
    let arriving = || fs::read_dir(away.file("store/partial")).unwrap().count();
    wait_until("the pull has begun", || arriving() > 0);
    stop(away);
    assert_eq!(arriving(), 0);
    all(Signal::CONT);
    // Nobody gives it the certificate again: it has kept it.
    start_node(&world, away);
    wait_until("all four hold the piece", || holders_and_signers(&world, &cid) == (4, vec![4; 4]));
}

#[test]
fn damaged_pieces_are_found_taken_out_and_fetched_again() {
    let world = World::with_network(4);
    let files = [("small", noise(10_000, 3)), ("large", noise(3_000_000, 4)), ("whole", noise(10_000, 5))];
    let mut cids = Vec::new();
    for (name, content) in &files {
        world.file(name, content);
        let cid = world.run(["put", name, "--wait", "all"]).ok().last_word().to_owned();
        wait_until("all slots keep the certificate", || holders_and_signers(&world, &cid) == (4, vec![4; 4]));
        cids.push(cid);
    }
    let nodes = world.nodes();
    let (node, others) = nodes.split_first().unwrap();
    let dir = node.path().to_str().unwrap();
    let check = |more: &[&str]| world.run_json([&["node", "check", "--dir", dir], more].concat());
    let running = check(&[]);
    assert_eq!((running.code, running.reason().as_str()), (9, "node.running"));

    stop(node);
    let well = check(&[]).ok().json();
    assert_eq!((&well["pieces"], &well["damaged"], &well["lost"]), (&3.into(), &json!([]), &json!([])));
    for (_, content) in &files[..2] {
        flip_bit(&node.file("store"), &content[5000..5032]);
    }
    let broken = check(&[]);
    assert_eq!((broken.code, broken.reason().as_str()), (6, "store.damaged"));
    let names = |found: &Value, kind: &str| {
        let found = found[kind].as_array().unwrap().iter();
        found.map(|entry| entry["cid"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let damaged: BTreeSet<_> = cids[..2].iter().cloned().collect();
    assert_eq!(names(&broken.json(), "damaged"), damaged);
    let people = world.run(["node", "check", "--dir", dir]);
    assert!(people.stdout.contains(&cids[0]) && people.stderr.contains("--repair"), "{people:?}");

    let repaired = check(&["--repair"]).ok().json();
    assert_eq!(names(&repaired, "lost"), damaged);
    assert!(repaired["lost"].as_array().unwrap().iter().all(|lost| lost["has_certificate"] == true));
    // They are still promised, and not here.
    assert_eq!((check(&[]).code, names(&check(&[]).json(), "lost")), (6, damaged));

    start_node(&world, node);
    for cid in &cids {
        wait_until("the node holds it again", || holders_and_signers(&world, cid) == (4, vec![4; 4]));
    }
    others.iter().for_each(kill);
    come_back(&world, &cids, &files);
}

/// A client that went away after the receipt has given no certificate.
#[test]
fn a_damaged_piece_without_a_certificate_must_be_put_again() {
    let world = World::empty();
    world.run(["node", "init", "--dir", "node", "--operator", "o", "--failure-domain", "d"]).ok();
    let content = noise(5000, 6);
    let cid = BlockId::of(Codec::Raw, &content);
    let piece = [car::header(&cid), car::section_prefix(&cid, content.len()), content.clone()].concat();
    let store = Store::open(&world.path("node/store"), 1 << 20).unwrap();
    let mut draft = store.draft(cid, piece.len() as u64).unwrap();
    draft.push(&piece).unwrap();
    let promise = Promise { until: Epoch(1), statement: b"promised".to_vec() };
    let (sender, sealed) = std::sync::mpsc::channel();
    let mut hasher = TreeHasher::default();
    hasher.update(&piece, &mut Vec::new());
    let root = hasher.finish(&mut Vec::new());
    draft.seal(&root, Some(promise), move |result| sender.send(result).unwrap());
    sealed.recv().unwrap().unwrap();
    drop(store);

    world.run(["node", "check", "--dir", "node"]).ok();
    flip_bit(&world.path("node/store"), &content[..32]);
    assert_eq!(world.run(["node", "check", "--dir", "node"]).code, 6);
    let repaired = world.run_json(["node", "check", "--dir", "node", "--repair"]);
    assert_eq!((repaired.code, repaired.reason().as_str()), (8, "store.lost"));
    assert_eq!(repaired.json()["lost"][0]["cid"], cid.to_string());
}

#[test]
fn a_folder_without_a_node_is_not_checked() {
    let world = World::empty();
    let none = world.run_json(["node", "check", "--dir", "nowhere"]);
    assert_eq!((none.code, none.reason().as_str()), (3, "node.missing"));
    assert!(!world.path("nowhere").exists());
}
