//! Where fetched bytes go: a new file, a stream such as standard output, or another task.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use holdfast_store::export::ExportError;
use tempfile::NamedTempFile;
use tokio::io::{AsyncWriteExt, BufWriter};
use tokio::sync::mpsc;

use super::GetError;

/// Bytes written at once.
const BUFFER_BYTES: usize = 256 << 10;

/// Takes bytes without holding up the task that brings them.
///
/// A file appears under its name when it is complete; until then, and if the sink is dropped, there is none.
pub struct Sink {
    out: Out,
    path: PathBuf,
}

enum Out {
    File {
        out: BufWriter<tokio::fs::File>,
        /// A file's name to be; a stream has none.
        partial: Option<NamedTempFile>,
    },
    Task {
        parts: mpsc::Sender<Vec<u8>>,
        buffer: Vec<u8>,
    },
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
        Ok(Self::file(file, Some(partial), path))
    }

    /// A stream that is open already; errors call it `name`.
    pub fn stream(out: File, name: &Path) -> Self {
        Self::file(out, None, name)
    }

    /// A task that takes the bytes in parts of about 256 KiB, and waits when it has as many as its mailbox holds; errors
    /// call it `name`. The mailbox is closed when all bytes are in it, and also when the fetch fails.
    pub fn mailbox(parts: mpsc::Sender<Vec<u8>>, name: &Path) -> Self {
        Self { out: Out::Task { parts, buffer: Vec::new() }, path: name.into() }
    }

    fn file(out: File, partial: Option<NamedTempFile>, path: &Path) -> Self {
        let out = BufWriter::with_capacity(BUFFER_BYTES, tokio::fs::File::from_std(out));
        Self { out: Out::File { out, partial }, path: path.into() }
    }

    pub(super) async fn write(&mut self, data: &[u8]) -> Result<(), GetError> {
        let written = match &mut self.out {
            Out::File { out, .. } => out.write_all(data).await,
            Out::Task { parts, buffer } => {
                buffer.extend_from_slice(data);
                if buffer.len() < BUFFER_BYTES { Ok(()) } else { send(parts, std::mem::take(buffer)).await }
            }
        };
        written.map_err(|source| GetError::Write { path: self.path.clone(), source })
    }

    /// Waits until everything is written or sent, and gives a file its name.
    pub(super) async fn finish(self) -> Result<(), GetError> {
        let Self { out, path } = self;
        let failed = |source| GetError::Write { path: path.clone(), source };
        let partial = match out {
            Out::File { mut out, partial } => {
                out.flush().await.map_err(failed)?;
                partial
            }
            Out::Task { parts, buffer } => return send(&parts, buffer).await.map_err(failed),
        };
        let Some(partial) = partial else { return Ok(()) };
        match partial.persist_noclobber(&path) {
            Ok(_) => Ok(()),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                Err(ExportError::Exists { path }.into())
            }
            Err(error) => Err(failed(error.error)),
        }
    }
}

async fn send(parts: &mpsc::Sender<Vec<u8>>, part: Vec<u8>) -> io::Result<()> {
    parts.send(part).await.map_err(|_| io::ErrorKind::BrokenPipe.into())
}
