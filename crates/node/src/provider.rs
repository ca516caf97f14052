//! The tasks of a provider: one per inbound stream, bounded per protocol.

use std::sync::Arc;

use holdfast_core::id::NodeId;
use holdfast_net::{Net, PeerId};
use holdfast_proofs::committee::Committee;
use holdfast_protocol::{ask, get, put};
use holdfast_store::store::Store;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::trusted::Trusted;

mod answer;
mod intake;
mod serve;

/// Puts under way at once. Each holds about a megabyte of buffers; further ones wait their turn.
const PUTS_MAX: usize = 16;
/// Open fetches at once. Each holds one block.
const GETS_MAX: usize = 64;
/// Questions at once. Each holds one message.
const ASKS_MAX: usize = 64;
/// Streams of one protocol that wait for their turn. What they have sent lies in memory, up to 256 KiB each;
/// further ones are closed at once, which their clients take as a reason to try again.
const WAITING_MAX: usize = 128;

/// What every task of a provider shares.
pub struct Provider {
    committee: Committee,
    node: NodeId,
    store: Store,
    trusted: Trusted,
}

impl Provider {
    /// Joins the parts.
    pub fn new(committee: Committee, node: NodeId, store: Store, trusted: Trusted) -> Self {
        Self { committee, node, store, trusted }
    }
}

/// Serves all protocols until `stop` is cancelled. Streams run in `tasks`; dropping the result stops accepting.
pub fn serve(
    provider: &Arc<Provider>,
    net: &Net,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> JoinSet<()> {
    let mut protocols = JoinSet::new();
    protocols.spawn(accept(provider, net, stop, tasks, put::PROTOCOL, PUTS_MAX, intake::run));
    protocols.spawn(accept(provider, net, stop, tasks, get::PROTOCOL, GETS_MAX, serve::run));
    protocols.spawn(accept(provider, net, stop, tasks, ask::PROTOCOL, ASKS_MAX, answer::run));
    protocols
}

/// Accepts the streams of one protocol, and runs at most `max` at once.
fn accept<F, R>(
    provider: &Arc<Provider>,
    net: &Net,
    stop: &CancellationToken,
    tasks: &TaskTracker,
    protocol: &'static str,
    max: usize,
    run: F,
) -> impl Future<Output = ()> + 'static + use<F, R>
where
    F: Fn(Arc<Provider>, PeerId, holdfast_net::Stream) -> R + Copy + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let mut incoming = net.accept(protocol);
    let (provider, stop, tasks) = (provider.clone(), stop.clone(), tasks.clone());
    let admitted = Arc::new(Semaphore::new(max + WAITING_MAX));
    let permits = Arc::new(Semaphore::new(max));
    async move {
        while let Some((peer, stream)) = incoming.next().await {
            let Ok(admission) = admitted.clone().try_acquire_owned() else {
                tracing::warn!(%peer, protocol, "too many streams; closed one");
                continue;
            };
            let (provider, stop, permits) = (provider.clone(), stop.clone(), permits.clone());
            tasks.spawn(async move {
                let _admission = admission;
                let work = async {
                    let _permit = permits.acquire().await.expect("the semaphore is never closed");
                    run(provider, peer, stream).await;
                };
                tokio::select! {
                    biased;
                    () = stop.cancelled() => {}
                    () = work => {}
                }
            });
        }
    }
}
