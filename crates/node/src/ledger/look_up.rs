//! Answers from the index: what became of transactions, whose they are, what happened.

use holdfast_chain::View;
use holdfast_core::codec::{self, Bounded};
use holdfast_ledger::block::Block;
use holdfast_ledger::receipt::EventPosition;
use holdfast_ledger::transaction::TransactionId;
use holdfast_proofs::header::Height;
use holdfast_protocol::chain::{
    EventPage, HistoryEntry, HistoryPage, HistoryQuery, PAGE_BYTES_MAX, PAGE_MAX, PlacedEvent,
    TransactionState,
};

use super::Ledger;
use super::answer::AnswerError;

/// Blocks that are looked through for one page of events.
const BLOCKS_MAX: u64 = 1024;

pub(super) fn transaction(
    ledger: &Ledger,
    view: &View,
    id: TransactionId,
) -> Result<Option<TransactionState>, AnswerError> {
    // The index may know of a block that is not yet committed.
    let place = ledger.index.place(&id)?.filter(|place| place.height <= view.header().height);
    let Some(place) = place else {
        let waits = ledger.pool.get(&id).is_some();
        return Ok(waits.then_some(TransactionState { height: None, receipt: None }));
    };
    let receipts = ledger.index.receipts(place.height)?.ok_or(AnswerError::Absent)?;
    let receipt = receipts.transactions.get(index(place)).cloned();
    Ok(Some(TransactionState { height: Some(place.height), receipt }))
}

pub(super) fn events(ledger: &Ledger, view: &View, from: EventPosition) -> Result<EventPage, AnswerError> {
    let (mut events, mut bytes) = (Vec::new(), 0);
    let mut next = from;
    let last = view.header().height.0.min(from.height.0.saturating_add(BLOCKS_MAX));
    'blocks: for height in from.height.0.max(1)..=last {
        let height = Height(height);
        let receipts = ledger.index.receipts(height)?.ok_or(AnswerError::Absent)?;
        let first = if height == from.height { index(from) } else { 0 };
        for (place, event) in receipts.events().enumerate().skip(first) {
            let place = u32::try_from(place).expect("events of a block are bounded");
            let placed =
                PlacedEvent { position: EventPosition { height, index: place }, event: event.clone() };
            bytes += codec::encode(&placed).len();
            if events.len() == PAGE_MAX || bytes > PAGE_BYTES_MAX - 64 {
                next = placed.position;
                break 'blocks;
            }
            events.push(placed);
        }
        next = EventPosition { height: height.next().unwrap_or(height), index: 0 };
    }
    Ok(EventPage { events: Bounded::new(events).expect("counted"), next })
}

pub(super) fn history(ledger: &Ledger, view: &View, query: HistoryQuery) -> Result<HistoryPage, AnswerError> {
    let places = ledger.index.history(&query.account, query.before, PAGE_MAX + 1)?;
    let mut more = places.len() > PAGE_MAX;
    let (mut entries, mut bytes) = (Vec::new(), 0);
    let committed = places.into_iter().filter(|place| place.height <= view.header().height);
    for position in committed.take(PAGE_MAX) {
        let block = view.block_at(position.height)?.ok_or(AnswerError::Absent)?;
        let block = Block::from_bytes(&block).map_err(|_| AnswerError::Absent)?;
        let receipts = ledger.index.receipts(position.height)?.ok_or(AnswerError::Absent)?;
        let place = index(position);
        let (Some(transaction), Some(receipt)) =
            (block.transactions.get(place), receipts.transactions.get(place))
        else {
            continue; // the end of the block, where rewards are paid
        };
        let entry = HistoryEntry { position, transaction: transaction.clone(), receipt: receipt.clone() };
        bytes += codec::encode(&entry).len();
        if bytes > PAGE_BYTES_MAX - 64 {
            more = true;
            break;
        }
        entries.push(entry);
    }
    Ok(HistoryPage { entries: Bounded::new(entries).expect("counted"), more })
}

fn index(place: EventPosition) -> usize {
    usize::try_from(place.index).expect("32 bits fit")
}
