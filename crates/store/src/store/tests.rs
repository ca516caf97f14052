use std::sync::mpsc;

use super::*;
use crate::disk::MemoryDisk;
use holdfast_core::block::Codec;
use holdfast_core::check::{CheckError, Checked};
use holdfast_core::id::{Epoch, PieceRoot};
use holdfast_core::{car, tree};

mod crash;
mod readonly;
mod upkeep;

const QUOTA: u64 = 2_000_000;
/// A piece of so many bytes lies in files of its own.
const LARGE: usize = 300_000;

/// A piece of one raw block.
fn piece(byte: u8, bytes: usize) -> (BlockId, Vec<u8>) {
    piece_of(&vec![byte; bytes])
}

/// The piece of this raw block.
fn piece_of(data: &[u8]) -> (BlockId, Vec<u8>) {
    let cid = BlockId::of(Codec::Raw, data);
    let mut piece = car::header(&cid);
    piece.extend(car::section_prefix(&cid, data.len()));
    piece.extend(data);
    (cid, piece)
}

fn root_of(bytes: &[u8]) -> PieceRoot {
    let (mut hasher, mut outboard) = (tree::TreeHasher::default(), Vec::new());
    hasher.update(bytes, &mut outboard);
    hasher.finish(&mut outboard)
}

fn options() -> Options {
    Options { quota: QUOTA, headroom: 0, scratch: std::env::temp_dir(), draw_key: Arc::new(|| Ok([5; 32])) }
}

fn open(disk: &MemoryDisk) -> Store {
    Store::over(Arc::new(disk.clone()), options()).unwrap()
}

fn memory() -> (Store, MemoryDisk) {
    let disk = MemoryDisk::default();
    (open(&disk), disk)
}

fn promise(until: u64) -> Promise {
    Promise { until: Epoch(until), statement: format!("kept until {until}").into_bytes() }
}

/// Seals a draft and commits.
fn seal(store: &Store, draft: PieceDraft, root: &PieceRoot) -> Result<Checked, PutError> {
    let (sender, receiver) = mpsc::channel();
    draft.seal(root, Some(promise(1)), move |result| sender.send(result).unwrap());
    store.commit();
    receiver.try_recv().unwrap()
}

fn put(store: &Store, (cid, piece): &(BlockId, Vec<u8>)) -> Result<Checked, PutError> {
    let mut draft = store.draft(*cid, piece.len() as u64)?;
    let from = usize::try_from(draft.received()).unwrap();
    for part in piece[from..].chunks(7_777) {
        draft.push(part)?;
    }
    seal(store, draft, &root_of(piece))
}

fn certify(store: &Store, cid: BlockId, bytes: &[u8]) -> Result<(), CommitError> {
    let (sender, receiver) = mpsc::channel();
    store.certify(cid, bytes.to_vec(), |_| true, move |result| sender.send(result).unwrap());
    store.commit();
    receiver.try_recv().unwrap()
}

#[test]
fn a_piece_is_read_back_block_by_block_and_proven_chunk_by_chunk() {
    for bytes in [40_000, LARGE] {
        let (store, _) = memory();
        let (cid, piece_bytes) = piece(1, bytes);
        let root = put(&store, &(cid, piece_bytes.clone())).unwrap().root;
        assert_eq!(root, root_of(&piece_bytes));
        assert_eq!(store.block(&cid).unwrap(), Some(vec![1; bytes]));
        assert_eq!(store.block(&piece(2, 5).0).unwrap(), None);
        let length = piece_bytes.len() as u64;
        for index in 0..tree::chunks(length) {
            let proof = store.prove(&cid, index).unwrap().unwrap();
            assert_eq!(proof.verify(index, &root, length), Ok(()));
        }
        assert!(store.prove(&cid, tree::chunks(length)).is_err());
        let row = store.piece(&cid).unwrap().unwrap();
        assert_eq!((row.root, row.bytes, row.blocks, row.until), (root, length, 1, Epoch(1)));
        assert_eq!(row.own, bytes == LARGE);
        assert_eq!(store.promises(&cid).unwrap(), [promise(1).statement]);
        assert!(store.has_promised(&cid, &promise(1).statement).unwrap());
        assert!(!store.has_promised(&cid, b"something else").unwrap());
    }
}

