//! Paid puts: what is proven to a stranger, and what a killed put leaves behind.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use holdfast_proofs::bundle::Bundle;

use crate::support::{World, noise, wait_for_blocks, wait_until};

/// The proof of a later epoch holds its committee's place under a final header.
#[test]
fn a_stranger_checks_a_paid_proof_of_any_epoch_offline() {
    let world = World::with_account();
    world.run(["wallet", "faucet"]).ok();
    world.file("file", noise(50_000, 9));
    world.run(["put", "file", "--for", "1h"]).ok();
    wait_for_epoch(&world, 1);
    world.file("later", noise(50_000, 10));
    let put = world.run_json(["put", "later", "--for", "1h", "--wait", "all"]).ok().json();
    let cid = put["pieces"][0]["cid"].as_str().unwrap();
    let bundle = Bundle::from_bytes(&fs::read(world.path("later.proof")).unwrap()).unwrap();
    assert!(bundle.committee_proof.is_some() && bundle.committee.epoch.0 >= 1);
    assert!(bundle.certificate.statement.order.is_some());

    // Certificates of any epoch are judged by the committee of theirs.
    world.run(["why", cid]).ok();
    let first = world.run(["cid", "file"]).ok().last_word().to_owned();
    world.run(["why", &first]).ok();
    let status = world.run_json(["status", &first]).ok().json();
    assert!(
        status["slots"].as_array().unwrap().iter().all(|slot| slot["certificate_signers"] != 0),
        "{status}"
    );
    world.run(["cert", "merge", "file.proof"]).ok();

    let id = world.network().id().to_string();
    world.run(["net", "down", "--dir", "net"]).ok();
    let stranger = World::empty();
    for name in ["file", "later"] {
        fs::copy(world.path(&format!("{name}.proof")), stranger.path("proof")).unwrap();
        fs::copy(world.path(name), stranger.path("file")).unwrap();
        let verdict =
            stranger.run_json(["verify", "proof", "--network-id", &id, "--file", "file"]).ok().json();
        let steps: Vec<_> =
            verdict["steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect();
        assert_eq!(steps.contains(&"verify.headers"), name == "later", "{steps:?}");
    }
    // Without a node, a paid put ends before anything is asked or paid, and an unpaid one says whom it assumes.
    let paid = world.run_json(["--network", "net", "put", "file", "--for", "2h"]);
    assert_eq!((paid.code, paid.reason().as_str()), (7, "ledger.unreachable"));
    let unpaid = world.run(["--network", "net", "get", cid, "-o", "back"]);
    assert!(unpaid.code == 7 && unpaid.stderr.contains("those of epoch 0 are assumed"), "{unpaid:?}");
}

/// Killed as soon as its order is paid, and killed before that: the same put goes on, and pays once.
#[test]
fn a_killed_put_goes_on_and_never_pays_twice() {
    let world = World::with_account();
    world.run(["wallet", "faucet"]).ok();
    world.file("file", noise(100_000, 11));
    let put = ["--json", "put", "file", "--for", "1h"];
    let quote = world.run_json(["put", "file", "--for", "1h", "--quote"]).ok().json();
    let total: u128 = quote["total"].as_str().unwrap().parse().unwrap();
    let before = world.balance();

    let journal = world.path("home/.local/state/holdfast/orders");
    // The order is written down before it is sent: whoever is killed there has paid nothing, or once.
    let mut child = world.command().args(put).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    wait_until("the order is written down", || crate::support::has_file(&journal));
    child.kill().unwrap();
    child.wait().unwrap();
    // It has paid, as it says.
    let mut child = world.command().args(put).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let told = BufReader::new(child.stderr.take().unwrap()).lines();
    let order = told
        .map_while(Result::ok)
        .find(|line| line.contains("order ") && line.contains("paid"))
        .expect("it says that it is paid");
    child.kill().unwrap();
    child.wait().unwrap();
    let listed = world.run_json(["order", "ls"]).ok().json();
    let orders = listed["orders"].as_array().unwrap();
    assert_eq!(orders.len(), 1, "{listed}");
    let id = orders[0]["order"].as_str().unwrap();
    assert!(order.contains(id), "{order}");

    // Another time is another order, which nobody gets by accident.
    if orders[0]["state"] == "open" {
        let other = world.run_json(["put", "file", "--for", "2h"]);
        assert_eq!((other.code, other.reason().as_str()), (9, "order.open"));
    }
    let done = world.run_json(["put", "file", "--for", "1h"]).ok().json();
    assert_eq!(
        (done["pieces"][0]["order"].as_str(), &done["pieces"][0]["resumed"]),
        (Some(id), &true.into())
    );
    assert_eq!(world.run_json(["order", "show", id]).ok().json()["state"], "active");
    let spent = before - world.balance();
    assert!(spent <= total, "{spent} of {total}");
    world.run(["verify", "file.proof", "--file", "file"]).ok();
}

fn wait_for_epoch(world: &World, epoch: u64) {
    wait_for_blocks(&format!("epoch {epoch} runs"), Duration::from_secs(120), || {
        let status = world.run_json(["chain", "status"]).ok().json();
        status["members"].as_array().unwrap().iter().all(|member| member["epoch"].as_u64() >= Some(epoch))
    });
}
