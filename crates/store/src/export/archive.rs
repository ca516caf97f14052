//! A piece arrives as the bytes of its CAR and becomes files and folders.
//!
//! [`Archive`] checks the bytes as they come and keeps them in an unlinked temporary file: a tree may hold the
//! same block in several places, while the piece holds it once. When the last byte was checked,
//! [`Archive::finish`] gives a [`SpooledPiece`], whose blocks a [`super::TreeWriter`] can take in its own order.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use holdfast_core::block::BlockId;
use holdfast_core::car;
use holdfast_core::check::{CheckError, PieceChecker, Placed};

use super::{ExportError, TreeWriter};
use crate::spill::{SpillMap, WalkMemory};

/// Offset ‖ length of a block.
const PLACE_LEN: usize = 8 + 4;

/// Why bytes are no piece that can be kept.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// They are not the canonical CAR of one DAG.
    #[error(transparent)]
    Check(#[from] CheckError<io::Error>),
    /// Temporary space failed.
    #[error("could not use temporary data")]
    Scratch(#[from] io::Error),
}

/// A piece of which more is to come.
pub struct Archive {
    folder: PathBuf,
    file: File,
    written: u64,
    /// First bytes, until they name the root.
    head: Vec<u8>,
    checker: Option<(BlockId, PieceChecker<WalkMemory>)>,
    places: SpillMap<PLACE_LEN>,
}

impl Archive {
    /// Expects a piece, whatever its root; temporary files go to `folder`.
    ///
    /// # Errors
    /// If temporary space fails.
    pub fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            folder: folder.into(),
            file: tempfile::tempfile_in(folder)?,
            written: 0,
            head: Vec::new(),
            checker: None,
            places: SpillMap::new(folder),
        })
    }

    /// Takes the next bytes, of any length.
    ///
    /// # Errors
    /// If they are not the next bytes of a piece, or temporary space fails.
    pub fn push(&mut self, data: &[u8]) -> Result<(), ArchiveError> {
        if self.checker.is_some() {
            return self.check(data);
        }
        self.head.extend_from_slice(data);
        if self.head.len() < car::HEADER_BYTES_MAX {
            return Ok(());
        }
        self.start()
    }

    /// Ends the piece.
    ///
    /// # Errors
    /// If blocks are missing, or temporary space fails.
    pub fn finish(mut self) -> Result<SpooledPiece, ArchiveError> {
        if self.checker.is_none() {
            self.start()?;
        }
        let (root, checker) = self.checker.take().expect("started above");
        checker.finish(&mut Vec::new())?;
        Ok(SpooledPiece { root, file: self.file, places: self.places })
    }

    fn start(&mut self) -> Result<(), ArchiveError> {
        let head = std::mem::take(&mut self.head);
        let root = car::root(&head).ok_or(CheckError::Header)?;
        self.checker = Some((root, PieceChecker::new(root, WalkMemory::new(&self.folder))?));
        self.check(&head)
    }

    fn check(&mut self, data: &[u8]) -> Result<(), ArchiveError> {
        let (_, checker) = self.checker.as_mut().expect("only called once it is there");
        let mut placed = Vec::new();
        checker.push(data, &mut placed, &mut Vec::new())?;
        for Placed { id, offset, bytes } in placed {
            let mut place = [0; PLACE_LEN];
            place[..8].copy_from_slice(&offset.to_be_bytes());
            place[8..].copy_from_slice(&bytes.to_be_bytes());
            self.places.insert_new(&id, place)?;
        }
        self.file.write_all_at(data, self.written)?;
        self.written += data.len() as u64;
        Ok(())
    }
}

/// A whole piece, checked, in temporary space.
pub struct SpooledPiece {
    root: BlockId,
    file: File,
    places: SpillMap<PLACE_LEN>,
}

impl SpooledPiece {
    /// The root of its DAG.
    pub fn root(&self) -> BlockId {
        self.root
    }

    /// Gives a writer its next block, and says whether it wanted one.
    ///
    /// # Errors
    /// If the block cannot be written out, or temporary space fails.
    pub fn feed(&self, writer: &mut TreeWriter) -> Result<bool, ExportError> {
        let Some(id) = writer.wanted().next() else { return Ok(false) };
        let data = self.block(&id).map_err(|source| ExportError::Scratch { source })?;
        writer.push(&data)?;
        Ok(true)
    }

    fn block(&self, id: &BlockId) -> io::Result<Vec<u8>> {
        let place =
            self.places.get(id)?.ok_or_else(|| io::Error::other(format!("block {id} is not there")))?;
        let (offset, bytes) = place.split_first_chunk().expect("the offset comes first");
        let bytes = u32::from_be_bytes(bytes.try_into().expect("the length is the rest"));
        let mut data = vec![0; usize::try_from(bytes).expect("at most 2 MiB")];
        self.file.read_exact_at(&mut data, u64::from_be_bytes(*offset))?;
        Ok(data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::{ImportProfile, import};
    use std::fs;
    use std::sync::Arc;

    /// A folder in which a block comes twice, as its piece.
    fn piece(folder: &Path) -> Vec<u8> {
        let source = folder.join("source");
        fs::create_dir_all(source.join("sub")).unwrap();
        fs::write(source.join("one"), vec![7; 2_500_000]).unwrap();
        fs::write(source.join("sub/two"), vec![7; 1_500_000]).unwrap();
        fs::write(source.join("three"), b"small").unwrap();
        let dag = import(&source, ImportProfile::UNIXFS_V1_2025, folder, &mut |_| ()).unwrap();
        let plan = Arc::new(dag.plan().unwrap());
        let mut piece = Vec::new();
        plan.reader().unwrap().read_into(&mut piece, usize::try_from(plan.piece_bytes()).unwrap()).unwrap();
        piece
    }

    fn spool(folder: &Path, piece: &[u8], step: usize) -> Result<SpooledPiece, ArchiveError> {
        let mut archive = Archive::new(folder)?;
        for data in piece.chunks(step) {
            archive.push(data)?;
        }
        archive.finish()
    }

    #[test]
    fn a_piece_in_steps_of_any_size_becomes_the_tree_again() {
        let folder = tempfile::tempdir().unwrap();
        let piece = piece(folder.path());
        for step in [13, 58, 64 << 10, piece.len()] {
            let spooled = spool(folder.path(), &piece, step).unwrap();
            let target = folder.path().join(format!("target-{step}"));
            let mut writer = TreeWriter::new(spooled.root(), &target).unwrap();
            while spooled.feed(&mut writer).unwrap() {}
            writer.finish().unwrap();
            assert_eq!(fs::read(target.join("one")).unwrap(), vec![7; 2_500_000]);
            assert_eq!(fs::read(target.join("sub/two")).unwrap(), vec![7; 1_500_000]);
            assert_eq!(fs::read(target.join("three")).unwrap(), b"small");
        }
    }

    #[test]
    fn what_is_no_whole_piece_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let piece = piece(folder.path());
        let mut changed = piece.clone();
        *changed.last_mut().unwrap() ^= 1;
        let longer = [&piece[..], b"x"].concat();
        for bad in [&b""[..], b"no CAR at all", &piece[..58], &piece[..piece.len() - 1], &changed, &longer] {
            let refused = spool(folder.path(), bad, 4096).err();
            assert!(matches!(refused, Some(ArchiveError::Check(_))), "{} bytes: {refused:?}", bad.len());
        }
    }
}
