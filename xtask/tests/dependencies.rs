//! Dependencies point one way: pure crates know nothing of edges, and edges nothing of the node.
//!
//! A new crate fails here until it has its row in [`ALLOWED`].

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Which of our crates a crate may depend on, and nothing else of ours.
const ALLOWED: [(&str, &[&str]); 16] = [
    ("core", &[]),
    ("proofs", &["core"]),
    ("ledger", &["core", "proofs"]),
    ("chain", &["core", "proofs", "ledger"]),
    ("api", &["core", "proofs", "ledger"]),
    ("server", &["core", "proofs", "ledger", "api"]),
    ("consensus", &["core", "proofs", "ledger"]),
    ("protocol", &["core", "proofs", "ledger", "consensus"]),
    ("store", &["core"]),
    ("sim", &["core", "proofs", "ledger", "consensus", "protocol", "store"]),
    ("net", &["core"]),
    ("enclave", &["core", "proofs", "ledger", "consensus"]),
    ("client", &["core", "proofs", "ledger", "protocol", "store", "net"]),
    (
        "node",
        &[
            "core",
            "proofs",
            "ledger",
            "consensus",
            "chain",
            "server",
            "protocol",
            "store",
            "net",
            "enclave",
            "client",
        ],
    ),
    ("bench", &["core", "proofs", "ledger", "chain", "protocol", "store", "net", "client"]),
    ("cli", &["core", "proofs", "ledger", "protocol", "store", "net", "enclave", "client", "node", "bench"]),
];

/// Crates that decide and never do.
const PURE: [&str; 5] = ["core", "proofs", "ledger", "consensus", "protocol"];

/// Crates that read a clock, a file, a socket or chance.
const IMPURE: [&str; 19] = [
    "async-std",
    "chrono",
    "fastrand",
    "futures-timer",
    "getrandom",
    "indicatif",
    "libp2p",
    "libp2p-stream",
    "mio",
    "nix",
    "rand",
    "rayon",
    "redb",
    "rustix",
    "socket2",
    "tempfile",
    "tokio",
    "tokio-util",
    "tracing-subscriber",
];

/// Nodes trust nobody's client, and a client needs nobody's node.
const NEVER_IN_CLIENT: [&str; 2] = ["node", "enclave"];

/// What a pure crate's `clippy.toml` must ban.
const CLOCKS: [&str; 2] = ["std::time::Instant::now", "std::time::SystemTime::now"];

#[test]
fn our_crates_depend_only_on_those_below() {
    let allowed = BTreeMap::from(ALLOWED);
    for (name, dependencies) in ours() {
        let row = allowed.get(name.as_str());
        let row = row.unwrap_or_else(|| panic!("crate {name} has no row in ALLOWED: decide where it stands"));
        for dependency in dependencies {
            assert!(row.contains(&dependency.as_str()), "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn every_folder_in_crates_is_a_crate_named_like_it() {
    for package in packages() {
        if let Ok(folder) = package.folder.strip_prefix(root().join("crates")) {
            assert_eq!(package.name, format!("holdfast-{}", folder.display()));
        }
    }
}

#[test]
fn the_client_never_reaches_the_node_or_an_enclave() {
    let ours = ours();
    if ours.contains_key("client") {
        let reached = closure(&ours, "client");
        for forbidden in NEVER_IN_CLIENT {
            assert!(!reached.contains(forbidden), "client reaches {forbidden}: {reached:?}");
        }
    }
}

#[test]
fn pure_crates_stay_pure() {
    let (packages, ours) = (packages(), ours());
    for name in PURE {
        let reached = closure(&ours, name);
        assert!(reached.iter().all(|other| PURE.contains(&other.as_str())), "{name} reaches {reached:?}");

        let package = packages.iter().find(|package| package.name == format!("holdfast-{name}"));
        let package = package.unwrap_or_else(|| panic!("there is no crate {name}"));
        for dependency in &package.dependencies {
            assert!(!IMPURE.contains(&dependency.as_str()), "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn pure_crates_ban_the_clock() {
    for name in PURE {
        let path = root().join("crates").join(name).join("clippy.toml");
        let file = toml_file(&path);
        let banned: Vec<_> = file
            .get("disallowed-methods")
            .and_then(toml::Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|method| method.get("path").unwrap_or(method).as_str())
            .collect();
        for clock in CLOCKS {
            assert!(banned.contains(&clock), "{} does not ban {clock}", path.display());
        }
    }
}

#[test]
fn every_package_inherits_the_lints() {
    for package in packages() {
        let manifest = toml_file(&package.folder.join("Cargo.toml"));
        let inherited = manifest.get("lints").and_then(|lints| lints.get("workspace"));
        assert_eq!(
            inherited.and_then(toml::Value::as_bool),
            Some(true),
            "{} lacks `[lints] workspace = true`",
            package.name
        );
    }
}

#[test]
fn a_closure_follows_every_step() {
    let row = |dependencies: &[&str]| dependencies.iter().map(|&name| name.to_owned()).collect();
    let crates = BTreeMap::from([
        ("a".to_owned(), row(&["b"])),
        ("b".to_owned(), row(&["c"])),
        ("c".to_owned(), row(&[])),
        ("d".to_owned(), row(&["a"])),
    ]);
    assert_eq!(closure(&crates, "a"), row(&["b", "c"]));
}

/// A member of the workspace.
struct Package {
    name: String,
    folder: PathBuf,
    /// Names of what it needs to run or to build; tests may use anything.
    dependencies: BTreeSet<String>,
}

/// Crates reached from `name`, without itself.
fn closure(crates: &BTreeMap<String, BTreeSet<String>>, name: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![name];
    while let Some(next) = open.pop() {
        for dependency in crates.get(next).into_iter().flatten() {
            if reached.insert(dependency.clone()) {
                open.push(dependency);
            }
        }
    }
    reached
}

/// Our crates, without `holdfast-`, and what they take from each other.
fn ours() -> BTreeMap<String, BTreeSet<String>> {
    let short = |name: &str| name.strip_prefix("holdfast-").map(str::to_owned);
    packages()
        .iter()
        .filter_map(|package| {
            let dependencies = package.dependencies.iter().filter_map(|name| short(name)).collect();
            Some((short(&package.name)?, dependencies))
        })
        .collect()
}

fn packages() -> Vec<Package> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    list(&metadata["packages"]).iter().map(package).collect()
}

fn package(value: &Value) -> Package {
    let dependencies = list(&value["dependencies"])
        .iter()
        .filter(|dependency| dependency["kind"] != "dev")
        .map(|dependency| text(&dependency["name"]).to_owned())
        .collect();
    let folder = Path::new(text(&value["manifest_path"])).parent().expect("a manifest lies in a folder");
    Package { name: text(&value["name"]).to_owned(), folder: folder.to_owned(), dependencies }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("cargo metadata has a list here")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("cargo metadata has text here")
}

fn toml_file(path: &Path) -> toml::Table {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace")
}
