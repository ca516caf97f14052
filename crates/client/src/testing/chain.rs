//! A ledger in memory that answers the chain protocol.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use holdfast_core::codec::{self, Bounded, Text};
use holdfast_core::id::Epoch;
use holdfast_core::purpose::Signable;
use holdfast_ledger::account::{Account, AccountId};
use holdfast_ledger::accounts;
use holdfast_ledger::block::{BlockTime, Height, Round};
use holdfast_ledger::epoch::{Running, validators};
use holdfast_ledger::params::Params;
use holdfast_ledger::receipt::{EventPosition, Receipt};
use holdfast_ledger::state::{RowKey, Rows};
use holdfast_ledger::storage::{Order, order_id};
use holdfast_ledger::testing::TestChain;
use holdfast_ledger::transaction::{CheckedTransaction, Payload, Transaction, TransactionId};
use holdfast_ledger::tree;
use holdfast_net::frames::split;
use holdfast_net::{Net, Stream};
use holdfast_proofs::light::SignedHeader;
use holdfast_proofs::testing;
use holdfast_proofs::validators::Validators;
use holdfast_proofs::vote::{Finality, Step, Vote};
use holdfast_protocol::chain::{
    BlockAnswer, Blocks, ChainReply, ChainRequest, ChainStatus, EventPage, HistoryEntry, HistoryPage,
    HistoryQuery, OrderPage, OrdersQuery, PAGE_MAX, PROTOCOL, PlacedEvent, RowAnswer, TransactionState,
};
use serde_bytes::ByteBuf;

/// The ledger, all that happened on it, and the transactions that wait.
pub struct StubChain {
    /// Its rows and secrets.
    pub chain: TestChain,
    /// What waits for the next block. A test may empty it.
    pub waiting: Vec<CheckedTransaction>,
    /// While this is set no block is made, so that transactions wait.
    pub halted: bool,
    headers: Vec<SignedHeader>,
    blocks: Vec<BlockAnswer>,
    receipts: BTreeMap<TransactionId, (Height, Receipt)>,
    history: Vec<HistoryEntry>,
    events: Vec<PlacedEvent>,
}

impl StubChain {
    pub(super) fn new(chain: TestChain) -> Self {
        let (waiting, headers, blocks) = (Vec::new(), Vec::new(), Vec::new());
        let (receipts, history, events) = (BTreeMap::new(), Vec::new(), Vec::new());
        let mut stub = Self { chain, waiting, halted: false, headers, blocks, receipts, history, events };
        stub.grow();
        stub
    }

    /// Makes a block of what waits, unless it is halted.
    pub fn grow(&mut self) {
        if self.halted {
            return;
        }
        let set = validators(&self.chain.state()).unwrap();
        let (mut fit, mut rest) = (Vec::new(), Vec::new());
        let mut nonces = BTreeMap::new();
        for waiting in std::mem::take(&mut self.waiting) {
            let sender = waiting.body().sender;
            let nonce = nonces.entry(sender).or_insert_with(|| self.account(&sender).nonce);
            if waiting.body().nonce == *nonce {
                *nonce += 1;
                fit.push(waiting);
            } else if waiting.body().nonce > *nonce {
                rest.push(waiting);
            }
        }
        self.waiting = rest;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let BlockTime(parent) = self.chain.ledger.header().time;
        let later = u64::try_from(now).unwrap().saturating_sub(parent).max(1);
        let executed = self.chain.block(later, fit);
        let header = executed.block().header.clone();

        let (height, block) = (header.height, Some(header.hash()));
        let vote = Vote { height, round: Round(0), step: Step::Precommit, block };
        let input = vote.signing_input(&self.chain.test.network.genesis.network());
        let sign = |node| testing::keys(self.chain.test.number(node)).1.sign(&input);
        let votes: Vec<_> =
            set.validators.iter().enumerate().map(|(place, one)| (place, sign(&one.node))).collect();
        let finality = Finality::of(Round(0), &votes, &Validators::admitted(set).unwrap()).unwrap();

        let transactions = executed.block().transactions.iter().zip(executed.receipts().transactions.iter());
        for (index, (transaction, receipt)) in (0..).zip(transactions) {
            self.receipts.insert(transaction.id(), (height, receipt.clone()));
            let position = EventPosition { height, index };
            let transaction = transaction.transaction().clone();
            self.history.push(HistoryEntry { position, transaction, receipt: receipt.clone() });
        }
        let events = (0..).zip(executed.receipts().events());
        self.events.extend(events.map(|(index, event)| PlacedEvent {
            position: EventPosition { height, index },
            event: event.clone(),
        }));
        let block = ByteBuf::from(executed.block().to_bytes());
        self.blocks.push(BlockAnswer { block, finality: ByteBuf::from(finality.to_bytes()) });
        self.headers.push(SignedHeader { header, finality });
    }

