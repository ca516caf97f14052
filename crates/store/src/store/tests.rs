use super::*;
use crate::volume::MemoryVolume;
use holdfast_core::block::Codec;
use holdfast_core::car;

const QUOTA: u64 = 100_000;

/// A piece of one raw block.
fn piece(byte: u8, bytes: usize) -> (BlockId, Vec<u8>) {
    let data = vec![byte; bytes];
    let cid = BlockId::of(Codec::Raw, &data);
    let mut piece = car::header(&cid);
    piece.extend(car::section_prefix(&cid, data.len()));
    piece.extend(data);
    (cid, piece)
}

fn memory() -> (Store, MemoryVolume) {
    let volume = MemoryVolume::default();
    (Store::new(Box::new(volume.clone()), Index::in_memory().unwrap(), QUOTA).unwrap(), volume)
}

fn put(store: &Store, (cid, piece): &(BlockId, Vec<u8>)) -> Result<PieceRoot, PutError> {
    let mut draft = store.draft(*cid, piece.len() as u64)?;
    for part in piece.chunks(777) {
        draft.push(part)?;
    }
    Ok(draft.seal(&root_of(piece))?.root)
}

#[test]
fn a_piece_is_read_back_block_by_block_and_proven_chunk_by_chunk() {
    let (store, _) = memory();
    let (cid, bytes) = piece(1, 40_000);
    let root = put(&store, &(cid, bytes.clone())).unwrap();
    assert_eq!(root, root_of(&bytes));
    assert_eq!(store.block(&cid).unwrap(), Some(vec![1; 40_000]));
    assert_eq!(store.block(&piece(2, 5).0).unwrap(), None);
    let length = bytes.len() as u64;
    for index in 0..tree::chunks(length) {
        let proof = store.prove(&cid, index).unwrap().unwrap();
        assert_eq!(proof.verify(index, &root, length), Ok(()));
    }
    assert!(store.prove(&cid, tree::chunks(length)).is_err());
    let expected = PieceRow { root, bytes: length, blocks: 1 };
    assert_eq!(store.piece(&cid).unwrap(), Some(expected));
}

fn root_of(bytes: &[u8]) -> PieceRoot {
    let (mut hasher, mut outboard) = (tree::TreeHasher::default(), Vec::new());
    hasher.update(bytes, &mut outboard);
    hasher.finish(&mut outboard)
}

#[test]
fn quota_counts_drafts_and_gives_back() {
    let (store, _) = memory();
    let big = piece(1, 60_000);
    let draft = store.draft(big.0, 60_000).unwrap();
    assert!(matches!(put(&store, &piece(2, 60_000)), Err(PutError::Quota { free: 40_000, .. })));
    drop(draft);
    put(&store, &piece(2, 60_000)).unwrap();
    put(&store, &piece(3, 60_000)).unwrap_err();
    put(&store, &piece(2, 60_000)).unwrap(); // counted already
    assert_eq!(store.usage().pieces, 1);
    assert!(matches!(store.draft(big.0, u64::MAX), Err(PutError::Quota { .. })));
}

#[test]
fn two_puts_of_one_piece_count_once() {
    let (store, _) = memory();
    let (cid, bytes) = piece(3, 1000);
    let mut first = store.draft(cid, bytes.len() as u64).unwrap();
    let mut second = store.draft(cid, bytes.len() as u64).unwrap();
    first.push(&bytes).unwrap();
    second.push(&bytes).unwrap();
    let root = root_of(&bytes);
    assert_eq!(first.seal(&root).unwrap(), second.seal(&root).unwrap());
    assert_eq!(store.usage(), Usage { pieces: 1, bytes: bytes.len() as u64, quota: QUOTA });
}

