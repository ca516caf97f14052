//! Many blocks, one after the other: signatures are checked ahead by all processors, everything else in order.

use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use holdfast_core::id::NetworkId;
use holdfast_ledger::block::{Block, CheckedBlock, Header, MalformedBlock};
use holdfast_ledger::execute::{self, BlockError};

use crate::{Chain, ChainError};

/// Why an import stopped. The blocks before the one that stopped it are committed.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A block is none.
    #[error("block {at} of those imported is malformed")]
    Malformed {
        /// How many came before.
        at: u64,
        /// What is wrong.
        source: MalformedBlock,
    },
    /// A block does not follow the one before.
    #[error("block {at} of those imported does not follow")]
    Block {
        /// How many came before.
        at: u64,
        /// Which rule it breaks.
        source: BlockError,
    },
    /// Our own database.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

type Checked = Result<CheckedBlock, MalformedBlock>;

/// Takes blocks, in order, that follow the last one of the chain. Each is checked as if a stranger had sent it, and is on
/// stable storage when `committed` hears of it. A few blocks for each processor are in memory at once.
///
/// # Errors
/// See [`ImportError`].
pub fn import(
    chain: &Chain,
    network: &NetworkId,
    blocks: impl Iterator<Item = Vec<u8>> + Send,
    mut committed: impl FnMut(&Header),
) -> Result<(), ImportError> {
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        let (mut inboxes, mut outboxes) = (Vec::new(), Vec::new());
        for _ in 0..workers {
            let (inbox, bytes) = sync_channel(1);
            let (done, outbox) = sync_channel(1);
            scope.spawn(move || check_ahead(network, &bytes, &done));
            inboxes.push(inbox);
            outboxes.push(outbox);
        }
        scope.spawn(move || hand_out(blocks, &inboxes));
        // Whoever of them sends after an error, when the other end is gone, ends as well.
        let mut checked =
            (0..).zip(outboxes.iter().cycle()).map_while(|(at, outbox)| Some((at, outbox.recv().ok()?)));
        let result = checked.try_for_each(|(at, block)| {
            let header = follow(chain, at, block)?;
            committed(&header);
            Ok(())
        });
        drop(outboxes);
        result
    })
}

fn follow(chain: &Chain, at: u64, block: Checked) -> Result<Header, ImportError> {
    let block = block.map_err(|source| ImportError::Malformed { at, source })?;
    let view = chain.view()?;
    let executed =
        execute::check(view.parent(), block).map_err(|source| ImportError::Block { at, source })?;
    chain.commit(&executed)?;
    Ok(executed.block().header.clone())
}

/// Gives each worker every so-manieth block, so that they can be asked for them in turn.
fn hand_out(blocks: impl Iterator<Item = Vec<u8>>, inboxes: &[SyncSender<Vec<u8>>]) {
    for (bytes, inbox) in blocks.zip(inboxes.iter().cycle()) {
        if inbox.send(bytes).is_err() {
            return;
        }
    }
}

fn check_ahead(network: &NetworkId, inbox: &Receiver<Vec<u8>>, done: &SyncSender<Checked>) {
    for bytes in inbox {
        let block = Block::from_bytes(&bytes).map_err(MalformedBlock::from);
        if done.send(block.and_then(|block| block.check(network))).is_err() {
            return;
        }
    }
}
