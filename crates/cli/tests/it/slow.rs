//! Peers that hold on to what they were given and do next to nothing: each is let go after its time.

use std::sync::Arc;
use std::time::Duration;

use holdfast_core::block::{BlockId, Codec};
use holdfast_core::codec::Bounded;
use holdfast_net::link::Link;
use holdfast_protocol::get::{WANT_MAX, Want};
use holdfast_protocol::link::Start;
use holdfast_protocol::put::{PutReply, PutRequest, Reason};

use crate::hostile::{Liar, piece};
use crate::support::{World, noise};

/// Later than the longest patience of a node, which is a minute.
const PATIENCE: Duration = Duration::from_secs(90);
/// As many as take all places for puts of one node.
const SILENT: usize = 64;

/// Waits until the node has closed the link.
async fn closed(mut link: Link) {
    let end = tokio::time::timeout(PATIENCE, link.reader.message::<PutReply>());
    let said = end.await.expect("the node lets it go");
    assert!(!matches!(said, Ok(Some(_))), "{said:?}");
}

/// The node says that it was too slow, and closes.
async fn refused_for_its_pace(mut link: Link) {
    let refused = async {
        loop {
            match link.reader.message().await {
                Ok(Some(PutReply::Refuse(refusal))) => return assert_eq!(refusal.reason, Reason::Pace),
                Ok(Some(PutReply::Accept(_))) => {}
                other => panic!("no refusal: {other:?}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.expect("the node lets it go");
}

/// Opens a put and sends a few bytes every now and then.
async fn trickle(liar: &Liar, place: usize) {
    let (cid, bytes, _) = piece(&noise(1 << 20, 9));
    let Link { mut reader, mut writer, .. } = liar.open(place, Start::Put(())).await;
    writer.message(&PutRequest::Open(liar.offer(cid, bytes.len() as u64))).await.unwrap();
    assert_eq!(reader.message::<PutReply>().await.unwrap(), Some(PutReply::Accept(0)));
    let mut pause = tokio::time::interval(Duration::from_secs(2));
    let trickle = async {
        for part in bytes.chunks(10) {
            pause.tick().await;
            if writer.data(part).await.is_err() || writer.flush().await.is_err() {
                return;
            }
        }
    };
    let heard = async { reader.message::<PutReply>().await };
    let said = tokio::time::timeout(PATIENCE, async {
        tokio::select! {
            said = heard => said,
            () = trickle => panic!("closed without a word"),
        }
    });
    match said.await.expect("the node lets it go") {
        Ok(Some(PutReply::Refuse(refusal))) => assert_eq!(refusal.reason, Reason::Pace),
        other => panic!("no refusal: {other:?}"),
    }
}

/// Asks for much and takes nothing, until the node has given up.
async fn hungry(liar: &Liar, place: usize, cid: BlockId) {
    let mut link = liar.open(place, Start::Get(())).await;
    let blocks = Bounded::new(vec![cid; WANT_MAX]).unwrap();
    link.writer.message(&Want { blocks }).await.unwrap();
    // A node that gave up reads no further wants: at some point they find a closed link.
    let insist = async {
        let mut pause = tokio::time::interval(Duration::from_secs(1));
        let none = Want { blocks: Bounded::new(vec![cid]).unwrap() };
        loop {
            pause.tick().await;
            if link.writer.message(&none).await.is_err() {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, insist).await.expect("the node lets it go");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_peers_are_let_go_and_take_nobody_with_them() {
    let world = World::with_network(4);
    let content = noise(1 << 20, 1);
    world.file("file", &content);
    world.run(["put", "file", "--wait", "all"]).ok();
    let liar = Liar::of(&world).await;
    let block = BlockId::of(Codec::Raw, &content);

    let mut idle = Vec::new();
    for place in 0..4 {
        let (peer, addresses) = liar.network.reach(place).unwrap();
        idle.push(liar.net.link(peer, &addresses).await.unwrap());
    }
    let mut silent = Vec::new();
    for _ in 0..SILENT {
        silent.push(liar.open(0, Start::Put(())).await);
    }
    let world = Arc::new(world);
    let user = world.clone();
    let honest = tokio::task::spawn_blocking(move || {
        user.file("other", noise(2 << 20, 2));
        let put = user.run_json(["put", "other"]).ok().json();
        assert!(put["pieces"][0]["signed"].as_u64() >= Some(3), "{put}");
        let cid = put["pieces"][0]["cid"].as_str().unwrap();
        user.run(["get", cid, "-o", "back"]).ok();
    });
    let idle = async {
        for link in idle {
            closed(link).await;
        }
    };
    let silent = async {
        for link in silent {
            refused_for_its_pace(link).await;
        }
    };
    let (honest, ..) = tokio::join!(honest, idle, silent, trickle(&liar, 1), hungry(&liar, 2, block));
    honest.unwrap();
    // All places are free again.
    world.run(["put", "other", "--wait", "all"]).ok();
}
