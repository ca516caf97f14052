//! Tools from outside Rust: some must be there, the rest is installed under `target/tools`.
//!
//! What is installed carries a stamp with everything it was made from, and is made again when that changes.
//! The stamp is written last: half an installation has none.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::child::Task;
use crate::workspace::Workspace;

/// A program that says its version.
const PROBE_LIMIT: Duration = Duration::from_secs(60);

/// Downloads of some 100 MB over a slow line.
const INSTALL_LIMIT: Duration = Duration::from_secs(900);

/// A virtual environment needs `venv` and `ensurepip`, which Debian packs on their own.
const PYTHON_PROBE: &str = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))";

/// Must succeed, else the Debian packages are missing.
const REQUIRED: [(&str, &[&str], &str); 6] = [
    ("python3", &["-c", PYTHON_PROBE], "python3 python3-venv"),
    ("node", &["--version"], "nodejs"),
    ("npm", &["--version"], "npm"),
    ("git", &["--version"], "git"),
    ("unshare", &["--version"], "util-linux"),
    ("c++", &["--version"], "g++"),
];

/// Looks for what must be there, and installs the rest.
///
/// # Errors
/// Names the command that installs what is missing.
pub(super) fn install(workspace: &Workspace) -> Result<()> {
    let present = |(program, args): (&str, &[&str])| {
        Task::new(program, PROBE_LIMIT).args(args).output().is_ok_and(|output| output.status.success())
    };
    let missing: Vec<_> =
        REQUIRED.into_iter().filter(|&(program, args, _)| !present((program, args))).collect();
    if !missing.is_empty() {
        let programs = missing.iter().map(|(program, ..)| *program).collect::<Vec<_>>().join(", ");
        let packages = missing.iter().map(|(.., packages)| *packages).collect::<Vec<_>>().join(" ");
        bail!(
            "missing or too old: {programs} (Python must be 3.11 or later, with venv)\n\
             install with: apt-get install {packages}"
        );
    }
    install_python(workspace)?;
    install_node(workspace)?;
    link_modules(workspace)
}

/// The Python with the libraries of `interop/requirements.txt`.
pub(super) fn python(workspace: &Workspace) -> PathBuf {
    workspace.tools().join("python/bin/python")
}

/// The Node of `interop/package.json`, which is newer than that of most distributions.
pub(super) fn node(workspace: &Workspace) -> PathBuf {
    workspace.tools().join("node/node_modules/node/bin/node")
}

fn install_python(workspace: &Workspace) -> Result<()> {
    let requirements = workspace.source("interop/requirements.txt");
    let version = Task::new("python3", PROBE_LIMIT).args(["--version"]).output()?.stdout;
    let folder = workspace.tools().join("python");
    let stamp = Stamp::new(&folder, format!("{version}{}", read(&requirements)?));
    if stamp.holds() {
        return Ok(());
    }
    Task::new("python3", INSTALL_LIMIT).args(["-m", "venv", "--clear"]).args([&folder]).run()?;
    Task::new(python(workspace), INSTALL_LIMIT)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
        .args([&requirements])
        .run()?;
    stamp.write()
}

fn install_node(workspace: &Workspace) -> Result<()> {
    let folder = workspace.tools().join("node");
    let package = read(&workspace.source("interop/package.json"))?;
    let lock = read(&workspace.source("interop/package-lock.json"))?;
    let stamp = Stamp::new(&folder, format!("{package}{lock}"));
    if stamp.holds() {
        return Ok(());
    }
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("package.json"), &package)?;
    fs::write(folder.join("package-lock.json"), &lock)?;
    Task::new("npm", INSTALL_LIMIT).args(["ci", "--no-audit", "--no-fund"]).folder(&folder).run()?;
    expect_version(&node(workspace), &package)?;
    stamp.write()
}

/// JavaScript modules are looked for beside the script, so a link there leads to those installed. A folder
/// that a developer made with `npm ci` stays, and is used.
fn link_modules(workspace: &Workspace) -> Result<()> {
    let (link, modules) =
        (workspace.source("interop/node_modules"), workspace.tools().join("node/node_modules"));
    match fs::symlink_metadata(&link) {
        Ok(found) if found.is_dir() => {
            eprintln!("    note: {} is a folder: scripts use it as it is", link.display());
            return Ok(());
        }
        Ok(_) => fs::remove_file(&link)?,
        Err(_) => {}
    }
    symlink(&modules, &link).with_context(|| format!("could not link {}", link.display()))
}

/// The package `node` fetches its binary in an install script, which some settings of npm forbid.
fn expect_version(node: &Path, package: &str) -> Result<()> {
    let package: Value = serde_json::from_str(package).context("interop/package.json is not JSON")?;
    let wanted = package["dependencies"]["node"].as_str().context("interop/package.json names no node")?;
    let found = Task::new(node, PROBE_LIMIT)
        .args(["--version"])
        .output()
        .context("npm installed no Node: does a setting forbid install scripts?")?
        .stdout;
    ensure!(found.trim() == format!("v{wanted}"), "npm installed Node {}, not {wanted}", found.trim());
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))
}

/// What a folder was made from.
struct Stamp {
    file: PathBuf,
    content: String,
}

impl Stamp {
    fn new(folder: &Path, content: String) -> Self {
        Self { file: folder.join(".made-from"), content }
    }

    fn holds(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|content| content == self.content)
    }

    fn write(&self) -> Result<()> {
        fs::write(&self.file, &self.content)
            .with_context(|| format!("could not write {}", self.file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_holds_until_its_content_changes() {
        let folder = tempfile::tempdir().unwrap();
        let stamp = |content: &str| Stamp::new(folder.path(), content.to_owned());
        assert!(!stamp("one").holds());
        stamp("one").write().unwrap();
        assert!(stamp("one").holds());
        assert!(!stamp("two").holds());
    }
}
