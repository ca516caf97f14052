//! Where the key of a private piece goes: written before anything is sent, and kept if anything was.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use holdfast_client::private::{KeyError, PieceKey};
use holdfast_store::folder_of;

use crate::failure::{Exit, Failure};

/// Looks whether a key can be written, before the work of encrypting.
pub(super) fn check(path: &Path, bundle: &Path) -> Result<(), Failure> {
    if path.symlink_metadata().is_ok() {
        return Err(KeyError::Exists { path: path.into() }.into());
    }
    let folder = |path: &Path| fs::canonicalize(folder_of(path));
    let place = folder(path).map_err(|source| KeyError::Write { path: path.into(), source })?;
    // The proof would replace the key.
    if path.file_name() == bundle.file_name() && folder(bundle).is_ok_and(|other| other == place) {
        let message =
            format!("{} cannot be both key and proof; change --key-file or --bundle", path.display());
        return Err(Failure::new(Exit::Usage, "put.key_file", message));
    }
    Ok(())
}

/// A key file that is removed again unless something may have been stored under it.
///
/// No node makes a piece durable of which it was sent nothing, so a key is worthless until the first bytes have
/// gone out. From then on it stays, whatever happens: a stray key file costs nothing, a lost key costs the piece.
pub(super) struct KeyFile {
    path: PathBuf,
    keep: Cell<bool>,
}

impl KeyFile {
    pub(super) fn write(key: &PieceKey, path: &Path) -> Result<Self, Failure> {
        key.write_new(path)?;
        Ok(Self { path: path.into(), keep: Cell::new(false) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Something may be stored from now on.
    pub(super) fn keep(&self) {
        self.keep.set(true);
    }

    pub(super) fn is_kept(&self) -> bool {
        self.keep.get()
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        if !self.keep.get()
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "could not remove a key of nothing");
        }
    }
}
