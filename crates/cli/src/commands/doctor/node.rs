//! A node's folder: configuration, keys, store, room.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use holdfast_core::explain;
use holdfast_node::folder::{FolderError, NodeConfig, NodeFolder};
use holdfast_store::store::Store;

use super::Check;
use super::machine::free_bytes;
use crate::failure::{Exit, Failure};

/// Secrets of a node, by their place in its folder.
const SECRETS: [&str; 3] = ["peer.key", "enclave", "enclave/keys"];

/// Looks at the node in `dir`.
pub(super) fn checks(dir: &Path) -> Vec<Check> {
    let folder = NodeFolder::at(dir);
    let config = match folder.config() {
        Ok(config) => config,
        Err(error) => return vec![Check::failure("node config", error.into())],
    };
    let mut checks = vec![match &config.network {
        Some(network) => {
            Check::ok("node config", format!("node.toml is readable, network {}", network.display()))
        }
        None => {
            let todo = "join one with `holdfast node prove --dir NODE --network DIR`";
            Check::warning("node config", "the node belongs to no network", todo)
        }
    }];
    checks.extend(SECRETS.map(|name| secret(&folder.file(name))));
    checks.push(store(&folder, &config));
    checks.push(room(&folder, &config));
    checks
}

/// Whether nobody but its owner can use a secret file or folder.
fn secret(path: &Path) -> Check {
    let name = "node keys";
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => {
            let found = format!("could not look at {}: {error}", path.display());
            let todo = "a node without its keys cannot come back: restore the file from a copy";
            return Check::failed(name, Exit::of_file(&error), found, todo);
        }
    };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Check::ok(name, format!("{} is its owner's alone", path.display()));
    }
    let wanted = if metadata.is_dir() { "700" } else { "600" };
    let found = format!("{} can be used by others (mode {mode:03o})", path.display());
    Check::failed(name, Exit::Usage, found, format!("`chmod {wanted} {}`", path.display()))
}

/// Whether the store can be opened. A node that runs has it open.
fn store(folder: &NodeFolder, config: &NodeConfig) -> Check {
    let name = "node store";
    let _lock = match folder.lock() {
        Ok(lock) => lock,
        Err(FolderError::Running { pid, .. }) => {
            return Check::ok(name, format!("the node runs and has it open (process {pid})"));
        }
        Err(error) => return Check::failure(name, error.into()),
    };
    let path = folder.file("store");
    if !path.join("log").exists() {
        return Check::ok(name, "there is none yet; the node makes it at its first start");
    }
    match Store::open(&path, config.quota_bytes) {
        Ok(store) => {
            let usage = store.usage();
            Check::ok(name, format!("it opens: {} pieces, {} bytes", usage.pieces, usage.bytes))
        }
        Err(error) => {
            let found = format!("could not open {}: {}", path.display(), explain(&error));
            Check::failed(
                name,
                Exit::Internal,
                found,
                "look at disk and permissions; else restore it from a copy",
            )
        }
    }
}

/// Whether the disk can hold what the quota allows.
fn room(folder: &NodeFolder, config: &NodeConfig) -> Check {
    let name = "node quota";
    let (held, free) = match held_bytes(folder).and_then(|held| Ok((held, free_bytes(folder.path())?))) {
        Ok(numbers) => numbers,
        Err(error) => {
            let what = format!("could not measure {}", folder.path().display());
            return Check::failure(name, Failure::local(what, &error));
        }
    };
    judge_room(config.quota_bytes, held, free)
}

fn judge_room(quota: u64, held: u64, free: u64) -> Check {
    let name = "node quota";
    let more = quota.saturating_sub(held);
    if more > free {
        let found = format!("{more} of {quota} bytes may still come, and the disk has {free}");
        return Check::warning(name, found, "lower `quota_bytes` in node.toml, or make room");
    }
    Check::ok(name, format!("{held} of {quota} bytes held, the disk has {free} free"))
}

/// Bytes of the files in a node's store.
fn held_bytes(folder: &NodeFolder) -> io::Result<u64> {
    fn bytes(folder: &Path) -> io::Result<u64> {
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            entries => entries?,
        };
        let mut sum = 0;
        for entry in entries {
            let entry = entry?;
            let metadata = entry.metadata()?;
            sum += if metadata.is_dir() { bytes(&entry.path())? } else { metadata.len() };
        }
        Ok(sum)
    }
    bytes(&folder.file("store"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::State;

    #[test]
    fn a_quota_beyond_the_disk_is_a_warning() {
        assert_eq!(judge_room(100, 40, 60).state, State::Ok);
        assert_eq!(judge_room(100, 40, 59).state, State::Warning);
        assert_eq!(judge_room(100, 140, 0).state, State::Ok);
    }

    #[test]
    fn a_key_that_others_can_read_fails() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert_eq!(secret(&path).state, State::Failed(Exit::NotFound));
        fs::write(&path, "secret").unwrap();
        for (mode, state) in
            [(0o600, State::Ok), (0o640, State::Failed(Exit::Usage)), (0o604, State::Failed(Exit::Usage))]
        {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(secret(&path).state, state, "{mode:o}");
        }
    }
}
