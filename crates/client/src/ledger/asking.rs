//! Asking one node after the other, until an answer holds.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use holdfast_core::codec;
use holdfast_core::id::NodeId;
use holdfast_net::{Multiaddr, Net, PeerId};
use holdfast_protocol::chain::{self, ChainReply, ChainRequest};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::AnswerError;
use crate::ask::{AskError, exchange};
use crate::network::Network;

/// When one node has not answered for so long, the next one is asked beside it.
const NEXT_AFTER: Duration = Duration::from_millis(500);

/// Asks nodes of a network. Clones share both.
#[derive(Clone)]
pub(super) struct Asker {
    pub(super) net: Net,
    pub(super) network: Arc<Network>,
}

impl Asker {
    /// One question with a short answer.
    pub(super) async fn ask(&self, node: &NodeId, request: &ChainRequest) -> Result<ChainReply, AnswerError> {
        let question = (chain::PROTOCOL, request);
        let (reply, _) = exchange(&self.net, self.reach(node)?, question, (follows, 0)).await?;
        Ok(reply)
    }

    /// One question whose answer is data.
    pub(super) async fn bytes(
        &self,
        node: &NodeId,
        request: &ChainRequest,
        max: usize,
    ) -> Result<Vec<u8>, AnswerError> {
        let question = (chain::PROTOCOL, request);
        match exchange(&self.net, self.reach(node)?, question, (follows, max)).await? {
            (ChainReply::Data(_), data) => Ok(data),
            (other, _) => Err(unexpected(other)),
        }
    }

    /// The same, read as an object.
    pub(super) async fn data<T: DeserializeOwned + Serialize>(
        &self,
        node: &NodeId,
        request: &ChainRequest,
        max: usize,
    ) -> Result<T, AnswerError> {
        Ok(codec::decode(&self.bytes(node, request, max).await?, max)?)
    }

    fn reach(&self, node: &NodeId) -> Result<(PeerId, Vec<Multiaddr>), AskError> {
        self.network.find(node).ok_or(AskError::NoPeer)
    }

    /// Nodes in the order in which they are asked: members of the newest committee that is known, then whoever else is.
    pub(super) fn nodes(&self, first: Option<NodeId>) -> impl Iterator<Item = NodeId> + use<> {
        let mut nodes = self.network.nodes();
        let first = first.and_then(|first| nodes.iter().position(|node| *node == first));
        nodes.rotate_left(first.unwrap_or(0));
        nodes.into_iter()
    }
}

/// The first answer that holds, and whose it is: the next node is asked when one has failed, or lets us wait.
pub(super) async fn first_of<T, U>(
    nodes: impl Iterator<Item = NodeId>,
    ask: impl AsyncFn(NodeId) -> Result<T, AnswerError>,
    mut judge: impl FnMut(T) -> Result<U, AnswerError>,
) -> Result<(NodeId, U), AnswerError> {
    let mut nodes = nodes.peekable();
    let mut asking = FuturesUnordered::new();
    let mut failure = AnswerError::Ask(AskError::NoAnswer);
    let start = |node| {
        let ask = &ask;
        async move { (node, ask(node).await) }
    };
    loop {
        if asking.is_empty() {
            let Some(node) = nodes.next() else { return Err(failure) };
            asking.push(start(node));
        }
        tokio::select! {
            Some((node, answer)) = asking.next() => match answer.and_then(&mut judge) {
                Ok(good) => return Ok((node, good)),
                Err(error) => {
                    tracing::debug!(node = %node.short(), error = &error as &dyn std::error::Error, "no good answer");
                    failure = error;
                }
            },
            () = tokio::time::sleep(NEXT_AFTER), if nodes.peek().is_some() => {
                asking.extend(nodes.next().map(start));
            }
        }
    }
}

pub(super) fn unexpected(reply: ChainReply) -> AnswerError {
    match reply {
        ChainReply::Unavailable(why) => AnswerError::Unavailable(why.to_string()),
        _ => AskError::NoAnswer.into(),
    }
}

/// How many bytes of data a reply announces.
fn follows(reply: &ChainReply) -> u64 {
    match reply {
        ChainReply::Data(bytes) => (*bytes).into(),
        _ => 0,
    }
}
