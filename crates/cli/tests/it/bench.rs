//! `bench`: that it measures, judges and clears away. How fast anything is here is no matter.

use std::fs;

use crate::support::{World, processes_naming};
use serde_json::Value;

/// Runs it, and checks everything but the numbers.
fn figures(world: &World, words: &[&str]) -> Vec<Value> {
    let run = world.run_json([&["bench"], words].concat());
    let rows: Vec<Value> =
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"));
    let mut all_held = true;
    for row in &rows {
        let number = |key: &str| row[key].as_f64();
        assert!(number("value").unwrap() > 0.0, "{row}");
        assert_eq!(number("floor").is_some(), number("ratio").is_some(), "{row}");
        assert!(row["unit"].is_string() && row["bound"].is_string(), "{row}");
        all_held &= row["held"].as_bool().unwrap();
        assert_eq!(row.as_object().unwrap().len(), 7, "{row}");
    }
    if all_held {
        assert_eq!(run.code, 0, "{run:?}");
    } else {
        assert_eq!((run.code, run.reason().as_str()), (8, "bench.bound"), "{run:?}");
    }
    assert_eq!(fs::read_dir(world.path("tmp")).unwrap().count(), 0, "nothing is left behind");
    rows
}

fn names(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["name"].as_str().unwrap()).collect()
}

#[test]
fn figures_have_names_floors_bounds_and_judgements() {
    let world = World::empty();
    let rows = figures(&world, &["verify", "cid", "--runs", "1", "--size", "1MiB"]);
    assert_eq!(
        names(&rows),
        ["cid/size=1MiB cache=warm", "verify/signers=100 against=4", "verify/signers=4"]
    );
    assert!(rows.iter().all(|row| row["ratio"].as_f64().unwrap() > 0.0), "{rows:?}");
}

#[test]
fn a_network_of_its_own_is_started_and_cleared_away() {
    let world = World::empty();
    let rows = figures(&world, &["put", "get", "--runs", "1", "--size", "1MiB"]);
    let expected =
        ["get/size=1MiB cache=warm", "get/size=1MiB cache=warm rate", "put/size=1MiB copies=4 cache=warm"];
    assert_eq!(names(&rows), expected);
    assert_eq!(processes_naming(&world.path("tmp")), Vec::<String>::new());
}

#[test]
fn what_cannot_be_measured_is_said() {
    let world = World::empty();
    assert_eq!(world.run_json(["bench", "unknown"]).code, 2);
    assert_eq!(world.run_json(["bench", "cid", "--size", "much"]).code, 2);
    assert_eq!(world.run_json(["bench", "cid", "--runs", "0"]).code, 2);
    let nowhere = world.run_json(["bench", "cid", "--dir", "missing"]);
    assert_eq!((nowhere.code, nowhere.reason().as_str()), (3, "file.write"));
    let huge = world.run_json(["bench", "cid", "--size", "1000000GiB"]);
    assert_eq!((huge.code, huge.reason().as_str()), (5, "bench.room"));
    let plan = world.run_json(["bench", "put", "--dry-run"]).ok().json();
    assert_eq!(plan["names"][0], "put");
}
