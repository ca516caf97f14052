//! What the API asks of a node.

use std::error::Error;

use holdfast_core::Fault;
use holdfast_core::id::{Amount, CommitteeId, Epoch, NetworkId, NodeId, OrderId};
use holdfast_ledger::account::{Account, AccountId};
use holdfast_ledger::block::{BlockTime, Header, Height};
use holdfast_ledger::execute::Unfit;
use holdfast_ledger::params::Params;
use holdfast_ledger::receipt::{Event, EventPosition, Failure, Receipt, Receipts};
use holdfast_ledger::registry::Node;
use holdfast_ledger::stake::Bond;
use holdfast_ledger::state::RowsError;
use holdfast_ledger::storage::Order;
use holdfast_ledger::transaction::{Transaction, TransactionError, TransactionId};
use holdfast_proofs::committee::CommitteeRecord;
use holdfast_proofs::row::{RowKey, RowProof};
use holdfast_proofs::validators::ValidatorSet;
use holdfast_proofs::vote::Finality;
use tokio::sync::watch;

/// A ledger that can be asked. Everything it shows is decided: no block that was shown is ever another.
///
/// All methods but [`LedgerSource::subscribe`] may block: they are called on threads for that, and by not more than
/// [`crate::Limits::questions_max`] at once. What follows from rows alone is in [`crate::rows`].
pub trait LedgerSource: Send + Sync + 'static {
    /// Where the node stands.
    ///
    /// # Errors
    /// See [`SourceError`], as of all methods here.
    fn status(&self) -> Result<Status, SourceError>;

    /// The block at a height; `None` if it is not decided yet, [`SourceError::Pruned`] if it is not kept any more.
    ///
    /// # Errors
    /// See [`SourceError`].
    fn block(&self, height: Height) -> Result<Option<Block>, SourceError>;

    /// A transaction that is decided in a block that is kept, or waits.
    ///
    /// # Errors
    /// See [`SourceError`].
    fn transaction(&self, id: &TransactionId) -> Result<Option<Found>, SourceError>;

    /// What an account has.
    ///
    /// # Errors
    /// See [`SourceError`].
    fn account(&self, id: &AccountId) -> Result<At<Account>, SourceError>;

    /// What happened to an account, the newest first, at most `max`: transactions that it sent, with all their events, and other
    /// events that [`names`] says name it. Entries before `before`, if that is given.
    ///
    /// # Errors
    /// See [`SourceError`].
    fn history(
        &self,
        id: &AccountId,
        before: Option<Place>,
        max: usize,
    ) -> Result<Vec<HistoryEntry>, SourceError>;

    /// An order that has not ended.
    ///
    /// # Errors
    /// See [`SourceError`].
    fn order(&self, id: &OrderId) -> Result<At<Option<Order>>, SourceError>;

    /// Orders of an account that have not ended, ascending by id, at most `max`, after one if that is given.
    ///
    /// # Errors
    /// See [`SourceError`].
    fn orders(
        &self,
        owner: &AccountId,
        after: Option<&OrderId>,
        max: usize,
    ) -> Result<At<Vec<(OrderId, Order)>>, SourceError>;

    /// A registered node.
    ///
    /// # Errors
    /// See [`SourceError`].
    fn node(&self, id: &NodeId) -> Result<At<Option<Registered>>, SourceError>;

    /// Registered nodes, ascending by id, at most `max`, after one if that is given.
    ///
    /// # Errors
    /// See [`SourceError`].
    fn nodes(&self, after: Option<&NodeId>, max: usize) -> Result<At<Vec<Registered>>, SourceError>;

    /// The committee of the running epoch.
    ///
    /// # Errors
    /// See [`SourceError`].
    fn committee(&self) -> Result<At<CommitteeRecord>, SourceError>;

    /// Who decides about the next block.
    ///
    /// # Errors
    /// See [`SourceError`].
    fn validators(&self) -> Result<At<ValidatorSet>, SourceError>;

    /// The parameters in force.
    ///
    /// # Errors
    /// See [`SourceError`].
    fn params(&self) -> Result<At<Params>, SourceError>;

    /// Events from a position on, that one included, at most `max`. A position behind the last event of its block is that of
    /// the next block's first event. There may be fewer, or none, before the end is reached:
    /// the end is where [`EventPage::next`] is `from`.
    ///
    /// # Errors
    /// [`SourceError::Pruned`] if the position lies before the earliest block that is kept.
    fn events(&self, from: EventPosition, max: usize) -> Result<EventPage, SourceError>;

    /// Takes a transaction, to be in a block. One that waits already is taken again.
    ///
    /// # Errors
    /// See [`SubmitError`].
    fn submit(&self, transaction: Transaction) -> Result<TransactionId, SubmitError>;

    /// A row after the last block, or its absence, with a proof.
    ///
    /// # Errors
    /// See [`SourceError`].
    fn row(&self, key: &RowKey) -> Result<ProvenRow, SourceError>;

    /// Tells the height of each new last block, after it can be read. It must not block.
    fn subscribe(&self) -> watch::Receiver<Height>;
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It is older than what is kept.
    #[error("blocks before {earliest} are not kept")]
    Pruned {
        /// The earliest block that is.
        earliest: Height,
    },
    /// There is nothing to say yet, such as while the node starts.
    #[error("not yet: {0}")]
    NotYet(&'static str),
    /// The node's own state could not be read.
    #[error("the ledger could not be read")]
    Local(#[source] Box<dyn Error + Send + Sync>),
}

impl SourceError {
    /// Wraps the reason.
    pub fn local(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Local(source.into())
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Pruned { .. } => Fault::Peer,
            Self::NotYet(_) => Fault::NotYet,
            Self::Local(_) => Fault::Local,
        }
    }
}

