//! What can go wrong, and whose fault it is.

use std::io;
use std::sync::Arc;

use holdfast_core::Fault;
use holdfast_core::block::BlockId;
use holdfast_core::check::CheckError;
use holdfast_core::id::PieceRoot;
use holdfast_core::tree::ChunkError;
use holdfast_core::walk::WalkError;

use crate::index::IndexError;

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The disk.
    #[error("could not use the disk")]
    Disk(#[source] io::Error),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
}

/// Why something did not become durable. One failure may concern everything that waited for the same sync.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommitError {
    /// The log could not be written or synced.
    #[error("could not write the log")]
    Log(#[source] Arc<io::Error>),
    /// The index could not be brought up to the log; nothing more is written until the next start.
    #[error("could not bring the index up to the log")]
    Index(#[source] Arc<IndexError>),
    /// The files of a piece are not there any more.
    #[error("the files of piece {root} are gone")]
    Files {
        /// The piece.
        root: PieceRoot,
    },
    /// The piece is not here, or not any more.
    #[error("piece {cid} is not here")]
    NotHeld {
        /// The piece.
        cid: BlockId,
    },
    /// A certificate or statement longer than any that is valid.
    #[error("longer than a record of the log may be")]
    TooLong,
    /// The disk could not be looked at.
    #[error("could not use the disk")]
    Disk(#[source] Arc<io::Error>),
    /// An earlier failure left index and log apart.
    #[error("the store writes nothing more after a failure; start the node again")]
    Stopped,
}

/// Why a piece could not be stored.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// No room.
    #[error("{needed} bytes needed, {free} of {quota} bytes free")]
    Quota {
        /// Bytes the piece takes.
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
    /// The disk failed.
    #[error("could not write the piece")]
    Write(#[source] io::Error),
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// It did not become durable.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl PutError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Quota { .. } => Fault::NotYet,
            Self::Check(CheckError::Walk(WalkError::Memory(_)))
            | Self::Write(_)
            | Self::Index(_)
            | Self::Commit(_) => Fault::Local,
            Self::Check(_) | Self::Length { .. } | Self::Root { .. } => Fault::Peer,
        }
    }

    /// Whether the disk is full.
    pub fn is_full(&self) -> bool {
        let full = |error: &io::Error| {
            use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
            matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
        };
        match self {
            Self::Write(error) | Self::Check(CheckError::Walk(WalkError::Memory(error))) => full(error),
            Self::Commit(CommitError::Log(error) | CommitError::Disk(error)) => full(error),
            _ => false,
        }
    }
}

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The disk failed.
    #[error("could not read piece {root}")]
    Read {
        /// The piece.
        root: PieceRoot,
        /// Why.
        source: io::Error,
    },
    /// The log cannot be read.
    #[error("could not read the log")]
    Log(#[source] io::Error),
    /// The bytes on the disk are not what was stored.
    #[error("piece {root} is damaged on disk")]
    Damaged {
        /// The piece.
        root: PieceRoot,
    },
    /// There is no such chunk.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
}