#[test]
fn quota_counts_drafts_and_gives_back() {
    let (store, _) = memory();
    let big = piece(1, 1_500_000);
    let draft = store.draft(big.0, big.1.len() as u64).unwrap();
    assert!(matches!(put(&store, &piece(2, 600_000)), Err(PutError::Quota { .. })));
    drop(draft);
    assert_eq!(store.usage().bytes, 0);
    put(&store, &piece(2, 600_000)).unwrap();
    put(&store, &big).unwrap_err();
    put(&store, &piece(2, 600_000)).unwrap(); // counted already
    assert_eq!(store.usage().pieces, 1);
    assert_eq!(store.usage().bytes, taken(piece(2, 600_000).1.len() as u64));
    assert!(matches!(store.draft(big.0, u64::MAX), Err(PutError::Quota { .. })));
}

#[test]
fn two_puts_of_one_piece_count_once() {
    for content in [1000, LARGE] {
        let (store, disk) = memory();
        let (cid, bytes) = piece(3, content);
        let mut first = store.draft(cid, bytes.len() as u64).unwrap();
        let mut second = store.draft(cid, bytes.len() as u64).unwrap();
        first.push(&bytes).unwrap();
        second.push(&bytes).unwrap();
        let root = root_of(&bytes);
        // Both wait for one sync.
        let (sender, receiver) = mpsc::channel();
        for draft in [first, second] {
            let sender = sender.clone();
            draft.seal(&root, Some(promise(1)), move |result| sender.send(result).unwrap());
        }
        store.commit();
        assert_eq!(receiver.try_recv().unwrap().unwrap(), receiver.try_recv().unwrap().unwrap());
        assert_eq!(store.usage(), Usage { pieces: 1, bytes: taken(bytes.len() as u64), quota: QUOTA });
        assert!(store.block(&cid).unwrap() == Some(vec![3; content]));
        assert!(!disk.paths().iter().any(|path| path.starts_with("partial")));
    }
}

#[test]
fn failed_puts_leave_nothing() {
    for bytes in [1000, LARGE] {
        let (store, disk) = memory();
        let before = disk.paths();
        let (cid, bytes) = piece(4, bytes);
        let length = bytes.len() as u64;
        let mut wrong = bytes.clone();
        wrong[900] ^= 1;
        assert!(matches!(put(&store, &(cid, wrong)), Err(PutError::Check(CheckError::Hash { .. }))));

        let mut short = store.draft(cid, length).unwrap();
        short.push(&bytes[..500]).unwrap();
        let sealed = seal(&store, short, &root_of(&bytes));
        assert!(matches!(sealed, Err(PutError::Check(CheckError::Incomplete { .. }))));

        let mut long = store.draft(cid, length - 1).unwrap();
        assert!(matches!(long.push(&bytes), Err(PutError::Length { .. })));
        drop(long);

        let mut generous = store.draft(cid, length + 1).unwrap();
        generous.push(&bytes).unwrap();
        let sealed = seal(&store, generous, &root_of(&bytes));
        assert!(matches!(sealed, Err(PutError::Length { .. })));

        let mut claimed = store.draft(cid, length).unwrap();
        claimed.push(&bytes).unwrap();
        let sealed = seal(&store, claimed, &PieceRoot::new([1; 32]));
        assert!(matches!(sealed, Err(PutError::Root { .. })));

        assert_eq!(disk.paths(), before);
        assert_eq!(store.usage(), Usage { pieces: 0, bytes: 0, quota: QUOTA });
        assert_eq!(store.piece(&cid).unwrap(), None);
    }
}