#[test]
fn failed_puts_leave_nothing() {
    let (store, volume) = memory();
    let (cid, bytes) = piece(4, 1000);
    let mut wrong = bytes.clone();
    wrong[900] ^= 1;
    assert!(matches!(put(&store, &(cid, wrong)), Err(PutError::Check(CheckError::Hash { .. }))));

    let mut short = store.draft(cid, bytes.len() as u64).unwrap();
    short.push(&bytes[..500]).unwrap();
    assert!(matches!(short.seal(&root_of(&bytes)), Err(PutError::Check(CheckError::Incomplete { .. }))));

    let mut long = store.draft(cid, bytes.len() as u64 - 1).unwrap();
    assert!(matches!(long.push(&bytes), Err(PutError::Length { .. })));
    drop(long);

    let mut generous = store.draft(cid, bytes.len() as u64 + 1).unwrap();
    generous.push(&bytes).unwrap();
    assert!(matches!(generous.seal(&root_of(&bytes)), Err(PutError::Length { .. })));

    let mut claimed = store.draft(cid, bytes.len() as u64).unwrap();
    claimed.push(&bytes).unwrap();
    assert!(matches!(claimed.seal(&PieceRoot::new([1; 32])), Err(PutError::Root { .. })));

    assert_eq!(volume.list().unwrap(), []);
    assert_eq!(store.usage(), Usage { pieces: 0, bytes: 0, quota: QUOTA });
    assert_eq!(store.piece(&cid).unwrap(), None);
}

#[test]
fn a_flipped_bit_on_disk_is_never_served() {
    let (store, volume) = memory();
    let (cid, bytes) = piece(5, 40_000);
    let root = put(&store, &(cid, bytes)).unwrap();
    volume.damage(&Name { root, part: Part::Data }, |data| data[20_000] ^= 4);
    assert!(matches!(store.block(&cid), Err(ReadError::Damaged { .. })));
    assert!(matches!(store.prove(&cid, 20), Err(ReadError::Damaged { .. })));
    volume.damage(&Name { root, part: Part::Data }, |data| data.truncate(10_000));
    assert!(matches!(store.block(&cid), Err(ReadError::Read { .. })));
}

#[test]
fn a_store_opens_again_with_everything_sealed_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (kept, orphan) = (piece(6, 5000), piece(7, 5000));
    {
        let store = Store::open(folder.path(), QUOTA).unwrap();
        put(&store, &kept).unwrap();
        store.keep(&kept.0, RecordKind::Certificate, b"", b"certificate").unwrap();
        // A crash between rename and index row leaves an object without a row.
        let mut draft = store.0.volume.draft().unwrap();
        io::Write::write_all(&mut draft, &orphan.1).unwrap();
        draft.publish(&Name { root: PieceRoot::new([9; 32]), part: Part::Data }).unwrap();
    }
    let store = Store::open(folder.path(), QUOTA).unwrap();
    assert_eq!(store.block(&kept.0).unwrap(), Some(vec![6; 5000]));
    assert_eq!(
        store.record(&kept.0, RecordKind::Certificate, b"").unwrap().as_deref(),
        Some(&b"certificate"[..])
    );
    assert_eq!(store.record(&kept.0, RecordKind::Receipt, b"").unwrap(), None);
    assert_eq!(store.usage().pieces, 1);
    assert_eq!(store.usage().bytes, kept.1.len() as u64);
    assert_eq!(store.0.volume.list().unwrap().len(), 2, "data and outboard of the one piece");
}

#[test]
fn a_piece_that_the_disk_has_lost_is_not_held_and_can_be_put_again() {
    for part in [Part::Data, Part::Outboard] {
        let (store, volume) = memory();
        let lost = piece(8, 40_000);
        let root = put(&store, &lost).unwrap();
        let usage = store.usage();
        assert!(store.held(&lost.0).unwrap().is_some());
        volume.damage(&Name { root, part }, |data| data.truncate(10));
        assert!(store.held(&lost.0).unwrap().is_none());
        volume.remove(&Name { root, part }).unwrap();
        assert!(store.held(&lost.0).unwrap().is_none());
        put(&store, &lost).unwrap();
        assert!(store.held(&lost.0).unwrap().is_some());
        assert_eq!(store.block(&lost.0).unwrap(), Some(vec![8; 40_000]));
        assert_eq!(store.usage(), usage, "it counts once");
    }
}
