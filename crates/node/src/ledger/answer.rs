//! Answers questions about the ledger.

use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_chain::View;
use holdfast_core::codec::{self, Bounded, Text};
use holdfast_core::explain;
use holdfast_core::frame::DATA_BYTES_MAX;
use holdfast_ledger::chunk::Chunk;
use holdfast_ledger::epoch::validators_after;
use holdfast_ledger::state::{RowKey, Rows, State};
use holdfast_ledger::transaction::Transaction;
use holdfast_ledger::tree::prove;
use holdfast_net::frames::{FrameError, split};
use holdfast_net::{Net, Stream};
use holdfast_proofs::header::Height;
use holdfast_proofs::light::{Handover, SignedHeader};
use holdfast_proofs::validators::{ValidatorSet, ValidatorsId};
use holdfast_proofs::vote::Finality;
use holdfast_protocol::chain::{
    self, BLOCKS_BYTES_MAX, BLOCKS_MAX, BlockAnswer, Blocks, BlocksQuery, ChainReply, ChainRequest,
    ChainStatus, ChunkQuery, HANDOVERS_MAX, RowAnswer, RowQuery, SnapshotAnswer,
};
use serde::Serialize;
use serde_bytes::ByteBuf;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Ledger;
use super::look_up::{self, ExploreError};
use crate::provider::blocking;

