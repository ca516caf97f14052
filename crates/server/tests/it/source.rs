//! A ledger in memory that can be asked, and told to misbehave.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};

use holdfast_core::ed25519::SecretKey;
use holdfast_core::id::{Amount, NodeId, OrderId};
use holdfast_core::purpose::Signable;
use holdfast_ledger::account::{Account, AccountId};
use holdfast_ledger::block::Height;
use holdfast_ledger::epoch::{Running, validators};
use holdfast_ledger::execute::{Executed, Unfit};
use holdfast_ledger::params::Params;
use holdfast_ledger::receipt::{Event, EventPosition, Receipts, Rewarded};
use holdfast_ledger::state::{RowKey, State};
use holdfast_ledger::storage::Order;
use holdfast_ledger::testing::TestChain;
use holdfast_ledger::transaction::{CheckedTransaction, Payload, Transaction, TransactionId};
use holdfast_ledger::{accounts, testing};
use holdfast_proofs::committee::CommitteeRecord;
use holdfast_proofs::header::Round;
use holdfast_proofs::validators::{ValidatorSet, Validators};
use holdfast_proofs::vote::{Finality, Step, Vote};
use holdfast_server::source::{
    At, Block, Decided, EventAt, EventPage, Found, HistoryEntry, Place, ProvenRow, Registered, SourceError,
    Status, SubmitError, names,
};
use holdfast_server::{LedgerSource, rows};
use tokio::sync::watch;

/// Most transactions that wait.
pub(crate) const MEMPOOL_MAX: usize = 2;

pub(crate) struct MemorySource {
    ledger: Mutex<Ledger>,
    tips: watch::Sender<Height>,
    /// Questions wait while this is true.
    held: (Mutex<bool>, Condvar),
    /// Every question fails.
    pub(crate) broken: AtomicBool,
    /// Every question panics.
    pub(crate) panics: AtomicBool,
    /// Events never end.
    pub(crate) endless: AtomicBool,
    /// Pages of events that were asked for.
    pub(crate) pages: AtomicUsize,
}

struct Ledger {
    chain: TestChain,
    blocks: Vec<Block>,
    waiting: Vec<CheckedTransaction>,
    earliest: Height,
}

impl Ledger {
    fn state(&self) -> State<'_> {
        self.chain.state()
    }

    fn at<T>(&self, value: T) -> At<T> {
        At { height: self.chain.ledger.header().height, value }
    }

    /// The block at a height, if it is kept and there.
    fn block(&self, height: Height) -> Result<Option<&Block>, SourceError> {
        let earliest = self.earliest;
        if height < earliest {
            return Err(SourceError::Pruned { earliest });
        }
        Ok(usize::try_from(height.0).ok().and_then(|height| self.blocks.get(height)))
    }

    fn decided(&mut self, executed: &Executed) -> Height {
        let block = executed.block();
        let header = block.header.clone();
        let network = &self.chain.test.network;
        let vote = Vote {
            height: header.height,
            round: Round(0),
            step: Step::Precommit,
            block: Some(header.hash()),
        };
        let input = vote.signing_input(&network.genesis.network());
        let votes: Vec<_> = network.secrets.iter().map(|secret| secret.sign(&input)).enumerate().collect();
        let set = Validators::of_genesis(&network.genesis, &network.proofs).unwrap();
        let transactions = block.transactions.iter().map(|checked| checked.transaction().clone()).collect();
        let height = header.height;
        self.blocks.push(Block {
            header,
            finality: Some(Finality::of(Round(0), &votes, &set).unwrap()),
            transactions,
            receipts: executed.receipts().clone(),
        });
        height
    }
}

impl MemorySource {
    /// A ledger of four nodes at height 0.
    pub(crate) fn new(params: Params) -> Self {
        let chain = TestChain::new(4, params);
        let header = chain.ledger.header().clone();
        let genesis =
            Block { header, finality: None, transactions: Vec::new(), receipts: Receipts::default() };
        let ledger = Ledger { chain, blocks: vec![genesis], waiting: Vec::new(), earliest: Height(0) };
        Self {
            ledger: Mutex::new(ledger),
            tips: watch::Sender::new(Height(0)),
            held: (Mutex::new(false), Condvar::new()),
            broken: AtomicBool::new(false),
            panics: AtomicBool::new(false),
            endless: AtomicBool::new(false),
            pages: AtomicUsize::new(0),
        }
    }

