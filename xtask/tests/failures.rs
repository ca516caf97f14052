//! Every row of docs/failures.md has an id of its own and a test that is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Exit codes of the program.
const EXITS: [&str; 13] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "12", "130"];

/// One case.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    id: String,
    outcome: String,
    exits: Vec<String>,
    reasons: Vec<String>,
    test: String,
}

/// What stands in a list such as `a`, `b`.
fn list(cell: &str) -> Vec<String> {
    cell.split(',')
        .map(|word| word.trim().trim_matches('`').to_owned())
        .filter(|word| !word.is_empty())
        .collect()
}

/// Rows of all tables in a page, without heads and rules.
fn rows(page: &str) -> Vec<Row> {
    let cells = |line: &str| -> Option<Vec<String>> {
        let line = line.strip_prefix('|')?.strip_suffix('|')?;
        Some(line.split('|').map(|cell| cell.trim().to_owned()).collect())
    };
    let rows =
        page.lines().filter_map(cells).filter(|cells| cells[0] != "id" && !cells[0].starts_with("---"));
    rows.map(|cells| {
        let [id, outcome, exits, reasons, test] = &cells[..] else { panic!("not five cells: {cells:?}") };
        let test = test.trim_matches('`').to_owned();
        Row { id: id.clone(), outcome: outcome.clone(), exits: list(exits), reasons: list(reasons), test }
    })
    .collect()
}

/// What is wrong with a row by itself.
fn flaw(row: &Row) -> Option<&'static str> {
    let kebab = |text: &str| {
        !text.is_empty()
            && text.split('-').all(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase()))
    };
    let dotted = |text: &str| {
        let word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        text.split_once('.').is_some_and(|(area, what)| word(area) && word(what)) || text == "interrupted"
    };
    if !kebab(&row.id) {
        return Some("its id is not in kebab-case");
    }
    if row.outcome.is_empty() {
        return Some("it does not say what happens");
    }
    if !row.exits.iter().all(|exit| EXITS.contains(&exit.as_str())) {
        return Some("an exit code is none of this program");
    }
    if !row.reasons.iter().all(|reason| dotted(reason)) {
        return Some("a reason is not dotted");
    }
    let failed = row.exits.iter().any(|exit| exit != "0");
    (failed && row.reasons.is_empty()).then_some("a failure has no reason")
}

/// Whether a crate has a test of this name in a file, or a folder, of that name.
fn is_there(root: &Path, test: &str) -> bool {
    let [package, module, function] = test.split("::").collect::<Vec<_>>()[..] else { return false };
    let crates = match package {
        "xtask" => root.join("xtask"),
        package => root.join("crates").join(package),
    };
    sources(&crates).iter().any(|path| {
        let below = path.strip_prefix(&crates).expect("found there").with_extension("");
        below.iter().any(|name| name == module)
            && tests_of(&fs::read_to_string(path).expect("the sources can be read")).contains(function)
    })
}

/// Names of functions that stand below a test attribute.
fn tests_of(source: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some((before, after)) = line.split_once("fn ") {
            if is_test && (before.is_empty() || before == "async ") {
                found.insert(after.split(['(', '<']).next().unwrap_or_default());
            }
            is_test = false;
        }
    }
    found
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut todo) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("the sources can be read").path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn every_failure_has_an_id_of_its_own_and_a_test_that_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace");
    let page = fs::read_to_string(root.join("docs/failures.md")).expect("the page can be read");
    let rows = rows(&page);
    let mut ids = BTreeSet::new();
    let mut wrong = Vec::new();
    for row in &rows {
        wrong.extend(flaw(row).map(|flaw| format!("{}: {flaw}", row.id)));
        if !ids.insert(&row.id) {
            wrong.push(format!("{}: its id is there twice", row.id));
        }
        if !is_there(root, &row.test) {
            wrong.push(format!("{}: no test {}", row.id, row.test));
        }
    }
    assert!(wrong.is_empty(), "docs/failures.md:\n{}", wrong.join("\n"));
    assert!(rows.len() > 60, "only {} rows were found", rows.len());
}

#[test]
fn rows_are_read_and_judged() {
    let page = "text\n\n| id | what happens | exit | reason | test |\n|---|---|---|---|---|\n\
                | a-b | Refused. | 2, 9 | `x.y`, `x.z_w` | `cli::disk::name` |\n";
    let [row] = &rows(page)[..] else { panic!("one row") };
    assert_eq!((row.id.as_str(), row.test.as_str()), ("a-b", "cli::disk::name"));
    assert_eq!((row.exits.len(), row.reasons.len()), (2, 2));
    assert_eq!(flaw(row), None);
    let with = |change: &dyn Fn(&mut Row)| {
        let mut row = rows(page).remove(0);
        change(&mut row);
        flaw(&row).is_some()
    };
    assert!(with(&|row| row.id = "A b".into()));
    assert!(with(&|row| row.outcome.clear()));
    assert!(with(&|row| row.exits = vec!["11".into()]));
    assert!(with(&|row| row.reasons = vec!["put quota".into()]));
    assert!(with(&|row| row.reasons.clear()));
}

#[test]
fn only_functions_below_a_test_attribute_are_tests() {
    let source = "fn helper() {}\n#[test]\nfn one() {}\nfn other() {}\n#[tokio::test(flavor = \"x\")]\n\
                  #[ignore]\nasync fn two() {}\n";
    assert_eq!(tests_of(source), BTreeSet::from(["one", "two"]));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace");
    assert!(is_there(root, "xtask::failures::only_functions_below_a_test_attribute_are_tests"));
    assert!(!is_there(root, "xtask::sources::only_functions_below_a_test_attribute_are_tests"));
    assert!(!is_there(root, "xtask::failures::rows"));
    assert!(!is_there(root, "nothing"));
}
