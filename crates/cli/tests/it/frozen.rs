//! Providers that stand still: the others do the work.

use std::fs;

use crate::support::{Run, World, freeze, holds_partial, noise, start, wait_until};

/// Large enough that it is still under way when it is seen.
const LARGE: usize = 64 << 20;

#[test]
fn a_provider_frozen_before_a_put_is_passed_over_and_comes_back() {
    let world = World::with_network(4);
    world.file("file", noise(100_000, 1));
    let cid = world.run(["cid", "file"]).ok().last_word().to_owned();
    let holders = world.holders(&cid);
    let frozen = freeze(&holders[0]);
    let put = world.run_json(["put", "file"]).ok();
    let json = put.json();
    assert_eq!(json["pieces"][0]["signed"], 3);
    let named = holders[0].member().unwrap().node.short();
    assert!(json["pieces"][0]["failed"][0].as_str().unwrap().contains(&named), "names the node: {put:?}");
    world.run(["get", &cid, "-o", "back"]).ok();
    drop(frozen);
    let again = world.run_json(["put", "file", "--wait", "all"]).ok().json();
    assert_eq!(again["pieces"][0]["signed"], 4);
}

#[test]
fn providers_frozen_during_a_put_and_a_get_cost_time_and_nothing_else() {
    let world = World::with_network(4);
    let content = noise(LARGE, 2);
    world.file("file", &content);
    let cid = world.run(["cid", "file"]).ok().last_word().to_owned();
    let holders = world.holders(&cid);

    let put = start(&world, &["put", "file"]);
    wait_until("the piece is under way", || holds_partial(&holders[0]));
    let frozen = freeze(&holders[0]);
    let put = Run::from(put.wait_with_output().unwrap()).ok().json();
    assert_eq!(put["pieces"][0]["signed"], 3);
    world.run(["verify", "file.proof"]).ok();
    drop(frozen);

    // What the frozen one had, it does not serve; two of the others freeze while they do.
    let get = start(&world, &["get", &cid, "-o", "back"]);
    let partial = world.path(&format!(".back.partial-{}", get.id()));
    wait_until("the file is under way", || partial.exists());
    let frozen = [freeze(&holders[1]), freeze(&holders[2])];
    Run::from(get.wait_with_output().unwrap()).ok();
    drop(frozen);
    assert!(fs::read(world.path("back")).unwrap() == content);
    assert!(!partial.exists());
    let all = world.run_json(["put", "file", "--wait", "all"]).ok().json();
    assert_eq!(all["pieces"][0]["signed"], 4, "the frozen one takes what it lacks");
}