/// Questions answered at once. Each may hold the longest answer, of 8 MiB.
const ANSWERS_MAX: usize = 16;
/// Questions that wait for that. Further ones are closed at once, and asked again.
const WAITING_MAX: usize = 256;
/// A question with its answer takes no longer.
const QUESTION_WINDOW: Duration = Duration::from_secs(30);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum AnswerError {
    #[error(transparent)]
    Chain(#[from] holdfast_chain::ChainError),
    #[error(transparent)]
    Rows(#[from] holdfast_ledger::state::RowsError),
    #[error("the finality of a block cannot be read")]
    Finality(#[from] holdfast_proofs::vote::FinalityError),
    #[error(transparent)]
    Explore(#[from] ExploreError),
    #[error("there is no block yet")]
    NoBlock,
    #[error("these validators are not known here")]
    Validators,
    #[error("that is not kept here")]
    Absent,
    #[error("too many states are kept for others already; ask again later")]
    Busy,
}

/// A reply: a message, or data that follow one.
enum Reply {
    Message(Box<ChainReply>),
    Data(Vec<u8>),
}

/// Accepts questions until `stop` is cancelled. Transactions that are new go to `gossip`.
pub(crate) async fn serve(
    ledger: Arc<Ledger>,
    net: Net,
    gossip: mpsc::Sender<Transaction>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let mut incoming = net.accept(chain::PROTOCOL);
    let admitted = Arc::new(Semaphore::new(ANSWERS_MAX + WAITING_MAX));
    let permits = Arc::new(Semaphore::new(ANSWERS_MAX));
    loop {
        let (peer, stream) = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            next = incoming.next() => match next {
                Some(next) => next,
                None => return,
            },
        };
        let Ok(admission) = admitted.clone().try_acquire_owned() else { continue };
        let (ledger, gossip, permits) = (ledger.clone(), gossip.clone(), permits.clone());
        let stop = stop.clone();
        tasks.spawn(async move {
            let _admission = admission;
            let work = async {
                let _permit = permits.acquire().await.expect("the semaphore is never closed");
                let conversation = conversation(ledger, stream, gossip);
                match tokio::time::timeout(QUESTION_WINDOW, conversation).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::debug!(%peer, %error, "a question ended early"),
                    Err(_) => tracing::debug!(%peer, "a question took too long"),
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = work => {}
            }
        });
    }
}

async fn conversation(
    ledger: Arc<Ledger>,
    stream: Stream,
    gossip: mpsc::Sender<Transaction>,
) -> Result<(), FrameError> {
    let (mut reader, mut writer) = split(stream);
    let Some(request) = reader.message::<ChainRequest>().await? else { return Ok(()) };
    let reply = match request {
        ChainRequest::Submit(transaction) => {
            Reply::Message(Box::new(submit(&ledger, transaction, &gossip).await))
        }
        ChainRequest::SubmitMany(transactions) => {
            let mut not_taken = 0;
            for transaction in transactions.into_inner() {
                let taken = submit(&ledger, transaction, &gossip).await;
                not_taken += u32::from(!matches!(taken, ChainReply::Submitted(_)));
            }
            Reply::Message(Box::new(ChainReply::NotTaken(not_taken)))
        }
        request => blocking(move || answer(&ledger, request)).await.unwrap_or_else(|error| {
            Reply::Message(Box::new(ChainReply::Unavailable(Text::cut(&explain(&error)))))
        }),
    };
    match reply {
        Reply::Message(reply) => writer.message(&*reply).await?,
        Reply::Data(data) => {
            let length = u32::try_from(data.len()).expect("answers are bounded");
            writer.queue(&ChainReply::Data(length)).await?;
            for part in data.chunks(DATA_BYTES_MAX) {
                writer.data(part).await?;
            }
            writer.flush().await?;
        }
    }
    Ok(writer.close().await?)
}

/// Takes a transaction into the pool, and passes it on if it is new.
pub(crate) async fn submit(
    ledger: &Arc<Ledger>,
    transaction: Transaction,
    gossip: &mpsc::Sender<Transaction>,
) -> ChainReply {
    let (this, copy) = (ledger.clone(), transaction.clone());
    let admitted = blocking(move || {
        let checked = copy.check(this.network()).map_err(|error| explain(&error))?;
        let view = this.view().map_err(|error| explain(&error))?;
        this.pool.admit(&view, checked).map_err(|error| explain(&error))
    });
    match admitted.await {
        Ok((id, new)) => {
            if new && gossip.try_send(transaction).is_err() {
                tracing::debug!("too many transactions at once; one is not passed on");
            }
            ChainReply::Submitted(id)
        }
        Err(why) => ChainReply::Refused(Text::cut(&why)),
    }
}

fn answer(ledger: &Ledger, request: ChainRequest) -> Result<Reply, AnswerError> {
    Ok(match request {
        ChainRequest::Status(()) => Reply::Message(Box::new(ChainReply::Status(status(ledger)?))),
        ChainRequest::Header(height) => {
            let view = ledger.view()?;
            let height = height.unwrap_or(view.header().height);
            Reply::Message(Box::new(ChainReply::Header(signed_header(&view, height)?)))
        }
        ChainRequest::Row(query) => data(&row(&ledger.view()?, &query)?),
        ChainRequest::Blocks(query) => data(&blocks(&ledger.view()?, query)?),
        ChainRequest::Undecided(hash) => match ledger.bodies.get(&hash) {
            Some(body) => Reply::Data(body.to_vec()),
            None => return Err(AnswerError::Absent),
        },
        ChainRequest::Transaction(id) => {
            let found = look_up::transaction(ledger, id)?;
            Reply::Message(Box::new(ChainReply::Transaction(found)))
        }
        ChainRequest::Events(from) => data(&look_up::events(&ledger.view()?, from)?),
        ChainRequest::History(query) => data(&look_up::history(ledger, &ledger.view()?, query)?),
        ChainRequest::Orders(query) => data(&look_up::orders(ledger, &ledger.view()?, query)?),
        ChainRequest::Snapshot(trusted) => data(&snapshot(ledger, &trusted)?),
        ChainRequest::Chunk(query) => Reply::Data(chunk(ledger, &query)?),
        ChainRequest::Validators(id) => data(&set(&ledger.view()?, &id)?),
        ChainRequest::Submit(_) | ChainRequest::SubmitMany(_) => return Err(AnswerError::Absent),
    })
}

/// The state that is kept for whoever begins now.
fn snapshot(ledger: &Ledger, trusted: &ValidatorsId) -> Result<SnapshotAnswer, AnswerError> {
    let view = ledger.snapshots.newest(Instant::now(), || ledger.view())?.ok_or(AnswerError::Busy)?;
    let header = signed_header(&view, view.header().height)?.ok_or(AnswerError::NoBlock)?;
    Ok(SnapshotAnswer { handovers: handovers(&view, trusted)?, header })
}

/// The next rows of a state that is kept; no byte if there are no more.
fn chunk(ledger: &Ledger, query: &ChunkQuery) -> Result<Vec<u8>, AnswerError> {
    let view = ledger.snapshots.at(Instant::now(), query.height).ok_or(AnswerError::Absent)?;
    let after = match query.after.is_empty() {
        true => None,
        false => Some(RowKey::from_bytes(query.after.clone()).ok_or(AnswerError::Absent)?),
    };
    let chunk = Chunk::fill(&*view, after.as_ref())?;
    Ok(chunk.map(|chunk| chunk.to_bytes()).unwrap_or_default())
}

fn data(value: &impl Serialize) -> Reply {
    Reply::Data(codec::encode(value))
}

fn status(ledger: &Ledger) -> Result<ChainStatus, AnswerError> {
    let tip = ledger.tip();
    Ok(ChainStatus {
        network: *ledger.network(),
        height: tip.header.height,
        hash: tip.header.hash(),
        time: tip.header.time,
        epoch: tip.running.epoch,
        earliest: ledger.earliest()?,
        waiting: u32::try_from(ledger.pool.len()).unwrap_or(u32::MAX),
    })
}

/// A header and the decision on it; none for genesis, which nobody decided on.
fn signed_header(view: &View, height: Height) -> Result<Option<SignedHeader>, AnswerError> {
    let (Some(header), Some(finality)) = (view.header_at(height)?, view.finality_at(height)?) else {
        return Ok(None);
    };
    Ok(Some(SignedHeader { header, finality: Finality::from_bytes(&finality)? }))
}

fn row(view: &View, query: &RowQuery) -> Result<RowAnswer, AnswerError> {
    let header = signed_header(view, view.header().height)?.ok_or(AnswerError::NoBlock)?;
    let handovers = handovers(view, &query.trusted)?;
    let key = RowKey::from_bytes(query.key.clone()).ok_or(AnswerError::Absent)?;
    let row = view.get(&key)?.map(ByteBuf::from);
    let proof = prove(view, &key)?;
    Ok(RowAnswer { handovers, header, row, proof })
}

/// A set of validators of any time.
fn set(view: &View, id: &ValidatorsId) -> Result<ValidatorSet, AnswerError> {
    let state = State::over(view);
    let mut after = None;
    while let Some((first, set)) = validators_after(&state, after)? {
        if set.id() == *id {
            return Ok(set);
        }
        after = Some(first);
    }
    Err(AnswerError::Validators)
}

/// Changes of validators from those who are trusted to those of the last block.
fn handovers(view: &View, trusted: &ValidatorsId) -> Result<Bounded<Handover, HANDOVERS_MAX>, AnswerError> {
    let mut found = Vec::new();
    if view.header().validators == *trusted {
        return Ok(Bounded::new(found).expect("none"));
    }
    let state = State::over(view);
    let (mut after, mut known) = (None, false);
    while let Some((first, set)) = validators_after(&state, after)? {
        after = Some(first);
        if set.id() == *trusted {
            (known, found) = (true, Vec::new());
        } else if known && first <= view.header().height && found.len() < HANDOVERS_MAX {
            let last = first.0.checked_sub(1).map(Height).ok_or(AnswerError::Absent)?;
            let last = signed_header(view, last)?.ok_or(AnswerError::Absent)?;
            found.push(Handover { last, next: set });
        }
    }
    if known { Ok(Bounded::new(found).expect("counted")) } else { Err(AnswerError::Validators) }
}

fn blocks(view: &View, query: BlocksQuery) -> Result<Blocks, AnswerError> {
    let most = usize::from(query.most).min(BLOCKS_MAX);
    let (mut blocks, mut bytes) = (Vec::new(), 0);
    let mut height = Some(query.from);
    while let Some(next) = height.filter(|_| blocks.len() < most) {
        let (Some(block), Some(finality)) = (view.block_at(next)?, view.finality_at(next)?) else { break };
        bytes += block.len() + finality.len() + 16;
        if bytes > BLOCKS_BYTES_MAX - 16 && !blocks.is_empty() {
            break;
        }
        blocks.push(BlockAnswer { block: ByteBuf::from(block), finality: ByteBuf::from(finality) });
        height = next.next();
    }
    Ok(Blocks { blocks: Bounded::new(blocks).expect("counted") })
}
