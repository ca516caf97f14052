//! Many blocks, one after the other, as from strangers.

use holdfast_core::Fault;
use holdfast_core::id::NetworkId;
use holdfast_ledger::block::{CheckedBlock, Header, MalformedBlock};
use holdfast_ledger::execute::BlockError;

use crate::error::ChainError;
use crate::{Chain, pipeline};

/// Why an import stopped. The blocks before the one that stopped it are committed.
#[derive(Debug, thiserror::Error)]
pub enum ImportError<E: std::error::Error + 'static> {
    /// A block is none.
    #[error("block {at} of those imported is malformed")]
    Malformed {
        /// How many came before.
        at: u64,
        /// What is wrong.
        source: MalformedBlock,
    },
    /// A block is not final.
    #[error("block {at} of those imported is not final")]
    Finality {
        /// How many came before.
        at: u64,
        /// What is wrong.
        source: E,
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

impl<E: std::error::Error + 'static> ImportError<E> {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Malformed { .. } | Self::Finality { .. } => Fault::Peer,
            Self::Block { source, .. } => source.fault(),
            Self::Chain(error) => error.fault(),
        }
    }
}

/// Takes blocks, in order, that follow the last one of the chain, each with the bytes that show that it is final. Each is
/// checked as if a stranger had sent it, and is on stable storage when `committed` hears of it. A few blocks for each
/// processor are in memory at once.
///
/// `verify` judges those bytes, given the parent's header and the block. It needs no state and is called for several
/// blocks at once, in any order, also for blocks that are refused later.
///
/// # Errors
/// See [`ImportError`].
pub fn import<E: std::error::Error + Send + 'static>(
    chain: &Chain,
    network: &NetworkId,
    blocks: impl Iterator<Item = (Vec<u8>, Vec<u8>)> + Send,
    verify: impl Fn(&Header, &CheckedBlock, &[u8]) -> Result<(), E> + Sync,
    committed: impl FnMut(&Header),
) -> Result<(), ImportError<E>> {
    let take = |executed: &_, finality: &[u8]| chain.commit(executed, finality);
    pipeline::run(chain, network, blocks.map(Ok), &verify, take, committed)
}
