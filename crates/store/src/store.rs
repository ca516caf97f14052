//! The store of a provider: drafts that become pieces, verified reads, quota.
//!
//! A piece comes into being in this order, so that no index row ever points nowhere and nothing is signed that
//! is not on stable storage: data and outboard are checked while they are written, synced, renamed, their
//! folder synced, and only then the index row is committed. What a crash leaves without a row is removed when
//! the store opens.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use holdfast_core::Fault;
use holdfast_core::block::BlockId;
use holdfast_core::check::CheckError;
use holdfast_core::id::PieceRoot;
use holdfast_core::tree::{self, ChunkError, ChunkProof, GROUP_BYTES, PAIR_BYTES};

use crate::index::{BlockPlace, Index, IndexError, PieceRow, RecordKind};
use crate::volume::{DiskVolume, Name, Part, Volume};

mod draft;

pub use draft::PieceDraft;

/// Why a piece could not be stored.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// No room.
    #[error("{needed} bytes needed, {free} of {quota} bytes free")]
    Quota {
        /// Bytes announced.
        needed: u64,
        /// Bytes neither held nor reserved.
        free: u64,
        /// Bytes that may be held.
        quota: u64,
    },
    /// The bytes are not the piece.
    #[error(transparent)]
    Check(#[from] CheckError<io::Error>),
    /// More or fewer bytes than announced.
    #[error("announced {announced} bytes, found {found}")]
    Length {
        /// What was announced.
        announced: u64,
        /// What came.
        found: u64,
    },
    /// The sender computed another root.
    #[error("piece root {found} here, {claimed} at the client")]
    Root {
        /// The root of what came.
        found: PieceRoot,
        /// The root that was claimed.
        claimed: PieceRoot,
    },
    /// The volume failed.
    #[error("could not write the piece")]
    Write(#[source] io::Error),
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
}

impl PutError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        use holdfast_core::walk::WalkError;
        match self {
            Self::Quota { .. } => Fault::NotYet,
            Self::Check(CheckError::Walk(WalkError::Memory(_))) | Self::Write(_) | Self::Index(_) => {
                Fault::Local
            }
            Self::Check(_) | Self::Length { .. } | Self::Root { .. } => Fault::Peer,
        }
    }
}

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The volume failed.
    #[error("could not read piece {root}")]
    Read {
        /// The piece.
        root: PieceRoot,
        /// Why.
        source: io::Error,
    },
    /// The bytes on the volume are not what was stored.
    #[error("piece {root} is damaged on disk")]
    Damaged {
        /// The piece.
        root: PieceRoot,
    },
    /// There is no such chunk.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
}

/// How full a store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Pieces held.
    pub pieces: u64,
    /// Bytes held and reserved.
    pub bytes: u64,
    /// Bytes that may be held.
    pub quota: u64,
}

/// Pieces under an index. Clones share one store; all calls may block on the disk.
#[derive(Clone)]
pub struct Store(Arc<Shared>);

struct Shared {
    volume: Box<dyn Volume>,
    index: Index,
    quota: u64,
    /// Bytes held and reserved.
    used: Mutex<u64>,
    pieces: AtomicU64,
    /// Held while a row is added, so that two puts of one piece count once.
    sealing: Mutex<()>,
}

impl Store {
    /// Opens the store in `folder`, and removes what a crash left without an index row.
    ///
    /// # Errors
    /// If folder or index cannot be opened.
    pub fn open(folder: &Path, quota: u64) -> Result<Self, PutError> {
        // The index first: its lock keeps a second process from clearing away the first one's drafts.
        std::fs::create_dir_all(folder).map_err(PutError::Write)?;
        let index = Index::open(&folder.join("index.redb"))?;
        // A lost index would make every piece look unfinished.
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(PutError::Write)?;
        let volume = DiskVolume::open(folder).map_err(PutError::Write)?;
        Self::new(Box::new(volume), index, quota)
    }

