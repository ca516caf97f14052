//! Power cuts at every write, kills, and interrupted puts.

use super::*;

/// A small generator: the tests need spread, not secrecy.
fn chance(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |choices| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % choices
    }
}

/// Puts small and large pieces one after the other until the disk dies; says which were acknowledged, and whether
/// the disk lived to the end.
fn work(disk: &MemoryDisk, acknowledged: &mut Vec<(BlockId, Vec<u8>)>) -> bool {
    let Ok(store) = Store::over(Arc::new(disk.clone()), options()) else { return false };
    for (byte, bytes) in [(1, 3000), (2, LARGE), (3, 0), (4, 5000), (5, LARGE)] {
        let piece = piece(byte, bytes);
        if put(&store, &piece).is_err() {
            return false;
        }
        acknowledged.push(piece.clone());
        if certify(&store, piece.0, b"certificate").is_err() {
            return false;
        }
    }
    true
}

fn check(disk: &MemoryDisk, acknowledged: &[(BlockId, Vec<u8>)], story: &str) {
    let store = open(disk);
    let report = store.check(|_| ()).unwrap();
    assert_eq!(report.damaged, [], "{story}: an index row points nowhere");
    for (cid, bytes) in acknowledged {
        let row = store.held(cid).unwrap().unwrap_or_else(|| panic!("{story}: {cid} is gone"));
        assert_eq!(row.bytes, bytes.len() as u64);
        assert!(store.has_promised(cid, &promise(1).statement).unwrap(), "{story}: a promise is forgotten");
        assert!(store.block(cid).unwrap().is_some(), "{story}");
    }
    let held: u64 = store.pieces().unwrap().iter().map(|(_, row)| taken(row.bytes)).sum();
    let partial: u64 = disk.list("partial").unwrap().iter().map(|entry| entry.bytes).sum();
    assert_eq!(store.usage().bytes, held + partial, "{story}");
    // The store goes on.
    put(&store, &piece(9, 2000)).unwrap();
    put(&store, &piece(10, LARGE)).unwrap();
}

#[test]
fn a_power_cut_at_any_write_takes_nothing_that_was_acknowledged() {
    for writes in 0.. {
        let disk = MemoryDisk::default();
        disk.die_after(writes);
        let mut acknowledged = Vec::new();
        let lived = work(&disk, &mut acknowledged);
        for seed in 0..3 {
            let story = format!("power cut after {writes} writes, seed {seed}");
            check(&disk.after_power_cut(chance(seed * 1000 + writes)), &acknowledged, &story);
        }
        check(
            &disk.after_power_cut(|_| 0),
            &acknowledged,
            &format!("after {writes} writes, nothing unsynced"),
        );
        if lived {
            assert!(writes > 60, "{writes} writes are too few for what was done");
            return;
        }
    }
}

#[test]
fn a_power_cut_during_the_start_after_a_power_cut_takes_nothing_either() {
    let disk = MemoryDisk::default();
    let mut acknowledged = Vec::new();
    assert!(work(&disk, &mut acknowledged));
    let crashed = disk.after_power_cut(chance(7));
    for writes in 0.. {
        let disk = crashed.after_power_cut(|_| 0);
        disk.die_after(writes);
        let opened = Store::over(Arc::new(disk.clone()), options()).is_ok();
        check(
            &disk.after_power_cut(chance(writes)),
            &acknowledged,
            &format!("{writes} writes into the start"),
        );
        if opened {
            return;
        }
    }
}

#[test]
fn a_program_that_forgets_to_sync_folders_is_found() {
    let disk = MemoryDisk::default();
    disk.forget_folder_syncs();
    let mut acknowledged = Vec::new();
    assert!(work(&disk, &mut acknowledged));
    let store = open(&disk.after_power_cut(|_| 0));
    assert!(acknowledged.iter().any(|(cid, _)| store.held(cid).unwrap().is_none()));
}