    /// What an account has.
    pub fn account(&self, id: &AccountId) -> Account {
        accounts::account(&self.chain.state(), id).unwrap()
    }

    /// The running epoch.
    pub fn epoch(&self) -> Epoch {
        Running::of(&self.chain.state()).unwrap().epoch
    }

    /// Blocks so far, but for genesis.
    pub fn height(&self) -> Height {
        self.chain.ledger.header().height
    }

    /// Transactions of an account that were executed.
    pub fn sent_by(&self, account: &AccountId) -> Vec<Transaction> {
        let own = self.history.iter().filter(|entry| entry.transaction.body.sender == *account);
        own.map(|entry| entry.transaction.clone()).collect()
    }

    fn submit(&mut self, transaction: Transaction) -> ChainReply {
        let refuse = |why: &str| ChainReply::Refused(Text::cut(why));
        let network = self.chain.test.network.genesis.network();
        let Ok(checked) = transaction.check(&network) else { return refuse("not signed by its sender") };
        let account = self.account(&checked.body().sender);
        let fee = Params::of(&self.chain.state()).unwrap().fee(checked.bytes()).unwrap();
        if checked.body().nonce < account.nonce {
            return refuse("its nonce was used");
        }
        if checked.body().fee < fee || account.balance < checked.body().fee {
            return refuse("its fee cannot be taken");
        }
        let id = checked.id();
        let turn = |one: &CheckedTransaction| (one.body().sender, one.body().nonce);
        match self.waiting.iter().find(|waiting| turn(waiting) == turn(&checked)) {
            Some(waiting) if waiting.id() != id => return refuse("another one with its nonce waits"),
            Some(_) => {}
            None => self.waiting.push(checked),
        }
        ChainReply::Submitted(id)
    }

    fn last(&self) -> &SignedHeader {
        self.headers.last().unwrap()
    }