    /// A store over a volume and an index.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn new(volume: Box<dyn Volume>, index: Index, quota: u64) -> Result<Self, PutError> {
        let pieces = index.pieces()?;
        let known: BTreeSet<PieceRoot> = pieces.iter().map(|(_, row)| row.root).collect();
        for (name, bytes) in volume.list().map_err(PutError::Write)? {
            if !known.contains(&name.root) {
                tracing::info!(root = %name.root.short(), bytes, "removing a piece that was never finished");
                volume.remove(&name).map_err(PutError::Write)?;
            }
        }
        let used = pieces.iter().map(|(_, row)| row.bytes).sum();
        Ok(Self(Arc::new(Shared {
            volume,
            index,
            quota,
            used: Mutex::new(used),
            pieces: AtomicU64::new(pieces.len() as u64),
            sealing: Mutex::new(()),
        })))
    }

    /// Reserves room for a piece of `bytes` bytes and opens a draft.
    ///
    /// # Errors
    /// If there is no room, or no draft can be made.
    pub fn draft(&self, cid: BlockId, bytes: u64) -> Result<PieceDraft, PutError> {
        PieceDraft::new(self.clone(), cid, bytes)
    }

    /// What is known of a piece.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn piece(&self, cid: &BlockId) -> Result<Option<PieceRow>, IndexError> {
        self.0.index.piece(cid)
    }

    /// What is known of a piece whose objects are really there, in full length. A piece that the index knows and
    /// the volume has lost can be put again.
    ///
    /// # Errors
    /// If index or volume cannot be read.
    pub fn held(&self, cid: &BlockId) -> Result<Option<PieceRow>, ReadError> {
        let Some(row) = self.piece(cid)? else { return Ok(None) };
        for (part, expected) in [(Part::Data, row.bytes), (Part::Outboard, tree::outboard_bytes(row.bytes))] {
            let length = self.0.volume.length(&Name { root: row.root, part });
            if length.map_err(|source| ReadError::Read { root: row.root, source })? != Some(expected) {
                tracing::error!(%cid, root = %row.root.short(), ?part, "a piece is lost or cut on disk");
                return Ok(None);
            }
        }
        Ok(Some(row))
    }

    /// Bytes of a block, checked against its name; `None` if no piece here has it. A block of several pieces is
    /// served as long as one of its copies is good.
    ///
    /// # Errors
    /// If no copy can be read, or the disk returned something else.
    pub fn block(&self, id: &BlockId) -> Result<Option<Vec<u8>>, ReadError> {
        let mut failure = None;
        for BlockPlace { root, offset, bytes } in self.0.index.block(id)? {
            let mut data = vec![0; usize::try_from(bytes).expect("blocks are at most 2 MiB")];
            match self.read(root, Part::Data, offset, &mut data) {
                Ok(()) if id.matches(&data) => return Ok(Some(data)),
                Ok(()) => failure = Some(ReadError::Damaged { root }),
                Err(error) => failure = Some(error),
            }
            tracing::error!(%id, root = %root.short(), "a copy of a block is damaged");
        }
        failure.map_or(Ok(None), Err)
    }

    /// Proves a 1 KiB chunk of a piece; `None` if the piece is not here.
    ///
    /// # Errors
    /// If it cannot be read, is damaged, or has no such chunk.
    pub fn prove(&self, cid: &BlockId, index: u64) -> Result<Option<ChunkProof>, ReadError> {
        let Some(row) = self.piece(cid)? else { return Ok(None) };
        let chunks = tree::chunks(row.bytes);
        if index >= chunks {
            return Err(ChunkError::OutOfRange { index, chunks }.into());
        }
        let start = index * tree::CHUNK_BYTES / GROUP_BYTES * GROUP_BYTES;
        let length = GROUP_BYTES.min(row.bytes - start);
        let mut group = vec![0; usize::try_from(length).expect("at most 16 KiB")];
        self.read(row.root, Part::Data, start, &mut group)?;
        let proof = ChunkProof::make(index, row.bytes, &group, |entry| {
            let mut pair = [0; PAIR_BYTES];
            self.read(row.root, Part::Outboard, entry * PAIR_BYTES as u64, &mut pair)?;
            Ok::<_, ReadError>(pair)
        })?;
        match proof.verify(index, &row.root, row.bytes) {
            Ok(()) => Ok(Some(proof)),
            Err(_) => Err(ReadError::Damaged { root: row.root }),
        }
    }

    /// Keeps a record of a piece, durably.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep(&self, cid: &BlockId, kind: RecordKind, name: &[u8], bytes: &[u8]) -> Result<(), IndexError> {
        self.0.index.keep(cid, kind, name, bytes)
    }

    /// A record of a piece.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn record(
        &self,
        cid: &BlockId,
        kind: RecordKind,
        name: &[u8],
    ) -> Result<Option<Vec<u8>>, IndexError> {
        self.0.index.record(cid, kind, name)
    }

    /// How full the store is.
    pub fn usage(&self) -> Usage {
        Usage { pieces: self.0.pieces.load(Ordering::Relaxed), bytes: *self.used(), quota: self.0.quota }
    }

    /// Removes the objects of a put that failed after they were published, unless another put has succeeded.
    fn remove_unindexed(&self, cid: &BlockId, root: &PieceRoot) {
        let _one = self.0.sealing.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(self.piece(cid), Ok(None)) {
            return;
        }
        for part in [Part::Data, Part::Outboard] {
            if let Err(error) = self.0.volume.remove(&Name { root: *root, part }) {
                tracing::error!(%error, root = %root.short(), "could not remove a piece that was never finished");
            }
        }
    }

    fn read(&self, root: PieceRoot, part: Part, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        self.0
            .volume
            .read_at(&Name { root, part }, offset, buffer)
            .map_err(|source| ReadError::Read { root, source })
    }

    fn used(&self) -> std::sync::MutexGuard<'_, u64> {
        self.0.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
