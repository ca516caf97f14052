//! The ledger of a node: what it keeps of it, and the tasks that make it grow.
//!
//! - [`Ledger`]: blocks and rows on disk, transactions that wait, blocks that are not yet decided.
//! - [`validator`]: performs what the consensus engine decides, with the enclave's signatures.
//! - [`peers`]: what validators send each other, on streams of their own.
//! - [`sync`]: gets decided blocks from others; [`state_sync`] the state, where these are too many.
//! - [`prune`]: lets go of old blocks.
//! - [`answer`]: answers questions about the ledger, with what [`look_up`] finds and [`snapshots`] keep.
//! - [`http`]: what the HTTP API asks.
//! - [`duties`]: what the node tells the ledger by itself.
//! - [`committees`]: which members keep pieces in which epoch.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use holdfast_chain::{Chain, ChainError, Explorer, View};
use holdfast_client::ledger::LedgerClient;
use holdfast_client::network::Network;
use holdfast_core::id::{NetworkId, NodeId};
use holdfast_ledger::epoch::{Running, validators};
use holdfast_ledger::execute::Executed;
use holdfast_ledger::genesis::{Contents, ContentsError, Founded};
use holdfast_ledger::state::{RowsError, State};
use holdfast_ledger::transaction::CheckedTransaction;
use holdfast_net::Net;
use holdfast_proofs::checkpoint::Checkpoint;
use holdfast_proofs::header::{Header, Height};
use holdfast_proofs::validators::{Validators, ValidatorsError};
use holdfast_proofs::vote::Finality;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::folder::{NodeConfig, NodeFolder};
use crate::provider::blocking;
use crate::trusted::Trusted;

pub(crate) mod answer;
pub(crate) mod bodies;
pub(crate) mod committees;
mod duties;
mod http;
pub(crate) mod log;
mod look_up;
pub(crate) mod peers;
pub(crate) mod pool;
mod prune;
mod snapshots;
mod state_sync;
pub(crate) mod sync;
pub(crate) mod validator;

use bodies::Bodies;
use committees::Committees;
use duties::Duties;
use log::Log;
use pool::Pool;
use snapshots::Snapshots;
use state_sync::{Folders, Needs};
use validator::{Validator, Ways};

/// Memory for pages of the index.
const INDEX_CACHE_BYTES: usize = 16 << 20;

/// Why a node's ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Its folder.
    #[error("could not use the ledger's folder")]
    Folder(#[from] std::io::Error),
    /// What it began with.
    #[error("the ledger's beginning is refused")]
    Contents(#[from] ContentsError),
    /// Blocks and rows on disk.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A row.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// The validators in a row.
    #[error("the ledger's validators cannot be used")]
    Validators(#[from] ValidatorsError),
    /// Others cannot be asked.
    #[error(transparent)]
    Client(#[from] holdfast_client::ledger::LedgerError),
    /// Nobody knows the validators whom the operator trusts.
    #[error("nobody shows the validators of the checkpoint in node.toml; is it one of this network?")]
    UnknownCheckpoint(#[source] holdfast_client::ledger::LedgerError),
    /// The blocks here are not those that the operator trusts.
    #[error(
        "the ledger here does not go through the checkpoint after block {height}; if that is right, remove the node's \
         `ledger/chain` and start again"
    )]
    Checkpoint {
        /// The checkpoint's block.
        height: Height,
    },
    /// The engine's log.
    #[error("could not use the engine's log")]
    Log(#[from] Box<redb::Error>),
}

/// How often the addresses of the others are read again: a small file.
const ADDRESSES_EVERY: Duration = Duration::from_secs(1);

/// Messages of peers that wait for the engine, which takes each in microseconds, but for signatures that it checks.
const INBOX: usize = 1024;
/// Transactions that wait to be passed on.
const GOSSIP: usize = 4096;
/// Offences that wait to be told to the ledger.
const OFFENCES: usize = 16;

/// What the tasks of a ledger need of the rest of the node.
#[derive(Clone)]
pub(crate) struct Around {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) trusted: Arc<Trusted>,
    pub(crate) node: NodeId,
    pub(crate) net: Net,
    pub(crate) network: Network,
    /// The network's folder.
    pub(crate) folder: PathBuf,
}

/// Reads again and again where the others listen, which is found out after this node has started.
async fn follow_addresses(network: Network, folder: PathBuf, stop: CancellationToken) {
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(ADDRESSES_EVERY) => {}
        }
        let (network, folder) = (network.clone(), folder.clone());
        if let Err(error) = blocking(move || network.reload_addresses(&folder)).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "using the old addresses");
        }
    }
}

