//! Asking one member after the other, until an answer holds.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use holdfast_core::codec;
use holdfast_net::Net;
use holdfast_protocol::chain::{self, ChainReply, ChainRequest};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::AnswerError;
use crate::ask::{AskError, exchange};
use crate::network::Network;

/// When one member has not answered for so long, the next one is asked beside it.
const NEXT_AFTER: Duration = Duration::from_millis(500);

/// Asks members of the newest committee that is known. Clones share both.
#[derive(Clone)]
pub(super) struct Asker {
    pub(super) net: Net,
    pub(super) network: Arc<Network>,
}

impl Asker {
    /// One question with a short answer.
    pub(super) async fn ask(&self, place: usize, request: &ChainRequest) -> Result<ChainReply, AnswerError> {
        let question = (chain::PROTOCOL, request);
        let (reply, _) = exchange(&self.net, &self.network, place, question, (follows, 0)).await?;
        Ok(reply)
    }

    /// One question whose answer is data.
    pub(super) async fn bytes(
        &self,
        place: usize,
        request: &ChainRequest,
        max: usize,
    ) -> Result<Vec<u8>, AnswerError> {
        let question = (chain::PROTOCOL, request);
        match exchange(&self.net, &self.network, place, question, (follows, max)).await? {
            (ChainReply::Data(_), data) => Ok(data),
            (other, _) => Err(unexpected(other)),
        }
    }

    /// The same, read as an object.
    pub(super) async fn data<T: DeserializeOwned + Serialize>(
        &self,
        place: usize,
        request: &ChainRequest,
        max: usize,
    ) -> Result<T, AnswerError> {
        Ok(codec::decode(&self.bytes(place, request, max).await?, max)?)
    }

    /// Members in the order in which they are asked.
    pub(super) fn places(&self, first: usize) -> impl Iterator<Item = usize> + use<> {
        let count = self.network.committee.members().len();
        let first = if first < count { first } else { 0 };
        (first..count).chain(0..first)
    }
}

/// The first answer that holds, and whose it is: the next member is asked when one has failed, or lets us wait.
pub(super) async fn first_of<T, U>(
    places: impl Iterator<Item = usize>,
    ask: impl AsyncFn(usize) -> Result<T, AnswerError>,
    mut judge: impl FnMut(T) -> Result<U, AnswerError>,
) -> Result<(usize, U), AnswerError> {
    let mut places = places.peekable();
    let mut asking = FuturesUnordered::new();
    let mut failure = AnswerError::Ask(AskError::NoAnswer);
    let start = |place| {
        let ask = &ask;
        async move { (place, ask(place).await) }
    };
    loop {
        if asking.is_empty() {
            let Some(place) = places.next() else { return Err(failure) };
            asking.push(start(place));
        }
        tokio::select! {
            Some((place, answer)) = asking.next() => match answer.and_then(&mut judge) {
                Ok(good) => return Ok((place, good)),
                Err(error) => {
                    tracing::debug!(place, error = &error as &dyn std::error::Error, "no good answer");
                    failure = error;
                }
            },
            () = tokio::time::sleep(NEXT_AFTER), if places.peek().is_some() => {
                asking.extend(places.next().map(start));
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
