//! A consortium founds a network by exchanging files, and refuses members by name.

use std::fs;

use holdfast_core::codec;
use holdfast_proofs::genesis::{Member, MemberProof};

use crate::support::World;

fn init(world: &World, name: &str) {
    let domain = format!("site-{name}");
    world.run(["node", "init", "--dir", name, "--operator", name, "--failure-domain", &domain]).ok();
}

const NODES: [&str; 4] = ["a", "b", "c", "d"];

/// `net create` over these member files.
fn create(world: &World, members: &[String]) -> crate::support::Run {
    let mut args = vec!["net", "create", "--dir", "shared"];
    for member in members {
        args.extend(["--member", member]);
    }
    world.run_json(args)
}

fn complete(world: &World, nodes: &[&str]) -> crate::support::Run {
    let files: Vec<_> = nodes.iter().map(|node| format!("{node}/possession")).collect();
    let mut args = vec!["net", "create", "--dir", "shared"];
    for file in &files {
        args.extend(["--possession", file]);
    }
    world.run_json(args)
}

fn member_files() -> Vec<String> {
    NODES.iter().map(|node| format!("{node}/member")).collect()
}

#[test]
fn members_found_a_network_together() {
    let world = World::empty();
    for node in NODES {
        init(&world, node);
    }
    let early = world.run_json(["node", "run", "--dir", "a"]);
    assert_eq!((early.code, early.reason().as_str()), (2, "node.config"));
    let created = create(&world, &member_files()).ok().json();
    assert_eq!(created["complete"], false);
    for node in NODES {
        world.run(["node", "prove", "--dir", node, "--network", "shared"]).ok();
    }
    world.run(["--dry-run", "net", "create", "--dir", "shared", "--possession", "a/possession"]).ok();
    let missing = complete(&world, &NODES[..3]);
    assert_eq!((missing.code, missing.reason().as_str()), (6, "network.possession"));
    let completed = complete(&world, &NODES).ok().json();
    assert_eq!(completed["network"], created["network"]);

    // A node that is no member can neither prove nor run.
    init(&world, "stranger");
    let stranger = world.run_json(["node", "prove", "--dir", "stranger", "--network", "shared"]);
    assert_eq!((stranger.code, stranger.reason().as_str()), (2, "node.stranger"));
    let config = world.path("stranger/node.toml");
    let with_network = fs::read_to_string(world.path("a/node.toml")).unwrap();
    fs::write(config, with_network).unwrap();
    let runs = world.run_json(["node", "run", "--dir", "stranger"]);
    assert_eq!((runs.code, runs.reason().as_str()), (2, "node.stranger"));
    assert_eq!(
        world.run_json(["node", "init", "--dir", "a", "--operator", "x", "--failure-domain", "y"]).code,
        9
    );
}

#[test]
fn garbage_duplicate_identity_and_rogue_keys_are_refused_by_name() {
    let world = World::empty();
    for node in NODES {
        init(&world, node);
    }
    let read = |node: &str| -> Member {
        codec::decode(&fs::read(world.path(node).join("member")).unwrap(), 1024).unwrap()
    };
    let bad = |change: &dyn Fn(&mut Member)| {
        let mut member = read("d");
        change(&mut member);
        world.file("bad", codec::encode(&member));
        let mut files = member_files();
        files[3] = "bad".into();
        let run = create(&world, &files);
        assert!(!world.path("shared/genesis").exists());
        assert!(run.stderr.contains(&member.node.to_string()), "names the member: {run:?}");
        (run.code, run.reason())
    };
    let refused = (6, "net.member".to_owned());
    let mut identity = [0; 96];
    identity[0] = 0xc0;
    assert_eq!(bad(&|member| member.bls = holdfast_core::bls::PublicKeyBytes::new([7; 96])), refused);
    assert_eq!(bad(&|member| member.bls = holdfast_core::bls::PublicKeyBytes::new(identity)), refused);
    assert_eq!(bad(&|member| member.node = read("a").node), refused);

    let mut twice = member_files();
    twice[3] = "a/member".into();
    let run = create(&world, &twice);
    assert_eq!((run.code, run.reason().as_str()), (6, "net.member"));
    assert!(run.stderr.contains(&read("a").node.to_string()));

    // A rogue key passes into genesis, which cannot know better, and fails at possession.
    let other = holdfast_proofs::testing::keys(9).1;
    let mut rogue = read("d");
    rogue.bls = other.public();
    world.file("rogue", codec::encode(&rogue));
    let mut files = member_files();
    files[3] = "rogue".into();
    create(&world, &files).ok();
    for node in &NODES[..3] {
        world.run(["node", "prove", "--dir", node, "--network", "shared"]).ok();
    }
    let proof: MemberProof = codec::decode(&fs::read(world.path("a/possession")).unwrap(), 1024).unwrap();
    let stolen = MemberProof { node: rogue.node, possession: proof.possession };
    fs::write(world.path("d/possession"), codec::encode(&stolen)).unwrap();
    let run = complete(&world, &NODES);
    assert_eq!((run.code, run.reason().as_str()), (6, "network.possession"));
    assert!(run.stderr.contains(&rogue.node.to_string()), "{run:?}");
}

#[test]
fn a_network_folder_that_lies_is_refused() {
    let world = World::with_network(4);
    world.file("file", "x");
    let path = world.path("net/genesis.proofs");
    let good = fs::read(&path).unwrap();
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    fs::write(&path, flipped).unwrap();
    let run = world.run_json(["put", "file"]);
    assert_eq!((run.code, run.reason().as_str()), (6, "network.possession"));
    fs::write(&path, good).unwrap();
    world.run(["put", "file"]).ok();
}
