//! Following headers: what a light client fetches, and what checking it takes.

use std::time::{Duration, Instant};

use holdfast_core::codec;
use holdfast_core::id::NodeId;
use holdfast_ledger::epoch::Running;
use holdfast_ledger::state::{Row, RowKey};
use holdfast_proofs::light::{LightError, SignedHeader};
use holdfast_proofs::vote::FinalHeader;
use holdfast_protocol::chain::{ChainReply, ChainRequest, ROW_ANSWER_BYTES_MAX, RowAnswer, RowQuery};

use super::asking::{first_of, unexpected};
use super::{AnswerError, LedgerClient, LedgerError};

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

/// What following took so far.
#[derive(Default)]
struct Spent {
    bytes: usize,
    handovers: usize,
    took: Duration,
}

/// What a member showed.
enum Shown {
    /// A header that those decided on who are trusted.
    Header(Box<SignedHeader>),
    /// One that others decided on, with the way to them.
    Row(Box<RowAnswer>),
}

impl LedgerClient {
    /// The newest header, from a node that is not behind. Where validators have changed, the way to them is asked for
    /// as well.
    ///
    /// # Errors
    /// If nobody gives an answer that holds.
    pub async fn head(&mut self) -> Result<Head, LedgerError> {
        let asker = self.asker.clone();
        let key = RowKey::new(Running::TABLE, &[]);
        let mut spent = Spent::default();
        loop {
            let trusted = self.light.validators().id();
            let row = ChainRequest::Row(RowQuery { key: key.as_bytes().to_vec(), trusted });
            let ask = async |node: NodeId| {
                let signed = match asker.ask(&node, &ChainRequest::Header(None)).await? {
                    ChainReply::Header(Some(signed)) => signed,
                    ChainReply::Header(None) => return Err(AnswerError::Missing),
                    other => return Err(unexpected(other)),
                };
                if signed.header.validators == trusted {
                    return Ok(Shown::Header(Box::new(signed)));
                }
                let answer = asker.data(&node, &row, ROW_ANSWER_BYTES_MAX).await?;
                Ok(Shown::Row(Box::new(answer)))
            };
            let nodes = asker.nodes(self.first);
            let judge = |shown| self.judge_head(&key, shown, &mut spent);
            let head = first_of(nodes, ask, judge).await;
            let (node, head) = head.map_err(|error| self.nobody(error))?;
            self.first = Some(node);
            if let Some(header) = head {
                let Spent { bytes, handovers, took } = spent;
                return Ok(Head { header, bytes, handovers, took });
            }
        }
    }

    /// The header, or `None` if there are changes of validators still to come.
    fn judge_head(
        &mut self,
        key: &RowKey,
        shown: Shown,
        spent: &mut Spent,
    ) -> Result<Option<FinalHeader>, AnswerError> {
        let started;
        let header = match shown {
            Shown::Header(signed) => {
                spent.bytes += codec::encode(&*signed).len();
                started = Instant::now();
                let header = self.light.check(*signed)?;
                self.is_young(&header)?;
                Some(header)
            }
            Shown::Row(answer) => {
                spent.bytes += codec::encode(&*answer).len();
                spent.handovers += answer.handovers.len();
                started = Instant::now();
                self.judge(key, *answer)?.map(|(_, header)| header)
            }
        };
        spent.took += started.elapsed();
        Ok(header)
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
