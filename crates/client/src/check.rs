//! Is this file the one that a statement is about?

use std::path::Path;
use std::sync::Arc;

use holdfast_core::block::BlockId;
use holdfast_core::id::PieceRoot;
use holdfast_core::tree::TreeHasher;
use holdfast_proofs::statement::Statement;
use holdfast_store::import::{ImportError, ImportProfile, import};
use holdfast_store::source::{Plan, SourceError};

/// Bytes read and hashed at once.
const READ_BYTES: usize = 1 << 20;

/// Why a file could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It cannot be imported.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// It cannot be read again.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// What a comparison found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileCheck {
    /// CID of the file under the profile.
    pub cid: BlockId,
    /// Length of its piece.
    pub piece_bytes: u64,
    /// Root of its piece.
    pub piece_root: PieceRoot,
    /// Whether all three are those of the statement.
    pub same: bool,
}

/// Compares a file or folder with a statement: CID, piece length and piece root.
///
/// # Errors
/// If the file cannot be read.
pub fn file(
    path: &Path,
    profile: ImportProfile,
    statement: &Statement,
    scratch: &Path,
) -> Result<FileCheck, CheckError> {
    let plan = Arc::new(import(path, profile, scratch, &mut |_| ())?.plan()?);
    let piece_root = root(&plan)?;
    let (cid, piece_bytes) = (plan.root(), plan.piece_bytes());
    let same = (cid, piece_bytes, piece_root) == (statement.cid, statement.piece_bytes, statement.piece_root);
    Ok(FileCheck { cid, piece_bytes, piece_root, same })
}

/// Root of a planned piece.
///
/// # Errors
/// If it cannot be read.
pub fn root(plan: &Arc<Plan>) -> Result<PieceRoot, SourceError> {
    let mut reader = plan.reader()?;
    let mut hasher = TreeHasher::default();
    let mut data = Vec::with_capacity(READ_BYTES);
    loop {
        data.clear();
        reader.read_into(&mut data, READ_BYTES)?;
        if data.is_empty() {
            return Ok(hasher.finish(&mut Vec::new()));
        }
        hasher.update(&data, &mut Vec::new());
    }
}