#[test]
fn a_flipped_bit_on_disk_is_never_served() {
    let (store, disk) = memory();
    for (byte, bytes) in [(5, 40_000), (6, LARGE)] {
        let (cid, bytes) = piece(byte, bytes);
        put(&store, &(cid, bytes)).unwrap();
        let row = store.piece(&cid).unwrap().unwrap();
        let (path, start) = match row.own {
            true => (files::own(&row.root, files::Part::Data), 0),
            false => (files::segment(row.place.segment), usize::try_from(row.place.body).unwrap()),
        };
        disk.damage(&path, |data| data[start + 20_000] ^= 4);
        assert!(matches!(store.block(&cid), Err(ReadError::Damaged { .. })));
        assert!(matches!(store.prove(&cid, 19), Err(ReadError::Damaged { .. })));
        assert_eq!(store.check(|_| ()).unwrap().damaged.iter().filter(|damage| damage.cid == cid).count(), 1);
        disk.damage(&path, |data| data.truncate(start + 10_000));
        assert!(matches!(store.block(&cid), Err(ReadError::Read { .. })));
    }
}

#[test]
fn a_piece_that_the_disk_has_lost_is_not_held_and_can_be_put_again() {
    for part in files::Part::ALL {
        let (store, disk) = memory();
        let lost = piece(8, LARGE);
        let root = put(&store, &lost).unwrap().root;
        let usage = store.usage();
        assert!(store.held(&lost.0).unwrap().is_some());
        disk.damage(&files::own(&root, part), |data| data.truncate(10));
        assert!(store.held(&lost.0).unwrap().is_none());
        disk.remove(&files::own(&root, part)).unwrap();
        assert!(store.held(&lost.0).unwrap().is_none());
        put(&store, &lost).unwrap();
        assert!(store.held(&lost.0).unwrap().is_some());
        assert_eq!(store.block(&lost.0).unwrap(), Some(vec![8; LARGE]));
        assert_eq!(store.usage(), usage, "it counts once");
    }
}

#[test]
fn a_full_disk_refuses_new_pieces_and_keeps_the_old() {
    let (store, disk) = memory();
    let kept = piece(1, 1000);
    put(&store, &kept).unwrap();
    disk.leave_room(Some(10_000));
    for bytes in [50_000, LARGE] {
        let refused = put(&store, &piece(2, bytes)).unwrap_err();
        assert!(refused.is_full(), "{refused:?}");
    }
    assert_eq!(store.usage().pieces, 1);
    assert_eq!(store.usage().bytes, taken(kept.1.len() as u64));
    assert!(store.block(&kept.0).unwrap().is_some());
    disk.leave_room(None);
    put(&store, &piece(2, LARGE)).unwrap();
    put(&store, &piece(3, 1000)).unwrap();
    drop(store);
    assert_eq!(open(&disk).check(|_| ()).unwrap().damaged, []);
}

#[test]
fn a_store_in_a_folder_commits_by_itself_and_opens_again() {
    let folder = tempfile::tempdir().unwrap();
    let pieces: Vec<_> = (0..20).map(|byte| piece(byte, 5000)).collect();
    {
        let store = Store::open(folder.path(), QUOTA).unwrap();
        let (sender, receiver) = mpsc::channel();
        for (cid, bytes) in &pieces {
            let mut draft = store.draft(*cid, bytes.len() as u64).unwrap();
            draft.push(bytes).unwrap();
            let sender = sender.clone();
            draft.seal(&root_of(bytes), Some(promise(1)), move |result| sender.send(result).unwrap());
        }
        for _ in &pieces {
            receiver.recv().unwrap().unwrap();
        }
    }
    let store = Store::open(folder.path(), QUOTA).unwrap();
    for (byte, (cid, _)) in pieces.iter().enumerate() {
        assert_eq!(store.block(cid).unwrap(), Some(vec![u8::try_from(byte).unwrap(); 5000]));
    }
    assert_eq!(store.usage().pieces, 20);
    assert_eq!(store.check(|_| ()).unwrap().damaged, []);
}
