//! `doctor`: what is wrong is found, and nothing else.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Run, World, kill};

/// Names of the checks with a status.
fn with_status(run: &Run, status: &str) -> Vec<String> {
    let checks = run.json()["checks"].as_array().unwrap().clone();
    let wanted = checks.iter().filter(|check| check["status"] == status);
    wanted.map(|check| check["name"].as_str().unwrap().to_owned()).collect()
}

/// Exit code, reason and the checks that failed.
fn failed(run: &Run) -> (i32, String, Vec<String>) {
    (run.code, run.reason(), with_status(run, "failed"))
}

#[test]
fn a_new_installation_has_no_failure() {
    let world = World::empty();
    let run = world.run_json(["doctor"]).ok();
    assert_eq!(with_status(&run, "failed"), Vec::<String>::new());
    assert!(with_status(&run, "warning").contains(&"doctor.network".to_owned()), "{run:?}");
    assert_eq!(fs::read_dir(world.path("home")).unwrap().count(), 0, "nothing was made");
    assert_eq!(fs::read_dir(world.path("tmp")).unwrap().count(), 0, "nothing was left");

    fs::create_dir_all(world.path("home/.config/holdfast")).unwrap();
    world.file("home/.config/holdfast/config.toml", "netwrok = \"x\"");
    let (code, reason, checks) = failed(&world.run_json(["doctor"]));
    assert_eq!((code, reason.as_str()), (2, "doctor.configuration"));
    assert_eq!(checks[0], "doctor.configuration");
    fs::remove_file(world.path("home/.config/holdfast/config.toml")).unwrap();

    let nowhere = failed(&world.run_json(["doctor", "--network", "nowhere"]));
    assert_eq!(nowhere, (2, "doctor.network".into(), vec!["doctor.network".into()]));
    fs::remove_dir(world.path("tmp")).unwrap();
    let no_scratch = failed(&world.run_json(["doctor"]));
    assert_eq!(no_scratch, (3, "doctor.temporary".into(), vec!["doctor.temporary".into()]));
}

#[test]
fn dead_nodes_and_open_keys_are_found() {
    let world = World::with_network(4);
    world.file("file", "kept");
    world.run(["put", "file", "--wait", "all"]).ok();
    let run = world.run_json(["doctor", "--dir", "net/nodes/1"]).ok();
    let fine = with_status(&run, "ok");
    assert_eq!(fine.iter().filter(|name| *name == "doctor.node").count(), 4, "{run:?}");
    assert_eq!(fine.iter().filter(|name| *name == "doctor.node_keys").count(), 3, "{run:?}");

    let [first, second, ..] = &world.nodes()[..] else { panic!("four nodes") };
    kill(first);
    let dead = world.run_json(["doctor"]);
    assert_eq!(failed(&dead), (7, "doctor.node".into(), vec!["doctor.node".into()]));

    // What is not running can be opened, and is as it was.
    world.run(["net", "down", "--dir", "net"]).ok();
    let key = second.file("enclave/keys");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let dir = second.path().to_str().unwrap();
    let open = world.run_json(["doctor", "--dir", dir]);
    assert_eq!(failed(&open), (2, "doctor.node_keys".into(), vec!["doctor.node_keys".into()]));
    assert!(open.stdout.contains("1 pieces"), "{open:?}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::remove_dir_all(second.file("store/log")).unwrap();
    fs::write(second.file("store/log"), "no folder").unwrap();
    let store = failed(&world.run_json(["doctor", "--dir", dir]));
    assert_eq!(store, (1, "doctor.node_store".into(), vec!["doctor.node_store".into()]));
    let none = failed(&world.run_json(["doctor", "--dir", "nowhere"]));
    assert_eq!(none, (3, "doctor.node_config".into(), vec!["doctor.node_config".into()]));
}
