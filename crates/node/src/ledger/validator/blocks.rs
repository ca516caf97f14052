//! Blocks on their way to a decision: made, fetched, executed and kept.

use std::sync::Arc;
use std::time::Duration;

use holdfast_client::ledger::LedgerClient;
use holdfast_core::explain;
use holdfast_core::id::NodeId;
use holdfast_ledger::beacon::beacon;
use holdfast_ledger::block::Block;
use holdfast_ledger::execute::{self, BlockError, Draft, Executed};
use holdfast_ledger::received::{ReceivedBlock, peek_header};
use holdfast_ledger::state::State;
use holdfast_ledger::transaction::Transaction;
use holdfast_proofs::header::{BlockHash, BlockTime, Header, Height, Round, Seal};
use holdfast_proofs::list::ListRoot;

use super::now;
use crate::ledger::Ledger;
use crate::provider::blocking;
use crate::trusted::Trusted;

/// How long a body of a block is asked for before others may be named.
const FETCH_WINDOW: Duration = Duration::from_secs(5);

/// Makes a block of what waits, and keeps it.
pub(super) fn build(
    ledger: &Ledger,
    trusted: &Trusted,
    node: NodeId,
    height: Height,
    round: Round,
) -> Result<Executed, String> {
    let view = ledger.view().map_err(|error| explain(&error))?;
    if view.header().height.next() != Some(height) {
        return Err("another block was committed meanwhile".to_owned());
    }
    let last = beacon(&State::over(&view), view.header().height).map_err(|error| explain(&error))?;
    let seal = Seal { beacon: last.ok_or("the last beacon is missing")?, height };
    let seal = trusted.seal(ledger.network(), seal).map_err(|error| explain(&error))?;
    let time = now().max(BlockTime(view.header().time.0 + 1));
    let draft = Draft { time, round, proposer: node, seal };
    let mut transactions = ledger.pool.select(&view).map_err(|error| explain(&error))?;
    let executed = loop {
        match execute::propose(view.parent(), draft, transactions.clone()) {
            // The pool looks at each sender by itself; what does not fit all the same is left out.
            Err(BlockError::Transaction { index, .. }) => transactions.truncate(index),
            Err(BlockError::TooLarge { .. }) => transactions.truncate(transactions.len() / 2),
            other => break other.map_err(|error| explain(&error))?,
        }
    };
    let header = &executed.block().header;
    let kept = ledger.bodies.keep(header.hash(), height, executed.block_bytes().into_owned());
    kept.map_err(|error| explain(&error))?;
    Ok(executed)
}

/// Gets the body of a block, executes and keeps it. `None` if nobody gave it, or this node failed.
pub(super) async fn look_at(
    ledger: Arc<Ledger>,
    client: &LedgerClient,
    header: Header,
    from: NodeId,
) -> Option<Result<Executed, ()>> {
    let hash = header.hash();
    let body = match ledger.bodies.get(&hash) {
        Some(body) => body,
        None => {
            let fetched = tokio::time::timeout(FETCH_WINDOW, client.undecided(&from, hash)).await.ok()?;
            let fetched = fetched.inspect_err(|error| {
                tracing::debug!(from = %from.short(), why = explain(error), "could not get a block");
            });
            Arc::new(fetched.ok()?)
        }
    };
    let looked = blocking(move || {
        let executed = match execute_body(&ledger, &body) {
            Ok(executed) => executed,
            Err(why) => {
                tracing::error!(why, "could not look at a block");
                return None;
            }
        };
        match executed {
            // Another body than the header's: whoever gave it lies, and says nothing about the block.
            Ok(executed) if executed.block().header.hash() != hash => None,
            Ok(executed) => match ledger.bodies.keep(hash, header.height, body.to_vec()) {
                Ok(()) => Some(Ok(executed)),
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "could not keep a block");
                    None
                }
            },
            Err(found) if found == Some(hash) => Some(Err(())),
            Err(_) => None,
        }
    });
    looked.await
}

/// Executes a body on the last block. What is refused names the hash of its header, if it has one; what cannot be told is an
/// error in words.
#[allow(clippy::type_complexity)]
pub(super) fn execute_body(
    ledger: &Ledger,
    body: &[u8],
) -> Result<Result<Executed, Option<BlockHash>>, String> {
    let hash = peek_header(body).ok().map(|header| header.hash());
    // If the body is another one than the header's, nothing is said about the block under that header.
    let about = || hash.filter(|_| is_whole(body));
    let Ok(received) = ReceivedBlock::check(body.to_vec(), ledger.network()) else { return Ok(Err(about())) };
    let view = ledger.view().map_err(|error| explain(&error))?;
    match execute::check_received(view.parent(), received) {
        Ok(executed) => Ok(Ok(executed)),
        Err(BlockError::Parent) => Err("the block follows another one than the last".to_owned()),
        Err(BlockError::Rows(error)) => Err(explain(&error)),
        Err(error) => {
            tracing::info!(why = explain(&error), "a proposed block is refused");
            Ok(Err(about()))
        }
    }
}

/// Whether the transactions of a block are those that its header names.
fn is_whole(body: &[u8]) -> bool {
    let Ok(Block { header, transactions }) = Block::from_bytes(body) else { return false };
    let id = |transaction: &Transaction| *blake3::hash(&transaction.to_bytes()).as_bytes();
    ListRoot::of(transactions.iter().map(id)) == header.transactions
}
