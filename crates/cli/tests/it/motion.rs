//! Motions: made by one validator's owner, supported by the others, accepted by more than two thirds.

use crate::support::World;

#[test]
fn three_of_four_owners_change_a_price() {
    let world = World::with_network(4);
    let dirs: Vec<_> = world.nodes().iter().map(|node| node.path().to_str().unwrap().to_owned()).collect();
    assert_eq!(world.run(["motion", "ls"]).ok().stdout, "no motions\n");
    let change = |dir: &str| world.run_json(["motion", "params", "--dir", dir, "--set", "fee_flat=0.001FFG"]);
    let plan = ["--dry-run", "motion", "params", "--dir", &dirs[0], "--set", "fee_flat=0.001FFG"];
    let plan = world.run(plan).ok().stdout;
    assert!(plan.contains("fee of a transaction: 0.0005 FFG → 0.001 FFG"), "{plan}");

    let made = change(&dirs[0]).ok().json();
    let id = made["motion"].as_str().unwrap();
    assert_eq!(
        (&made["accepted"], &made["weight"], &made["weight_of_all"]),
        (&false.into(), &1.into(), &4.into())
    );
    let twice = change(&dirs[0]);
    assert_eq!((twice.code, twice.reason().as_str()), (9, "motion.supported"));
    let listed = world.run_json(["motion", "ls"]).ok().json();
    assert_eq!((&listed["motions"][0]["motion"], &listed["motions"][0]["weight"]), (&id.into(), &1.into()));
    // By its id, by the same words, and from a file.
    let second = world.run_json(["motion", "support", "--dir", &dirs[1], id]).ok().json();
    assert_eq!((&second["weight"], &second["accepted"]), (&2.into(), &false.into()));
    world.file("change.toml", "fee_flat = \"0.001FFG\"\n");
    let third = world.run_json(["motion", "params", "--dir", &dirs[2], "--file", "change.toml"]).ok().json();
    assert_eq!((&third["motion"], &third["accepted"]), (&id.into(), &true.into()));
    assert!(third["from_epoch"].as_u64().unwrap() >= 1);
    let listed = world.run(["motion", "ls"]).ok().stdout;
    assert!(
        listed.contains("accepted; in force from epoch") && listed.contains("0.0005 FFG → 0.001 FFG"),
        "{listed}"
    );
}

#[test]
fn motions_that_cannot_be_are_refused_with_a_reason() {
    let world = World::with_network(4);
    let dir = world.nodes()[0].path().to_owned();
    let dir = dir.to_str().unwrap();
    let id = world.nodes()[1].member().unwrap().node.to_string();
    let nobody = "ab".repeat(32);
    let code = "cd".repeat(48);
    world.file("bad.toml", "fee_flat = \"0.001FFG\"\n\nfee_byt = \"1FFG\"\n");
    for (args, exit, reason) in [
        (&["params", "--dir", dir, "--set", "fee=1FFG"][..], 2, "params.malformed"),
        (&["params", "--dir", dir, "--set", "unbond_epochs=3"], 2, "params.refused"),
        (&["params", "--dir", dir, "--set", "slash_percent=50"], 9, "motion.nothing"),
        (&["params", "--dir", dir, "--file", "bad.toml"], 2, "file.malformed"),
        (&["params", "--dir", dir, "--file", "none.toml"], 3, "file.missing"),
        (&["params", "--dir", dir], 2, "usage"),
        (&["authority", "--dir", dir, &nobody, "--weight", "1"], 3, "node.unregistered"),
        (&["authority", "--dir", dir, &id, "--weight", "1"], 9, "motion.nothing"),
        (&["authority", "--dir", dir, &id, "--weight", "17"], 2, "usage"),
        (&["revoke", "--dir", dir, &code], 3, "motion.no_measurement"),
        (&["allow", "--dir", dir, &code, "--from", "9", "--until", "9"], 2, "motion.epochs"),
        (&["support", "--dir", dir, &nobody], 3, "motion.missing"),
    ] {
        let run = world.run_json(["motion"].iter().chain(args));
        assert_eq!((run.code, run.reason().as_str()), (exit, reason), "{args:?}");
    }
    let bad = world.run(["motion", "params", "--dir", dir, "--file", "bad.toml"]);
    assert!(bad.stderr.contains("bad.toml, line 3: unknown field `fee_byt`"), "{bad:?}");

    // Who decides about nothing supports nothing.
    let made = ["node", "init", "--dir", "new", "--operator", "new", "--failure-domain", "hill"];
    let made = world.run_json(made).ok().json();
    world.run(["wallet", "faucet", made["account"].as_str().unwrap()]).ok();
    world.run(["node", "register", "--dir", "new"]).ok();
    let voice = world.run_json(["motion", "authority", "--dir", "new", &id, "--weight", "0"]);
    assert_eq!((voice.code, voice.reason().as_str()), (4, "motion.no_validator"));
    // Who was registered in this epoch waits for the next; if it has just begun, the motion is made.
    let new = made["node"].as_str().unwrap();
    let early = world.run_json(["--dry-run", "motion", "authority", "--dir", dir, new, "--weight", "2"]);
    assert!(early.code == 0 || early.reason() == "motion.too_early", "{early:?}");
    let allowed = world.run_json(["motion", "allow", "--dir", dir, &code, "--until", "90"]).ok().json();
    assert_eq!(allowed["action"]["kind"], "allow");
    let removed = world.run(["motion", "authority", "--dir", dir, &id, "--weight", "0"]).ok().stdout;
    assert!(removed.contains("is no authority any more"), "{removed}");
}
