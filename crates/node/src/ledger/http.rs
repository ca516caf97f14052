//! What the HTTP API asks, answered from this node's ledger.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use holdfast_chain::{Explorer, View};
use holdfast_consensus::mempool::AdmitError;
use holdfast_core::id::{NodeId, OrderId};
use holdfast_ledger::account::{Account, AccountId};
use holdfast_ledger::accounts::account;
use holdfast_ledger::block::{Block as LedgerBlock, Header, Height};
use holdfast_ledger::epoch;
use holdfast_ledger::execute::Unfit;
use holdfast_ledger::params::Params;
use holdfast_ledger::receipt::{EventPosition, Receipts};
use holdfast_ledger::state::State;
use holdfast_ledger::storage::Order;
use holdfast_ledger::transaction::{Body, Transaction, TransactionId};
use holdfast_proofs::committee::CommitteeRecord;
use holdfast_proofs::row::RowKey;
use holdfast_proofs::validators::ValidatorSet;
use holdfast_proofs::vote::Finality;
use holdfast_server::source::{
    At, Block, Decided, EventPage, Found, HistoryEntry, LedgerSource, Place, ProvenRow, Registered,
    SourceError, Status, SubmitError, names,
};
use holdfast_server::{Limits, rows, serve};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::look_up::{ExploreError, is_in, nth};
use super::pool::PoolError;
use super::{Ledger, LedgerError};

/// Blocks that are looked through for one page of events.
const BLOCKS_MAX: u64 = 1024;

/// Listens for HTTP, and notes where in `noted`.
pub(super) async fn start(
    ledger: Arc<Ledger>,
    gossip: mpsc::Sender<Transaction>,
    listen: SocketAddr,
    noted: &Path,
    (tasks, stop): (&TaskTracker, &CancellationToken),
) -> Result<(), LedgerError> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    holdfast_store::write_file(noted, format!("http://{address}\n").as_bytes())?;
    let stop = stop.clone().cancelled_owned();
    tasks.spawn(serve(listener, Arc::new(Api { ledger, gossip }), Limits::default(), stop));
    Ok(())
}

struct Api {
    ledger: Arc<Ledger>,
    gossip: mpsc::Sender<Transaction>,
}

/// Wraps what went wrong with this node's own ledger.
fn local(error: impl std::error::Error + Send + Sync + 'static) -> SourceError {
    SourceError::local(error)
}

impl Api {
    fn view(&self) -> Result<View, SourceError> {
        self.ledger.view().map_err(local)
    }

