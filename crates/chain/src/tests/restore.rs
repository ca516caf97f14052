//! State sync: what comes out is the ledger that went in, or nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use holdfast_ledger::chunk::{CHUNK_BYTES_MAX, Chunk};

use super::crash::chain_of;
use super::*;

struct World {
    _folder: tempfile::TempDir,
    chain: Chain,
    target: PathBuf,
}

fn world(height: u8) -> World {
    let folder = tempfile::tempdir().unwrap();
    let chain = Chain::open(&folder.path().join("source"), CACHE_BYTES, &founded(1)).unwrap();
    chain_of(height).iter().for_each(|block| chain.commit(block, b"final").unwrap());
    World { target: folder.path().join("target"), chain, _folder: folder }
}

/// Chunks of one row each, so that there are many.
fn small_chunks(view: &View) -> Vec<Vec<u8>> {
    let chunks: Vec<_> = view.snapshot(None).map(Result::unwrap).collect();
    let rows = chunks.into_iter().flat_map(Chunk::into_rows).map(|row| BTreeMap::from([row]));
    rows.map(|row| Chunk::fill(&row, None).unwrap().unwrap().to_bytes()).collect()
}

fn nothing_is_there(world: &World) {
    assert!(!world.target.exists());
    let leftovers = std::fs::read_dir(world.target.parent().unwrap()).unwrap().count();
    assert_eq!(leftovers, 1, "the source");
}

#[test]
fn a_restored_ledger_goes_on_where_the_other_is() {
    let world = world(9);
    let view = world.chain.view().unwrap();
    let next_block = next(view.parent(), vec![pay(18, 3)]);
    // The source goes on meanwhile, and its snapshot stays.
    let mut chunks = view.snapshot(None);
    world.chain.commit(&next_block, b"").unwrap();
    let mut restore = Restore::begin(&world.target, CACHE_BYTES, view.header().clone()).unwrap();
    chunks.try_for_each(|chunk| restore.take(&chunk.unwrap().to_bytes())).unwrap();
    let earlier =
        [3, 7].map(|height| (view.header_at(Height(height)).unwrap().unwrap(), b"so is it".to_vec()));
    restore.finish(&founded(1), &earlier, b"it is final").unwrap();

    let restored = Chain::open(&world.target, CACHE_BYTES, &founded(1)).unwrap();
    let copy = restored.view().unwrap();
    assert_eq!(copy.header(), view.header());
    assert_eq!(small_chunks(&copy), small_chunks(&view));
    assert_eq!(copy.finality_at(Height(9)).unwrap().as_deref(), Some(&b"it is final"[..]));
    assert_eq!(copy.header_at(Height(0)).unwrap(), Some(founded(1).header));
    for height in (1..9).map(Height) {
        let known = earlier.iter().find(|(header, _)| header.height == height);
        assert_eq!(copy.header_at(height).unwrap().as_ref(), known.map(|(header, _)| header));
        assert_eq!(copy.finality_at(height).unwrap().as_ref(), known.map(|(_, finality)| finality));
        assert_eq!(copy.block_at(height).unwrap(), None);
    }
    assert_eq!(copy.block_at(Height(9)).unwrap(), None);
    restored.commit(&next_block, b"").unwrap();
    drop((copy, restored));
    let again = Chain::open(&world.target, CACHE_BYTES, &founded(1)).unwrap().view().unwrap();
    assert_eq!(again.header(), world.chain.view().unwrap().header());
    let occupied = Restore::begin(&world.target, CACHE_BYTES, view.header().clone());
    assert!(matches!(occupied, Err(RestoreError::Occupied { .. })));
}

/// A row that is missing, one more, and one that is another: each is another state.
#[test]
fn lies_leave_nothing() {
    let world = world(4);
    let view = world.chain.view().unwrap();
    let header = view.header().clone();
    let honest = small_chunks(&view);
    let row = |key: &[u8], row: &[u8]| {
        let rows = BTreeMap::from([(RowKey::from_bytes(key.to_vec()).unwrap(), row.to_vec())]);
        Chunk::fill(&rows, None).unwrap().unwrap().to_bytes()
    };
    let mut lies: Vec<Vec<Vec<u8>>> = Vec::new();
    for left_out in 0..honest.len() {
        let mut lie = honest.clone();
        lie.remove(left_out);
        lies.push(lie);
    }
    lies.push([&honest[..], &[row(&[200, 1], b"x")]].concat());
    let mut other = honest.clone();
    let last = Chunk::from_bytes(&honest[honest.len() - 1]).unwrap().into_rows().remove(0);
    *other.last_mut().unwrap() = row(last.0.as_bytes(), b"another");
    lies.push(other);
    for lie in lies {
        let mut restore = Restore::begin(&world.target, CACHE_BYTES, header.clone()).unwrap();
        lie.iter().for_each(|chunk| restore.take(chunk).unwrap());
        let refused = restore.finish(&founded(1), &[], b"");
        assert!(matches!(refused, Err(RestoreError::Root { height: Height(4) })));
        nothing_is_there(&world);
    }
}

#[test]
fn chunks_that_are_none_or_out_of_order_are_refused_and_others_go_on() {
    let world = world(4);
    let view = world.chain.view().unwrap();
    let honest = small_chunks(&view);
    let mut restore = Restore::begin(&world.target, CACHE_BYTES, view.header().clone()).unwrap();
    restore.take(&honest[0]).unwrap();
    restore.take(&honest[1]).unwrap();
    for stale in &honest[..2] {
        assert!(matches!(restore.take(stale), Err(RestoreError::Order)));
    }
    for garbage in [&b""[..], b"\x80", &honest[2][1..], &vec![0; CHUNK_BYTES_MAX + 1]] {
        assert!(matches!(restore.take(garbage), Err(RestoreError::Chunk(_))));
    }
    honest[2..].iter().for_each(|chunk| restore.take(chunk).unwrap());
    restore.finish(&founded(1), &[], b"").unwrap();
    assert_eq!(
        Chain::open(&world.target, CACHE_BYTES, &founded(1)).unwrap().view().unwrap().header(),
        view.header()
    );
}

#[test]
fn an_interrupted_restore_is_no_ledger_and_can_begin_again() {
    let world = world(4);
    let view = world.chain.view().unwrap();
    let honest = small_chunks(&view);
    for taken in 0..honest.len() {
        let mut restore = Restore::begin(&world.target, CACHE_BYTES, view.header().clone()).unwrap();
        for chunk in &honest[..taken] {
            restore.take(chunk).unwrap();
            restore.write().unwrap(); // as if the batch were full
        }
        drop(restore);
        assert!(!world.target.exists());
        let work = world.target.with_file_name("target.restoring");
        let opened = Chain::open(&work, CACHE_BYTES, &founded(1));
        assert!(taken == 0 || matches!(opened, Err(ChainError::Damaged(_))));
    }
    let mut restore = Restore::begin(&world.target, CACHE_BYTES, view.header().clone()).unwrap();
    for chunk in &honest {
        restore.take(chunk).unwrap();
        restore.write().unwrap();
    }
    restore.finish(&founded(1), &[], b"").unwrap();
    let copy = Chain::open(&world.target, CACHE_BYTES, &founded(1)).unwrap().view().unwrap();
    assert_eq!(small_chunks(&copy), honest);
}
