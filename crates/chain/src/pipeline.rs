//! Blocks on their way into the ledger: signatures are checked ahead by all processors, and while one block becomes durable
//! in a thread of its own, the next is executed over it.
//!
//! ```text
//! bytes ─► workers: decode, signatures, finality ─► execute over a layer ─► commit ─► acknowledge
//! ```

use std::num::NonZero;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use holdfast_core::id::NetworkId;
use holdfast_ledger::block::{CheckedBlock, Header};
use holdfast_ledger::execute::{BlockError, Executed, check_received};
use holdfast_ledger::layer::Layer;
use holdfast_ledger::received::{ReceivedBlock, peek_header};

use crate::error::ChainError;
use crate::import::ImportError;
use crate::{Chain, View};

/// A block and what shows that it is final, as they came.
pub(crate) type Received = (Vec<u8>, Vec<u8>);

/// What a worker is given: a block, and the header of the one that was handed out before.
struct Job {
    at: u64,
    received: Result<Received, ChainError>,
    parent: Option<Header>,
}

/// What a worker makes of it.
type Checked<E> = Result<(ReceivedBlock, Vec<u8>), ImportError<E>>;

/// A block that is executed, and its finality.
type Taken = (Arc<Executed>, Vec<u8>);

/// Takes blocks that follow the last one of the chain, in their order. `take` makes them durable; `taken` hears of each
/// block after that.
pub(crate) fn run<E: std::error::Error + Send + 'static>(
    chain: &Chain,
    network: &NetworkId,
    blocks: impl Iterator<Item = Result<Received, ChainError>> + Send,
    verify: &(impl Fn(&Header, &CheckedBlock, &[u8]) -> Result<(), E> + Sync),
    mut take: impl FnMut(&Executed, &[u8]) -> Result<(), ChainError> + Send,
    taken: impl FnMut(&Header),
) -> Result<(), ImportError<E>> {
    let view = chain.view()?.under_layer();
    let first = view.header().clone();
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    // Whoever sends after an error, when the other end is gone, ends as well.
    thread::scope(|scope| {
        let (mut inboxes, mut outboxes) = (Vec::new(), Vec::new());
        for _ in 0..workers {
            let (inbox, jobs) = sync_channel(1);
            let (done, outbox) = sync_channel(1);
            scope.spawn(move || check_ahead(network, verify, &jobs, &done));
            inboxes.push(inbox);
            outboxes.push(outbox);
        }
        scope.spawn(move || hand_out(first, blocks, &inboxes));
        let (commits, inbox) = sync_channel::<Taken>(1);
        let (done, outcomes) = sync_channel(1);
        scope.spawn(move || {
            for (executed, finality) in inbox {
                if done.send(take(&executed, &finality)).is_err() {
                    return;
                }
            }
        });
        let mut line = Line { chain, view, waiting: None, commits, outcomes, taken };
        let mut checked =
            (0..).zip(outboxes.iter().cycle()).map_while(|(at, outbox)| Some((at, outbox.recv().ok()?)));
        let result = checked.try_for_each(|(at, block)| line.push(at, block));
        // What came before the one that stopped it is committed.
        line.settle().map_err(ImportError::Chain).and(result)
    })
}

/// Where blocks are executed, one after the other.
struct Line<'a, F> {
    chain: &'a Chain,
    /// The ledger after the last block that is durable; what the waiting one changes is read from it.
    view: View,
    /// The block that is becoming durable.
    waiting: Option<Arc<Executed>>,
    commits: SyncSender<Taken>,
    outcomes: Receiver<Result<(), ChainError>>,
    taken: F,
}

impl<F: FnMut(&Header)> Line<'_, F> {
    fn push<E: std::error::Error + 'static>(
        &mut self,
        at: u64,
        block: Checked<E>,
    ) -> Result<(), ImportError<E>> {
        let (block, finality) = block?;
        let executed = self.execute(block).map_err(|source| ImportError::Block { at, source })?;
        self.settle()?;
        let executed = Arc::new(executed);
        // If the thread that commits is gone, settling will tell.
        let _ = self.commits.send((executed.clone(), finality));
        self.waiting = Some(executed);
        Ok(())
    }

    fn execute(&self, block: ReceivedBlock) -> Result<Executed, BlockError> {
        match &self.waiting {
            None => check_received(self.view.parent(), block),
            Some(waiting) => check_received(Layer::new(self.view.parent(), waiting).parent(), block),
        }
    }

    /// Waits for the block that is becoming durable.
    fn settle(&mut self) -> Result<(), ChainError> {
        let Some(waiting) = self.waiting.take() else { return Ok(()) };
        self.outcomes.recv().unwrap_or(Err(ChainError::Stopped))?;
        (self.taken)(&waiting.block().header);
        self.view = self.chain.view()?.under_layer();
        Ok(())
    }
}

/// Gives each worker every so-manieth block, so that they can be asked for them in turn.
fn hand_out(
    first: Header,
    blocks: impl Iterator<Item = Result<Received, ChainError>>,
    inboxes: &[SyncSender<Job>],
) {
    let mut parent = Some(first);
    for ((at, received), inbox) in (0..).zip(blocks).zip(inboxes.iter().cycle()) {
        let header = received.as_ref().ok().and_then(|(block, _)| peek_header(block).ok());
        let job = Job { at, received, parent: std::mem::replace(&mut parent, header) };
        if inbox.send(job).is_err() {
            return;
        }
    }
}

fn check_ahead<E: std::error::Error + 'static>(
    network: &NetworkId,
    verify: &impl Fn(&Header, &CheckedBlock, &[u8]) -> Result<(), E>,
    inbox: &Receiver<Job>,
    done: &SyncSender<Checked<E>>,
) {
    for job in inbox {
        if done.send(check(network, verify, job)).is_err() {
            return;
        }
    }
}

/// Checks all that no state is needed for.
fn check<E: std::error::Error + 'static>(
    network: &NetworkId,
    verify: &impl Fn(&Header, &CheckedBlock, &[u8]) -> Result<(), E>,
    Job { at, received, parent }: Job,
) -> Checked<E> {
    let (block, finality) = received?;
    let block =
        ReceivedBlock::check(block, network).map_err(|source| ImportError::Malformed { at, source })?;
    let parent = parent.filter(|parent| parent.hash() == block.block().header.parent);
    let parent = parent.ok_or(ImportError::Block { at, source: BlockError::Parent })?;
    verify(&parent, block.block(), &finality).map_err(|source| ImportError::Finality { at, source })?;
    Ok((block, finality))
}