impl From<RowsError> for SourceError {
    fn from(error: RowsError) -> Self {
        Self::local(error)
    }
}

/// Why a transaction was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// It can never be in a block.
    #[error(transparent)]
    Refused(#[from] TransactionError),
    /// It cannot be in the next blocks, as things stand.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// No more can wait.
    #[error("as many transactions wait as may, and this one offers no more than they do")]
    Full,
    /// The node could not judge it.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// Something as it is after a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At<T> {
    /// Which block.
    pub height: Height,
    /// What it is then.
    pub value: T,
}

/// Where a node stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whose ledger it is.
    pub network: NetworkId,
    /// The last block.
    pub tip: Header,
    /// The earliest block that is kept.
    pub earliest: Height,
    /// The running epoch.
    pub epoch: Epoch,
    /// Its committee.
    pub committee: CommitteeId,
    /// Whether the node knows that it lacks blocks.
    pub syncing: bool,
    /// How many transactions wait.
    pub mempool_transactions: usize,
}

/// A block and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What it says of itself.
    pub header: Header,
    /// The decision on it; none for genesis.
    pub finality: Option<Finality>,
    /// In their order.
    pub transactions: Vec<Transaction>,
    /// What became of them, one for each, and the block's own events.
    pub receipts: Receipts,
}

/// Where a transaction stands in a block, or the end of a block, which comes after its transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The block.
    pub height: Height,
    /// Transactions of the block before it.
    pub index: u32,
}

/// A transaction and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What was signed.
    pub transaction: Transaction,
    /// None if it waits.
    pub decided: Option<Decided>,
}

/// Where a transaction stands, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The block.
    pub header: Header,
    /// Transactions before it.
    pub index: u32,
    /// What became of it.
    pub receipt: Receipt,
}

/// What a transaction, or the end of a block, meant to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Where.
    pub place: Place,
    /// The block's time.
    pub time: BlockTime,
    /// The transaction; none for the end of a block.
    pub transaction: Option<TransactionId>,
    /// What the account paid for it; none if it is not the sender.
    pub fee: Option<Amount>,
    /// The rule that it broke.
    pub failure: Option<Failure>,
    /// All events of a transaction that the account sent; of others those that name it.
    pub events: Vec<Event>,
}

/// A node and what is locked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Its row.
    pub node: Node,
    /// Its bond.
    pub bond: Bond,
}

/// An event and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventAt {
    /// Where.
    pub position: EventPosition,
    /// The transaction that brought it about; none if the block itself did.
    pub transaction: Option<TransactionId>,
    /// What happened.
    pub event: Event,
}

/// Some events, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPage {
    /// Them.
    pub events: Vec<EventAt>,
    /// Where to go on.
    pub next: EventPosition,
}

/// A row or its absence, and what shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenRow {
    /// The row's bytes.
    pub row: Option<Vec<u8>>,
    /// The way to the state root.
    pub proof: RowProof,
    /// The header with that root.
    pub header: Header,
    /// The decision on it; none for genesis.
    pub finality: Option<Finality>,
}

/// Whether an event says that an account paid or was paid.
pub fn names(event: &Event, account: &AccountId) -> bool {
    match event {
        Event::Transferred(transferred) => transferred.from == *account || transferred.to == *account,
        Event::Rewarded(rewarded) => rewarded.to == *account,
        Event::OrderPaid(paid) => paid.to == *account,
        Event::NodeChanged(_)
        | Event::Bonded(_)
        | Event::Slashed(_)
        | Event::OrderChanged(_)
        | Event::OrderActive(_)
        | Event::OrderEnded(_)
        | Event::Decided(_)
        | Event::EpochBegan(_) => false,
    }
}
