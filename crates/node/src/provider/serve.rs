//! Serves blocks, in the order asked.

use std::sync::Arc;
use std::time::Duration;

use holdfast_core::block::BlockId;
use holdfast_net::frames::{FrameError, split};
use holdfast_net::{PeerId, Stream};
use holdfast_protocol::get::{GetReply, Want};

use super::Provider;
use super::intake::blocking;

/// A client that asks for nothing for so long is closed.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Serves one fetch.
pub(super) async fn run(provider: Arc<Provider>, peer: PeerId, stream: Stream) {
    if let Err(error) = conversation(&provider, stream).await {
        tracing::debug!(%peer, %error, "a fetch ended early");
    }
}

async fn conversation(provider: &Arc<Provider>, stream: Stream) -> Result<(), FrameError> {
    let (mut reader, mut writer) = split(stream);
    loop {
        // A client that asks for nothing frees its place for another.
        let want = tokio::time::timeout(SILENCE_MAX, reader.message::<Want>()).await;
        let Some(want) = want.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))?? else {
            break;
        };
        for id in want.blocks.iter() {
            match read(provider, *id).await {
                Some(data) => writer.data(&data).await?,
                None => writer.message(&GetReply::Missing(*id)).await?,
            }
        }
        writer.flush().await?;
    }
    Ok(writer.close().await?)
}

/// A block from the store. What cannot be read is missing to the client and an alarm to the operator.
async fn read(provider: &Arc<Provider>, id: BlockId) -> Option<Vec<u8>> {
    let store = provider.store.clone();
    match blocking(move || store.block(&id)).await {
        Ok(found) => found,
        Err(error) => {
            tracing::error!(%id, error = &error as &dyn std::error::Error, "could not serve a block");
            None
        }
    }
}
