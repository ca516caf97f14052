//! A consortium founds a network with a ledger, from a file that says what the ledger begins with.

use std::fs;

use crate::support::{Run, World, start_node, wait_until};

/// What founders know of each other.
struct Founders {
    world: World,
    nodes: Vec<(String, String)>,
}

impl Founders {
    fn new() -> Self {
        let world = World::empty();
        let init = |number: usize| {
            let (dir, name) = (format!("net/nodes/{number}"), format!("operator-{number}"));
            let args = ["node", "init", "--dir", &dir, "--operator", &name, "--failure-domain", &name];
            let made = world.run_json(args).ok().json();
            (made["node"].as_str().unwrap().to_owned(), made["account"].as_str().unwrap().to_owned())
        };
        let nodes = (1..=4).map(init).collect();
        Self { world, nodes }
    }

    /// A file that founds this network.
    fn file(&self) -> String {
        let mut text = "block_ms = 500\nepoch = \"1h\"\n\n[params]\nbond_min = \"1FFG\"\n".to_owned();
        for (node, account) in &self.nodes {
            text.push_str(&format!("\n[[owner]]\nnode = \"{node}\"\naccount = \"{account}\"\n"));
            text.push_str(&format!("\n[[authority]]\nnode = \"{node}\"\nweight = 2\n"));
            text.push_str(&format!("\n[[allotment]]\naccount = \"{account}\"\namount = \"5 FFG\"\n"));
        }
        text
    }

    fn create(&self, text: &str, more: &[&str]) -> Run {
        self.world.file("beginning.toml", text);
        let mut args = vec!["net", "create", "--dir", "net", "--ledger", "beginning.toml"];
        let members: Vec<_> = (1..=4).map(|number| format!("net/nodes/{number}/member")).collect();
        for member in &members {
            args.extend(["--member", member]);
        }
        args.extend(more);
        self.world.run_json(args)
    }
}

#[test]
fn a_consortium_founds_a_ledger_and_its_nodes_keep_it() {
    let founders = Founders::new();
    let world = &founders.world;
    let plan = founders.create(&founders.file(), &["--dry-run"]).ok().json();
    assert_eq!((&plan["members"], &plan["ledger"]), (&4.into(), &true.into()));
    assert!(!world.path("net/genesis").exists());
    let created = founders.create(&founders.file(), &[]).ok().json();
    assert_eq!((&created["complete"], &created["ledger"]), (&false.into(), &"net/ledger".into()));
    // Who was given genesis alone is told what is missing.
    let contents = world.path("net/ledger");
    fs::rename(&contents, world.path("kept")).unwrap();
    let early = world.run_json(["node", "prove", "--dir", "net/nodes/1", "--network", "net"]);
    assert!(
        early.reason() == "file.missing" && early.stderr.contains("whoever gave you `genesis`"),
        "{early:?}"
    );
    fs::rename(world.path("kept"), &contents).unwrap();
    for number in 1..=4 {
        let dir = format!("net/nodes/{number}");
        world.run(["node", "prove", "--dir", &dir, "--network", "net"]).ok();
    }
    let files: Vec<_> = (1..=4).map(|number| format!("net/nodes/{number}/possession")).collect();
    let complete = ["net", "create", "--dir", "net"].map(str::to_owned).into_iter();
    let complete = complete.chain(files.into_iter().flat_map(|file| ["--possession".to_owned(), file]));
    world.run(complete).ok();
    for node in world.nodes() {
        start_node(world, &node);
    }
    wait_until("they decide about blocks", || {
        world.run(["--network", "net", "chain", "light", "--count", "2"]).code == 0
    });
    let validators = world.run_json(["--network", "net", "chain", "validators"]).ok().json();
    assert_eq!(validators["weight"], 8);
    let shown = world.run_json(["--network", "net", "bond", "show", "--dir", "net/nodes/2"]).ok().json();
    assert_eq!(
        (&shown["owner"], &shown["needed"]),
        (&founders.nodes[1].1.as_str().into(), &"1000000000000000000".into())
    );
}

#[test]
fn a_file_that_breaks_a_rule_is_refused_by_its_line() {
    let founders = Founders::new();
    let good = founders.file();
    let (node, account) = &founders.nodes[0];
    let stranger = "ab".repeat(32);
    let line = |text: &str, needle: &str| 1 + text[..text.find(needle).unwrap()].matches('\n').count();
    for (from, to, why) in [
        ("block_ms", "block_s", "line 1: unknown field `block_s`"),
        ("epoch = \"1h\"\n", "", "missing field `epoch`"),
        ("block_ms = 500", "block_ms = 0", "line 1: the time between blocks"),
        ("\"1h\"", "\"1 hour\"", "line 2: unknown unit"),
        ("\"1h\"", "\"0s\"", "line 2: an epoch of no time"),
        ("bond_min = \"1FFG\"", "bond_min = 1", "line 5: invalid type: integer `1`, expected a sum"),
        ("bond_min", "bond_max", "line 5: unknown field `bond_max`"),
        ("[params]", "[params]\nunbond_epochs = 3", "longer than offences"),
        ("[params]", "[params]\ncopies = [5]", "5 members"),
        ("5 FFG", "5 ffg", "is no unit"),
        ("5 FFG", "0 FFG", "an allotment of nothing"),
        ("5 FFG", "500000001 FFG", "the cap"),
        ("weight = 2", "weight = 17", "between 1 and 16"),
        (&format!("\"{account}\"\n\n[[auth"), "\"hf1qq\"\n\n[[auth", "not an account"),
        (
            &format!("[[owner]]\nnode = \"{node}\""),
            &format!("[[owner]]\nnode = \"{stranger}\""),
            "none of the members",
        ),
        (
            &format!("[[authority]]\nnode = \"{node}\""),
            &format!("[[authority]]\nnode = \"{stranger}\""),
            "line 12: this node is none of the members",
        ),
    ] {
        let text = good.replacen(from, to, 1);
        let run = founders.create(&text, &[]);
        assert!(
            run.code == 2 && run.stderr.contains("beginning.toml") || why == "5 members",
            "{from}: {run:?}"
        );
        assert!(run.stderr.contains(why), "{from}: {run:?}");
        assert!(!founders.world.path("net/genesis").exists() && !founders.world.path("net/ledger").exists());
    }
    // Twice is once too often, and what is missing is named.
    let owner = format!("\n[[owner]]\nnode = \"{node}\"\naccount = \"{account}\"\n");
    let twice = founders.create(&format!("{good}{owner}"), &[]);
    let at = line(&format!("{good}#"), "#") + 2;
    assert!(twice.stderr.contains(&format!("line {at}: this node has an owner above")), "{twice:?}");
    let missing = founders.create(&good.replacen(&owner, "", 1), &[]);
    assert!(missing.stderr.contains(&format!("no [[owner]] for node {node} of operator-1")), "{missing:?}");
    let both = founders.create(&good.replacen("[params]", "[params]\ncopies = [3]", 1), &["--copies", "4"]);
    assert_eq!((both.code, both.reason().as_str()), (2, "net.create"));
    let world = &founders.world;
    let days =
        ["net", "create", "--dir", "net", "--ledger", "x", "--days", "3", "--member", "net/nodes/1/member"];
    assert_eq!(world.run(days).code, 2);
    let gone = ["net", "create", "--dir", "net", "--ledger", "x", "--member", "net/nodes/1/member"];
    assert_eq!(world.run_json(gone).reason(), "file.missing");
    assert!(fs::read_dir(world.path("net")).unwrap().count() == 1, "nothing but the nodes");
}