/// A piece of ten raw blocks under one node, and where the sixth of them ends.
fn piece_of_blocks() -> (BlockId, Vec<u8>, u64) {
    let leaves: Vec<_> = (0..10).map(|byte| vec![byte; 100_000]).collect();
    let ids: Vec<_> = leaves.iter().map(|data| BlockId::of(Codec::Raw, data)).collect();
    let node = holdfast_core::codec::encode(&ids);
    let cid = BlockId::of(Codec::DagCbor, &node);
    let mut piece = car::header(&cid);
    let mut ends = Vec::new();
    for (id, data) in std::iter::once((&cid, &node)).chain(ids.iter().zip(&leaves)) {
        piece.extend(car::section_prefix(id, data.len()));
        piece.extend(data);
        ends.push(piece.len() as u64);
    }
    (cid, piece, ends[6])
}

#[test]
fn an_interrupted_piece_goes_on_behind_its_last_whole_block() {
    let (store, disk) = memory();
    let (cid, bytes, whole) = piece_of_blocks();
    let mut draft = store.draft(cid, bytes.len() as u64).unwrap();
    draft.push(&bytes[..700_000]).unwrap();
    draft.suspend().unwrap();
    assert_eq!(store.usage().bytes, 700_000, "it counts");
    drop(store);

    // A restart, after a power cut even, finds it.
    let store = open(&disk.after_power_cut(|_| 0));
    assert_eq!(store.usage(), Usage { pieces: 0, bytes: 700_000, quota: QUOTA });
    let draft = store.draft(cid, bytes.len() as u64).unwrap();
    assert_eq!(draft.received(), whole);
    let other = store.draft(cid, bytes.len() as u64).err();
    assert!(
        matches!(other, Some(PutError::Quota { .. })),
        "a second one at once starts anew, if there is room"
    );
    draft.suspend().unwrap();
    assert_eq!(put(&store, &(cid, bytes.clone())).unwrap().root, root_of(&bytes));
    assert_eq!(store.block(&cid).unwrap().map(|block| BlockId::of(Codec::DagCbor, &block)), Some(cid));
    assert_eq!(store.usage().bytes, taken(bytes.len() as u64));
    assert_eq!(store.check(|_| ()).unwrap().damaged, []);
}

#[test]
fn a_beginning_that_somebody_spoilt_does_not_stop_the_next_put() {
    let (store, _) = memory();
    let (cid, bytes, whole) = piece_of_blocks();
    let mut spoilt = bytes[..700_000].to_vec();
    spoilt[699_999] ^= 1;
    let mut draft = store.draft(cid, bytes.len() as u64).unwrap();
    draft.push(&spoilt).unwrap();
    draft.suspend().unwrap();
    let draft = store.draft(cid, bytes.len() as u64).unwrap();
    assert_eq!(draft.received(), whole);
    draft.suspend().unwrap();
    put(&store, &(cid, bytes)).unwrap();
}

#[test]
fn what_is_left_of_a_piece_is_not_trusted_and_not_kept_for_long() {
    let (store, disk) = memory();
    let (cid, bytes) = piece(1, 1_000_000);
    let path = files::partial(&cid, None, files::Part::Data);
    let interrupt = || {
        let mut draft = store.draft(cid, bytes.len() as u64).unwrap();
        draft.push(&bytes[usize::try_from(draft.received()).unwrap()..700_000]).unwrap();
        draft.suspend().unwrap();
    };
    interrupt();
    disk.damage(&path, |data| data[10] ^= 1);
    let draft = store.draft(cid, bytes.len() as u64).unwrap();
    assert_eq!(draft.received(), 0, "a damaged beginning is forgotten");
    drop(draft);
    assert_eq!(store.usage().bytes, 0);

    interrupt();
    disk.set_time(KEEP_PARTIAL - Duration::from_secs(1));
    store.expire_partials().unwrap();
    assert!(disk.paths().contains(&path));
    disk.set_time(KEEP_PARTIAL);
    store.expire_partials().unwrap();
    assert!(!disk.paths().contains(&path));
    assert_eq!(store.usage().bytes, 0);
}

/// The second one had nothing to write, and was told that all is well before the first was on stable storage.
#[test]
fn of_two_puts_in_one_group_none_is_acknowledged_before_the_sync() {
    let (store, disk) = memory();
    put(&store, &piece(2, 1000)).unwrap(); // the segment is there
    let (cid, bytes) = piece(1, 1000);
    let mut drafts: Vec<_> = (0..2).map(|_| store.draft(cid, bytes.len() as u64).unwrap()).collect();
    let (sender, receiver) = mpsc::channel();
    for draft in &mut drafts {
        draft.push(&bytes).unwrap();
    }
    for draft in drafts {
        let sender = sender.clone();
        draft.seal(&root_of(&bytes), None, move |result| sender.send(result).unwrap());
    }
    disk.die_after(1);
    store.commit();
    for _ in 0..2 {
        assert!(matches!(receiver.try_recv().unwrap(), Err(PutError::Commit(_))));
    }
    assert_eq!(open(&disk.after_power_cut(|_| 0)).held(&cid).unwrap(), None);
}

