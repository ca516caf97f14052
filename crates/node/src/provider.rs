//! The tasks of a provider: one per link and one per question, bounded in number, and one that fetches what is lacking.

use std::sync::Arc;

use holdfast_client::network::Network;
use holdfast_core::id::NodeId;
use holdfast_net::Net;
use holdfast_net::link::Listener;
use holdfast_protocol::ask;
use holdfast_store::store::Store;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::signer::Signer;
use members::Members;
use pull::Pulls;

mod answer;
mod certificate;
mod draft;
mod intake;
mod links;
pub(crate) mod members;
pub(crate) mod pull;
mod serve;

/// Questions at once. Each holds one message.
const ASKS_MAX: usize = 64;
/// Questions that wait for their turn. Further ones are closed at once, which their clients take as a reason to try
/// again.
const WAITING_MAX: usize = 128;

/// What every task of a provider shares.
pub struct Provider {
    pub(crate) members: Members,
    pub(crate) node: NodeId,
    pub(crate) store: Store,
    pub(crate) signer: Signer,
    pub(crate) pulls: Pulls,
    /// Where others listen.
    pub(crate) network: Network,
}

/// Serves all protocols until `stop` is cancelled. Conversations run in `tasks`; dropping the result stops accepting.
pub fn serve(
    provider: &Arc<Provider>,
    net: &Net,
    listener: Listener,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> JoinSet<()> {
    let mut protocols = JoinSet::new();
    protocols.spawn(links::accept(provider.clone(), listener, stop.clone(), tasks.clone()));
    protocols.spawn(questions(provider, net, stop, tasks));
    protocols
}

/// Accepts questions, and answers at most [`ASKS_MAX`] at once.
fn questions(
    provider: &Arc<Provider>,
    net: &Net,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> impl Future<Output = ()> + 'static + use<> {
    let mut incoming = net.accept(ask::PROTOCOL);
    let (provider, stop, tasks) = (provider.clone(), stop.clone(), tasks.clone());
    let admitted = Arc::new(Semaphore::new(ASKS_MAX + WAITING_MAX));
    let permits = Arc::new(Semaphore::new(ASKS_MAX));
    async move {
        while let Some((peer, stream)) = incoming.next().await {
            let Ok(admission) = admitted.clone().try_acquire_owned() else {
                tracing::warn!(%peer, "too many questions; closed one");
                continue;
            };
            let (provider, stop, permits) = (provider.clone(), stop.clone(), permits.clone());
            tasks.spawn(async move {
                let _admission = admission;
                let work = async {
                    let _permit = permits.acquire().await.expect("the semaphore is never closed");
                    answer::run(provider, peer, stream).await;
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

/// Runs disk and hash work away from the threads that move frames.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("store calls do not panic")
}
