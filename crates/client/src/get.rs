//! Performs what the fetch machine decides: a CID becomes a file, a folder or a CAR.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use holdfast_core::block::{BlockId, Codec};
use holdfast_core::car;
use holdfast_core::walk::{Walk, WalkError};
use holdfast_net::Net;
use holdfast_store::export::archive::ArchiveError;
use holdfast_store::export::content::{ContentError, ContentReader};
use holdfast_store::export::range::{ByteRange, OutsideFile};
use holdfast_store::export::{ExportError, TreeWriter};
use holdfast_store::spill::WalkMemory;

use crate::network::Network;
use crate::private::OpenError;

mod list;
mod private;
mod sink;
mod source;

pub use list::list;
pub use private::PrivatePiece;
pub use sink::Sink;
use source::Source;

/// Why a CID could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    /// Everybody was asked, and nobody has it.
    #[error("none of the {asked} nodes that were asked has block {id}")]
    NotFound {
        /// The block.
        id: BlockId,
        /// Nodes asked.
        asked: usize,
    },
    /// Nobody who could be reached has it.
    #[error(
        "block {id} is not to be had: {lost} of {asked} nodes were not reached or were lost, the last because it {last}"
    )]
    Unreachable {
        /// The block.
        id: BlockId,
        /// Nodes not reached, or lost on the way.
        lost: usize,
        /// Nodes asked.
        asked: usize,
        /// What the last one failed with.
        last: String,
    },
    /// The blocks cannot be written out.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The root is no file, or the range is outside it.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The piece cannot be opened with this key.
    #[error("could not open {root}")]
    Open {
        /// The root of the ciphertext.
        root: BlockId,
        /// Why.
        source: OpenError,
    },
    /// What was encrypted as a folder is none.
    #[error("{root} holds no folder, although it says so")]
    Archive {
        /// The root of the ciphertext.
        root: BlockId,
        /// Why.
        source: Box<ArchiveError>,
    },
    /// The DAG cannot be walked.
    #[error(transparent)]
    Walk(#[from] WalkError<io::Error>),
    /// The target cannot be written.
    #[error("could not write {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What was fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Blocks, repeated if fetched again.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Fetches a file or folder to `target`, which must not exist.
///
/// # Errors
/// See [`GetError`]; nothing is left at the target.
pub async fn tree(
    net: &Net,
    network: &Network,
    root: BlockId,
    target: &Path,
    progress: impl FnMut(u64),
) -> Result<Fetched, GetError> {
    let mut writer = TreeWriter::new(root, target)?;
    let mut source = Source::start(net, network, root, progress);
    loop {
        source.demand(writer.wanted());
        let Some(id) = writer.wanted().next() else { break };
        let data = source.block(id).await?;
        writer.push(&data)?;
        source.done_with(id, data);
    }
    writer.finish()?;
    Ok(source.fetched())
}

/// Fetches a range of a file, from the blocks that hold it and no others.
///
/// # Errors
/// See [`GetError`]; what a stream has taken by then is checked, and cannot be taken back.
pub async fn content(
    net: &Net,
    network: &Network,
    root: BlockId,
    range: ByteRange,
    mut sink: Sink,
    progress: impl FnMut(u64),
) -> Result<Fetched, GetError> {
    let mut source = Source::start(net, network, root, progress);
    source.read(&mut ContentReader::new(root, range), async |data| sink.write(data).await).await?;
    sink.finish().await?;
    Ok(source.fetched())
}

/// Fetches the piece of a DAG, as its canonical CAR. `scratch` is where temporary files go.
///
/// # Errors
/// See [`GetError`]; what a stream has taken by then is checked, and cannot be taken back.
pub async fn piece(
    net: &Net,
    network: &Network,
    root: BlockId,
    scratch: &Path,
    sink: Sink,
    progress: impl FnMut(u64),
) -> Result<Fetched, GetError> {
    walk(Source::start(net, network, root, progress), root, scratch, sink).await
}

/// Fetches the piece of a DAG for a node that lacks it: everybody is asked but the member at `place` of the committee, which
/// is that node, if it is a member.
///
/// # Errors
/// See [`piece`].
pub async fn piece_but(
    net: &Net,
    network: &Network,
    place: Option<usize>,
    root: BlockId,
    scratch: &Path,
    sink: Sink,
) -> Result<Fetched, GetError> {
    walk(Source::start_without(net, network, place, root, |_| ()), root, scratch, sink).await
}

/// Fetches a DAG in the order of its piece, and writes the piece.
async fn walk<P: FnMut(u64)>(
    mut source: Source<'_, P>,
    root: BlockId,
    scratch: &Path,
    mut sink: Sink,
) -> Result<Fetched, GetError> {
    sink.write(&car::header(&root)).await?;
    let mut walk = Walk::new(root, WalkMemory::new(scratch))?;
    let mut ahead: VecDeque<BlockId> = VecDeque::new();
    loop {
        // Leaves can be planned ahead; what follows an inner node is only known once it is here.
        while ahead.len() < source.window() && ahead.back().is_none_or(|id| id.codec() == Codec::Raw) {
            match walk.next()? {
                Some(id) => ahead.push_back(id),
                None => break,
            }
        }
        source.demand(ahead.iter().copied());
        let Some(id) = ahead.pop_front() else { break };
        let data = source.block(id).await?;
        walk.enter(&id, &data)?;
        sink.write(&car::section_prefix(&id, data.len())).await?;
        sink.write(&data).await?;
        source.done_with(id, data);
    }
    sink.finish().await?;
    Ok(source.fetched())
}
