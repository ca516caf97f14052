//! `cert show`: what a certificate says, without judging it. `cert merge`: late receipts.

use std::fs;

use holdfast_core::bls;
use holdfast_proofs::bundle::Bundle;

use crate::support::{World, kill, start_node, wait_until};

#[test]
fn a_proof_and_the_text_form_show_the_same_certificate() {
    let world = World::with_network(4);
    world.file("file", "kept");
    let put = world.run_json(["put", "file", "--wait", "all"]).ok().json();
    let id = world.network().id().to_string();
    world.run(["net", "down", "--dir", "net"]).ok();

    // Nobody has to name a network: nothing is judged.
    let stranger = World::empty();
    fs::copy(world.path("file.proof"), stranger.path("proof")).unwrap();
    let shown = stranger.run_json(["cert", "show", "proof"]).ok().json();
    assert_eq!(shown["judged"], false);
    assert_eq!(shown["statement"]["cid"], put["pieces"][0]["cid"]);
    assert_eq!(shown["statement"]["piece_root"], put["pieces"][0]["piece_root"]);
    assert_eq!(shown["signers"], serde_json::json!([0, 1, 2, 3]));
    assert_eq!((&shown["bundle"]["network"], &shown["bundle"]["members"]), (&id.as_str().into(), &4.into()));
    assert_eq!(shown["bundle"]["import_profile"], "unixfs-v1-2025");
    let slots = shown["bundle"]["slots"].as_array().unwrap();
    assert!(slots.len() == 4 && slots.iter().all(|slot| slot["signed"] == true), "{slots:?}");
    let people = stranger.run(["cert", "show", "proof"]).ok().stdout;
    assert!(people.contains(&id) && people.trim_end().ends_with("whether to believe a proof"), "{people}");

    let text = shown["text"].as_str().unwrap();
    assert_eq!(text, put["pieces"][0]["certificate"]);
    let by_text = stranger.run_json(["cert", "show", text]).ok().json();
    assert_eq!((&by_text["statement"], &by_text["signature"]), (&shown["statement"], &shown["signature"]));
    assert!(by_text.get("bundle").is_none());

    let reason = |args: &[&str]| {
        let run = stranger.run_json([&["cert", "show"], args].concat());
        (run.code, run.reason())
    };
    let mistyped = text.replacen("hfc1", "hfc1a", 1);
    assert_eq!(reason(&[&mistyped]), (6, "cert.text".into()));
    assert_eq!(reason(&["none"]), (3, "file.missing".into()));
    stranger.file("other", "no proof");
    assert_eq!(reason(&["other"]), (6, "cert.bundle".into()));
}

#[test]
fn a_certificate_grows_by_late_receipts_and_by_other_proofs() {
    let world = World::with_network(4);
    world.file("file", "kept");
    let cid = world.run(["cid", "file"]).ok().last_word().to_owned();
    let holders = world.holders(&cid);
    kill(&holders[2]);
    assert_eq!(world.run_json(["put", "file"]).ok().json()["pieces"][0]["signed"], 3);
    fs::copy(world.path("file.proof"), world.path("old.proof")).unwrap();
    let merge = |args: &[&str]| world.run_json([&["cert", "merge"], args].concat());

    // The fourth slot is away.
    let away = merge(&["file.proof"]);
    assert_eq!((away.code, away.reason().as_str()), (7, "cert.unreachable"));
    assert_eq!(merge(&["file.proof", "-o", "same.proof"]).code, 7);
    assert_eq!(fs::read(world.path("same.proof")).unwrap(), fs::read(world.path("file.proof")).unwrap());
    let alone = merge(&["file.proof", "--offline"]).ok().json();
    assert_eq!((&alone["grew"], &alone["asked"], &alone["bundle"]), (&false.into(), &0.into(), &().into()));
    let plan = merge(&["file.proof", "--dry-run"]).ok().json();
    assert_eq!(plan["asked"], 1);

    // It comes back, is given the certificate, fetches the piece, and has a receipt.
    start_node(&world, &holders[2]);
    let given = merge(&["file.proof"]).ok().json();
    assert_eq!(
        (&given["grew"], &given["reached"], &given["given"][0]),
        (&false.into(), &1.into(), &2.into())
    );
    wait_until("the receipt has come", || merge(&["file.proof"]).ok().json()["grew"] == true);
    let shown = world.run_json(["cert", "show", "file.proof"]).ok().json();
    assert_eq!(shown["signers"], serde_json::json!([0, 1, 2, 3]));
    world.run(["verify", "file.proof", "--file", "file"]).ok();
    let whole = merge(&["file.proof"]).ok().json();
    assert_eq!((&whole["grew"], &whole["asked"]), (&false.into(), &0.into()));

    // Everything is down: what others know is enough.
    world.run(["net", "down", "--dir", "net"]).ok();
    let old = fs::read(world.path("old.proof")).unwrap();
    let text = shown["text"].as_str().unwrap();
    for other in ["file.proof", text] {
        let merged = merge(&["old.proof", other, "--offline", "-o", "new.proof"]).ok().json();
        assert_eq!((&merged["signed_before"], &merged["signed"]), (&3.into(), &4.into()));
        assert!(fs::read(world.path("new.proof")).unwrap() == fs::read(world.path("file.proof")).unwrap());
        assert!(fs::read(world.path("old.proof")).unwrap() == old, "only OUT is written");
    }
    merge(&["old.proof", "file.proof", "--offline"]).ok();
    assert!(fs::read(world.path("old.proof")).unwrap() == fs::read(world.path("file.proof")).unwrap());
}

#[test]
fn certificates_that_do_not_fit_are_not_merged() {
    let world = World::with_network(4);
    for name in ["one", "two"] {
        world.file(name, name);
        world.run(["put", name, "--wait", "all"]).ok();
    }
    let mut bundle = Bundle::from_bytes(&fs::read(world.path("one.proof")).unwrap()).unwrap();
    let good = bundle.clone();
    bundle.certificate.signature = bls::Signature::new([0; 48]);
    world.file("forged.proof", bundle.to_bytes());
    let mut other_committee = good;
    other_committee.committee.start = holdfast_core::id::Timestamp(0);
    world.file("committee.proof", other_committee.to_bytes());
    world.file("none.proof", "no proof");
    let proofs = |name: &str| fs::read(world.path(name)).unwrap();
    let before = proofs("one.proof");
    let reason = |args: &[&str]| {
        let run = world.run_json([&["cert", "merge"], args].concat());
        (run.code, run.reason())
    };
    assert_eq!(reason(&["one.proof", "two.proof"]), (9, "cert.statement".into()));
    assert_eq!(reason(&["one.proof", "forged.proof"]), (6, "cert.invalid".into()));
    assert_eq!(reason(&["forged.proof", "one.proof"]), (6, "cert.invalid".into()));
    assert_eq!(reason(&["committee.proof"]), (6, "cert.invalid".into()));
    assert_eq!(reason(&["one.proof", "none.proof"]), (6, "cert.bundle".into()));
    assert_eq!(reason(&["one.proof", "hfc1mistyped"]), (6, "cert.text".into()));
    assert_eq!(reason(&["missing.proof"]), (3, "file.missing".into()));
    assert_eq!(reason(&["one.proof", "--offline", "-o", "none.proof"]), (9, "file.exists".into()));
    assert!(proofs("one.proof") == before);

    // A proof of another network.
    let other = World::with_network(4);
    let net = other.path("net");
    let args = ["one.proof", "--network", net.to_str().unwrap()];
    assert_eq!(reason(&args), (9, "cert.network".into()));
}
