//! Getting decided blocks from others: those that were missed, and for nodes that do not decide, all of them.
//!
//! Every block is checked as if it had just been proposed, and that its validators decided on it.

use std::sync::Arc;
use std::time::Duration;

use holdfast_client::ask::AskError;
use holdfast_client::ledger::{AnswerError, LedgerClient, LedgerError as AskLedgerError};
use holdfast_client::network::Network;
use holdfast_core::explain;
use holdfast_core::id::NodeId;
use holdfast_ledger::block::MalformedBlock;
use holdfast_ledger::execute::{self, BlockError};
use holdfast_ledger::received::ReceivedBlock;
use holdfast_net::Net;
use holdfast_proofs::header::Height;
use holdfast_proofs::vote::{Finality, FinalityError};
use holdfast_protocol::chain::{BLOCKS_MAX, BlockAnswer, BlocksQuery};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::state_sync::{self, Needs};
use super::{Ledger, LedgerError};
use crate::provider::blocking;

/// A node that decides looks for missed blocks after so many times the time between two.
const STALLED_BLOCKS: u64 = 4;
/// And not more often than this.
const LOOK_MIN: Duration = Duration::from_millis(250);

/// Blocks that a node may miss without being behind: others decide while it asks.
const FEW: usize = 8;

/// Why blocks were not taken.
#[derive(Debug, thiserror::Error)]
enum SyncError {
    #[error(transparent)]
    Ask(#[from] AskLedgerError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("a block is malformed")]
    Malformed(#[from] MalformedBlock),
    #[error("a block is not final")]
    Finality(#[from] FinalityError),
    #[error("a block does not follow the checkpoint")]
    Checkpoint,
    #[error("a block does not follow")]
    Block(#[from] BlockError),
}

/// Fetches blocks whenever the ledger stands still, or is told that it is behind.
pub(crate) async fn run(
    ledger: Arc<Ledger>,
    net: Net,
    network: Network,
    own: NodeId,
    mut hints: mpsc::Receiver<()>,
    stop: CancellationToken,
) {
    let mut client = match LedgerClient::new(net, network) {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "blocks cannot be synced");
            return;
        }
    };
    let mut tips = ledger.tips();
    let mut from = 0;
    loop {
        let decides = ledger.tip().validators.set().place(&own).is_some();
        let blocks = if decides { STALLED_BLOCKS } else { 1 };
        let wait = Duration::from_millis(ledger.block_ms().saturating_mul(blocks)).max(LOOK_MIN);
        let behind = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            hint = hints.recv() => match hint {
                Some(()) => true,
                None => return,
            },
            changed = tips.changed(), if decides => match changed {
                Ok(()) => continue, // it grows by itself
                Err(_) => return,
            },
            () = tokio::time::sleep(wait) => ledger.is_behind(),
        };
        ledger.set_behind(behind);
        client.assume(&ledger.committees.running());
        let work = catch_up(&ledger, &client, &mut from, &own);
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            result = work => match result {
                Ok(Reached::All) => ledger.set_behind(false),
                Ok(Reached::Gap) => tracing::error!(
                    "nobody who answers keeps the next block; start this node again, and it fetches the state instead"
                ),
                Err(error) => tracing::debug!(why = explain(&error), "could not sync blocks"),
            },
        }
    }
}

/// How syncing ended.
enum Reached {
    /// Nobody has more.
    All,
    /// Others have more, but not the next one.
    Gap,
}

/// Takes blocks of one node after the other, until nobody has more.
async fn catch_up(
    ledger: &Arc<Ledger>,
    client: &LedgerClient,
    from: &mut usize,
    own: &NodeId,
) -> Result<Reached, SyncError> {
    let nodes: Vec<_> = client.network().nodes().into_iter().filter(|node| node != own).collect();
    let mut failure = None;
    for turn in 0..nodes.len() {
        let place = (*from + turn) % nodes.len();
        let mut gained = false;
        loop {
            let first = ledger.tip().header.height.0 + 1;
            let most = u16::try_from(BLOCKS_MAX).expect("a few");
            let query = BlocksQuery { from: Height(first), most };
            let blocks = match client.blocks_of(&nodes[place], query).await {
                Ok(blocks) => blocks.blocks.into_inner(),
                Err(AnswerError::Ask(AskError::Open(_)) | AnswerError::Unavailable(_)) => break,
                Err(error) => {
                    let asked = 1;
                    failure = Some(SyncError::Ask(AskLedgerError::NoAnswer { asked, source: error }));
                    break;
                }
            };
            if blocks.is_empty() {
                break;
            }
            if blocks.len() > FEW {
                ledger.set_behind(true); // until nobody has more
            }
            let ledger = ledger.clone();
            if let Err(error) = blocking(move || take(&ledger, blocks)).await {
                failure = Some(error);
                break;
            }
            gained = true;
        }
        if gained {
            *from = place;
            return Ok(Reached::All);
        }
    }
    *from += 1;
    if let Some(failure) = failure {
        return Err(failure);
    }
    let needs = Needs { last: Some(ledger.tip().header.height) };
    let gap = ledger.is_behind() && state_sync::without_blocks(client, own, needs).await.is_some();
    Ok(if gap { Reached::Gap } else { Reached::All })
}

/// Takes blocks, each of which follows the one before.
fn take(ledger: &Ledger, blocks: Vec<BlockAnswer>) -> Result<(), SyncError> {
    let count = blocks.len();
    for BlockAnswer { block, finality } in blocks {
        let received = ReceivedBlock::check(block.into_vec(), ledger.network())?;
        let finality = Finality::from_bytes(&finality)?;
        let tip = ledger.tip();
        let header = received.block().header.clone();
        if header.height <= tip.header.height {
            continue; // it was decided here meanwhile
        }
        if ledger.breaks_checkpoint(&header) {
            return Err(SyncError::Checkpoint);
        }
        finality.verify(header, ledger.network(), &tip.validators)?;
        let view = ledger.view().map_err(LedgerError::from)?;
        let executed = match execute::check_received(view.parent(), received) {
            Err(BlockError::Parent) if ledger.tip().header.height > tip.header.height => continue,
            executed => executed?,
        };
        drop(view);
        ledger.commit(&executed, &finality)?;
    }
    tracing::debug!(count, height = ledger.tip().header.height.0, "synced blocks");
    Ok(())
}
