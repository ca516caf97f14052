//! Slots fetch what they lack.

use std::fs;

use holdfast_client::ask;
use holdfast_net::{Keypair, Net};
use holdfast_proofs::bundle::Bundle;

use crate::support::{World, holders_and_signers, kill, noise, start, wait_until};

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
    start(&world, away);
    for (cid, (name, _)) in cids.iter().zip(&files) {
        assert_eq!(holders_and_signers(&world, cid).0, 3, "{name}");
        give(&world, &format!("{name}.proof"));
        wait_until("all four hold the piece and the certificate of four", || {
            holders_and_signers(&world, cid) == (4, vec![4; 4])
        });
    }
    others.iter().for_each(kill);
    for (cid, (name, content)) in cids.iter().zip(&files) {
        let back = format!("{name}.back");
        world.run(["get", cid, "-o", &back]).ok();
        assert!(fs::read(world.path(&back)).unwrap() == *content, "{name}");
    }
}
