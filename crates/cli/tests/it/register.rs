//! A node's owner registers it with a running network, changes what the ledger says of it, and lets it leave.

use crate::support::{Run, World};

fn refused(run: &Run) -> (i32, String) {
    (run.code, run.reason())
}

#[test]
fn a_node_is_registered_changed_retired_and_brought_back() {
    let world = World::with_network(4);
    let init = ["node", "init", "--dir", "new", "--operator", "new", "--failure-domain", "hill"];
    let made = world.run_json(init).ok().json();
    let (node, account) = (made["node"].as_str().unwrap(), made["account"].as_str().unwrap());

    // Who has nothing is told where money comes from; nothing is configured yet.
    let poor = world.run_json(["node", "register", "--dir", "new"]);
    assert_eq!(refused(&poor), (5, "wallet.balance".into()));
    assert!(poor.stderr.contains("wallet faucet") && poor.stderr.contains(account), "{poor:?}");
    assert_eq!(refused(&world.run_json(["node", "run", "--dir", "new"])), (2, "node.config".into()));
    world.run(["wallet", "faucet", account, "--amount", "50FFG"]).ok();
    let early = world.run_json(["node", "retire", "--dir", "new"]);
    assert_eq!(refused(&early), (3, "node.unregistered".into()));

    let plan = world.run_json(["--dry-run", "node", "register", "--dir", "new"]).ok().json();
    assert_eq!(
        (plan["schema"].as_str(), plan["registered"].as_bool()),
        (Some("holdfast/node-plan/1"), Some(false))
    );
    let registered = world.run_json(["node", "register", "--dir", "new"]).ok().json();
    assert_eq!(registered["schema"], "holdfast/node-register/1");
    assert_eq!((&registered["node"], &registered["account"]), (&node.into(), &account.into()));
    assert!(
        registered["from_epoch"].as_u64().unwrap() >= 1 && registered["bond_lacking"].is_null(),
        "{registered}"
    );
    // The same command again changes nothing and costs nothing.
    let before = world.run(["wallet", "balance", account]).ok().stdout;
    let again = world.run_json(["node", "register", "--dir", "new"]).ok().json();
    assert_eq!((&again["status"], &again["transaction"]), (&"active".into(), &serde_json::Value::Null));
    assert_eq!(world.run(["wallet", "balance", account]).ok().stdout, before);

    let idle = world.run_json(["node", "update", "--dir", "new"]);
    assert_eq!(refused(&idle), (2, "node.update".into()));
    let long = "x".repeat(65);
    let long = world.run_json(["node", "update", "--dir", "new", "--operator", &long]);
    assert_eq!(refused(&long), (2, "node.config".into()));
    let changed = ["node", "update", "--dir", "new", "--failure-domain", "valley", "--weight", "3"];
    let changed = world.run_json(changed).ok().json();
    assert_eq!(
        (&changed["operator"], &changed["failure_domain"], &changed["weight"], &changed["status"]),
        (&"new".into(), &"valley".into(), &3.into(), &"active".into())
    );
    let serves = world.run_json(["node", "rejoin", "--dir", "new"]);
    assert_eq!(refused(&serves), (9, "node.status".into()));
    let retired = world.run_json(["node", "retire", "--dir", "new"]).ok().json();
    assert!(retired["status"] == "leaving" || retired["status"] == "gone", "{retired}");
    assert_eq!(refused(&world.run_json(["node", "retire", "--dir", "new"])), (9, "node.status".into()));
    let back = world.run_json(["node", "rejoin", "--dir", "new"]).ok().json();
    assert_eq!((&back["schema"], &back["status"]), (&"holdfast/node-rejoin/1".into(), &"active".into()));

    // Only the owner may: not the owner of another node, nor a key of the keystore.
    world.file("own-passphrase", "correct horse\n");
    world.key("default");
    let other = world.run_json(["node", "retire", "--node", node]);
    assert_eq!(refused(&other), (4, "node.owner".into()));
    let other = world.run_json(["node", "retire", "--dir", "new", "--key", "default"]);
    assert_eq!(refused(&other), (4, "node.owner".into()));
}

#[test]
fn a_member_leaves_while_it_runs() {
    let world = World::with_network(5);
    let dir = world.nodes()[0].path().to_owned();
    let dir = dir.to_str().unwrap();
    let retired = world.run_json(["node", "retire", "--dir", dir]).ok().json();
    assert_eq!(retired["status"], "leaving");
    assert!(world.run(["node", "rejoin", "--dir", dir]).ok().stdout.contains("comes back"));
}

#[test]
fn what_cannot_be_registered_is_refused_with_a_reason() {
    let world = World::with_network(4);
    let register = |dir: &str| world.run_json(["node", "register", "--dir", dir]);
    assert_eq!(refused(&register("nowhere")), (3, "node.missing".into()));
    // A member of genesis is there already, and needs nothing.
    let member = world.nodes()[0].path().to_owned();
    assert_eq!(register(member.to_str().unwrap()).ok().json()["status"], "active");

    let made = ["node", "init", "--dir", "new", "--operator", "new", "--failure-domain", "hill"];
    let account = world.run_json(made).ok().json()["account"].as_str().unwrap().to_owned();
    world.run(["wallet", "faucet", &account]).ok();
    let contents = world.path("net/ledger");
    std::fs::rename(&contents, world.path("kept")).unwrap();
    let missing = register("new");
    assert_eq!(refused(&missing), (3, "file.missing".into()));
    assert!(missing.stderr.contains("`ledger`"), "{missing:?}");
    world.file("net/ledger", "something else");
    assert_eq!(refused(&register("new")), (6, "network.ledger".into()));
    std::fs::rename(world.path("kept"), &contents).unwrap();
    // A running node's enclave is in use.
    let lock = holdfast_node::folder::NodeFolder::at(&world.path("new")).lock().unwrap();
    assert_eq!(refused(&register("new")), (9, "node.running".into()));
    drop(lock);
    assert_eq!(refused(&world.run_json(["node", "retire"])), (2, "usage".into()));

    let plain = World::without_ledger();
    let none = plain.run_json(["node", "register", "--dir", "n1"]);
    assert_eq!(refused(&none), (2, "ledger.none".into()));
}
