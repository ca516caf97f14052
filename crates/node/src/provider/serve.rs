//! Serves blocks, in the order asked.

use std::sync::Arc;
use std::time::Duration;

use holdfast_core::block::BlockId;
use holdfast_net::frames::FrameError;
use holdfast_net::link::Link;
use holdfast_protocol::get::{GetReply, Want};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Provider;
use super::links::{Ending, TAKE_MAX, in_time};

/// A client that asks for nothing for so long is closed.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Serves one fetch.
pub(super) async fn run(provider: &Arc<Provider>, link: &mut Link, stop: &CancellationToken) -> Ending {
    let served = tokio::select! {
        biased;
        () = stop.cancelled() => return Ending::Broken,
        served = conversation(provider, link) => served,
    };
    match served {
        Ok(ending) => ending,
        Err(error) => {
            tracing::debug!(peer = %link.peer(), %error, "a fetch ended early");
            Ending::Broken
        }
    }
}

async fn conversation(provider: &Arc<Provider>, link: &mut Link) -> Result<Ending, FrameError> {
    // Memory of the two blocks that are under way at most; clients mostly ask for one block after the other.
    let mut spare = Vec::new();
    loop {
        // A client that asks for nothing frees its place for another.
        let want = in_time(SILENCE_MAX, link.reader.message::<Want>()).await??;
        let Some(want) = want else { return Ok(Ending::Broken) };
        let mut blocks = want.blocks.iter().copied();
        let Some(first) = blocks.next() else { return Ok(Ending::Regular) };
        // While one block goes out, the next is read.
        let mut next = Some((first, read(provider, first, spare.pop())));
        while let Some((id, block)) = next.take() {
            let (found, data) = block.await.expect("reading does not panic");
            next = blocks.next().map(|id| (id, read(provider, id, spare.pop())));
            let send = async {
                match found {
                    true => link.writer.data(&data).await,
                    false => link.writer.queue(&GetReply::Missing(id)).await,
                }
            };
            in_time(TAKE_MAX, send).await??;
            spare.push(data);
        }
        in_time(TAKE_MAX, link.writer.flush()).await??;
    }
}

/// Begins to read a block, into memory that is to spare if there is some, and says whether it is here. What cannot be read
/// is missing to the client and an alarm to the operator.
fn read(provider: &Arc<Provider>, id: BlockId, spare: Option<Vec<u8>>) -> JoinHandle<(bool, Vec<u8>)> {
    let store = provider.store.clone();
    let mut data = spare.unwrap_or_default();
    tokio::task::spawn_blocking(move || {
        let found = store.read_block(&id, &mut data).unwrap_or_else(|error| {
            tracing::error!(%id, error = &error as &dyn std::error::Error, "could not serve a block");
            false
        });
        (found, data)
    })
}
