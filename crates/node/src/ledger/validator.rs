//! Performs what the consensus engine decides: makes, fetches and executes blocks, has the enclave sign, keeps the log, and
//! commits what is decided.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use holdfast_client::ledger::LedgerClient;
use holdfast_consensus::authority::{Authority, Config, Identity};
use holdfast_consensus::engine::{Ask, Effect, Engine, Input, ToSign};
use holdfast_consensus::record::Record;
use holdfast_core::explain;
use holdfast_core::id::NodeId;
use holdfast_ledger::evidence::Accuse;
use holdfast_ledger::execute::Executed;
use holdfast_ledger::transaction::Transaction;
use holdfast_proofs::header::{BlockHash, BlockTime, Header, Height, Round};
use holdfast_proofs::vote::Finality;
use holdfast_protocol::peer::{PeerMessage, TRANSACTIONS_MAX};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::log::Log;
use super::peers::{Peers, Received};
use super::{Around, LedgerError, Tip};
use crate::provider::blocking;

mod blocks;

use blocks::{build, execute_body, look_at};

/// Results of work that waits for the task, which takes them at once.
const RESULTS: usize = 64;
/// Transactions gathered for one message to the others, in bytes.
const GOSSIP_BYTES_MAX: usize = 12 << 10;
const _: () = assert!(GOSSIP_BYTES_MAX < holdfast_consensus::message::MESSAGE_BYTES_MAX);
/// What work came to.
enum Done {
    Signed(Ask, Option<holdfast_core::bls::Signature>),
    Built(Ask, Option<Executed>),
    Checked(BlockHash, Option<Result<Executed, ()>>),
}

/// What the task tells others.
pub(crate) struct Ways {
    /// That others are ahead.
    pub(crate) behind: mpsc::Sender<()>,
    /// Offences that were seen.
    pub(crate) offences: mpsc::Sender<Accuse>,
}

/// The task that runs the engine.
pub(crate) struct Validator {
    around: Around,
    ways: Ways,
    tasks: TaskTracker,
    stop: CancellationToken,
    client: Arc<LedgerClient>,
    engine: Authority,
    log: Option<Log>,
    peers: Peers,
    /// Blocks that were executed for the running height.
    executed: BTreeMap<BlockHash, Executed>,
    /// Blocks that are looked at just now.
    checking: BTreeSet<BlockHash>,
    wake: Option<Instant>,
    results: (mpsc::Sender<Done>, mpsc::Receiver<Done>),
}

impl Validator {
    /// A task that goes on where the log ends.
    pub(crate) fn new(
        around: Around,
        ways: Ways,
        log: Log,
        records: Vec<Record>,
        (tasks, stop): (TaskTracker, CancellationToken),
    ) -> Result<Self, LedgerError> {
        let identity = Identity { node: around.node, network: *around.ledger.network() };
        let config = Config::of(around.ledger.block_ms());
        let client = LedgerClient::new(around.net.clone(), around.network.clone());
        let client = client.expect("the network has a ledger, which is open");
        let peers = Peers::new(around.net.clone(), around.node, tasks.clone(), stop.clone());
        Ok(Self {
            client: Arc::new(client),
            engine: Authority::resume(config, identity, records),
            log: Some(log),
            peers,
            executed: BTreeMap::new(),
            checking: BTreeSet::new(),
            wake: None,
            results: mpsc::channel(RESULTS),
            around,
            ways,
            tasks,
            stop,
        })
    }

