//! From plaintext to ciphertext, once through and in constant memory.

use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdfast_store::source::{Plan, SourceError};

use super::cells::{CELL_BYTES, Cells};
use super::{Kind, PieceKey};

/// Bytes of plaintext read at once.
const READ_BYTES: usize = 256 << 10;

/// Why something could not be encrypted.
#[derive(Debug, thiserror::Error)]
pub enum EncryptError {
    /// The plaintext cannot be read.
    #[error("could not read {}", path.display())]
    Read {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folder's piece cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Temporary space failed, or there was no randomness.
    #[error("could not write the encrypted form")]
    Scratch(#[from] io::Error),
}

/// Encrypts a file, or whatever else can be read to its end, under a fresh key, which it returns. `path` names the
/// plaintext in errors; `progress` is told bytes as they are read.
///
/// # Errors
/// See [`EncryptError`].
pub fn file(
    mut plaintext: impl Read,
    path: &Path,
    out: impl Write,
    progress: &mut dyn FnMut(u64),
) -> Result<PieceKey, EncryptError> {
    let (mut encryptor, key) = start(Kind::File, out)?;
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let bytes = match plaintext.read(&mut buffer) {
            Ok(0) => break,
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(EncryptError::Read { path: path.into(), source }),
        };
        encryptor.push(&buffer[..bytes])?;
        progress(bytes as u64);
    }
    encryptor.finish()?.flush()?;
    Ok(key)
}

/// Encrypts the piece of a DAG under a fresh key, which it returns.
///
/// # Errors
/// See [`EncryptError`].
pub fn tree(
    plan: &Arc<Plan>,
    out: impl Write,
    progress: &mut dyn FnMut(u64),
) -> Result<PieceKey, EncryptError> {
    let (mut encryptor, key) = start(Kind::Tree, out)?;
    let mut reader = plan.reader()?;
    let mut data = Vec::with_capacity(READ_BYTES);
    loop {
        data.clear();
        reader.read_into(&mut data, READ_BYTES)?;
        if data.is_empty() {
            break;
        }
        encryptor.push(&data)?;
        progress(data.len() as u64);
    }
    encryptor.finish()?.flush()?;
    Ok(key)
}

/// Nothing else draws a key or begins to encrypt, so that no key is ever used twice.
fn start<W: Write>(kind: Kind, out: W) -> Result<(Encryptor<BufWriter<W>>, PieceKey), EncryptError> {
    let key = PieceKey::draw()?;
    Ok((Encryptor::new(&key, kind, BufWriter::with_capacity(READ_BYTES, out))?, key))
}

/// Encrypts a stream of bytes.
pub(super) struct Encryptor<W> {
    cells: Cells,
    out: W,
    /// The cell that is being filled. A full one waits until it is known whether it is the last.
    cell: Vec<u8>,
    place: u32,
}

impl<W: Write> Encryptor<W> {
    /// Writes the header.
    pub(super) fn new(key: &PieceKey, kind: Kind, mut out: W) -> io::Result<Self> {
        let cells = Cells::new(key, kind);
        out.write_all(&cells.header())?;
        Ok(Self { cells, out, cell: Vec::with_capacity(CELL_BYTES + super::TAG_BYTES), place: 0 })
    }

    pub(super) fn push(&mut self, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            if self.cell.len() == CELL_BYTES {
                self.write_cell(false)?;
                self.place =
                    self.place.checked_add(1).ok_or_else(|| io::Error::other("more than 256 TiB"))?;
            }
            let taken = data.len().min(CELL_BYTES - self.cell.len());
            self.cell.extend_from_slice(&data[..taken]);
            data = &data[taken..];
        }
        Ok(())
    }

    /// Writes the last cell.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.write_cell(true)?;
        Ok(self.out)
    }

    fn write_cell(&mut self, is_last: bool) -> io::Result<()> {
        self.cells.encrypt(self.place, is_last, &mut self.cell);
        self.out.write_all(&self.cell)?;
        self.cell.clear();
        Ok(())
    }
}