    /// Something that the rows after the last block say.
    fn at<T>(
        &self,
        read: impl FnOnce(&State<'_>) -> Result<T, holdfast_ledger::state::RowsError>,
    ) -> Result<At<T>, SourceError> {
        let view = self.view()?;
        Ok(At { height: view.header().height, value: read(&State::over(&view))? })
    }

    fn finality(view: &View, height: Height) -> Result<Option<Finality>, SourceError> {
        let bytes = view.finality_at(height).map_err(local)?;
        bytes.map(|bytes| Finality::from_bytes(&bytes).map_err(local)).transpose()
    }

    fn receipts(&self, view: &View, height: Height) -> Result<Receipts, SourceError> {
        if height == Height(0) {
            return Ok(Receipts::default());
        }
        let receipts = view.receipts_at(height).map_err(local)?;
        receipts.ok_or_else(|| self.pruned())
    }

    /// Older blocks were pruned, or came with the state, and not one by one.
    fn pruned(&self) -> SourceError {
        match self.ledger.earliest() {
            Ok(earliest) => SourceError::Pruned { earliest },
            Err(error) => local(error),
        }
    }

    fn explored(&self, view: &View) -> Result<&Explorer, SourceError> {
        self.ledger.explored(view).map_err(|error| match error {
            ExploreError::Behind => SourceError::NotYet("the index of transactions is behind"),
            ExploreError::Chain(error) => local(error),
        })
    }

    fn transactions(view: &View, height: Height) -> Result<Option<Vec<Transaction>>, SourceError> {
        let Some(bytes) = view.block_at(height).map_err(local)? else { return Ok(None) };
        let block = LedgerBlock::from_bytes(&bytes).map_err(local)?;
        Ok(Some(block.transactions.into_inner()))
    }

    fn header(view: &View, height: Height) -> Result<Header, SourceError> {
        let header = view.header_at(height).map_err(local)?;
        header.ok_or_else(|| SourceError::local("a header is missing"))
    }

    /// What one place meant to an account.
    fn entry(&self, view: &View, id: &AccountId, place: Place) -> Result<HistoryEntry, SourceError> {
        let Place { height, index } = place;
        let receipts = self.receipts(view, height)?;
        let time = Self::header(view, height)?.time;
        let nth = nth(index);
        let mut entry =
            HistoryEntry { place, time, transaction: None, fee: None, failure: None, events: Vec::new() };
        match receipts.transactions.get(nth) {
            Some(receipt) => {
                let transactions = Self::transactions(view, height)?.ok_or_else(|| self.pruned())?;
                let sent = transactions.get(nth).filter(|transaction| transaction.body.sender == *id);
                entry.transaction = Some(receipt.transaction);
                entry.fee = sent.map(|transaction| transaction.body.fee);
                entry.failure = receipt.failure;
                let named = receipt.events.iter().filter(|event| sent.is_some() || names(event, id));
                entry.events = named.cloned().collect();
            }
            None => entry.events = receipts.events.iter().filter(|event| names(event, id)).cloned().collect(),
        }
        Ok(entry)
    }
}

impl LedgerSource for Api {
    fn status(&self) -> Result<Status, SourceError> {
        let tip = self.ledger.tip();
        Ok(Status {
            network: *self.ledger.network(),
            earliest: self.ledger.earliest().map_err(local)?,
            epoch: tip.running.epoch,
            committee: tip.running.committee,
            syncing: self.ledger.is_behind(),
            mempool_transactions: self.ledger.pool.len(),
            tip: tip.header,
        })
    }

    fn block(&self, height: Height) -> Result<Option<Block>, SourceError> {
        let view = self.view()?;
        let Some(header) = view.header_at(height).map_err(local)? else {
            return if height > view.header().height { Ok(None) } else { Err(self.pruned()) };
        };
        let transactions = match height {
            Height(0) => Vec::new(),
            _ => Self::transactions(&view, height)?.ok_or_else(|| self.pruned())?,
        };
        let receipts = self.receipts(&view, height)?;
        Ok(Some(Block { header, finality: Self::finality(&view, height)?, transactions, receipts }))
    }

    fn transaction(&self, id: &TransactionId) -> Result<Option<Found>, SourceError> {
        // Before the blocks, so that one that leaves the pool meanwhile is found there.
        let waiting = self.ledger.pool.get(id);
        let view = self.view()?;
        let place = self.explored(&view)?.transaction(id).map_err(local)?;
        let Some(place) = place.filter(|place| is_in(&view, place)) else {
            return Ok(waiting.map(|transaction| Found { transaction, decided: None }));
        };
        let nth = nth(place.index);
        let transactions = Self::transactions(&view, place.height)?.ok_or_else(|| self.pruned())?;
        let receipts = self.receipts(&view, place.height)?;
        let (Some(transaction), Some(receipt)) = (transactions.get(nth), receipts.transactions.get(nth))
        else {
            return Err(SourceError::local("a transaction is not where the index says"));
        };
        let header = Self::header(&view, place.height)?;
        let decided = Some(Decided { header, index: place.index, receipt: receipt.clone() });
        Ok(Some(Found { transaction: transaction.clone(), decided }))
    }

    fn account(&self, id: &AccountId) -> Result<At<Account>, SourceError> {
        self.at(|state| account(state, id))
    }

    fn history(
        &self,
        id: &AccountId,
        before: Option<Place>,
        max: usize,
    ) -> Result<Vec<HistoryEntry>, SourceError> {
        let view = self.view()?;
        let before = before.map(|Place { height, index }| holdfast_chain::Place { height, index });
        let places = self.explored(&view)?.account(id, before, max).map_err(local)?;
        let committed = places.into_iter().filter(|place| is_in(&view, place));
        let entry = |holdfast_chain::Place { height, index }| self.entry(&view, id, Place { height, index });
        committed.map(entry).collect()
    }

