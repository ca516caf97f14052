//! Providers and clients that are killed while a piece is on its way.

use std::fs;

use holdfast_core::block::BlockId;
use holdfast_net::link::Link;
use holdfast_proofs::slots::{self, Bucket};
use holdfast_protocol::link::Start;
use holdfast_protocol::put::{PutReply, PutRequest};
use rustix::process::Signal;

use crate::hostile::{Liar, piece, piece_of_blocks};
use crate::support::{Run, World, holds_partial, kill, noise, signal, start, wait_until};

/// Opens a put at the first slot, and says how much of the piece is there already.
async fn open(world: &World, cid: BlockId, bytes: u64) -> (Link, u64) {
    let liar = Liar::of(world).await;
    let place = slots::order(Bucket::of(&cid), liar.network.committee.members())[0];
    let mut link = liar.open(place, Start::Put(())).await;
    link.writer.message(&PutRequest::Open(liar.offer(cid, bytes))).await.unwrap();
    match link.reader.message().await.unwrap() {
        Some(PutReply::Accept(from)) => (link, from),
        other => panic!("not accepted: {other:?}"),
    }
}

async fn send(link: &mut Link, data: &[u8]) {
    for part in data.chunks(100_000) {
        link.writer.data(part).await.unwrap();
    }
    link.writer.flush().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_killed_before_during_and_after_the_seal_keeps_what_it_signed() {
    let world = World::with_network(4);
    let content = noise(1_000_000, 3);
    let (cid, bytes, root) = piece(&content);
    let length = bytes.len() as u64;
    let place = |from: u64| usize::try_from(from).unwrap();
    let holder = world.holders(&cid.to_string())[0].clone();

    // Before: half of the piece has arrived.
    let (mut link, from) = open(&world, cid, length).await;
    assert_eq!(from, 0);
    send(&mut link, &bytes[..500_000]).await;
    wait_until("some of the piece has arrived", || holds_partial(&holder));
    kill(&holder);
    let node = world.run_node(&holder, "");
    assert_eq!(world.says(&holder)["pieces"], 0, "half a piece is none");

    // During: whether it became durable before the kill, nobody knows, and nothing was acknowledged.
    let (mut link, from) = open(&world, cid, length).await;
    assert!(from <= 500_000, "{from}");
    send(&mut link, &bytes[place(from)..]).await;
    link.writer.message(&PutRequest::Seal(root)).await.unwrap();
    kill(&holder);
    drop(node);
    let node = world.run_node(&holder, "");

    // After: what was signed is held, and signed again the same.
    let mut receipts = Vec::new();
    let mut running = Some(node);
    for _ in 0..2 {
        let (mut link, from) = open(&world, cid, length).await;
        assert!(receipts.is_empty() || from == length, "a receipt was given, but only {from} bytes are held");
        send(&mut link, &bytes[place(from)..]).await;
        link.writer.message(&PutRequest::Seal(root)).await.unwrap();
        match link.reader.message().await.unwrap() {
            Some(PutReply::Receipt(receipt)) => receipts.push(receipt),
            other => panic!("no receipt: {other:?}"),
        }
        kill(&holder);
        running = None;
        running.replace(world.run_node(&holder, ""));
    }
    assert_eq!(receipts[0], receipts[1]);
    assert_eq!(world.says(&holder)["pieces"], 1);
    assert!(!holds_partial(&holder), "nothing half-written remains");
    world.file("file", &content);
    let put = world.run_json(["put", "file", "--wait", "all"]).ok().json();
    assert_eq!(
        (put["pieces"][0]["cid"].as_str(), put["pieces"][0]["signed"].as_u64()),
        (Some(cid.to_string().as_str()), Some(4))
    );
    drop(running);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_comes_back_sends_only_the_rest() {
    let world = World::with_network(4);
    let (cid, bytes, root) = piece_of_blocks(&noise(1_000_000, 4));
    let length = bytes.len() as u64;
    let holder = world.holders(&cid.to_string())[0].clone();
    let (mut link, from) = open(&world, cid, length).await;
    assert_eq!(from, 0);
    send(&mut link, &bytes[..600_000]).await;
    drop(link);
    // What is sent may still be on its way when the link breaks, so the beginning grows for a moment.
    wait_until("the beginning is kept", || holds_partial(&holder));
    let resumed = async {
        loop {
            let (link, from) = open(&world, cid, length).await;
            if from > 0 {
                return (link, from);
            }
        }
    };
    let (mut link, from) = tokio::time::timeout(std::time::Duration::from_secs(60), resumed).await.unwrap();
    assert!(from <= 600_000, "{from}");
    send(&mut link, &bytes[usize::try_from(from).unwrap()..]).await;
    link.writer.message(&PutRequest::Seal(root)).await.unwrap();
    let reply = link.reader.message().await.unwrap();
    assert!(matches!(reply, Some(PutReply::Receipt(_))), "{reply:?}");
}

#[test]
fn an_interrupted_or_killed_put_leaves_nothing_and_goes_on_when_it_is_run_again() {
    let world = World::with_network(4);
    for (number, how) in [(0, Signal::INT), (1, Signal::KILL)] {
        let content = noise(64 << 20, 5 + number);
        world.file("file", &content);
        let cid = world.run(["cid", "file"]).ok().last_word().to_owned();
        let holders = world.holders(&cid);
        let put = start(&world, &["put", "file"]);
        wait_until("the piece is under way", || holds_partial(&holders[0]));
        signal(put.id(), how);
        let put = Run::from(put.wait_with_output().unwrap());
        if how == Signal::INT {
            assert_eq!((put.code, put.reason().as_str()), (130, "interrupted"));
        }
        assert_eq!(world.says(&holders[0])["pieces"], number, "half a piece is none: {put:?}");
        assert!(!world.path("file.proof").exists());
        world.run(["put", "file", "--wait", "all"]).ok();
        world.run(["verify", "file.proof", "--file", "file"]).ok();
        assert!(!world.nodes().iter().any(holds_partial), "nothing half-written remains");
        world.run(["get", &cid, "-o", "back"]).ok();
        assert!(fs::read(world.path("back")).unwrap() == content);
        fs::remove_file(world.path("back")).unwrap();
        fs::remove_file(world.path("file.proof")).unwrap();
    }
}