    /// Runs until the node stops, or its log fails.
    pub(crate) async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Received>,
        mut gossip: mpsc::Receiver<Transaction>,
    ) {
        let (stop, mut tips) = (self.stop.clone(), self.around.ledger.tips());
        let result = async {
            let tip = tips.borrow_and_update().clone();
            self.begin(tip).await?;
            loop {
                let wake = async {
                    match self.wake {
                        Some(wake) => tokio::time::sleep_until(wake).await,
                        None => std::future::pending().await,
                    }
                };
                let input = tokio::select! {
                    biased;
                    () = stop.cancelled() => return Ok(()),
                    changed = tips.changed() => {
                        if changed.is_err() {
                            return Ok(());
                        }
                        let tip = tips.borrow_and_update().clone();
                        self.begin(tip).await?;
                        continue;
                    }
                    Some(done) = self.results.1.recv() => self.note(done),
                    () = wake => {
                        self.wake = None;
                        Input::Tick
                    }
                    received = inbox.recv() => match received {
                        Some(Received { from, message: PeerMessage::Consensus(message) }) => {
                            // A node that was a validator, or will be one, may not know it.
                            if tips.borrow().validators.set().place(&from).is_none() {
                                continue;
                            }
                            Input::Message { from, message }
                        }
                        Some(Received { message: PeerMessage::Transactions(transactions), .. }) => {
                            self.admit(transactions.into_inner());
                            continue;
                        }
                        None => return Ok(()),
                    },
                    Some(transaction) = gossip.recv() => {
                        self.pass_on(transaction, &mut gossip);
                        continue;
                    }
                };
                self.step(input).await?;
            }
        };
        let result: Result<(), LedgerError> = result.await;
        if let Err(error) = result {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "this node decides about no more blocks"
            );
        }
    }

    /// The last block is another one: the next height begins.
    async fn begin(&mut self, tip: Tip) -> Result<(), LedgerError> {
        self.executed.clear();
        self.checking.clear();
        self.peers.follow(&self.around.ledger, &self.around.network);
        let height = tip.header.height.next().expect("a chain is shorter than u64");
        tracing::debug!(height = tip.header.height.0, "block committed");
        self.step(Input::Start { height, parent: tip.header.time, validators: tip.validators }).await
    }

    fn note(&mut self, done: Done) -> Input {
        match done {
            Done::Signed(ask, signature) => Input::Signed { ask, signature },
            Done::Built(ask, executed) => {
                let header = executed.as_ref().map(|executed| executed.block().header.clone());
                if let (Some(header), Some(executed)) = (&header, executed) {
                    self.executed.insert(header.hash(), executed);
                }
                Input::Built { ask, header }
            }
            Done::Checked(block, outcome) => {
                self.checking.remove(&block);
                match outcome {
                    Some(Ok(executed)) => {
                        self.executed.insert(block, executed);
                        Input::Checked { block, valid: true }
                    }
                    Some(Err(())) => Input::Checked { block, valid: false },
                    // Nobody gave it yet; it will be asked for again.
                    None => Input::Tick,
                }
            }
        }
    }

    async fn step(&mut self, input: Input) -> Result<(), LedgerError> {
        let mut effects = Vec::new();
        self.engine.step(now(), input, &mut effects);
        let mut effects = effects.into_iter().peekable();
        while let Some(effect) = effects.next() {
            match effect {
                Effect::Persist(record) => {
                    let mut records = vec![record];
                    while let Some(Effect::Persist(_)) = effects.peek() {
                        if let Some(Effect::Persist(record)) = effects.next() {
                            records.push(record);
                        }
                    }
                    self.persist(records).await?;
                }
                Effect::Sign { ask, what } => self.sign(ask, what),
                Effect::Build { ask, height, round } => self.build(ask, height, round),
                Effect::Check { header, from } => self.check(header, from),
                Effect::Broadcast(message) => self.peers.broadcast(PeerMessage::Consensus(message)),
                Effect::Send { to, message } => self.peers.send(&to, PeerMessage::Consensus(message)),
                Effect::WakeAt(time) => {
                    let wait = Duration::from_millis(time.0.saturating_sub(now().0));
                    self.wake = Some(Instant::now() + wait);
                }
                Effect::Decide { header, finality } => self.decide(header, finality).await?,
                Effect::Offence(accuse) => {
                    tracing::warn!(node = %accuse.node.short(), "a validator contradicted itself");
                    let _ = self.ways.offences.try_send(accuse); // it is seen again
                }
                Effect::Behind { height, peer } => {
                    tracing::debug!(height = height.0, peer = %peer.short(), "others are ahead");
                    let _ = self.ways.behind.try_send(()); // one hint that waits is enough
                }
                Effect::Misbehaved { peer } => {
                    tracing::info!(peer = %peer.short(), "a peer sent what no honest node sends");
                }
            }
        }
        Ok(())
    }

    async fn persist(&mut self, records: Vec<Record>) -> Result<(), LedgerError> {
        let mut log = self.log.take().expect("it is put back below");
        let (log, result) = blocking(move || {
            let result = log.append(&records);
            (log, result)
        })
        .await;
        self.log = Some(log);
        Ok(result?)
    }

    fn sign(&self, ask: Ask, what: ToSign) {
        let (trusted, network) = (self.around.trusted.clone(), *self.around.ledger.network());
        let results = self.results.0.clone();
        self.tasks.spawn(async move {
            let signed = blocking(move || trusted.ballot(&network, what)).await;
            let signature = signed.inspect_err(|error| {
                tracing::warn!(error = error as &dyn std::error::Error, "the enclave did not sign");
            });
            let _ = results.send(Done::Signed(ask, signature.ok())).await; // the task may have ended
        });
    }

    fn build(&self, ask: Ask, height: Height, round: Round) {
        let (ledger, trusted, node) =
            (self.around.ledger.clone(), self.around.trusted.clone(), self.around.node);
        let results = self.results.0.clone();
        self.tasks.spawn(async move {
            let built = blocking(move || build(&ledger, &trusted, node, height, round)).await;
            let built = built.inspect_err(|why| tracing::warn!(why, "could not make a block"));
            let _ = results.send(Done::Built(ask, built.ok())).await; // the task may have ended
        });
    }

    fn check(&mut self, header: Header, from: NodeId) {
        let block = header.hash();
        if self.executed.contains_key(&block) || !self.checking.insert(block) {
            return;
        }
        let (ledger, client, results) =
            (self.around.ledger.clone(), self.client.clone(), self.results.0.clone());
        self.tasks.spawn(async move {
            let outcome = look_at(ledger, &client, header, from).await;
            let _ = results.send(Done::Checked(block, outcome)).await; // the task may have ended
        });
    }

    async fn decide(&mut self, header: Header, finality: Finality) -> Result<(), LedgerError> {
        let hash = header.hash();
        let ledger = self.around.ledger.clone();
        let executed = self.executed.remove(&hash);
        let height = header.height;
        blocking(move || {
            let executed = match executed {
                Some(executed) => executed,
                None => match ledger.bodies.get(&hash).map(|body| execute_body(&ledger, &body)) {
                    Some(Ok(Ok(executed))) => executed,
                    // Others have the block, and the ledger is synced from them.
                    _ => return Ok(()),
                },
            };
            ledger.commit(&executed, &finality)
        })
        .await?;
        if self.around.ledger.tip().header.height < height {
            let _ = self.ways.behind.try_send(()); // one hint that waits is enough
        }
        Ok(())
    }

    fn admit(&self, transactions: Vec<Transaction>) {
        let ledger = self.around.ledger.clone();
        self.tasks.spawn(blocking(move || {
            let Ok(view) = ledger.view() else { return };
            for transaction in transactions {
                match transaction.check(ledger.network()) {
                    Ok(checked) => {
                        if let Err(error) = ledger.pool.admit(&view, checked) {
                            tracing::debug!(%error, "a transaction of another node was not taken");
                        }
                    }
                    Err(error) => tracing::debug!(why = explain(&error), "no transaction"),
                }
            }
        }));
    }

    /// Sends transactions to the other validators, as many as wait and fit in a message.
    fn pass_on(&self, first: Transaction, gossip: &mut mpsc::Receiver<Transaction>) {
        let mut bytes = first.to_bytes().len();
        let mut transactions = vec![first];
        while bytes < GOSSIP_BYTES_MAX
            && transactions.len() < TRANSACTIONS_MAX
            && let Ok(next) = gossip.try_recv()
        {
            let length = next.to_bytes().len();
            if bytes + length > GOSSIP_BYTES_MAX {
                self.broadcast_transactions(std::mem::take(&mut transactions));
                bytes = 0;
            }
            bytes += length;
            transactions.push(next);
        }
        self.broadcast_transactions(transactions);
    }

    fn broadcast_transactions(&self, transactions: Vec<Transaction>) {
        if let Ok(transactions) = holdfast_core::codec::Bounded::new(transactions) {
            self.peers.broadcast(PeerMessage::Transactions(transactions));
        }
    }
}

fn now() -> BlockTime {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    BlockTime(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}
