//! Orders: paid for, proven, renewed and cancelled.

use std::fs;

use holdfast_proofs::bundle::Bundle;

use crate::support::{World, noise, wait_until};

/// The whole way of a piece that is paid for.
#[test]
fn a_paid_piece_is_quoted_ordered_proven_renewed_and_cancelled() {
    let world = World::with_account();
    world.run(["wallet", "faucet"]).ok();
    let none = world.run_json(["order", "ls"]).ok().json();
    assert_eq!(none["orders"], serde_json::json!([]));

    world.file("file", noise(300_000, 3));
    let quote = world.run_json(["put", "file", "--for", "30m", "--quote"]).ok().json();
    let piece = &quote["pieces"][0];
    assert_eq!((piece["epochs"].as_u64(), piece["copies"].as_u64()), (Some(31), Some(4)));
    let number = |value: &serde_json::Value| value.as_str().unwrap().parse::<u128>().unwrap();
    let bytes = u128::from(piece["piece_bytes"].as_u64().unwrap());
    assert_eq!(number(&piece["escrow"]), bytes * 4 * 31 * number(&piece["price"]));
    assert!(!world.path("file.proof").exists(), "nothing was changed");

    let put = world.run_json(["put", "file", "--for", "30m", "--wait", "all"]).ok().json();
    let (stored, id) = (&put["pieces"][0], put["pieces"][0]["order"].as_str().unwrap());
    assert_eq!((stored["resumed"].as_bool(), &stored["escrow"]), (Some(false), &piece["escrow"]));
    let spent = 100_000_000_000_000_000_000 - world.balance();
    assert!(spent <= number(&piece["total"]) && spent > number(&piece["escrow"]), "{spent} of {piece}");

    let shown = world.run_json(["order", "show", id]).ok().json();
    assert_eq!((shown["state"].as_str(), &shown["cid"]), (Some("active"), &stored["cid"]));
    assert_eq!(shown["active"]["promised"], stored["retain_until"]);
    assert_eq!(shown["active"]["signers"].as_array().unwrap().len(), 4);
    let listed = world.run_json(["order", "ls"]).ok().json();
    assert_eq!((&listed["orders"][0]["order"], listed["orders"].as_array().unwrap().len()), (&id.into(), 1));
    assert!(listed["orders"][0]["proof"].as_str().unwrap().ends_with("file.proof"));

    // It is paid already, and nothing is paid twice.
    let again = world.run_json(["put", "file", "--for", "30m"]);
    assert_eq!((again.code, again.reason().as_str()), (9, "order.paid"));

    // More time: the same providers promise, no data moves, and the proof is a new one.
    let before = world.balance();
    let plan = world.run_json(["--dry-run", "order", "renew", id, "--for", "1h"]).ok().json();
    assert_eq!((plan["epochs"].as_u64(), world.balance()), (Some(60), before));
    let dear = world.run_json(["order", "renew", id, "--for", "1h", "--price-max", "1FFGOne"]);
    assert_eq!((dear.code, dear.reason().as_str()), (12, "order.price"));
    let renewed = world.run_json(["order", "renew", id, "--for", "1h"]).ok().json();
    assert_eq!(renewed["signed"], 4);
    let until = renewed["until"].as_u64().unwrap();
    assert_eq!(until, stored["retain_until"].as_u64().unwrap() + 60);
    let proof = Bundle::from_bytes(&fs::read(world.path("file.proof")).unwrap()).unwrap();
    assert_eq!(proof.certificate.statement.retain_until.0, until);
    world.run(["verify", "file.proof", "--file", "file"]).ok();

    let cancelled = world.run_json(["order", "cancel", id]).ok().json();
    assert!(cancelled["until"].as_u64().unwrap() < until);
    assert!(world.balance() + 10_000_000_000_000_000 > before, "but for the running epoch and fees");
    wait_until("the order has ended", || {
        world.run_json(["order", "ls"]).ok().json()["orders"].as_array().unwrap().is_empty()
            || world.run_json(["order", "show", id]).ok().json()["state"] == "ending"
    });
}

/// Money that is not there, a price that is too high, and a time that nobody can promise.
#[test]
fn what_cannot_be_paid_is_refused_before_anything_is_stored() {
    let world = World::with_account();
    world.file("file", noise(200_000, 5));
    let poor = world.run_json(["put", "file", "--for", "30m"]);
    assert_eq!((poor.code, poor.reason().as_str()), (5, "wallet.balance"));
    assert!(
        poor.stderr.contains("the account has 0 FFG") && poor.stderr.contains("it costs 0.0"),
        "{poor:?}"
    );

    world.run(["wallet", "faucet", "--amount", "1FFG"]).ok();
    let refused = |args: &[&str]| {
        let run = world.run_json([&["put", "file", "--for"], args].concat());
        (run.code, run.reason())
    };
    assert_eq!(refused(&["30m", "--price-max", "0.001FFG"]), (12, "order.price".into()));
    assert_eq!(refused(&["30m", "--price-max", "0.001FFG", "--quote"]), (12, "order.price".into()));
    assert_eq!(refused(&["60h"]), (5, "wallet.balance".into()));
    assert_eq!(refused(&["30d"]), (2, "put.time".into()));
    assert_eq!(refused(&["0s"]), (2, "put.time".into()));
    world.file("wrong", "another passphrase\n");
    assert_eq!(refused(&["30m", "--passphrase-file", "wrong"]), (4, "key.passphrase".into()));
    assert_eq!(refused(&["30m", "--key", "nobody"]), (3, "key.missing".into()));
    assert_eq!(world.balance(), 1_000_000_000_000_000_000);
    assert!(!world.path("file.proof").exists());
    assert_eq!(world.run_json(["net", "status"]).ok().json()["nodes"][0]["pieces"], 0);
    let unknown = "ab".repeat(32);
    for args in [&["show", &unknown][..], &["cancel", &unknown], &["renew", &unknown, "--for", "1h"]] {
        let run = world.run_json([&["order"], args].concat());
        assert_eq!((run.code, run.reason().as_str()), (3, "order.missing"), "{args:?}");
    }
}

#[test]
fn nobody_changes_the_order_of_another() {
    let world = World::with_account();
    world.run(["wallet", "faucet"]).ok();
    world.key("other");
    world.run(["wallet", "faucet", "--key", "other"]).ok();
    world.file("file", "kept");
    let put = world.run_json(["put", "file", "--for", "30m"]).ok().json();
    let id = put["pieces"][0]["order"].as_str().unwrap();
    for args in [&["cancel", id][..], &["renew", id, "--for", "1h"]] {
        let run = world.run_json([&["order"], args, &["--key", "other"]].concat());
        assert_eq!((run.code, run.reason().as_str()), (4, "order.owner"), "{args:?}");
    }
    let theirs = world.run_json(["order", "ls", "--key", "other"]).ok().json();
    assert_eq!(theirs["orders"], serde_json::json!([]));
}
