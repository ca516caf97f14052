//! Questions about the ledger, and transactions for it.
//!
//! No node is trusted for an answer: a row comes with its proof under a header that more than two thirds of the validators
//! signed, and the way from genesis to these validators is checked. What a node can do is to be silent, or to answer with an
//! old header; so a header must be young, or another node is asked.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use holdfast_core::codec::{self, Bounded};
use holdfast_core::id::{Epoch, NodeId};
use holdfast_ledger::account::{Account, AccountId};
use holdfast_ledger::block::BLOCK_BYTES_MAX;
use holdfast_ledger::epoch::Running;
use holdfast_ledger::params::Params;
use holdfast_ledger::receipt::EventPosition;
use holdfast_ledger::state::{Row, RowKey};
use holdfast_ledger::transaction::{Transaction, TransactionId};
use holdfast_net::Net;
use holdfast_proofs::bundle::CommitteeProof;
use holdfast_proofs::committee::{Committee, CommitteeRecord};
use holdfast_proofs::header::{BlockHash, Height};
use holdfast_proofs::light::{Handover, LightClient, SignedHeader};
use holdfast_proofs::vote::FinalHeader;
use holdfast_protocol::chain::{
    BLOCKS_BYTES_MAX, Blocks, BlocksQuery, ChainReply, ChainRequest, ChainStatus, EventPage, HANDOVERS_MAX,
    HistoryPage, HistoryQuery, OrderPage, OrdersQuery, PAGE_BYTES_MAX, ROW_ANSWER_BYTES_MAX, RowAnswer,
    RowQuery, SUBMIT_MAX, TransactionState,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ask::AskError;
use crate::network::{Network, Standing};

mod asking;
mod checkpoint;
mod error;
mod head;
mod snapshot;

pub use error::{AnswerError, LedgerError};
pub use head::Head;

use asking::{Asker, first_of, unexpected};

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
    asker: Asker,
    /// Before any change of validators: as of genesis, or of a checkpoint.
    genesis: LightClient,
    light: LightClient,
    handovers: Vec<Handover>,
    /// Who is asked first: whoever gave the last good answer.
    first: Option<NodeId>,
}

impl LedgerClient {
    /// Trusts genesis, and nobody else.
    ///
    /// # Errors
    /// If the network has no ledger.
    pub fn new(net: Net, network: Network) -> Result<Self, LedgerError> {
        let light = LightClient::of_genesis(&network.genesis, &network.proofs)?;
        let asker = Asker { net, network: Arc::new(network) };
        Ok(Self { asker, genesis: light.clone(), light, handovers: Vec::new(), first: None })
    }

    /// The network, with the newest committee that was asked for.
    pub fn network(&self) -> &Network {
        &self.asker.network
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
        self.status_of(&self.network().committee.members()[place].node).await
    }

