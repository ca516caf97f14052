//! The entries of a folder, fetched without the content of its files.

use holdfast_core::block::BlockId;
use holdfast_net::Net;
use holdfast_store::export::list::{Lister, Listing};

use super::{GetError, Source};
use crate::network::Network;

/// Fetches what a CID is and, if it is a folder, its entries: the blocks of the folder, and the first block of
/// each entry that is not a plain leaf.
///
/// # Errors
/// See [`GetError`].
pub async fn list(
    net: &Net,
    network: &Network,
    root: BlockId,
    progress: impl FnMut(u64),
) -> Result<Listing, GetError> {
    let mut lister = Lister::new(root);
    let mut source = Source::start(net, network, root, progress);
    loop {
        source.demand(lister.wanted());
        let Some(id) = lister.wanted().next() else { break };
        let data = source.block(id).await?;
        lister.push(&data)?;
        source.done_with(id, data);
    }
    Ok(lister.finish())
}