    /// Something that the test does to the chain.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut TestChain) -> T) -> T {
        work(&mut self.ledger.lock().unwrap().chain)
    }

    /// The next transaction of an account, unsent.
    pub(crate) fn transaction(&self, key: &SecretKey, payload: Payload) -> CheckedTransaction {
        self.with(|chain| chain.transaction(key, payload))
    }

    /// A block with these transactions, a second later.
    pub(crate) fn block_of(&self, transactions: Vec<CheckedTransaction>) -> Height {
        let mut ledger = self.ledger.lock().unwrap();
        let executed = ledger.chain.block(1000, transactions);
        let height = ledger.decided(&executed);
        drop(ledger);
        self.tips.send_replace(height);
        height
    }

    /// A block with one transaction, which it names.
    pub(crate) fn send(&self, key: &SecretKey, payload: Payload) -> TransactionId {
        let transaction = self.transaction(key, payload);
        let id = transaction.id();
        self.block_of(vec![transaction]);
        id
    }

    /// A block with everything that waits.
    pub(crate) fn decide(&self) -> Height {
        let waiting = std::mem::take(&mut self.ledger.lock().unwrap().waiting);
        self.block_of(waiting)
    }

    /// Forgets blocks before one.
    pub(crate) fn prune(&self, earliest: u64) {
        self.ledger.lock().unwrap().earliest = Height(earliest);
    }

    /// Holds all questions, or lets them go.
    pub(crate) fn hold(&self, held: bool) {
        *self.held.0.lock().unwrap() = held;
        self.held.1.notify_all();
    }

    /// The ledger, for one question.
    fn ask(&self) -> Result<MutexGuard<'_, Ledger>, SourceError> {
        let held = self.held.0.lock().unwrap();
        drop(self.held.1.wait_while(held, |held| *held).unwrap());
        assert!(!self.panics.load(Ordering::Relaxed), "the test wants it");
        if self.broken.load(Ordering::Relaxed) {
            return Err(SourceError::local("a secret detail"));
        }
        Ok(self.ledger.lock().unwrap())
    }

    /// Events for a reader that never catches up.
    fn endless(from: EventPosition, max: usize) -> EventPage {
        let event = Event::Rewarded(Rewarded {
            to: AccountId::of(testing::rich().public()),
            issued: Amount(u128::MAX),
            fees: Amount::ZERO,
        });
        let last = from.index + u32::try_from(max).unwrap();
        let at = |index| EventPosition { height: from.height, index };
        let told = |index| EventAt { position: at(index), transaction: None, event: event.clone() };
        EventPage { events: (from.index..last).map(told).collect(), next: at(last) }
    }
}

impl LedgerSource for MemorySource {
    fn status(&self) -> Result<Status, SourceError> {
        let ledger = self.ask()?;
        let running = Running::of(&ledger.state())?;
        Ok(Status {
            network: running.network,
            tip: ledger.chain.ledger.header().clone(),
            earliest: ledger.earliest,
            epoch: running.epoch,
            committee: running.committee,
            syncing: false,
            mempool_transactions: ledger.waiting.len(),
        })
    }

    fn block(&self, height: Height) -> Result<Option<Block>, SourceError> {
        Ok(self.ask()?.block(height)?.cloned())
    }

    fn transaction(&self, id: &TransactionId) -> Result<Option<Found>, SourceError> {
        let ledger = self.ask()?;
        if let Some(waiting) = ledger.waiting.iter().find(|checked| checked.id() == *id) {
            return Ok(Some(Found { transaction: waiting.transaction().clone(), decided: None }));
        }
        for block in &ledger.blocks {
            let found =
                (0..).zip(&block.receipts.transactions).find(|(_, receipt)| receipt.transaction == *id);
            if let Some((index, receipt)) = found {
                let (header, receipt) = (block.header.clone(), receipt.clone());
                let transaction = block.transactions[usize::try_from(index).unwrap()].clone();
                let decided = Some(Decided { header, index, receipt });
                return Ok(Some(Found { transaction, decided }));
            }
        }
        Ok(None)
    }

    fn account(&self, id: &AccountId) -> Result<At<Account>, SourceError> {
        let ledger = self.ask()?;
        let account = accounts::account(&ledger.state(), id)?;
        Ok(ledger.at(account))
    }

    fn history(
        &self,
        id: &AccountId,
        before: Option<Place>,
        max: usize,
    ) -> Result<Vec<HistoryEntry>, SourceError> {
        let ledger = self.ask()?;
        let mut entries = Vec::new();
        for block in &ledger.blocks {
            let (height, time) = (block.header.height, block.header.time);
            let named = |events: &[Event]| -> Vec<_> {
                events.iter().filter(|event| names(event, id)).cloned().collect()
            };
            let mut index = 0;
            for (transaction, receipt) in block.transactions.iter().zip(&block.receipts.transactions) {
                let sent = transaction.body.sender == *id;
                entries.push(HistoryEntry {
                    place: Place { height, index },
                    time,
                    transaction: Some(receipt.transaction),
                    fee: sent.then_some(transaction.body.fee),
                    failure: receipt.failure,
                    events: if sent { receipt.events.to_vec() } else { named(&receipt.events) },
                });
                index += 1;
            }
            let (place, events) = (Place { height, index }, named(&block.receipts.events));
            entries.push(HistoryEntry { place, time, transaction: None, fee: None, failure: None, events });
        }
        entries.retain(|entry| entry.fee.is_some() || !entry.events.is_empty());
        entries.retain(|entry| before.is_none_or(|before| entry.place < before));
        entries.reverse();
        entries.truncate(max);
        Ok(entries)
    }

