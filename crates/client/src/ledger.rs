//! Questions about the ledger, and transactions for it.
//!
//! No node is trusted for an answer: a row comes with its proof under a header that more than two thirds of the validators
//! signed, and the way from genesis to these validators is checked. What a node can do is to be silent, or to answer with an
//! old header; so a header must be young, or another node is asked.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use holdfast_core::codec;
use holdfast_core::id::Epoch;
use holdfast_ledger::account::{Account, AccountId};
use holdfast_ledger::epoch::Running;
use holdfast_ledger::params::Params;
use holdfast_ledger::receipt::EventPosition;
use holdfast_ledger::state::{Row, RowKey};
use holdfast_ledger::transaction::{Transaction, TransactionId};
use holdfast_net::frames::{Frame, FrameReader};
use holdfast_net::{Net, Stream};
use holdfast_proofs::bundle::CommitteeProof;
use holdfast_proofs::committee::{Committee, CommitteeRecord};
use holdfast_proofs::header::Height;
use holdfast_proofs::light::{Handover, LightClient, SignedHeader};
use holdfast_proofs::vote::FinalHeader;
use holdfast_protocol::chain::{
    self, BLOCKS_BYTES_MAX, Blocks, BlocksQuery, ChainReply, ChainRequest, ChainStatus, EventPage,
    HistoryPage, HistoryQuery, PAGE_BYTES_MAX, ROW_ANSWER_BYTES_MAX, RowAnswer, RowQuery, TransactionState,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ask::{ANSWER_WINDOW, AskError, exchange};
use crate::network::{Network, Standing};

mod error;
mod head;

pub use error::{AnswerError, LedgerError};
pub use head::Head;

/// A header may be so old before another node is asked, beside [`BLOCKS_LATE`].
const AGE_MAX: Duration = Duration::from_secs(60);
/// Blocks that may be missing.
const BLOCKS_LATE: u32 = 20;

/// A row that is proven to be, or not to be, in the state of a final header.
#[derive(Clone, Debug)]
pub struct Proven<R> {
    /// The row; none if there is none.
    pub row: Option<R>,
    /// The header.
    pub header: FinalHeader,
}

/// A row that is proven to be in the state of a final header.
#[derive(Clone, Debug)]
pub struct Present<R> {
    /// The row.
    pub row: R,
    /// The header.
    pub header: FinalHeader,
}

/// Whoever asks about a network's ledger. A clone knows what the original knew.
#[derive(Clone)]
pub struct LedgerClient {
    net: Net,
    network: Network,
    /// Before any change of validators.
    genesis: LightClient,
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
        Ok(Self { net, network, genesis: light.clone(), light, handovers: Vec::new(), first: 0 })
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
        let running = self.running().await?.row;
        if running.committee == self.network.committee.id() {
            return Ok(running.epoch);
        }
        let (committee, proof) = self.committee_with_proof(running.epoch).await?;
        self.network.committee = committee;
        self.network.standing = Standing { proof: Some(proof), handovers: self.handovers.clone() };
        Ok(running.epoch)
    }

    /// The committee of an epoch that runs or is over, with nothing kept of it.
    ///
    /// # Errors
    /// If nobody gives an answer that holds.
    pub async fn committee(&mut self, epoch: Epoch) -> Result<Committee, LedgerError> {
        Ok(self.committee_with_proof(epoch).await?.0)
    }

    async fn committee_with_proof(
        &mut self,
        epoch: Epoch,
    ) -> Result<(Committee, CommitteeProof), LedgerError> {
        let key = CommitteeRecord::row(epoch);
        let (RowAnswer { header: signed, row, proof, .. }, header) = self.proven(&key).await?;
        let refused = |source: AnswerError| LedgerError::NoAnswer { asked: 1, source };
        let row = row.ok_or_else(|| refused(AnswerError::Missing))?;
        let record: CommitteeRecord =
            codec::decode(&row, CommitteeRecord::BYTES_MAX).map_err(|error| refused(error.into()))?;
        let committee = Committee::under(&header, self.network.id(), record, &proof);
        let committee = committee.map_err(|error| refused(error.into()))?;
        Ok((committee, CommitteeProof { header: signed, row: proof }))
    }

    /// The running epoch.
    ///
    /// # Errors
    /// If nobody gives an answer that holds.
    pub async fn running(&mut self) -> Result<Present<Running>, LedgerError> {
        self.present(&[]).await
    }

    /// The parameters in force.
    ///
    /// # Errors
    /// If nobody gives an answer that holds.
    pub async fn params(&mut self) -> Result<Present<Params>, LedgerError> {
        self.present(&[]).await
    }

    /// A row that every ledger has.
    async fn present<R: Row>(&mut self, key: &[u8]) -> Result<Present<R>, LedgerError> {
        let Proven { row, header } = self.row(key).await?;
        let missing = || LedgerError::NoAnswer { asked: 1, source: AnswerError::Missing };
        Ok(Present { row: row.ok_or_else(missing)?, header })
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
        self.is_young(&header)?;
        answer.proof.verify(&header.header().state, key, answer.row.as_ref().map(|row| &row[..]))?;
        self.light = light;
        self.handovers.extend(answer.handovers.iter().cloned());
        Ok((answer, header))
    }

    /// Time from block to block that the validators aim at.
    pub fn block_time(&self) -> Duration {
        let block_ms = self.network.genesis.ledger.as_ref().map_or(0, |ledger| ledger.block_ms);
        Duration::from_millis(block_ms.into())
    }

    fn is_young(&self, header: &FinalHeader) -> Result<(), AnswerError> {
        let oldest = AGE_MAX + self.block_time() * BLOCKS_LATE;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let time = header.header().time;
        if Duration::from_millis(time.0) + oldest < now { Err(AnswerError::Old(time)) } else { Ok(()) }
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
        let read = async |reader: &mut FrameReader<Stream>| {
            reader.message::<ChainReply>().await?.ok_or(AskError::NoAnswer)
        };
        let question = (chain::PROTOCOL, request);
        Ok(exchange(&self.net, &self.network, place, question, ANSWER_WINDOW, read).await?)
    }

    async fn data<T: DeserializeOwned + Serialize>(
        &self,
        place: usize,
        request: &ChainRequest,
        max: usize,
    ) -> Result<T, AnswerError> {
        let read = async |reader: &mut FrameReader<Stream>| read_data(reader, max).await;
        let question = (chain::PROTOCOL, request);
        let answer = exchange(&self.net, &self.network, place, question, ANSWER_WINDOW, read).await?;
        Ok(codec::decode(&answer?, max)?)
    }
}

fn unexpected(reply: ChainReply) -> AnswerError {
    match reply {
        ChainReply::Unavailable(why) => AnswerError::Unavailable(why.to_string()),
        _ => AskError::NoAnswer.into(),
    }
}

/// The data that a reply announces. Memory follows what arrives.
async fn read_data(
    reader: &mut FrameReader<Stream>,
    max: usize,
) -> Result<Result<Vec<u8>, AnswerError>, AskError> {
    let length = match reader.message::<ChainReply>().await?.ok_or(AskError::NoAnswer)? {
        ChainReply::Data(length) => length,
        other => return Ok(Err(unexpected(other))),
    };
    let expected = usize::try_from(length).unwrap_or(usize::MAX);
    if expected > max {
        return Ok(Err(AnswerError::TooLong(length)));
    }
    let (mut data, mut buffer) = (Vec::new(), Vec::new());
    while data.len() < expected {
        match reader.read::<ChainReply>(&mut buffer).await? {
            Some(Frame::Data) if data.len() + buffer.len() <= expected => data.extend_from_slice(&buffer),
            _ => return Err(AskError::NoAnswer),
        }
    }
    Ok(Ok(data))
}
