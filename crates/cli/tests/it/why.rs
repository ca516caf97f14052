//! `why`: the first broken step of a fetch.

use std::fs;

use crate::support::{Run, World, kill, noise};

/// Exit code, reason, and the status of every step.
fn way(run: &Run) -> (i32, String, Vec<String>) {
    let reason = if run.code == 0 { String::new() } else { run.reason() };
    let steps = run.json()["steps"].as_array().unwrap().clone();
    (run.code, reason, steps.iter().map(|step| step["status"].as_str().unwrap().to_owned()).collect())
}

fn expected(code: i32, reason: &str, steps: [&str; 5]) -> (i32, String, Vec<String>) {
    (code, reason.to_owned(), steps.map(str::to_owned).to_vec())
}

#[test]
fn the_first_broken_step_is_told() {
    let (ok, no, not) = ("ok", "failed", "not-tried");
    let world = World::with_network(4);
    world.file("file", noise(300_000, 1)); // large enough for a file of its own on each node
    let cid = world.run(["put", "file", "--wait", "all"]).ok().last_word().to_owned();
    let why = |cid: &str| way(&world.run_json(["why", cid]));
    assert_eq!(why(&cid), expected(0, "", [ok; 5]));
    let unknown = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
    assert_eq!(why(unknown), expected(3, "why.hold", [ok, ok, ok, no, not]));

    // The nodes say that they hold it, and the bytes on their disks are others.
    let pieces: Vec<_> = world
        .nodes()
        .iter()
        .flat_map(|node| {
            let folders =
                fs::read_dir(node.file("store/pieces")).unwrap().map(|folder| folder.unwrap().path());
            folders
                .flat_map(|folder| fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()))
                .collect::<Vec<_>>()
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "car"))
        .collect();
    assert_eq!(pieces.len(), 4);
    let flip = || {
        for path in &pieces {
            let mut bytes = fs::read(path).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(path, bytes).unwrap();
        }
    };
    flip();
    assert_eq!(why(&cid), expected(6, "why.verify", [ok, ok, ok, ok, no]));
    flip();

    let holders = world.holders(&cid);
    kill(&holders[1]);
    let one_dead = world.run_json(["why", &cid]);
    assert_eq!(way(&one_dead), expected(0, "", [ok; 5]));
    let slot = &one_dead.json()["steps"][2]["slots"][1];
    assert_eq!(slot["status"], "failed");
    assert!(slot["found"].as_str().unwrap().contains("could not connect"), "{slot}");

    kill(&holders[2]);
    assert_eq!(why(&cid), expected(8, "why.hold", [ok, ok, ok, no, ok]));
    let people = world.run(["why", &cid]);
    assert!(people.stdout.trim_end().ends_with("broken: hold"), "{people:?}");
    kill(&holders[0]);
    kill(&holders[3]);
    assert_eq!(why(&cid), expected(7, "why.dial", [ok, ok, no, not, not]));

    let path = world.path("net/genesis.proofs");
    let mut proofs = fs::read(&path).unwrap();
    *proofs.last_mut().unwrap() ^= 1;
    fs::write(path, proofs).unwrap();
    assert_eq!(why(&cid), expected(6, "network.possession", [no, not, not, not, not]));
    let alone = way(&World::empty().run_json(["why", &cid]));
    assert_eq!(alone, expected(2, "network.none", [no, not, not, not, not]));
}
