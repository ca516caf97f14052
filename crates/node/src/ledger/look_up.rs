//! What people look up: what became of transactions, whose they are, what happened.

use std::sync::Arc;

use holdfast_chain::{ChainError, Explorer, Place, View};
use holdfast_core::codec::{self, Bounded};
use holdfast_ledger::block::Block;
use holdfast_ledger::receipt::EventPosition;
use holdfast_ledger::state::State;
use holdfast_ledger::storage::Order;
use holdfast_ledger::transaction::TransactionId;
use holdfast_protocol::chain::{
    EventPage, HistoryEntry, HistoryPage, HistoryQuery, OrderPage, OrdersQuery, PAGE_BYTES_MAX, PAGE_MAX,
    PlacedEvent, TransactionState,
};
use tokio_util::sync::CancellationToken;

use super::Ledger;
use super::answer::AnswerError;
use crate::provider::blocking;

/// Steps of 64 blocks that the index may be behind before nobody waits for it.
const STEPS_MAX: usize = 4;

/// Why the index does not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExploreError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error("the index of transactions is behind; ask again")]
    Behind,
}

impl Ledger {
    /// The index, which knows all blocks of a view that are kept.
    pub(super) fn explored(&self, view: &View) -> Result<&Explorer, ExploreError> {
        for _ in 0..STEPS_MAX {
            if self.explore(view)? {
                return Ok(&self.explorer);
            }
        }
        Err(ExploreError::Behind)
    }

    /// One step. Whether the index knows all blocks now.
    fn explore(&self, view: &View) -> Result<bool, ChainError> {
        let _alone = self.exploring.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let known = self.explorer.follow(view)?;
        Ok(known.is_none_or(|known| known.last >= view.header().height))
    }
}

/// Keeps the index near the last block, so that whoever asks need not wait.
pub(super) async fn keep_explored(ledger: Arc<Ledger>, stop: CancellationToken) {
    let mut heights = ledger.heights();
    loop {
        heights.mark_unchanged();
        let this = ledger.clone();
        let step = blocking(move || this.explore(&this.view()?)).await;
        let all = step.unwrap_or_else(|error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "could not follow the blocks with the index"
            );
            true // the next block is the next chance
        });
        let next = async { if all { heights.changed().await.is_ok() } else { true } };
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            more = next => if !more {
                return;
            },
        }
    }
}

/// What became of a transaction. The pool is asked before the blocks, so that one that leaves it meanwhile is found there.
pub(super) fn transaction(
    ledger: &Ledger,
    id: TransactionId,
) -> Result<Option<TransactionState>, AnswerError> {
    let waits = ledger.pool.get(&id).is_some();
    let view = ledger.view()?;
    let Some(place) = ledger.explored(&view)?.transaction(&id)?.filter(|place| is_in(&view, place)) else {
        return Ok(waits.then_some(TransactionState { height: None, receipt: None }));
    };
    let receipts = view.receipts_at(place.height)?.ok_or(AnswerError::Absent)?;
    let receipt = receipts.transactions.get(nth(place.index)).cloned();
    Ok(Some(TransactionState { height: Some(place.height), receipt }))
}

/// The index may know newer blocks than a view.
pub(super) fn is_in(view: &View, place: &Place) -> bool {
    place.height <= view.header().height
}

pub(super) fn events(view: &View, from: EventPosition) -> Result<EventPage, AnswerError> {
    let height = view.header().height;
    let end = EventPosition { height: height.next().unwrap_or(height), index: 0 };
    let (mut events, mut bytes, mut next) = (Vec::new(), 0, from.max(end));
    // One more than a page holds says where the next one begins.
    const { assert!(PAGE_MAX < holdfast_chain::PAGE_MAX) };
    for (position, event) in view.events(from, PAGE_MAX + 1)?.ok_or(AnswerError::Absent)? {
        let placed = PlacedEvent { position, event };
        bytes += codec::encode(&placed).len();
        if events.len() == PAGE_MAX || bytes > PAGE_BYTES_MAX - 64 {
            next = position;
            break;
        }
        events.push(placed);
    }
    Ok(EventPage { events: Bounded::new(events).expect("counted"), next })
}

pub(super) fn history(ledger: &Ledger, view: &View, query: HistoryQuery) -> Result<HistoryPage, AnswerError> {
    let before = query.before.map(|EventPosition { height, index }| Place { height, index });
    let places = ledger.explored(view)?.account(&query.account, before, PAGE_MAX + 1)?;
    let (mut entries, mut bytes, mut next) = (Vec::new(), 0, None);
    let mut read = query.before;
    for (count, Place { height, index }) in places.into_iter().filter(|place| is_in(view, place)).enumerate()
    {
        if count == PAGE_MAX {
            next = read;
            break;
        }
        let position = EventPosition { height, index };
        let block = view.block_at(height)?.ok_or(AnswerError::Absent)?;
        let block = Block::from_bytes(&block).map_err(|_| AnswerError::Absent)?;
        let receipts = view.receipts_at(height)?.ok_or(AnswerError::Absent)?;
        let nth = nth(index);
        // At the end of the block, where rewards are paid, there is no transaction.
        if let (Some(transaction), Some(receipt)) =
            (block.transactions.get(nth), receipts.transactions.get(nth))
        {
            let entry = HistoryEntry { position, transaction: transaction.clone(), receipt: receipt.clone() };
            bytes += codec::encode(&entry).len();
            if bytes > PAGE_BYTES_MAX - 64 {
                next = read;
                break;
            }
            entries.push(entry);
        }
        read = Some(position);
    }
    Ok(HistoryPage { entries: Bounded::new(entries).expect("counted"), next })
}

/// Orders of an account that have not ended.
pub(super) fn orders(ledger: &Ledger, view: &View, query: OrdersQuery) -> Result<OrderPage, AnswerError> {
    let ids = ledger.explored(view)?.orders(&query.account, query.after.as_ref(), PAGE_MAX)?;
    let next = ids.last().filter(|_| ids.len() == PAGE_MAX).copied();
    let state = State::over(view);
    let mut orders = Vec::new();
    for id in ids {
        if Order::get(&state, &id)?.is_some() {
            orders.push(id);
        }
    }
    Ok(OrderPage { orders: Bounded::new(orders).expect("counted"), next })
}

/// A transaction's place among those of its block.
pub(super) fn nth(index: u32) -> usize {
    usize::try_from(index).expect("32 bits fit")
}
