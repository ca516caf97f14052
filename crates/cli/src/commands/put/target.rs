//! Where a proof goes: opened before anything is stored, so that nothing is stored in vain.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use holdfast_proofs::bundle::{BUNDLE_BYTES_MAX, Bundle};
use holdfast_store::{folder_of, shared_temp_in};
use tempfile::NamedTempFile;

use super::jobs::{Job, KEY, PROOF};
use crate::failure::{Exit, Failure};
use crate::settings;

/// A proof that is still to be written.
pub(in crate::commands) struct Target {
    path: PathBuf,
    file: NamedTempFile,
}

impl Target {
    /// Opens the place for a proof of `source`. What is there already is replaced only if it is a proof.
    pub(super) fn open(path: &Path, source: &Path) -> Result<Self, Failure> {
        if path.symlink_metadata().is_ok() && same_file(path, source) {
            return Err(conflict(path, "is the file to be stored", "--bundle"));
        }
        Self::at(path, "--bundle")
    }

    /// Opens the place for a proof, which the user chooses with `option`. What is there already is replaced only if it is
    /// a proof.
    pub(in crate::commands) fn at(path: &Path, option: &str) -> Result<Self, Failure> {
        check(path, option)?;
        let file = shared_temp_in(folder_of(path)).map_err(|error| failed(path, &error))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// The path of the proof.
    pub(in crate::commands) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the proof in one step: temp, sync, rename, sync of the folder.
    pub(in crate::commands) fn write(mut self, bundle: &Bundle) -> Result<(), Failure> {
        let folder = folder_of(&self.path).to_owned();
        let written = self
            .file
            .write_all(&bundle.to_bytes())
            .and_then(|()| self.file.as_file().sync_all())
            .and_then(|()| self.file.persist(&self.path).map(drop).map_err(|error| error.error))
            .and_then(|()| fs::File::open(folder)?.sync_all());
        written.map_err(|error| failed(&self.path, &error))
    }
}

/// Refuses proofs and keys that would lie in a folder that is stored by the same command: they would become a part of
/// its piece, or the folder would not be what its proof is about.
pub(super) fn check_outside(jobs: &[Job]) -> Result<(), Failure> {
    // What cannot be found is told by whoever opens it.
    let folders = jobs.iter().filter(|job| !job.is_car && !job.is_stdin() && job.source.is_dir());
    let folders: Vec<_> =
        folders.filter_map(|job| Some((&job.source, fs::canonicalize(&job.source).ok()?))).collect();
    for job in jobs {
        for (companion, path) in [(PROOF, Some(&job.bundle)), (KEY, job.key.as_ref())] {
            let place = path.and_then(|path| Some((path, fs::canonicalize(folder_of(path)).ok()?)));
            let Some((path, place)) = place else { continue };
            if let Some((folder, _)) = folders.iter().find(|(_, folder)| place.starts_with(folder)) {
                let todo = match jobs.len() {
                    1 => format!("name another place with {}", companion.option),
                    _ => format!(
                        "store {} by a command of its own, with {}",
                        job.source.display(),
                        companion.option
                    ),
                };
                let message = format!(
                    "{} would lie in {}, which is to be stored; {todo}",
                    path.display(),
                    folder.display()
                );
                return Err(Failure::new(Exit::Usage, companion.reason, message));
            }
        }
    }
    Ok(())
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    let message = format!("could not write {}: {error}", path.display());
    Failure::new(Exit::of_file(error), "file.write", message)
}

fn conflict(path: &Path, why: &str, option: &str) -> Failure {
    let message = format!("{} {why}; name another place with {option}", path.display());
    Failure::new(Exit::Conflict, "file.exists", message)
}

fn check(path: &Path, option: &str) -> Result<(), Failure> {
    match path.symlink_metadata() {
        Err(_) => Ok(()), // not there, or not reachable, which opening it will say
        Ok(metadata) if !metadata.is_file() => Err(conflict(path, "exists and is no file", option)),
        Ok(_) => match Bundle::from_bytes(&settings::read_limited(path, BUNDLE_BYTES_MAX)?) {
            Ok(_) => Ok(()),
            Err(_) => Err(conflict(path, "exists and is no proof", option)),
        },
    }
}

fn same_file(one: &Path, other: &Path) -> bool {
    fs::canonicalize(one).ok().zip(fs::canonicalize(other).ok()).is_some_and(|(one, other)| one == other)
}
