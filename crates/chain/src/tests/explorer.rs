//! The index behind the commits: it says what a walk over all blocks would say.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_core::block::{BlockId, Codec};
use holdfast_core::id::OrderId;
use holdfast_ledger::receipt::{Event, EventPosition, Receipts};
use holdfast_ledger::storage::PlaceOrder;
use holdfast_proofs::profile::Profile;

use super::crash::chain_of;
use super::*;

/// Follows until there is no more.
fn follow(explorer: &Explorer, view: &View) -> Known {
    loop {
        let known = explorer.follow(view).unwrap().expect("there are blocks");
        if known.last == view.header().height {
            return known;
        }
    }
}

/// Everything that the index should know of these blocks.
fn must_know(explorer: &Explorer, blocks: &[Executed]) {
    let mut histories: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for executed in blocks {
        let height = executed.block().header.height;
        let transactions = (0..).zip(&executed.block().transactions);
        for ((index, transaction), receipt) in transactions.zip(executed.receipts().transactions.iter()) {
            let place = Place { height, index };
            assert_eq!(explorer.transaction(&transaction.id()).unwrap(), Some(place));
            let named = receipt.events.iter().flat_map(Event::accounts).chain([transaction.body().sender]);
            for account in named {
                histories.entry(account).or_default().insert(place);
            }
        }
        let place = Place { height, index: u32::try_from(executed.block().transactions.len()).unwrap() };
        let named = executed.receipts().events.iter().flat_map(Event::accounts);
        for account in named {
            histories.entry(account).or_default().insert(place);
        }
    }
    assert!(histories.len() > 3);
    for (account, places) in histories {
        let (mut found, mut before) = (Vec::<Place>::new(), None);
        loop {
            let page = explorer.account(&account, before, 3).unwrap();
            assert!(page.len() <= 3);
            before = page.last().copied();
            found.extend(&page);
            if page.is_empty() {
                break;
            }
        }
        assert_eq!(found, places.into_iter().rev().collect::<Vec<_>>());
    }
}

#[test]
fn the_index_knows_every_transaction_and_account() {
    let blocks = chain_of(140);
    let folder = tempfile::tempdir().unwrap();
    let chain = Chain::open(folder.path(), CACHE_BYTES, &founded(1)).unwrap();
    let explorer = Explorer::open(folder.path(), CACHE_BYTES).unwrap();
    let early = chain.view().unwrap();
    assert_eq!(explorer.follow(&early).unwrap(), None);
    assert_eq!(explorer.account(&id(1), None, 9).unwrap(), []);
    for (height, block) in (1..).zip(&blocks) {
        chain.commit(block, b"").unwrap();
        if height == 5 || height == 6 {
            assert_eq!(follow(&explorer, &chain.view().unwrap()).last, Height(height));
        }
    }
    must_know(&explorer, &blocks[..6]);
    let view = chain.view().unwrap();
    // Many at once, but not without bound; and again, which changes nothing.
    assert_eq!(explorer.follow(&view).unwrap().unwrap().last, Height(6 + 64));
    let known = follow(&explorer, &view);
    assert_eq!((known.first, known.last), (Height(1), Height(140)));
    assert_eq!(follow(&explorer, &view), known);
    must_know(&explorer, &blocks);
    // A view from before has nothing new.
    drop(explorer);
    let explorer = Explorer::open(folder.path(), CACHE_BYTES).unwrap();
    assert_eq!(explorer.follow(&early).unwrap(), None);
    assert_eq!(explorer.known().unwrap(), Some(known));

    // What it cannot follow it begins again: another chain, and one whose next block is gone.
    let other = tempfile::tempdir().unwrap();
    let short = Chain::open(other.path(), CACHE_BYTES, &founded(1)).unwrap();
    let executed = next(short.view().unwrap().parent(), vec![pay(0, 77)]);
    short.commit(&executed, b"").unwrap();
    let executed = next(short.view().unwrap().parent(), vec![pay(1, 78)]);
    short.commit(&executed, b"").unwrap();
    let elsewhere = Explorer::open(other.path(), CACHE_BYTES).unwrap();
    follow(&elsewhere, &short.view().unwrap());
    assert_eq!(elsewhere.account(&id(77), None, 9).unwrap().len(), 1);
    chain.save().unwrap();
    chain.prune(Height(30)).unwrap();
    let known = follow(&elsewhere, &chain.view().unwrap());
    assert_eq!((known.first, known.last), (Height(30), Height(140)));
    assert_eq!(elsewhere.account(&id(77), None, 9).unwrap().len(), 1, "block 68 paid it too");
    assert_eq!(elsewhere.transaction(&executed.block().transactions[0].id()).unwrap(), None);
    must_know(&elsewhere, &blocks[29..]);
}

/// An order of account 1.
fn order(nonce: u64) -> CheckedTransaction {
    let payload = Payload::PlaceOrder(PlaceOrder {
        cid: BlockId::of(Codec::Raw, &nonce.to_be_bytes()),
        piece_bytes: 1000,
        profile: Profile::COPY4,
        epochs: 2,
        price_max: Amount(1),
    });
    signed(nonce, payload)
}