    fn order(&self, id: &OrderId) -> Result<At<Option<Order>>, SourceError> {
        let ledger = self.ask()?;
        let order = Order::get(&ledger.state(), id)?;
        Ok(ledger.at(order))
    }

    fn orders(
        &self,
        owner: &AccountId,
        after: Option<&OrderId>,
        max: usize,
    ) -> Result<At<Vec<(OrderId, Order)>>, SourceError> {
        let ledger = self.ask()?;
        let mut key = after.map(|id| id.as_bytes().to_vec()).unwrap_or_default();
        let mut orders = Vec::new();
        while let Some((next, order)) = ledger.state().after::<Order>(&key)? {
            if order.owner == *owner && orders.len() < max {
                orders.push((OrderId::new(next[..].try_into().unwrap()), order));
            }
            key = next;
        }
        Ok(ledger.at(orders))
    }

    fn node(&self, id: &NodeId) -> Result<At<Option<Registered>>, SourceError> {
        let ledger = self.ask()?;
        let node = rows::node(&ledger.state(), id)?;
        Ok(ledger.at(node))
    }

    fn nodes(&self, after: Option<&NodeId>, max: usize) -> Result<At<Vec<Registered>>, SourceError> {
        let ledger = self.ask()?;
        let nodes = rows::nodes(&ledger.state(), after, max)?;
        Ok(ledger.at(nodes))
    }

    fn committee(&self) -> Result<At<CommitteeRecord>, SourceError> {
        let ledger = self.ask()?;
        let record = rows::committee(&ledger.state())?;
        Ok(ledger.at(record))
    }

    fn validators(&self) -> Result<At<ValidatorSet>, SourceError> {
        let ledger = self.ask()?;
        let set = validators(&ledger.state())?;
        Ok(ledger.at(set))
    }

    fn params(&self) -> Result<At<Params>, SourceError> {
        let ledger = self.ask()?;
        let params = Params::of(&ledger.state())?;
        Ok(ledger.at(params))
    }

    fn events(&self, from: EventPosition, max: usize) -> Result<EventPage, SourceError> {
        self.pages.fetch_add(1, Ordering::Relaxed);
        let ledger = self.ask()?;
        if self.endless.load(Ordering::Relaxed) {
            return Ok(Self::endless(from, max));
        }
        let (mut events, mut next) = (Vec::new(), from);
        while let Some(block) = ledger.block(next.height)? {
            let more = rows::events(&block.header, &block.receipts, next.index, max - events.len());
            events.extend(more);
            if events.len() == max {
                let EventPosition { height, index } = events.last().map_or(from, |last| last.position);
                next = EventPosition { height, index: index + 1 };
                break;
            }
            next = EventPosition { height: next.height.next().unwrap(), index: 0 };
        }
        Ok(EventPage { events, next })
    }

    fn submit(&self, transaction: Transaction) -> Result<TransactionId, SubmitError> {
        let mut ledger = self.ask()?;
        let checked = transaction.check(&ledger.chain.test.network.genesis.network())?;
        let (id, body) = (checked.id(), checked.body());
        if ledger.waiting.iter().any(|waiting| waiting.id() == id) {
            return Ok(id);
        }
        let account = accounts::account(&ledger.state(), &body.sender).map_err(SourceError::from)?;
        let params = Params::of(&ledger.state()).map_err(SourceError::from)?;
        let needed = params.fee(checked.bytes()).unwrap();
        if account.nonce != body.nonce {
            return Err(Unfit::Nonce { expected: account.nonce, found: body.nonce }.into());
        }
        if body.valid_until <= ledger.chain.ledger.header().height {
            return Err(Unfit::Expired { until: body.valid_until }.into());
        }
        if body.fee < needed {
            return Err(Unfit::Fee { needed, offered: body.fee }.into());
        }
        if account.balance < body.fee {
            return Err(Unfit::Unpayable.into());
        }
        if ledger.waiting.len() == MEMPOOL_MAX {
            return Err(SubmitError::Full);
        }
        ledger.waiting.push(checked);
        Ok(id)
    }

    fn row(&self, key: &RowKey) -> Result<ProvenRow, SourceError> {
        let ledger = self.ask()?;
        let finality = ledger.blocks.last().and_then(|block| block.finality.clone());
        Ok(rows::prove(ledger.chain.ledger.parent(), finality, key)?)
    }

    fn subscribe(&self) -> watch::Receiver<Height> {
        self.tips.subscribe()
    }
}
