//! Where fetched bytes go: a new file, or a stream such as standard output.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use holdfast_store::export::ExportError;
use tempfile::NamedTempFile;
use tokio::io::{AsyncWriteExt, BufWriter};

use super::GetError;

/// Bytes written at once.
const BUFFER_BYTES: usize = 256 << 10;

/// Takes bytes without holding up the task that brings them.
///
/// A file appears under its name when it is complete; until then, and if the sink is dropped, there is none.
pub struct Sink {
    out: BufWriter<tokio::fs::File>,
    /// A file's name to be; a stream has none.
    partial: Option<NamedTempFile>,
    path: PathBuf,
}

impl Sink {
    /// A file at `path`, which must not exist.
    ///
    /// # Errors
    /// If it exists or cannot be made.
    pub fn new_file(path: &Path) -> Result<Self, GetError> {
        if path.symlink_metadata().is_ok() {
            return Err(ExportError::Exists { path: path.into() }.into());
        }
        let open = || {
            let partial = holdfast_store::shared_temp_in(holdfast_store::folder_of(path))?;
            let file = partial.reopen()?;
            Ok((partial, file))
        };
        let (partial, file) = open().map_err(|source| GetError::Write { path: path.into(), source })?;
        Ok(Self { partial: Some(partial), ..Self::stream(file, path) })
    }

    /// A stream that is open already; errors call it `name`.
    pub fn stream(out: File, name: &Path) -> Self {
        let out = BufWriter::with_capacity(BUFFER_BYTES, tokio::fs::File::from_std(out));
        Self { out, partial: None, path: name.into() }
    }

    pub(super) async fn write(&mut self, data: &[u8]) -> Result<(), GetError> {
        let written = self.out.write_all(data).await;
        written.map_err(|source| GetError::Write { path: self.path.clone(), source })
    }

    /// Waits until everything is written, and gives a file its name.
    pub(super) async fn finish(mut self) -> Result<(), GetError> {
        let failed = |source| GetError::Write { path: self.path.clone(), source };
        self.out.flush().await.map_err(failed)?;
        let Some(partial) = self.partial else { return Ok(()) };
        match partial.persist_noclobber(&self.path) {
            Ok(_) => Ok(()),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                Err(ExportError::Exists { path: self.path }.into())
            }
            Err(error) => Err(failed(error.error)),
        }
    }
}
