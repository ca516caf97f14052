//! Following headers: what a light client fetches, and what checking it takes.

use std::time::{Duration, Instant};

use holdfast_core::codec;
use holdfast_ledger::epoch::Running;
use holdfast_ledger::state::{Row, RowKey};
use holdfast_proofs::light::{LightError, SignedHeader};
use holdfast_proofs::vote::FinalHeader;
use holdfast_protocol::chain::{ChainReply, ChainRequest, ROW_ANSWER_BYTES_MAX, RowAnswer, RowQuery};

use super::{AnswerError, LedgerClient, LedgerError, unexpected};
use crate::ask::AskError;

/// The newest header that anyone showed, checked, and what that took.
#[derive(Clone, Debug)]
pub struct Head {
    /// The header.
    pub header: FinalHeader,
    /// Bytes that came for it: the header, its finality, and changes of validators with the row that brought them.
    pub bytes: usize,
    /// Changes of validators that were followed.
    pub handovers: usize,
    /// How long the check took.
    pub took: Duration,
}

impl LedgerClient {
    /// The newest header, from a node that is not behind. Where validators have changed, the way to them is asked for
    /// as well.
    ///
    /// # Errors
    /// If nobody gives an answer that holds.
    pub async fn head(&mut self) -> Result<Head, LedgerError> {
        let mut failure = AnswerError::Ask(AskError::NoAnswer);
        for place in self.places() {
            match self.head_of(place).await {
                Ok(head) => {
                    self.first = place;
                    return Ok(head);
                }
                Err(error) => failure = error,
            }
        }
        Err(self.nobody(failure))
    }

    async fn head_of(&mut self, place: usize) -> Result<Head, AnswerError> {
        let signed = match self.ask(place, &ChainRequest::Header(None)).await? {
            ChainReply::Header(Some(signed)) => signed,
            ChainReply::Header(None) => return Err(AnswerError::Missing),
            other => return Err(unexpected(other)),
        };
        if signed.header.validators == self.light.validators().id() {
            let bytes = codec::encode(&signed).len();
            let started = Instant::now();
            let header = self.light.check(signed)?;
            let took = started.elapsed();
            self.is_young(&header)?;
            return Ok(Head { header, bytes, handovers: 0, took });
        }
        let key = RowKey::new(Running::TABLE, &[]);
        let trusted = self.light.validators().id();
        let request = ChainRequest::Row(RowQuery { key: key.as_bytes().to_vec(), trusted });
        let answer: RowAnswer = self.data(place, &request, ROW_ANSWER_BYTES_MAX).await?;
        let (bytes, handovers) = (codec::encode(&answer).len(), answer.handovers.len());
        let started = Instant::now();
        let (_, header) = self.judge(&key, answer)?;
        Ok(Head { header, bytes, handovers, took: started.elapsed() })
    }

    /// Checks a header of any height that was decided by validators whom this client knows: those of genesis, those of
    /// today, and all in between. `None` if it names others.
    ///
    /// # Errors
    /// If they did not decide on it.
    pub fn check(&self, signed: SignedHeader) -> Option<Result<FinalHeader, LightError>> {
        let mut light = self.genesis.clone();
        let mut handovers = self.handovers.iter();
        while light.validators().id() != signed.header.validators {
            light.hand_over(handovers.next()?.clone()).expect("they were checked when they came");
        }
        Some(light.check(signed))
    }
}
