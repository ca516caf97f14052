//! The fuzz targets are a workspace of their own, and yet built of what ships.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Versions of each package in a lock file.
fn versions(lock: &str) -> BTreeMap<String, BTreeSet<String>> {
    let path = root().join(lock);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lock: toml::Table = text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut versions: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for package in lock["package"].as_array().expect("a lock file lists packages") {
        let field = |name: &str| package[name].as_str().expect("packages have name and version").to_owned();
        versions.entry(field("name")).or_default().insert(field("version"));
    }
    versions
}

#[test]
fn fuzz_targets_are_built_of_the_versions_that_ship() {
    let shipped = versions("Cargo.lock");
    for (name, found) in versions("fuzz/Cargo.lock") {
        if let Some(known) = shipped.get(&name) {
            assert!(
                found.is_subset(known),
                "fuzz/Cargo.lock has {name} {found:?}, Cargo.lock has {known:?}: \
                 copy Cargo.lock to fuzz/Cargo.lock and run `cargo xtask fuzz`"
            );
        }
    }
}

#[test]
fn every_target_has_seeds_and_a_row_in_the_documentation() {
    let read = |path: &str| fs::read_to_string(root().join(path)).expect("the sources can be read");
    let (seeds, page) = (read("fuzz/src/bin/seeds/main.rs"), read("docs/fuzzing.md"));
    let entries = fs::read_dir(root().join("fuzz/src/bin")).expect("the sources can be read");
    for entry in entries {
        let path = entry.expect("the sources can be read").path();
        let name = path.file_stem().expect("sources have names").to_string_lossy();
        if name != "seeds" {
            assert!(seeds.contains(&format!("(\"{name}\", ")), "{name} has no seeds");
            assert!(page.contains(&format!("| `{name}` |")), "{name} has no row in docs/fuzzing.md");
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace")
}