#[test]
fn orders_are_listed_by_owner_also_those_of_blocks_that_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let chain = Chain::open(folder.path(), CACHE_BYTES, &founded(1)).unwrap();
    let mut made = Vec::new();
    for nonce in 0..7 {
        let order = order(nonce);
        made.push(OrderId::new(*order.id().as_bytes()));
        let executed = next(chain.view().unwrap().parent(), vec![order]);
        assert_eq!(executed.receipts().transactions[0].failure, None);
        chain.commit(&executed, b"").unwrap();
    }
    made.sort();
    let all = |explorer: &Explorer, max: usize| {
        let (mut found, mut after) = (Vec::<OrderId>::new(), None);
        loop {
            let page = explorer.orders(&id(1), after.as_ref(), max).unwrap();
            assert!(page.len() <= max);
            after = page.last().copied();
            found.extend(&page);
            if page.is_empty() {
                return found;
            }
        }
    };
    let explorer = Explorer::open(folder.path(), CACHE_BYTES).unwrap();
    assert_eq!(all(&explorer, 3), []);
    follow(&explorer, &chain.view().unwrap());
    for max in [1, 3, 100] {
        assert_eq!(all(&explorer, max), made);
    }
    for other in [0, 2] {
        assert_eq!(explorer.orders(&id(other), None, 9).unwrap(), []);
    }
    drop(explorer);
    // An index that begins when the blocks of the orders are gone.
    chain.save().unwrap();
    chain.prune(Height(7)).unwrap();
    std::fs::remove_file(folder.path().join("index.redb")).unwrap();
    let explorer = Explorer::open(folder.path(), CACHE_BYTES).unwrap();
    assert_eq!(follow(&explorer, &chain.view().unwrap()).first, Height(7));
    assert_eq!(all(&explorer, 3), made);
}

#[test]
fn receipts_and_events_are_found_by_height_and_position() {
    let blocks = chain_of(5);
    let folder = tempfile::tempdir().unwrap();
    let chain = Chain::open(folder.path(), CACHE_BYTES, &founded(1)).unwrap();
    blocks.iter().for_each(|block| chain.commit(block, b"").unwrap());
    let view = chain.view().unwrap();
    let mut all = Vec::new();
    for block in &blocks {
        let height = block.block().header.height;
        let receipts: Receipts = view.receipts_at(height).unwrap().unwrap();
        assert_eq!(&receipts, block.receipts());
        assert_eq!(receipts.root(), block.block().header.receipts);
        let events = (0..).zip(receipts.events().cloned().collect::<Vec<_>>());
        all.extend(events.map(|(index, event)| (EventPosition { height, index }, event)));
    }
    assert_eq!(all.len(), 15);
    let begin = EventPosition { height: Height(0), index: 0 };
    assert_eq!(view.events(begin, usize::MAX).unwrap().unwrap(), all);
    for (number, (position, _)) in all.iter().enumerate() {
        let events = view.events(*position, 4).unwrap().unwrap();
        assert_eq!(events, all[number..].iter().take(4).cloned().collect::<Vec<_>>());
    }
    let end = EventPosition { height: Height(5), index: 3 };
    assert_eq!(view.events(end, 9).unwrap(), Some(vec![]));
    assert_eq!(view.events(EventPosition { height: Height(9), index: 0 }, 9).unwrap(), Some(vec![]));
    assert_eq!(view.receipts_at(Height(0)).unwrap(), None);
}

#[test]
fn what_is_pruned_is_gone_and_headers_and_finality_stay() {
    let blocks = chain_of(200);
    let folder = tempfile::tempdir().unwrap();
    let chain = Chain::open(folder.path(), CACHE_BYTES, &founded(1)).unwrap();
    blocks.iter().for_each(|block| chain.commit(block, b"final").unwrap());
    let before = chain.view().unwrap();
    assert_eq!(before.first_block().unwrap(), Some(Height(1)));
    assert_eq!(chain.prune(Height(10)).unwrap(), Height(10));
    let view = chain.view().unwrap();
    for height in (1..=200).map(Height) {
        let kept = height >= Height(10);
        assert_eq!(view.block_at(height).unwrap().is_some(), kept);
        assert_eq!(view.receipts_at(height).unwrap().is_some(), kept);
        assert_eq!(view.finality_at(height).unwrap().as_deref(), Some(&b"final"[..]));
        assert!(view.header_at(height).unwrap().is_some());
    }
    assert!(before.block_at(Height(1)).unwrap().is_some(), "a view stays as it is");
    let position = |height| EventPosition { height: Height(height), index: 0 };
    assert_eq!(view.events(position(9), 1).unwrap(), None);
    assert_eq!(view.events(position(10), 1).unwrap().unwrap().len(), 1);
    // Blocks that may have to be executed again stay, whoever wants them gone.
    let kept = chain.prune(Height(1_000)).unwrap();
    assert_eq!(kept.0 % 64, 1, "behind a save: {kept}");
    chain.save().unwrap();
    assert_eq!(chain.prune(Height(1_000)).unwrap(), Height(201));
    drop((before, view, chain));
    let chain = Chain::open(folder.path(), CACHE_BYTES, &founded(1)).unwrap();
    assert_eq!(chain.view().unwrap().header().height, Height(200));
    chain.commit(&next(chain.view().unwrap().parent(), vec![]), b"").unwrap();
}
