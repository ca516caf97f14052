//! The machine: folders, limits, disk, processor.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use holdfast_bench::runner::median;
use rustix::fs::{Access, access, statvfs};
use rustix::process::{Resource, getrlimit};

use super::Check;
use crate::commands::scratch;
use crate::failure::Exit;
use crate::settings;

/// Less room than this in the temporary folder is worth a warning: standard input and what grows with a piece
/// go there.
const SCRATCH_BYTES_MIN: u64 = 1 << 30;
/// A node keeps two databases, and two files and a link for each put: fewer open files are soon used up.
const OPEN_FILES_MIN: u64 = 1024;
/// Syncs that are measured; an odd number, so that one is in the middle.
const SYNCS: usize = 5;
/// Bytes of each.
const SYNC_BYTES: usize = 4096;

/// Looks at this machine.
pub(super) fn checks() -> Vec<Check> {
    vec![temporary_folder(&scratch()), state_folder(), open_files(), sync_speed(&scratch()), processor()]
}

fn temporary_folder(folder: &Path) -> Check {
    let name = "temporary";
    if let Err(error) = tempfile::tempfile_in(folder) {
        let found = format!("could not write in {}: {error}", folder.display());
        return Check::failed(name, Exit::of_file(&error), found, "name another folder with TMPDIR");
    }
    match free_bytes(folder) {
        Ok(free) if free < SCRATCH_BYTES_MIN => {
            let found = format!("{} has {} MiB free", folder.display(), free >> 20);
            Check::warning(name, found, "make room, or name another folder with TMPDIR")
        }
        Ok(free) => Check::ok(name, format!("{} is writable, {} MiB free", folder.display(), free >> 20)),
        Err(error) => Check::warning(name, format!("{}: {error}", folder.display()), "free space is unknown"),
    }
}

/// Bytes that this user may still write to the disk of a folder.
pub(super) fn free_bytes(folder: &Path) -> std::io::Result<u64> {
    let disk = statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Where the network started last is noted. It may still have to be made.
fn state_folder() -> Check {
    let name = "state";
    let Some(folder) = settings::state_folder() else {
        let todo = "set HOME or XDG_STATE_HOME; else name the network each time with --network DIR";
        return Check::warning(name, "there is no HOME to keep it in", todo);
    };
    let Some(there) = nearest(&folder) else {
        return Check::failed(name, Exit::NotFound, format!("{} has no root", folder.display()), "set HOME");
    };
    if let Err(error) = access(&there, Access::WRITE_OK | Access::EXEC_OK) {
        let found = format!("could not write in {}: {error}", there.display());
        let todo = "own that folder, or name another with XDG_STATE_HOME";
        return Check::failed(name, Exit::NotAllowed, found, todo);
    }
    if !there.is_dir() {
        let found = format!("{} is no folder", there.display());
        return Check::failed(name, Exit::Usage, found, "move it away, or name another with XDG_STATE_HOME");
    }
    let made = if there == folder { "is writable" } else { "can be made" };
    Check::ok(name, format!("{} {made}", folder.display()))
}

/// The path itself, or the nearest above it that is there.
fn nearest(path: &Path) -> Option<PathBuf> {
    path.ancestors().find(|path| path.symlink_metadata().is_ok()).map(Path::to_owned)
}

fn open_files() -> Check {
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < OPEN_FILES_MIN => {
            let todo =
                format!("allow {OPEN_FILES_MIN} with `ulimit -n {OPEN_FILES_MIN}` before a node is started");
            Check::warning("open files", format!("a process may have {limit}"), todo)
        }
        Some(limit) => Check::ok("open files", format!("a process may have {limit}")),
        None => Check::ok("open files", "a process may have as many as it likes"),
    }
}

fn sync_speed(folder: &Path) -> Check {
    let found = match syncs(folder) {
        Ok(times) => format!(
            "4 KiB reach the disk of {} in {:.2} ms, the median of {SYNCS}",
            folder.display(),
            median(times)
        ),
        Err(error) => format!("could not measure in {}: {error}", folder.display()),
    };
    Check::info("disk sync", found)
}

/// Milliseconds of each.
fn syncs(folder: &Path) -> std::io::Result<Vec<f64>> {
    let mut file = tempfile::tempfile_in(folder)?;
    let mut times = Vec::new();
    for _ in 0..SYNCS {
        let started = Instant::now();
        file.write_all(&[0; SYNC_BYTES])?;
        file.sync_data()?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(times)
}

/// What makes hashing blocks (SHA) and encrypting connections (AES) several times faster.
fn processor() -> Check {
    let word = |has: bool| if has { "yes" } else { "no" };
    #[cfg(target_arch = "x86_64")]
    let found =
        Some((std::arch::is_x86_feature_detected!("aes"), std::arch::is_x86_feature_detected!("sha")));
    #[cfg(target_arch = "aarch64")]
    let found = Some((
        std::arch::is_aarch64_feature_detected!("aes"),
        std::arch::is_aarch64_feature_detected!("sha2"),
    ));
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let found: Option<(bool, bool)> = None;
    Check::info(
        "processor",
        match found {
            Some((aes, sha)) => format!("instructions for AES: {}, for SHA-256: {}", word(aes), word(sha)),
            None => format!("nothing is known of {}", std::env::consts::ARCH),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::State;

    #[test]
    fn a_folder_that_is_not_there_fails() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(temporary_folder(folder.path()).state, State::Ok | State::Warning));
        assert_eq!(temporary_folder(&folder.path().join("none")).state, State::Failed(Exit::NotFound));
    }

    #[test]
    fn the_nearest_folder_is_found() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(nearest(&folder.path().join("a/b")).as_deref(), Some(folder.path()));
        assert_eq!(nearest(folder.path()).as_deref(), Some(folder.path()));
    }
}