/// What the enclave may sign from then on must outlive any power cut.
#[test]
fn who_is_told_of_the_sync_is_told_the_truth() {
    let (store, disk) = memory();
    put(&store, &piece(2, 1000)).unwrap(); // the segment is there
    let (cid, bytes) = piece(1, 1000);
    let (sender, receiver) = mpsc::channel();
    let put = || {
        let mut draft = store.draft(cid, bytes.len() as u64).unwrap();
        draft.push(&bytes).unwrap();
        let (sender, disk) = (sender.clone(), disk.clone());
        draft.on_synced(move || sender.send(disk.after_power_cut(|_| 0)).unwrap());
        seal(&store, draft, &root_of(&bytes))
    };
    disk.fail_next_sync();
    put().unwrap_err();
    assert!(receiver.try_recv().is_err(), "nothing was synced");
    put().unwrap();
    let cut = receiver.try_recv().expect("it was synced");
    assert!(open(&cut).held(&cid).unwrap().is_some());
    put().unwrap();
    assert!(receiver.try_recv().is_err(), "there was nothing to sync");
}

#[test]
fn a_failed_sync_is_not_asked_again() {
    let (store, disk) = memory();
    let [first, second, third] = [piece(1, 1000), piece(2, 1000), piece(3, 1000)];
    put(&store, &first).unwrap();
    disk.fail_next_sync();
    let error = put(&store, &second).unwrap_err();
    assert!(matches!(error, PutError::Commit(CommitError::Log(_))), "{error:?}");
    assert_eq!(store.held(&second.0).unwrap(), None);
    put(&store, &third).unwrap();
    let segments = disk.paths().iter().filter(|path| path.starts_with("log/")).count();
    assert_eq!(segments, 2, "after a failure the log goes on in a new segment");
    let store = open(&disk.after_power_cut(|_| 0));
    let held = [&first, &second, &third].map(|(cid, _)| store.held(cid).unwrap().is_some());
    assert_eq!(held, [true, false, true]);
}

/// A process that is killed between a write and its sync leaves bytes that the next one can read, and that are nowhere
/// else: they were taken for durable.
#[test]
fn what_a_killed_process_wrote_is_synced_before_it_counts() {
    for writes in 0.. {
        let disk = MemoryDisk::default();
        let (before, at_the_end) = (piece(1, 1000), piece(2, 1000));
        put(&open(&disk), &before).unwrap();
        disk.die_after(writes);
        let store = Store::over(Arc::new(disk.clone()), options());
        let lived = store.is_ok_and(|store| put(&store, &at_the_end).is_ok());
        disk.only_the_process_died();
        put(&open(&disk), &at_the_end).unwrap();
        check(&disk.after_power_cut(|_| 0), &[before, at_the_end], &format!("killed after {writes} writes"));
        if lived {
            assert!(writes > 3, "{writes} writes are too few for what was done");
            return;
        }
    }
}

#[test]
fn a_resumed_put_has_the_room_that_it_was_given() {
    let disk = MemoryDisk::default();
    let store = open(&disk);
    let (cid, bytes, _) = piece_of_blocks();
    let root = root_of(&bytes);
    let mut draft = store.draft(cid, bytes.len() as u64).unwrap();
    draft.push(&bytes[..bytes.len() / 2]).unwrap();
    draft.suspend().unwrap();
    disk.leave_room(Some(bytes.len() as u64));
    let mut draft = store.draft(cid, bytes.len() as u64).unwrap();
    let other = disk.create("other").unwrap();
    assert_eq!(
        other.reserve(bytes.len() as u64 / 2 + 1).unwrap_err().kind(),
        std::io::ErrorKind::StorageFull
    );
    let from = usize::try_from(draft.received()).unwrap();
    draft.push(&bytes[from..]).unwrap();
    seal(&store, draft, &root).unwrap();
}
