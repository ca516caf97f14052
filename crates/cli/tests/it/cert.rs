//! `cert show`: what a certificate says, without judging it.

use std::fs;

use crate::support::World;

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
