//! Links: accepted, bounded, and served one conversation after the other.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use holdfast_net::link::{Incoming, Link, Listener};
use holdfast_protocol::link::Start;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Provider, intake, serve};

/// Links at once, idle ones included. Each holds some 150 KiB of buffers while it moves data, and little else.
const LINKS_MAX: usize = 512;
/// Puts under way at once. Each holds a frame, and a small piece, or a block and up to 1 MiB on its way to the disk; further ones
/// wait their turn.
const PUTS_MAX: usize = 64;
/// Fetches at once. Each holds two blocks.
const GETS_MAX: usize = 64;
/// A link on which nothing happens for so long is closed.
const IDLE: Duration = Duration::from_secs(60);
/// A client that does not take an answer or a block for so long is frozen, or means to hold a place.
pub(super) const TAKE_MAX: Duration = Duration::from_secs(30);
/// When the system has no more room for connections, the next one is looked at a little later.
const PAUSE: Duration = Duration::from_millis(100);

/// How a conversation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// As it should; another may follow.
    Regular,
    /// With a refusal, which the client should hear.
    Refused,
    /// The link is broken, or no use any more.
    Broken,
}

/// What all links share.
struct Places {
    puts: Semaphore,
    gets: Semaphore,
}

/// Accepts links until `stop` is cancelled.
pub(super) async fn accept(
    provider: Arc<Provider>,
    listener: Listener,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    let links = Arc::new(Semaphore::new(LINKS_MAX));
    let places = Arc::new(Places { puts: Semaphore::new(PUTS_MAX), gets: Semaphore::new(GETS_MAX) });
    loop {
        let incoming = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            incoming = listener.next() => incoming,
        };
        let incoming = match incoming {
            Ok(incoming) => incoming,
            Err(error) => {
                tracing::warn!(%error, "could not take a connection");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Ok(admission) = links.clone().try_acquire_owned() else {
            tracing::warn!("too many links; closed one");
            continue;
        };
        let (provider, stop, places) = (provider.clone(), stop.clone(), places.clone());
        tasks.spawn(async move {
            let _admission = admission;
            run(&provider, incoming, &stop, &places).await;
        });
    }
}

async fn run(provider: &Arc<Provider>, incoming: Incoming, stop: &CancellationToken, places: &Places) {
    let handshake = tokio::select! {
        biased;
        () = stop.cancelled() => return,
        link = incoming.handshake() => link,
    };
    let mut link = match handshake {
        Ok(link) => link,
        Err(error) => return tracing::debug!(%error, "a handshake failed"),
    };
    while let Some(start) = next(&mut link, stop).await {
        let semaphore = match start {
            Start::Put(()) => &places.puts,
            Start::Get(()) => &places.gets,
        };
        let place = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            place = semaphore.acquire() => place.expect("the semaphore is never closed"),
        };
        let ending = match start {
            Start::Put(()) => intake::run(provider, &mut link, stop).await,
            Start::Get(()) => serve::run(provider, &mut link, stop).await,
        };
        drop(place); // the last word needs none
        match ending {
            Ending::Regular => {}
            Ending::Refused => return link.close_after_last_word().await,
            Ending::Broken => return,
        }
    }
}

/// Which conversation comes next; `None` if none does.
async fn next(link: &mut Link, stop: &CancellationToken) -> Option<Start> {
    let start = tokio::select! {
        biased;
        () = stop.cancelled() => return None,
        start = tokio::time::timeout(IDLE, link.reader.message::<Start>()) => start,
    };
    match start {
        Ok(Ok(start)) => start,
        Ok(Err(error)) => {
            tracing::debug!(peer = %link.peer(), %error, "a link ended early");
            None
        }
        Err(_) => None,
    }
}

/// Work that a client must take part in, unless it takes too long.
pub(super) async fn in_time<T>(limit: Duration, work: impl Future<Output = T>) -> io::Result<T> {
    tokio::time::timeout(limit, work).await.map_err(|_| io::ErrorKind::TimedOut.into())
}