    /// The same of one node.
    ///
    /// # Errors
    /// See [`AnswerError`].
    pub async fn status_of(&self, node: &NodeId) -> Result<ChainStatus, AnswerError> {
        match self.asker.ask(node, &ChainRequest::Status(())).await? {
            ChainReply::Status(status) if status.network == *self.network().id() => Ok(status),
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

    /// Takes the word of a node that executes the ledger itself: this is the running committee.
    pub fn assume(&mut self, committee: &Committee) {
        if self.network().committee.id() != committee.id() {
            Arc::make_mut(&mut self.asker.network).committee = committee.clone();
        }
    }

    /// Learns the running epoch's committee, for [`LedgerClient::network`].
    ///
    /// # Errors
    /// If nobody gives an answer that holds.
    pub async fn follow(&mut self) -> Result<Epoch, LedgerError> {
        let running = self.running().await?.row;
        if running.committee == self.network().committee.id() {
            return Ok(running.epoch);
        }
        let (committee, proof) = self.committee_with_proof(running.epoch).await?;
        let network = Arc::make_mut(&mut self.asker.network);
        network.committee = committee;
        network.standing = Standing { proof: Some(proof), handovers: self.handovers.clone() };
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
        let committee = Committee::under(&header, self.network().id(), record, &proof);
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
        for node in self.asker.nodes(self.first) {
            match self.asker.ask(&node, &request).await {
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

    /// The same of one node.
    ///
    /// # Errors
    /// See [`AnswerError`].
    pub async fn blocks_of(&self, node: &NodeId, query: BlocksQuery) -> Result<Blocks, AnswerError> {
        self.asker.data(node, &ChainRequest::Blocks(query), BLOCKS_BYTES_MAX).await
    }

    /// A block that is not yet decided, as one node keeps it.
    ///
    /// # Errors
    /// See [`AnswerError`].
    pub async fn undecided(&self, node: &NodeId, block: BlockHash) -> Result<Vec<u8>, AnswerError> {
        self.asker.bytes(node, &ChainRequest::Undecided(block), BLOCK_BYTES_MAX).await
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
        let node = self.network().committee.members()[place].node;
        match self.asker.ask(&node, &ChainRequest::SubmitMany(transactions)).await? {
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

    /// Orders of an account that have not ended, as one node says.
    ///
    /// # Errors
    /// If nobody answers.
    pub async fn orders(&self, query: OrdersQuery) -> Result<OrderPage, LedgerError> {
        self.data_of_anyone(&ChainRequest::Orders(query), PAGE_BYTES_MAX).await
    }

    /// A row's bytes and proof, checked, from a node that is not behind.
    async fn proven(&mut self, key: &RowKey) -> Result<(RowAnswer, FinalHeader), LedgerError> {
        let asker = self.asker.clone();
        loop {
            let trusted = self.light.validators().id();
            let request = ChainRequest::Row(RowQuery { key: key.as_bytes().to_vec(), trusted });
            let ask =
                async |node: NodeId| asker.data::<RowAnswer>(&node, &request, ROW_ANSWER_BYTES_MAX).await;
            let nodes = asker.nodes(self.first);
            let judge = |answer: RowAnswer| self.judge(key, answer);
            let answer = first_of(nodes, ask, judge).await;
            let (node, proven) = answer.map_err(|error| self.nobody(error))?;
            self.first = Some(node);
            if let Some(proven) = proven {
                return Ok(proven);
            }
        }
    }

    /// `None` if it holds, but for changes of validators that are still to come.
    fn judge(
        &mut self,
        key: &RowKey,
        answer: RowAnswer,
    ) -> Result<Option<(RowAnswer, FinalHeader)>, AnswerError> {
        let Some(header) = self.judge_way(&answer.handovers, &answer.header)? else { return Ok(None) };
        self.is_young(&header)?;
        answer.proof.verify(&header.header().state, key, answer.row.as_ref().map(|row| &row[..]))?;
        Ok(Some((answer, header)))
    }

    /// Follows changes of validators to a header. `None` if there are more than one answer holds: then whoever asks again
    /// is nearer. What was followed is kept even if the rest is wrong, for it holds by itself.
    fn judge_way(
        &mut self,
        handovers: &Bounded<Handover, HANDOVERS_MAX>,
        header: &SignedHeader,
    ) -> Result<Option<FinalHeader>, AnswerError> {
        for handover in handovers.iter() {
            // Another node may have shown it meanwhile.
            let same = |known: &Handover| known.last.header == handover.last.header;
            if !self.handovers.iter().rev().any(same) {
                self.light.hand_over(handover.clone())?;
                self.handovers.push(handover.clone());
            }
        }
        let known = self.light.validators().id();
        if handovers.len() == HANDOVERS_MAX && header.header.validators != known {
            return Ok(None);
        }
        Ok(Some(self.light.check(header.clone())?))
    }

    /// Time from block to block that the validators aim at.
    pub fn block_time(&self) -> Duration {
        let block_ms = self.network().genesis.ledger.as_ref().map_or(0, |ledger| ledger.block_ms);
        Duration::from_millis(block_ms.into())
    }

    fn is_young(&self, header: &FinalHeader) -> Result<(), AnswerError> {
        let oldest = AGE_MAX + self.block_time() * BLOCKS_LATE;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let time = header.header().time;
        if Duration::from_millis(time.0) + oldest < now { Err(AnswerError::Old(time)) } else { Ok(()) }
    }

    fn nobody(&self, source: AnswerError) -> LedgerError {
        LedgerError::NoAnswer { asked: self.network().nodes().len(), source }
    }

    async fn anyone<T>(
        &self,
        request: &ChainRequest,
        read: impl Fn(ChainReply) -> Result<T, AnswerError>,
    ) -> Result<T, LedgerError> {
        let ask = async |node: NodeId| self.asker.ask(&node, request).await;
        let answer = first_of(self.asker.nodes(self.first), ask, read).await;
        answer.map(|(_, answer)| answer).map_err(|error| self.nobody(error))
    }

    async fn data_of_anyone<T: DeserializeOwned + Serialize>(
        &self,
        request: &ChainRequest,
        max: usize,
    ) -> Result<T, LedgerError> {
        let ask = async |node: NodeId| self.asker.data(&node, request, max).await;
        let answer = first_of(self.asker.nodes(self.first), ask, Ok).await;
        answer.map(|(_, answer)| answer).map_err(|error| self.nobody(error))
    }
}

#[cfg(test)]
mod tests;
