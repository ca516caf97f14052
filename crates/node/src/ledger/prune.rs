//! Letting go of old blocks. Headers and what shows that they are final stay, and with them every proof.

use std::sync::Arc;

use holdfast_chain::ChainError;
use holdfast_proofs::header::Height;
use tokio_util::sync::CancellationToken;

use super::Ledger;
use crate::provider::blocking;

/// Blocks that come together before others go: a commit for each would cost more than it frees.
const EVERY_BLOCKS: u64 = 64;

/// Keeps the last blocks, and up to [`EVERY_BLOCKS`] more.
pub(super) async fn run(ledger: Arc<Ledger>, keep: u64, stop: CancellationToken) {
    let mut heights = ledger.heights();
    loop {
        let this = ledger.clone();
        if let Err(error) = blocking(move || prune(&this, keep)).await {
            tracing::error!(error = &error as &dyn std::error::Error, "could not let go of old blocks");
        }
        let next = heights.borrow_and_update().0.saturating_add(EVERY_BLOCKS);
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            grown = heights.wait_for(|height| height.0 >= next) => if grown.is_err() {
                return;
            },
        }
    }
}

/// As far as that is possible: blocks behind the last save of the state stay.
fn prune(ledger: &Ledger, keep: u64) -> Result<(), ChainError> {
    let below = Height((ledger.tip().header.height.0 + 1).saturating_sub(keep));
    let mut earliest = ledger.earliest()?;
    while earliest < below {
        let now = ledger.prune(below)?;
        if now <= earliest {
            break;
        }
        earliest = now;
    }
    Ok(())
}
