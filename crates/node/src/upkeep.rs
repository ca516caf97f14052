//! What a node does by itself: it forgets interrupted puts, and removes what nobody was promised any more.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use holdfast_core::id::{Epoch, Timestamp};
use holdfast_proofs::committee::{Committee, CommitteeRecord};
use tokio_util::sync::CancellationToken;

use crate::provider::{Provider, blocking};

/// How often the node looks.
const EVERY: Duration = Duration::from_secs(60);
/// Collection reads the whole index, so it does not come with every look.
const COLLECT_EVERY: u32 = 60;
/// Expired pieces are kept for another day, in case the clock is wrong or the order is renewed late.
const EXPIRED_KEPT_SECONDS: u64 = 86_400;

/// Looks again and again until `stop` is cancelled.
pub(crate) async fn run(provider: Arc<Provider>, stop: CancellationToken) {
    let mut round = 0;
    loop {
        let (this, collect) = (provider.clone(), round % COLLECT_EVERY == 0);
        let epoch = epoch(&provider.members.running());
        blocking(move || this.tidy(epoch.filter(|_| collect))).await;
        round += 1;
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// The running epoch of a day ago, for purposes of removal. Without a ledger that is the genesis epoch until a day after its
/// end, the next one then; `None` if this machine's clock is of no use.
fn epoch(running: &Committee) -> Option<Epoch> {
    let CommitteeRecord { epoch, start, end, .. } = running.record();
    if running.has_ledger() {
        let length = end.0.saturating_sub(start.0).max(1);
        return Some(Epoch(epoch.0.saturating_sub(EXPIRED_KEPT_SECONDS.div_ceil(length))));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let ends = end.plus(EXPIRED_KEPT_SECONDS)?;
    if Timestamp(now.as_secs()) < ends { Some(*epoch) } else { epoch.next() }
}

impl Provider {
    fn tidy(&self, epoch: Option<Epoch>) {
        if let Err(error) = self.store.expire_partials() {
            tracing::warn!(%error, "could not remove interrupted puts");
        }
        let Some(epoch) = epoch else { return };
        match self.store.collect(epoch) {
            Ok(collected) if collected.pieces > 0 || collected.segments > 0 => {
                let (pieces, bytes) = (collected.pieces, collected.bytes);
                tracing::info!(
                    pieces,
                    bytes,
                    segments = collected.segments,
                    "removed what nobody was promised"
                );
            }
            Ok(_) => {}
            Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "collection stopped"),
        }
    }
}
