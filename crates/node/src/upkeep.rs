//! What a node does by itself: it forgets interrupted puts, and removes what nobody was promised any more.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use holdfast_client::network::Network;
use holdfast_core::id::{Epoch, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::provider::{Provider, blocking};

/// How often the node looks.
const EVERY: Duration = Duration::from_secs(60);
/// Collection reads the whole index, so it does not come with every look.
const COLLECT_EVERY: u32 = 60;
/// Expired pieces are kept for another day, in case the clock is wrong or the order is renewed late.
const EXPIRED_KEPT_SECONDS: u64 = 86_400;

/// Looks again and again until `stop` is cancelled.
pub(crate) async fn run(provider: Arc<Provider>, network: Network, stop: CancellationToken) {
    let mut round = 0;
    loop {
        let (this, collect) = (provider.clone(), round % COLLECT_EVERY == 0);
        let epoch = epoch(&network);
        blocking(move || this.tidy(epoch.filter(|_| collect))).await;
        round += 1;
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// The running epoch, for purposes of removal: the genesis epoch until a day after its end, the next one then; `None`
/// if this machine's clock is of no use.
fn epoch(network: &Network) -> Option<Epoch> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let ends = network.committee.record().end.plus(EXPIRED_KEPT_SECONDS)?;
    let epoch = network.committee.record().epoch;
    if Timestamp(now.as_secs()) < ends { Some(epoch) } else { epoch.next() }
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
