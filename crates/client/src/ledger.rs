//! Questions about the ledger, and transactions for it.
//!
//! No node is trusted for an answer: a row comes with its proof under a header that more than two thirds of the validators
//! signed, and the way from genesis to these validators is checked. What a node can do is to be silent, or to answer with an
//! old header; so a header must be young, or another node is asked.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use holdfast_core::codec::{self, Bounded, DecodeError};
use holdfast_core::id::Epoch;
use holdfast_ledger::account::{Account, AccountId};
use holdfast_ledger::block::BLOCK_BYTES_MAX;
use holdfast_ledger::epoch::Running;
use holdfast_ledger::receipt::{EventPosition, Receipt};
use holdfast_ledger::state::{Row, RowKey};
use holdfast_ledger::transaction::{Transaction, TransactionId};
use holdfast_net::Net;
use holdfast_proofs::bundle::CommitteeProof;
use holdfast_proofs::committee::{Committee, CommitteeRecord, RecordError};
use holdfast_proofs::header::{BlockHash, BlockTime, Height};
use holdfast_proofs::light::{Handover, LightClient, LightError, SignedHeader};
use holdfast_proofs::row::RowProofError;
use holdfast_proofs::validators::ValidatorsError;
use holdfast_proofs::vote::FinalHeader;
use holdfast_protocol::chain::{
    self, BLOCKS_BYTES_MAX, Blocks, BlocksQuery, ChainReply, ChainRequest, ChainStatus, EventPage,
    HistoryPage, HistoryQuery, PAGE_BYTES_MAX, ROW_ANSWER_BYTES_MAX, RowAnswer, RowQuery, SUBMIT_MAX,
    TransactionState,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ask::{AskError, exchange};
use crate::network::{Network, Standing};

/// A header may be so old before another node is asked, beside [`BLOCKS_LATE`].
const AGE_MAX: Duration = Duration::from_secs(60);
/// Blocks that may be missing.
const BLOCKS_LATE: u32 = 20;
/// Pause between two looks for something to happen.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Why the ledger could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Genesis has no ledger, or breaks a rule.
    #[error(transparent)]
    Validators(#[from] ValidatorsError),
    /// Nobody gave a proper answer; the reason of the last one who was asked.
    #[error("none of {asked} nodes gave a proper answer about the ledger")]
    NoAnswer {
        /// How many were asked.
        asked: usize,
        /// What was wrong with the last answer.
        source: AnswerError,
    },
    /// A transaction cannot be in a block.
    #[error("the transaction is refused: {0}")]
    Refused(String),
    /// A transaction is in no block up to the last one that may hold it.
    #[error("the transaction is in no block up to {0}, the last one that may hold it")]
    Expired(Height),
}

/// What is wrong with an answer.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// There is none.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// It is no object of its kind.
    #[error("the answer cannot be read")]
    Decode(#[from] DecodeError),
    /// The header is not final.
    #[error(transparent)]
    Light(#[from] LightError),
    /// The row is not proven.
    #[error(transparent)]
    Row(#[from] RowProofError),
    /// The committee record is refused.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The header is old: this node, or the whole network, stands still.
    #[error("its last block is of {}", .0.second())]
    Old(BlockTime),
    /// It cannot say.
    #[error("it cannot say: {0}")]
    Unavailable(String),
    /// It says that there is no such row.
    #[error("there is no such row")]
    Missing,
}

/// A row that is proven to be, or not to be, in the state of a final header.
#[derive(Clone, Debug)]
pub struct Proven<R> {
    /// The row; none if there is none.
    pub row: Option<R>,
    /// The header.
    pub header: FinalHeader,
}

/// Whoever asks about a network's ledger.
pub struct LedgerClient {
    net: Net,
    network: Network,
    light: LightClient,
    handovers: Vec<Handover>,
    /// Who is asked first: whoever gave the last good answer.
    first: usize,
}

impl LedgerClient {
    /// Trusts genesis, and nobody else.
    ///
    /// # Errors
    /// If the network has no ledger.
    pub fn new(net: Net, network: Network) -> Result<Self, LedgerError> {
        let light = LightClient::of_genesis(&network.genesis, &network.proofs)?;
        Ok(Self { net, network, light, handovers: Vec::new(), first: 0 })
    }

    /// The network, with the newest committee that was asked for.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The newest header that was seen.
    pub fn newest(&self) -> Option<&FinalHeader> {
        self.light.newest()
    }

    /// How far the member at a place is, as it says.
    ///
    /// # Errors
    /// See [`AnswerError`].
    pub async fn status(&self, place: usize) -> Result<ChainStatus, AnswerError> {
        match self.ask(place, &ChainRequest::Status(())).await? {
            ChainReply::Status(status) if status.network == *self.network.id() => Ok(status),
            other => Err(unexpected(other)),
        }
    }

    /// A row, as of the newest block.
    ///
    /// # Errors
    /// If nobody gives an answer that holds.
    pub async fn row<R: Row>(&mut self, key: &[u8]) -> Result<Proven<R>, LedgerError> {
        let key = RowKey::new(R::TABLE, key);
        let (answer, header) = self.proven(&key).await?;
        let row = answer.row.map(|bytes| codec::decode(&bytes, R::BYTES_MAX)).transpose();
        let row = row.map_err(|error| LedgerError::NoAnswer { asked: 1, source: error.into() })?;
        Ok(Proven { row, header })
    }

    /// What an account has.
    ///
    /// # Errors
    /// If nobody gives an answer that holds.
    pub async fn account(&mut self, id: &AccountId) -> Result<Proven<Account>, LedgerError> {
        self.row(Account::key(id)).await
    }

    /// Learns the running epoch's committee, for [`LedgerClient::network`].
    ///
    /// # Errors
    /// If nobody gives an answer that holds.
    pub async fn follow(&mut self) -> Result<Epoch, LedgerError> {
        let running = self.row::<Running>(&[]).await?;
        let missing = || LedgerError::NoAnswer { asked: 1, source: AnswerError::Missing };
        let running = running.row.ok_or_else(missing)?;
        if running.committee == self.network.committee.id() {
            return Ok(running.epoch);
        }
        let key = CommitteeRecord::row(running.epoch);
        let (RowAnswer { header: signed, row, proof, .. }, header) = self.proven(&key).await?;
        let refused = |source: AnswerError| LedgerError::NoAnswer { asked: 1, source };
        let row = row.ok_or_else(missing)?;
        let record: CommitteeRecord =
            codec::decode(&row, CommitteeRecord::BYTES_MAX).map_err(|error| refused(error.into()))?;
        let committee = Committee::under(&header, self.network.id(), record, &proof);
        self.network.committee = committee.map_err(|error| refused(error.into()))?;
        let proof = Some(CommitteeProof { header: signed, row: proof });
        self.network.standing = Standing { proof, handovers: self.handovers.clone() };
        Ok(running.epoch)
    }

    /// Gives a transaction to a node, which passes it on.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] if all who answer refuse it.
    pub async fn submit(&self, transaction: &Transaction) -> Result<TransactionId, LedgerError> {
        let request = ChainRequest::Submit(transaction.clone());
        let mut failure = None;
        for place in self.places() {
            match self.ask(place, &request).await {
                Ok(ChainReply::Submitted(id)) => return Ok(id),
                Ok(ChainReply::Refused(why)) => failure = Some(LedgerError::Refused(why.to_string())),
                Ok(other) => failure = failure.or(Some(self.nobody(unexpected(other)))),
                Err(error) => failure = failure.or(Some(self.nobody(error))),
            }
        }
        Err(failure.unwrap_or_else(|| self.nobody(AskError::NoAnswer.into())))
    }

    /// Waits until a transaction is in a block. What the block made of it is one node's word; what it changed can be asked
    /// for with proof.
    ///
    /// # Errors
    /// [`LedgerError::Expired`] if it is in none when it cannot be in one any more.
    pub async fn wait(
        &mut self,
        id: TransactionId,
        valid_until: Height,
    ) -> Result<(Height, Receipt), LedgerError> {
        loop {
            let known = self.transaction(id).await;
            if let Ok(Some(TransactionState { height: Some(height), receipt: Some(receipt) })) = known {
                return Ok((height, receipt));
            }
            let newest = self.row::<Running>(&[]).await?.header.header().height;
            if newest > valid_until {
                return Err(LedgerError::Expired(valid_until));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// What became of a transaction, as one node says.
    ///
    /// # Errors
    /// If nobody answers.
    pub async fn transaction(&self, id: TransactionId) -> Result<Option<TransactionState>, LedgerError> {
        let request = ChainRequest::Transaction(id);
        let read = |reply| match reply {
            ChainReply::Transaction(state) => Ok(state),
            other => Err(unexpected(other)),
        };
        self.anyone(&request, read).await
    }

    /// The header at a height, or the newest, with its decision.
    ///
    /// # Errors
    /// If nobody answers.
    pub async fn header(&self, height: Option<Height>) -> Result<Option<SignedHeader>, LedgerError> {
        let read = |reply| match reply {
            ChainReply::Header(header) => Ok(header),
            other => Err(unexpected(other)),
        };
        self.anyone(&ChainRequest::Header(height), read).await
    }

    /// Blocks from a height on, as one node keeps them: nothing is checked.
    ///
    /// # Errors
    /// If nobody answers.
    pub async fn blocks(&self, query: BlocksQuery) -> Result<Blocks, LedgerError> {
        self.data_of_anyone(&ChainRequest::Blocks(query), BLOCKS_BYTES_MAX).await
    }

    /// The same of the member at a place.
    ///
    /// # Errors
    /// See [`AnswerError`].
    pub async fn blocks_of(&self, place: usize, query: BlocksQuery) -> Result<Blocks, AnswerError> {
        self.data(place, &ChainRequest::Blocks(query), BLOCKS_BYTES_MAX).await
    }

    /// A block that is not yet decided, as the member at a place keeps it.
    ///
    /// # Errors
    /// See [`AnswerError`].
    pub async fn undecided(&self, place: usize, block: BlockHash) -> Result<Vec<u8>, AnswerError> {
        self.bytes(place, &ChainRequest::Undecided(block), BLOCK_BYTES_MAX).await
    }

    /// Gives many transactions to the member at a place, and answers how many it did not take.
    ///
    /// # Errors
    /// See [`AnswerError`].
    pub async fn submit_many(
        &self,
        place: usize,
        transactions: Bounded<Transaction, SUBMIT_MAX>,
    ) -> Result<u32, AnswerError> {
        match self.ask(place, &ChainRequest::SubmitMany(transactions)).await? {
            ChainReply::NotTaken(count) => Ok(count),
            other => Err(unexpected(other)),
        }
    }

    /// Events from a position on, as one node says.
    ///
    /// # Errors
    /// If nobody answers.
    pub async fn events(&self, from: EventPosition) -> Result<EventPage, LedgerError> {
        self.data_of_anyone(&ChainRequest::Events(from), PAGE_BYTES_MAX).await
    }

    /// Transactions of an account, as one node says.
    ///
    /// # Errors
    /// If nobody answers.
    pub async fn history(&self, query: HistoryQuery) -> Result<HistoryPage, LedgerError> {
        self.data_of_anyone(&ChainRequest::History(query), PAGE_BYTES_MAX).await
    }

    /// A row's bytes and proof, checked, from a node that is not behind.
    async fn proven(&mut self, key: &RowKey) -> Result<(RowAnswer, FinalHeader), LedgerError> {
        let mut failure = AnswerError::Ask(AskError::NoAnswer);
        for place in self.places() {
            let trusted = self.light.validators().id();
            let request = ChainRequest::Row(RowQuery { key: key.as_bytes().to_vec(), trusted });
            let answer = self.data::<RowAnswer>(place, &request, ROW_ANSWER_BYTES_MAX).await;
            match answer.and_then(|answer| self.judge(key, answer)) {
                Ok(proven) => {
                    self.first = place;
                    return Ok(proven);
                }
                Err(error) => {
                    tracing::debug!(place, error = &error as &dyn std::error::Error, "no good answer");
                    failure = error;
                }
            }
        }
        Err(self.nobody(failure))
    }

    fn judge(&mut self, key: &RowKey, answer: RowAnswer) -> Result<(RowAnswer, FinalHeader), AnswerError> {
        // On a copy, so that a bad answer leaves nothing behind.
        let mut light = self.light.clone();
        for handover in answer.handovers.iter() {
            light.hand_over(handover.clone())?;
        }
        let header = light.check(answer.header.clone())?;
        let block_ms = self.network.genesis.ledger.as_ref().map_or(0, |ledger| ledger.block_ms);
        let oldest = AGE_MAX + Duration::from_millis(block_ms.into()) * BLOCKS_LATE;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if Duration::from_millis(header.header().time.0) + oldest < now {
            return Err(AnswerError::Old(header.header().time));
        }
        answer.proof.verify(&header.header().state, key, answer.row.as_ref().map(|row| &row[..]))?;
        self.light = light;
        self.handovers.extend(answer.handovers.iter().cloned());
        Ok((answer, header))
    }

    /// Members in the order in which they are asked.
    fn places(&self) -> impl Iterator<Item = usize> + use<> {
        let count = self.network.committee.members().len();
        let first = if self.first < count { self.first } else { 0 };
        (first..count).chain(0..first)
    }

    fn nobody(&self, source: AnswerError) -> LedgerError {
        LedgerError::NoAnswer { asked: self.network.committee.members().len(), source }
    }

    async fn anyone<T>(
        &self,
        request: &ChainRequest,
        read: impl Fn(ChainReply) -> Result<T, AnswerError>,
    ) -> Result<T, LedgerError> {
        let mut failure = AnswerError::Ask(AskError::NoAnswer);
        for place in self.places() {
            match self.ask(place, request).await.and_then(&read) {
                Ok(answer) => return Ok(answer),
                Err(error) => failure = error,
            }
        }
        Err(self.nobody(failure))
    }

    async fn data_of_anyone<T: DeserializeOwned + Serialize>(
        &self,
        request: &ChainRequest,
        max: usize,
    ) -> Result<T, LedgerError> {
        let mut failure = AnswerError::Ask(AskError::NoAnswer);
        for place in self.places() {
            match self.data(place, request, max).await {
                Ok(answer) => return Ok(answer),
                Err(error) => failure = error,
            }
        }
        Err(self.nobody(failure))
    }

    async fn ask(&self, place: usize, request: &ChainRequest) -> Result<ChainReply, AnswerError> {
        let question = (chain::PROTOCOL, request);
        let (reply, _) = exchange(&self.net, &self.network, place, question, (follows, 0)).await?;
        Ok(reply)
    }

    async fn data<T: DeserializeOwned + Serialize>(
        &self,
        place: usize,
        request: &ChainRequest,
        max: usize,
    ) -> Result<T, AnswerError> {
        Ok(codec::decode(&self.bytes(place, request, max).await?, max)?)
    }

    async fn bytes(&self, place: usize, request: &ChainRequest, max: usize) -> Result<Vec<u8>, AnswerError> {
        let question = (chain::PROTOCOL, request);
        match exchange(&self.net, &self.network, place, question, (follows, max)).await? {
            (ChainReply::Data(_), data) => Ok(data),
            (other, _) => Err(unexpected(other)),
        }
    }
}

fn unexpected(reply: ChainReply) -> AnswerError {
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
