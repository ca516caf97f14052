//! Blocks that are not yet decided. Whoever votes for one has it on stable storage, so that it is not lost when all
//! validators lose power at once.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdfast_ledger::received::peek_header;
use holdfast_proofs::header::{BlockHash, Height};

/// Blocks kept at once. There is one for each round in which the proposer was not of one mind with the others.
const BODIES_MAX: usize = 16;

/// Height and bytes of each.
type Kept = BTreeMap<BlockHash, (Height, Arc<Vec<u8>>)>;

/// Undecided blocks by their hash, in files of that name and in memory.
pub(crate) struct Bodies {
    folder: PathBuf,
    kept: Mutex<Kept>,
}

impl Bodies {
    /// Reads what is there. A file that is no block is removed: it was not yet voted for.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut kept = BTreeMap::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let bytes = fs::read(&path)?;
            match peek_header(&bytes) {
                Ok(header) if path.ends_with(header.hash().to_string()) => {
                    kept.insert(header.hash(), (header.height, Arc::new(bytes)));
                }
                _ => fs::remove_file(&path)?,
            }
        }
        Ok(Self { folder: folder.to_owned(), kept: Mutex::new(kept) })
    }

    /// A block, if it is here.
    pub(crate) fn get(&self, hash: &BlockHash) -> Option<Arc<Vec<u8>>> {
        self.lock().get(hash).map(|(_, bytes)| bytes.clone())
    }

    /// Keeps a block. When this returns it is on stable storage. Of too many, the oldest of the lowest height goes.
    pub(crate) fn keep(&self, hash: BlockHash, height: Height, bytes: Vec<u8>) -> io::Result<()> {
        if self.get(&hash).is_some() {
            return Ok(());
        }
        holdfast_store::write_file(&self.folder.join(hash.to_string()), &bytes)?;
        let mut kept = self.lock();
        kept.insert(hash, (height, Arc::new(bytes)));
        if kept.len() > BODIES_MAX {
            let lowest = kept.iter().min_by_key(|(_, (height, _))| *height).map(|(hash, _)| *hash);
            if let Some(lowest) = lowest.filter(|lowest| *lowest != hash) {
                kept.remove(&lowest);
                self.remove(&lowest);
            }
        }
        Ok(())
    }

    /// Forgets blocks up to a height, which is decided.
    pub(crate) fn forget_until(&self, decided: Height) {
        let mut kept = self.lock();
        let old: Vec<_> =
            kept.iter().filter(|(_, (height, _))| *height <= decided).map(|(hash, _)| *hash).collect();
        for hash in old {
            kept.remove(&hash);
            self.remove(&hash);
        }
    }

    fn remove(&self, hash: &BlockHash) {
        if let Err(error) = fs::remove_file(self.folder.join(hash.to_string())) {
            tracing::warn!(%error, "could not remove an undecided block");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
