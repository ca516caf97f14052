//! Sources stay short, and speak of no machine but the reader's.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Beyond this a file holds more than one idea; most good ones have 100 to 300 lines.
const LINES_MAX: usize = 450;

/// Beginnings of absolute paths that exist on one machine only. In two parts, or this file would hold them.
const MACHINE_PATHS: [&str; 3] = [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/")];

/// Sources ask the system for its temporary folder; tests and texts may name an example.
const TEMPORARY: &str = concat!("/tm", "p/");

/// A folder beside the checkout, which nobody else has.
const BESIDE: &str = concat!("../sha", "red");

#[test]
fn no_source_file_is_long() {
    let mut findings = String::new();
    for (path, text) in texts() {
        let lines = text.lines().count();
        if is_source(&path) && lines > LINES_MAX {
            writeln!(findings, "{}:{}: {lines} lines", path.display(), LINES_MAX + 1).unwrap();
        }
    }
    assert!(findings.is_empty(), "no source file may exceed {LINES_MAX} lines:\n{findings}");
}

#[test]
fn no_text_names_a_place_on_one_machine() {
    let mut findings = String::new();
    for (path, text) in texts() {
        for (index, line) in text.lines().enumerate() {
            if let Some(place) = place_in(line, is_source(&path)) {
                writeln!(findings, "{}:{}: {place}", path.display(), index + 1).unwrap();
            }
        }
    }
    assert!(findings.is_empty(), "these lines name a place on one machine:\n{findings}");
}

#[test]
fn places_are_found_where_a_path_begins() {
    let [first, second, third] = MACHINE_PATHS;
    for (line, in_source, found) in [
        (format!("open(\"{first}x\")"), false, Some(first)),
        (format!("{second}someone"), false, Some(second)),
        (format!("see ../x and {third}y"), true, Some(third)),
        (format!("https://example.org{third}y"), true, None),
        (format!("docs{second}page.md"), true, None),
        (format!("{TEMPORARY}x"), true, Some(TEMPORARY)),
        (format!("{TEMPORARY}x"), false, None),
        (format!("see {BESIDE}/x"), false, Some(BESIDE)),
        ("nothing at all".to_owned(), true, None),
    ] {
        assert_eq!(place_in(&line, in_source), found, "{line}");
    }
}

#[test]
fn tests_and_benches_are_not_sources() {
    for (path, expected) in [
        ("crates/core/src/tree.rs", true),
        ("crates/core/src/tests.rs", false),
        ("crates/core/src/tree/tests/deep.rs", false),
        ("crates/cli/tests/demo.rs", false),
        ("crates/store/benches/put.rs", false),
        ("docs/spec/bundle.md", false),
    ] {
        assert_eq!(is_source(Path::new(path)), expected, "{path}");
    }
}

/// The first place in a line that only one machine has.
fn place_in(line: &str, in_source: bool) -> Option<&'static str> {
    let begins_path = |place: &str| {
        line.match_indices(place).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || "._-/~}".contains(c))
        })
    };
    if line.contains(BESIDE) {
        return Some(BESIDE);
    }
    let temporary = in_source.then_some(TEMPORARY);
    MACHINE_PATHS.into_iter().chain(temporary).find(|place| begins_path(place))
}

/// Rust that is neither test nor bench.
fn is_source(path: &Path) -> bool {
    let is_part = |name: &str| path.iter().any(|part| part == name);
    path.extension().is_some_and(|extension| extension == "rs")
        && !path.ends_with("tests.rs")
        && !is_part("tests")
        && !is_part("benches")
}

/// Every committed file that is text, by its path from the root.
fn texts() -> impl Iterator<Item = (PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace");
    let paths = tracked(root);
    assert!(!paths.is_empty(), "no files found in {}", root.display());
    // A file that Git knows may be gone from the folder, and one that is not UTF-8 is no text.
    paths.into_iter().filter_map(move |path| {
        let text = fs::read_to_string(root.join(&path)).ok()?;
        Some((path, text))
    })
}

/// What Git tracks, or, in an unpacked archive, what is there.
fn tracked(root: &Path) -> Vec<PathBuf> {
    if !root.join(".git").exists() {
        return walk(root, Path::new(""));
    }
    let output = Command::new("git")
        // Continuous integration may own the checkout under another name.
        .args(["-c", "safe.directory=*", "ls-files", "-z"])
        .current_dir(root)
        .output()
        .expect("a checkout comes with git");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).expect("our file names are UTF-8");
    names.split_terminator('\0').map(PathBuf::from).collect()
}

/// All files below, but for what `.gitignore` names.
fn walk(root: &Path, below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root.join(below)).expect("the sources can be read") {
        let entry = entry.expect("the sources can be read");
        let (name, path) = (entry.file_name(), below.join(entry.file_name()));
        let kind = entry.file_type().expect("the sources can be read");
        if kind.is_file() {
            found.push(path);
        } else if kind.is_dir() && name != "target" && name != "node_modules" {
            found.extend(walk(root, &path));
        }
    }
    found
}