/// Starts the tasks of a ledger.
pub(crate) async fn start(
    around: Around,
    (folder, config): (&NodeFolder, &NodeConfig),
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Result<(), LedgerError> {
    let path = folder.file("ledger").join("engine.redb");
    let (log, records) = blocking(move || Log::open(&path)).await?;
    let (inbox, received) = mpsc::channel(INBOX);
    let (gossip, passed_on) = mpsc::channel(GOSSIP);
    let (behind, hints) = mpsc::channel(1);
    let (offences, seen) = mpsc::channel(OFFENCES);
    let Around { ledger, net, network, node, .. } = around.clone();
    match folder.account() {
        Ok(key) => {
            let duties = Duties::new(around.clone(), key, gossip.clone());
            tasks.spawn(duties.run(seen, stop.clone()));
        }
        Err(error) => tracing::warn!(%error, "this node tells the ledger nothing by itself"),
    }
    if let Some(keep) = config.keep_blocks {
        tasks.spawn(prune::run(ledger.clone(), keep, stop.clone()));
    }
    if let Some(listen) = config.listen_api {
        let noted = folder.file("api");
        http::start(ledger.clone(), gossip.clone(), listen, &noted, (tasks, stop)).await?;
    }
    tasks.spawn(answer::serve(ledger.clone(), net.clone(), gossip, tasks.clone(), stop.clone()));
    tasks.spawn(peers::receive(net.clone(), ledger.clone(), inbox, tasks.clone(), stop.clone()));
    tasks.spawn(follow_addresses(network.clone(), around.folder.clone(), stop.clone()));
    tasks.spawn(snapshots::tidy(ledger.clone(), stop.clone()));
    tasks.spawn(look_up::keep_explored(ledger.clone(), stop.clone()));
    tasks.spawn(sync::run(ledger, net, network, node, hints, stop.clone()));
    let ways = Ways { behind, offences };
    let validator = Validator::new(around, ways, log, records, (tasks.clone(), stop.clone()))?;
    tasks.spawn(validator.run(received, passed_on));
    Ok(())
}

/// A node's ledger.
pub(crate) struct Ledger {
    network: NetworkId,
    block_ms: u64,
    chain: Chain,
    pub(crate) bodies: Bodies,
    explorer: Explorer,
    /// Whoever follows the blocks with the index holds this.
    exploring: Mutex<()>,
    snapshots: Snapshots,
    /// What blocks must not contradict.
    checkpoint: OnceLock<Checkpoint>,
    pub(crate) pool: Pool,
    pub(crate) committees: Committees,
    tip: watch::Sender<Tip>,
    /// Its height, for those who need no more.
    height: watch::Sender<Height>,
    /// Others told of blocks that are not here.
    behind: AtomicBool,
    /// Whoever commits holds this, so that tip and pool follow the blocks in their order.
    commits: Mutex<()>,
}

/// The last block, and who decides about the next.
#[derive(Clone, Debug)]
pub(crate) struct Tip {
    pub(crate) header: Header,
    pub(crate) running: Running,
    pub(crate) validators: Arc<Validators>,
}

/// Opens the ledger in a node's folder; or begins it with the state of others, or as the network's folder says, if there is
/// none yet, or if nobody keeps the blocks behind it. With `archive` it fetches all blocks that there are.
pub(crate) async fn open(
    folder: PathBuf,
    net: &Net,
    network: &Network,
    network_folder: &Path,
    (own, config): (&NodeId, &NodeConfig),
) -> Result<Arc<Ledger>, LedgerError> {
    let (contents, genesis) = (network_folder.join("ledger"), network.genesis.clone());
    let found =
        move || Ok::<_, LedgerError>(Contents::from_bytes(&std::fs::read(contents)?)?.found(&genesis)?);
    let founded = Arc::new(blocking(found).await?);
    let folders = Folders::of(&folder);
    let memory_bytes = usize::try_from(config.ledger_memory_bytes).unwrap_or(usize::MAX);
    folders.settle()?;
    let open = async || {
        let (folder, network, founded) = (folder.clone(), network.clone(), founded.clone());
        blocking(move || Ledger::open(&folder, memory_bytes, &network, &founded).map(Arc::new)).await
    };
    let here = if folders.chain.exists() { Some(open().await?) } else { None };
    let mut synced = false;
    if !config.archive {
        let mut client = LedgerClient::new(net.clone(), network.clone())?;
        let needs = Needs { last: here.as_ref().map(|ledger| ledger.tip().header.height) };
        if let Some(far) = state_sync::without_blocks(&client, own, needs).await {
            let mut guard = match config.checkpoint {
                Some(checkpoint) => {
                    let client = LedgerClient::from_checkpoint(net.clone(), network.clone(), checkpoint);
                    Some(client.await.map_err(LedgerError::UnknownCheckpoint)?)
                }
                None => None,
            };
            let clients = (&mut client, guard.as_mut());
            synced = state_sync::fetch(clients, far, needs, &folders, &founded).await;
        }
    }
    let ledger = match here {
        Some(here) if !synced => here,
        here => {
            drop(here);
            folders.settle()?;
            open().await?
        }
    };
    if let Some(checkpoint) = config.checkpoint {
        ledger.guard(checkpoint)?;
    }
    Ok(ledger)
}

impl Ledger {
    fn open(
        folder: &Path,
        memory_bytes: usize,
        network: &Network,
        founded: &Founded,
    ) -> Result<Self, LedgerError> {
        let chain = Chain::open(&folder.join("chain"), memory_bytes, founded)?;
        let view = chain.view()?;
        let tip = read_tip(&view, None)?;
        let committees = Committees::of_ledger(&view, &tip.running)?;
        let ledger = network.genesis.ledger.as_ref().expect("founded from it");
        Ok(Self {
            network: *network.id(),
            block_ms: ledger.block_ms.into(),
            bodies: Bodies::open(&folder.join("undecided"))?,
            explorer: Explorer::open(&folder.join("chain"), INDEX_CACHE_BYTES)?,
            exploring: Mutex::new(()),
            snapshots: Snapshots::default(),
            checkpoint: OnceLock::new(),
            pool: Pool::new(),
            committees,
            height: watch::Sender::new(tip.header.height),
            behind: AtomicBool::new(false),
            tip: watch::Sender::new(tip),
            commits: Mutex::new(()),
            chain,
        })
    }

    /// Whose ledger it is.
    pub(crate) fn network(&self) -> &NetworkId {
        &self.network
    }

    /// Time from block to block that validators aim at, in milliseconds.
    pub(crate) fn block_ms(&self) -> u64 {
        self.block_ms
    }

    /// The ledger after the last block.
    pub(crate) fn view(&self) -> Result<View, ChainError> {
        self.chain.view()
    }

    /// The oldest block that is kept, or will be if there is none yet.
    pub(crate) fn earliest(&self) -> Result<Height, ChainError> {
        let view = self.view()?;
        let next = view.header().height.next().unwrap_or(view.header().height);
        Ok(view.first_block()?.unwrap_or(next))
    }

    /// Refuses blocks that contradict a checkpoint from now on.
    ///
    /// # Errors
    /// If a block that is here does.
    fn guard(&self, checkpoint: Checkpoint) -> Result<(), LedgerError> {
        let next = checkpoint.height.next().unwrap_or(checkpoint.height);
        let header = self.view()?.header_at(next)?;
        if header.is_some_and(|header| checkpoint.is_broken_by(&header)) {
            return Err(LedgerError::Checkpoint { height: checkpoint.height });
        }
        self.checkpoint.get_or_init(|| checkpoint);
        Ok(())
    }

    /// Whether a header contradicts the checkpoint.
    fn breaks_checkpoint(&self, header: &Header) -> bool {
        self.checkpoint.get().is_some_and(|checkpoint| checkpoint.is_broken_by(header))
    }

    /// Lets go of blocks below a height, some of them at once, and says from which on they are kept now.
    fn prune(&self, below: Height) -> Result<Height, ChainError> {
        self.chain.prune(below)
    }

    /// The last block.
    pub(crate) fn tip(&self) -> Tip {
        self.tip.borrow().clone()
    }

    /// Tells of every new last block, or of the last of several.
    pub(crate) fn tips(&self) -> watch::Receiver<Tip> {
        self.tip.subscribe()
    }

    /// Tells the height of every new last block.
    pub(crate) fn heights(&self) -> watch::Receiver<Height> {
        self.height.subscribe()
    }

    /// Whether others told of blocks that are not here.
    pub(crate) fn is_behind(&self) -> bool {
        self.behind.load(Ordering::Relaxed)
    }

    /// Notes whether others told of blocks that are not here.
    pub(crate) fn set_behind(&self, behind: bool) {
        self.behind.store(behind, Ordering::Relaxed);
    }

    /// Commits a block. If another one came first, nothing happens.
    pub(crate) fn commit(&self, executed: &Executed, finality: &Finality) -> Result<(), LedgerError> {
        let _alone = self.lock();
        match self.chain.commit(executed, &finality.to_bytes()) {
            Ok(()) => self.advance(&executed.block().transactions),
            Err(ChainError::Parent) => Ok(()), // it was synced meanwhile
            Err(error) => Err(error.into()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.commits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last block is another one, with these transactions.
    fn advance(&self, included: &[CheckedTransaction]) -> Result<(), LedgerError> {
        let view = self.view()?;
        let before = self.tip();
        if *view.header() == before.header {
            return Ok(());
        }
        let tip = read_tip(&view, Some(&before))?;
        self.committees.follow(&view, &tip.running)?;
        self.pool.follow(&view, included)?;
        self.bodies.forget_until(tip.header.height);
        let height = tip.header.height;
        self.tip.send_replace(tip);
        self.height.send_replace(height);
        Ok(())
    }
}

fn read_tip(view: &View, before: Option<&Tip>) -> Result<Tip, LedgerError> {
    let state = State::over(view);
    let running = Running::of(&state)?;
    let set = validators(&state)?;
    let same = before.filter(|before| *before.validators.set() == set);
    let validators = match same {
        Some(before) => before.validators.clone(),
        None => Arc::new(Validators::admitted(set)?),
    };
    Ok(Tip { header: view.header().clone(), running, validators })
}
