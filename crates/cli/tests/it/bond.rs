//! Bonds: locked, asked for back, and taken back when they are free.

use crate::support::World;

#[test]
fn bond_is_locked_and_comes_back_after_its_epochs() {
    let world = World::with_network(4);
    let dir = world.nodes()[0].path().to_owned();
    let dir = dir.to_str().unwrap();
    let refused = |args: &[&str]| {
        let run = world.run_json(args);
        (run.code, run.reason())
    };
    let shown = world.run_json(["bond", "show", "--dir", dir]).ok().json();
    assert_eq!(
        (&shown["bonded"], &shown["needed"], &shown["schema"]),
        (&"0".into(), &"0".into(), &"holdfast/bond-show/1".into())
    );
    assert_eq!(refused(&["bond", "unlock", "--dir", dir, "1FFG"]), (5, "bond.too_little".into()));
    assert_eq!(refused(&["bond", "withdraw", "--dir", dir]), (9, "bond.nothing_free".into()));
    assert_eq!(refused(&["bond", "lock", "--dir", dir, "0FFG"]), (2, "wallet.amount".into()));
    assert_eq!(refused(&["bond", "lock", "--dir", dir, "1", "ffg"]), (2, "wallet.amount".into()));
    assert_eq!(refused(&["bond", "lock", "--dir", dir, "100000ZFFG"]), (5, "wallet.balance".into()));
    assert_eq!(refused(&["bond", "lock", "1FFG"]), (2, "usage".into()));
    assert_eq!(refused(&["bond", "show", "--node", &"ab".repeat(32)]), (3, "node.unregistered".into()));

    let plan = world.run_json(["--dry-run", "bond", "lock", "--dir", dir, "10", "FFG"]).ok().json();
    assert_eq!(plan["schema"], "holdfast/bond-plan/1");
    let locked = world.run_json(["bond", "lock", "--dir", dir, "10", "FFG"]).ok().json();
    assert_eq!(
        (&locked["bonded"], &locked["schema"]),
        (&"10000000000000000000".into(), &"holdfast/bond-lock/1".into())
    );
    let asked = world.run_json(["bond", "unlock", "--dir", dir, "4FFG"]).ok().json();
    assert_eq!(asked["bonded"], "6000000000000000000");
    let part = &asked["unlocking"][0];
    assert_eq!((&part["amount"], &part["free"]), (&"4000000000000000000".into(), &false.into()));
    assert!(part["free_from"].as_u64().unwrap() >= 21, "{asked}");
    let early = world.run_json(["bond", "withdraw", "--dir", dir]);
    assert_eq!((early.code, early.reason().as_str()), (9, "bond.nothing_free"));
    assert!(early.stderr.contains(&format!("epoch {}", part["free_from"])), "{early:?}");
    assert!(world.run(["bond", "show", "--dir", dir]).ok().stdout.contains("back    4 FFG from epoch"));
}
