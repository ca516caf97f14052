//! Beginning with the state of others: a node that has no ledger yet, or one that ends before the oldest block that anybody
//! keeps, fetches the rows after a recent block instead of executing all blocks.
//!
//! Nobody is believed: the block is final by validators to whom the way from genesis is checked, and its header has the state
//! root that all rows together must give. The ledger that was here stays until the new one is complete.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use holdfast_chain::{Restore, RestoreError};
use holdfast_client::ledger::{AnswerError, LedgerClient};
use holdfast_core::explain;
use holdfast_core::id::NodeId;
use holdfast_ledger::genesis::Founded;
use holdfast_proofs::header::Height;
use holdfast_proofs::light::SignedHeader;
use holdfast_protocol::chain::{ChainStatus, ChunkQuery};

use crate::provider::blocking;

/// A ledger that is so many blocks behind is executed block by block, which also gives the node these blocks.
pub(super) const BLOCKS_MIN: u64 = 1024;
/// Memory for pages of the database that is made.
const RESTORE_BYTES: usize = 64 << 20;
/// How long nodes are asked how far they are.
const STATUS_WINDOW: Duration = Duration::from_secs(5);
/// Nodes that are asked so.
const ASK_MAX: usize = 128;
/// A state of more bytes is taken for the word of somebody who has none.
const STATE_BYTES_MAX: u64 = 256 << 30;
/// How much is fetched between two lines of the log.
const TELL_BYTES: u64 = 256 << 20;

/// Why a state was not fetched from a node.
#[derive(Debug, thiserror::Error)]
enum StateError {
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error(transparent)]
    Restore(#[from] RestoreError),
    #[error("its rows do not end")]
    Endless,
    #[error("its state is of block {found}, which is not new here")]
    Old { found: Height },
    #[error("it does not follow the checkpoint")]
    Checkpoint,
}

/// Which blocks a node needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Needs {
    /// The last block that is here; none if there is no ledger here.
    pub(super) last: Option<Height>,
}

impl Needs {
    /// Whether a node that is so far has what is needed block by block; `None` if it is not ahead.
    fn has_blocks(&self, status: &ChainStatus) -> Option<bool> {
        let next = self.last.unwrap_or_default().0 + 1;
        if status.height.0 < next {
            return None;
        }
        let few = self.last.is_some() || status.height.0 - next < BLOCKS_MIN;
        Some(few && status.earliest.0 <= next)
    }
}

/// The folders of a node's ledger.
pub(super) struct Folders {
    /// The ledger.
    pub(super) chain: PathBuf,
    /// One that is complete, and is to take its place.
    synced: PathBuf,
    /// What it replaces.
    old: PathBuf,
}

impl Folders {
    pub(super) fn of(folder: &Path) -> Self {
        let at = |name| folder.join(name);
        Self { chain: at("chain"), synced: at("chain.synced"), old: at("chain.old") }
    }

    /// Puts a state that is complete in the ledger's place, also one from before a crash.
    pub(super) fn settle(&self) -> std::io::Result<()> {
        if self.synced.exists() {
            if self.chain.exists() {
                remove(&self.old)?;
                fs::rename(&self.chain, &self.old)?;
            }
            fs::rename(&self.synced, &self.chain)?;
            if let Some(folder) = self.chain.parent() {
                fs::File::open(folder)?.sync_all()?;
            }
        }
        remove(&self.old)
    }
}

fn remove(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Fetches the state from one of the nodes that are far ahead. Returns whether there is one now, which [`Folders::settle`] puts in its
/// place; if not, blocks are the way.
///
/// With a checkpoint there are two clients: one that begins at genesis and learns all changes of validators, for others will
/// ask for them, and one that begins at the checkpoint, which must come to the same header.
pub(super) async fn fetch(
    (client, guard): (&mut LedgerClient, Option<&mut LedgerClient>),
    nodes: Vec<NodeId>,
    needs: Needs,
    folders: &Folders,
    founded: &Founded,
) -> bool {
    let mut guard = guard;
    for node in nodes {
        match from((client, guard.as_deref_mut()), &node, needs, folders, founded).await {
            Ok(height) => {
                tracing::info!(%height, "begins with the state of others");
                return true;
            }
            Err(error) => {
                tracing::warn!(node = %node.short(), why = explain(&error), "could not fetch the state");
            }
        }
    }
    false
}

/// Nodes that are far ahead; `None` if any has the next blocks, or nobody is ahead.
pub(super) async fn without_blocks(client: &LedgerClient, own: &NodeId, needs: Needs) -> Option<Vec<NodeId>> {
    // Members of the committee come first; others are hints, of which there may be many.
    let others = client.network().nodes().into_iter().filter(|node| node != own).take(ASK_MAX);
    let mut asking: FuturesUnordered<_> =
        others.map(|node| async move { (node, client.status_of(&node).await) }).collect();
    let mut far = Vec::new();
    let ask = async {
        while let Some((node, status)) = asking.next().await {
            match status.map(|status| needs.has_blocks(&status)) {
                Ok(Some(true)) => return true,
                Ok(Some(false)) => far.push(node),
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(node = %node.short(), why = explain(&error), "does not say how far it is");
                }
            }
        }
        false
    };
    let has_blocks = tokio::time::timeout(STATUS_WINDOW, ask).await.unwrap_or(false);
    (!has_blocks && !far.is_empty()).then_some(far)
}

/// Fetches the state from one node.
async fn from(
    (client, guard): (&mut LedgerClient, Option<&mut LedgerClient>),
    node: &NodeId,
    needs: Needs,
    folders: &Folders,
    founded: &Founded,
) -> Result<Height, StateError> {
    let SignedHeader { header, finality } = client.snapshot_of(node).await?;
    if let Some(guard) = guard
        && guard.snapshot_of(node).await?.header != header
    {
        return Err(StateError::Checkpoint);
    }
    let height = header.height;
    if needs.last.is_some_and(|last| height <= last) {
        return Err(StateError::Old { found: height });
    }
    tracing::info!(%height, node = %node.short(), "fetching the state");
    let target = folders.synced.clone();
    let mut restore = blocking(move || Restore::begin(&target, RESTORE_BYTES, header)).await?;
    let (mut after, mut bytes, mut told) = (Vec::new(), 0, 0);
    while let Some(chunk) = client.chunk_of(node, ChunkQuery { height, after }).await? {
        bytes += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        if bytes > STATE_BYTES_MAX {
            return Err(StateError::Endless);
        }
        restore = blocking(move || restore.take(&chunk).map(|()| restore)).await?;
        after = restore.last().map_or_else(Vec::new, |key| key.as_bytes().to_vec());
        if bytes - told >= TELL_BYTES {
            tracing::info!(%height, mebibytes = bytes >> 20, "fetching the state");
            told = bytes;
        }
    }
    let handed = client.handovers().iter().map(|handover| {
        let SignedHeader { header, finality } = &handover.last;
        (header.clone(), finality.to_bytes())
    });
    // The last change may be of the block itself.
    let earlier: Vec<_> = handed.filter(|(header, _)| header.height < height).collect();
    let (founded, finality) = (founded.clone(), finality.to_bytes());
    blocking(move || restore.finish(&founded, &earlier, &finality)).await?;
    Ok(height)
}