    /// The answer to a question, and data that follows.
    fn answer(&mut self, request: ChainRequest) -> (ChainReply, Option<Vec<u8>>) {
        let at = |height: Height| usize::try_from(height.0).ok().and_then(|height| height.checked_sub(1));
        let reply = match request {
            ChainRequest::Status(()) => {
                let header = &self.last().header;
                ChainReply::Status(ChainStatus {
                    network: self.chain.test.network.genesis.network(),
                    height: header.height,
                    hash: header.hash(),
                    time: header.time,
                    epoch: self.epoch(),
                    earliest: Height(0),
                    waiting: u32::try_from(self.waiting.len()).unwrap(),
                })
            }
            ChainRequest::Row(query) => {
                let key = RowKey::from_bytes(query.key).unwrap();
                let row = Rows::get(&self.chain.ledger, &key).unwrap().map(ByteBuf::from);
                let proof = tree::prove(&self.chain.ledger, &key).unwrap();
                let header = self.last().clone();
                return data(&RowAnswer { handovers: Bounded::default(), header, row, proof });
            }
            ChainRequest::Header(None) => ChainReply::Header(Some(self.last().clone())),
            ChainRequest::Header(Some(height)) => {
                ChainReply::Header(at(height).and_then(|at| self.headers.get(at)).cloned())
            }
            ChainRequest::Submit(transaction) => self.submit(transaction),
            ChainRequest::SubmitMany(_)
            | ChainRequest::Undecided(_)
            | ChainRequest::Snapshot(_)
            | ChainRequest::Chunk(_)
            | ChainRequest::Validators(_) => ChainReply::Unavailable(Text::cut("only nodes ask that")),
            ChainRequest::Transaction(id) => {
                let waits = || self.waiting.iter().any(|waiting| waiting.id() == id);
                let state = match self.receipts.get(&id) {
                    Some((height, receipt)) => {
                        Some(TransactionState { height: Some(*height), receipt: Some(receipt.clone()) })
                    }
                    None => waits().then_some(TransactionState { height: None, receipt: None }),
                };
                ChainReply::Transaction(state)
            }
            ChainRequest::Blocks(query) => {
                let blocks = self.blocks.iter().skip(at(query.from).unwrap_or(0));
                let blocks = blocks.take(query.most.into()).cloned().collect();
                return data(&Blocks { blocks: Bounded::new(blocks).unwrap() });
            }
            ChainRequest::Events(from) => {
                let first = self.events.partition_point(|placed| placed.position < from);
                let events: Vec<_> = self.events[first..].iter().take(PAGE_MAX).cloned().collect();
                let next = match events.last() {
                    Some(PlacedEvent { position, .. }) => {
                        EventPosition { index: position.index + 1, ..*position }
                    }
                    None => from,
                };
                return data(&EventPage { events: Bounded::new(events).unwrap(), next });
            }
            ChainRequest::Orders(OrdersQuery { account, after }) => {
                let made = self.history.iter().filter(|entry| {
                    entry.transaction.body.sender == account
                        && matches!(entry.transaction.body.payload, Payload::PlaceOrder(_))
                });
                let mut orders: Vec<_> = made.map(|entry| order_id(entry.receipt.transaction)).collect();
                orders.retain(|id| after.is_none_or(|after| *id > after));
                orders.retain(|id| Order::get(&self.chain.state(), id).unwrap().is_some());
                orders.sort();
                return data(&OrderPage { orders: Bounded::new(orders).unwrap(), next: None });
            }
            ChainRequest::History(HistoryQuery { account, before }) => {
                let own = self.history.iter().rev().filter(|entry| {
                    entry.transaction.body.sender == account
                        && before.is_none_or(|before| entry.position < before)
                });
                let mut entries: Vec<_> = own.take(PAGE_MAX + 1).cloned().collect();
                let more = entries.len() > PAGE_MAX;
                entries.truncate(PAGE_MAX);
                let next = entries.last().filter(|_| more).map(|entry| entry.position);
                return data(&HistoryPage { entries: Bounded::new(entries).unwrap(), next });
            }
        };
        (reply, None)
    }
}

fn data<T: serde::Serialize>(answer: &T) -> (ChainReply, Option<Vec<u8>>) {
    let bytes = codec::encode(answer);
    (ChainReply::Data(u32::try_from(bytes.len()).unwrap()), Some(bytes))
}

/// Answers one member's questions.
pub(super) async fn serve(chain: Arc<Mutex<StubChain>>, net: Net) {
    let mut incoming = net.accept(PROTOCOL);
    while let Some((_, stream)) = incoming.next().await {
        tokio::spawn(converse(chain.clone(), stream));
    }
}

async fn converse(chain: Arc<Mutex<StubChain>>, stream: Stream) {
    let (mut reader, mut writer) = split(stream);
    let Ok(Some(request)) = reader.message::<ChainRequest>().await else { return };
    let (reply, data) = chain.lock().unwrap().answer(request);
    let _ = async {
        writer.message(&reply).await?;
        for part in data.unwrap_or_default().chunks(1 << 20) {
            writer.data(part).await?;
        }
        writer.close().await
    }
    .await; // whoever asked may have gone
}