    fn order(&self, id: &OrderId) -> Result<At<Option<Order>>, SourceError> {
        self.at(|state| Order::get(state, id))
    }

    fn orders(
        &self,
        owner: &AccountId,
        after: Option<&OrderId>,
        max: usize,
    ) -> Result<At<Vec<(OrderId, Order)>>, SourceError> {
        let mut after = after.copied();
        let mut orders = Vec::new();
        let view = self.view()?;
        let state = State::over(&view);
        let explorer = self.explored(&view)?;
        while orders.len() < max {
            let ids = explorer.orders(owner, after.as_ref(), max - orders.len()).map_err(local)?;
            if ids.is_empty() {
                break;
            }
            for id in ids {
                after = Some(id);
                orders.extend(Order::get(&state, &id)?.map(|order| (id, order))); // it may have ended
            }
        }
        Ok(At { height: view.header().height, value: orders })
    }

    fn node(&self, id: &NodeId) -> Result<At<Option<Registered>>, SourceError> {
        self.at(|state| rows::node(state, id))
    }

    fn nodes(&self, after: Option<&NodeId>, max: usize) -> Result<At<Vec<Registered>>, SourceError> {
        self.at(|state| rows::nodes(state, after, max))
    }

    fn committee(&self) -> Result<At<CommitteeRecord>, SourceError> {
        self.at(rows::committee)
    }

    fn validators(&self) -> Result<At<ValidatorSet>, SourceError> {
        self.at(epoch::validators)
    }

    fn params(&self) -> Result<At<Params>, SourceError> {
        self.at(Params::of)
    }

    fn events(&self, from: EventPosition, max: usize) -> Result<EventPage, SourceError> {
        let view = self.view()?;
        let last = view.header().height.0.min(from.height.0.saturating_add(BLOCKS_MAX));
        let (mut events, mut next) = (Vec::new(), from);
        for height in from.height.0..=last {
            let header = Self::header(&view, Height(height))?;
            let first = if header.height == from.height { from.index } else { 0 };
            let left = max - events.len();
            let found = rows::events(&header, &self.receipts(&view, header.height)?, first, left);
            let full = found.len() == left;
            events.extend(found);
            if full {
                if let Some(last) = events.last() {
                    next = EventPosition { index: last.position.index + 1, ..last.position };
                }
                break;
            }
            next = EventPosition { height: Height(height + 1), index: 0 };
        }
        Ok(EventPage { events, next })
    }

    fn submit(&self, transaction: Transaction) -> Result<TransactionId, SubmitError> {
        let checked = transaction.clone().check(self.ledger.network())?;
        let Body { fee: offered, .. } = transaction.body;
        let admitted = self.ledger.pool.admit(&self.view()?, checked);
        let (id, new) = admitted.map_err(|error| match error {
            PoolError::Rows(error) => SubmitError::Source(error.into()),
            PoolError::Admit(error) => match error {
                AdmitError::Used { next: expected, found } | AdmitError::Gap { next: expected, found } => {
                    Unfit::Nonce { expected, found }.into()
                }
                AdmitError::Expired { until } => Unfit::Expired { until }.into(),
                AdmitError::Fee { needed } | AdmitError::Underpriced { needed } => {
                    Unfit::Fee { needed, offered }.into()
                }
                AdmitError::Unpayable => Unfit::Unpayable.into(),
                AdmitError::SenderFull | AdmitError::Full | AdmitError::Known => SubmitError::Full,
            },
        })?;
        if new && self.gossip.try_send(transaction).is_err() {
            tracing::debug!("too many transactions at once; one is not passed on");
        }
        Ok(id)
    }

    fn row(&self, key: &RowKey) -> Result<ProvenRow, SourceError> {
        let view = self.view()?;
        let finality = Self::finality(&view, view.header().height)?;
        Ok(rows::prove(view.parent(), finality, key)?)
    }

    fn subscribe(&self) -> watch::Receiver<Height> {
        self.ledger.heights()
    }
}
