//! Collection, repair, and what is kept beside pieces.

use super::*;

#[test]
fn certificates_are_kept_with_and_without_their_piece() {
    let (store, disk) = memory();
    let (held, lacking) = (piece(1, 1000), piece(2, 1000));
    put(&store, &held).unwrap();
    certify(&store, held.0, b"small").unwrap();
    certify(&store, held.0, b"larger").unwrap();
    certify(&store, lacking.0, b"of a piece elsewhere").unwrap();
    drop(store);
    let store = open(&disk.after_power_cut(|_| 0));
    assert_eq!(store.certificate(&held.0).unwrap().as_deref(), Some(&b"larger"[..]));
    assert_eq!(store.wanted().unwrap(), [lacking.0]);
    put(&store, &lacking).unwrap();
    assert_eq!(store.wanted().unwrap(), []);
}

#[test]
fn collection_removes_what_nobody_was_promised_any_more() {
    for bytes in [1000, LARGE] {
        let (store, disk) = memory();
        let (short, long) = (piece(1, bytes), piece(2, bytes));
        put(&store, &short).unwrap();
        put(&store, &long).unwrap();
        let (sender, receiver) = mpsc::channel();
        store.promise(long.0, promise(3), move |result| sender.send(result).unwrap());
        store.commit();
        receiver.try_recv().unwrap().unwrap();

        assert_eq!(store.collect(Epoch(0)).unwrap(), Collected::default());
        let collected = store.collect(Epoch(1)).unwrap();
        assert_eq!((collected.pieces, collected.bytes), (1, taken(short.1.len() as u64)));
        assert_eq!(store.block(&short.0).unwrap(), None);
        assert_eq!(store.promises(&short.0).unwrap(), Vec::<Vec<u8>>::new());
        assert!(store.block(&long.0).unwrap().is_some());
        assert_eq!(store.usage(), Usage { pieces: 1, bytes: taken(long.1.len() as u64), quota: QUOTA });
        let files = disk.paths().iter().filter(|path| path.starts_with("pieces")).count();
        assert_eq!(files, if bytes == LARGE { 2 } else { 0 });
        drop(store);
        let store = open(&disk.after_power_cut(|_| 0));
        assert_eq!(store.usage().pieces, 1);
        put(&store, &short).unwrap(); // it may come back
        assert_eq!(store.check(|_| ()).unwrap().damaged, []);
    }
}

#[test]
fn a_promise_about_a_piece_that_is_not_here_is_refused() {
    let (store, _) = memory();
    let (sender, receiver) = mpsc::channel();
    store.promise(piece(1, 10).0, promise(1), move |result| sender.send(result).unwrap());
    store.commit();
    assert!(matches!(receiver.try_recv().unwrap(), Err(CommitError::NotHeld { .. })));
}

/// Fills several segments, lets most of them die, and collects.
#[test]
fn dead_segments_give_back_their_room() {
    let disk = MemoryDisk::default();
    let roomy = Options { quota: 1 << 30, ..options() };
    let store = Store::over(Arc::new(disk.clone()), roomy.clone()).unwrap();
    let bytes = usize::try_from(SMALL_BYTES).unwrap() - 200;
    let count = 2 * usize::try_from(crate::log::SEGMENT_BYTES).unwrap() / bytes + 8;
    let data = |number: usize| {
        let mut data = vec![0; bytes];
        data[..8].copy_from_slice(&(number as u64).to_be_bytes());
        data
    };
    let made: Vec<_> = (0..count)
        .map(|number| {
            let (cid, piece) = piece_of(&data(number));
            let mut draft = store.draft(cid, piece.len() as u64).unwrap();
            draft.push(&piece).unwrap();
            let until = if number % 4 == 0 { 9 } else { 1 };
            draft.seal(&root_of(&piece), Some(promise(until)), |result| {
                result.unwrap();
            });
            store.commit();
            (cid, until)
        })
        .collect();
    let segments = |disk: &MemoryDisk| disk.paths().iter().filter(|path| path.starts_with("log/")).count();
    assert_eq!(segments(&disk), 3);
    assert_eq!(store.collect(Epoch(1)).unwrap().segments, 2);
    assert_eq!(segments(&disk), 1);
    let alive = |store: &Store| {
        for (number, (cid, until)) in made.iter().enumerate() {
            let expected = (*until == 9).then(|| data(number));
            assert!(store.block(cid).unwrap() == expected, "piece {number}");
        }
        assert_eq!(store.check(|_| ()).unwrap().damaged, []);
    };
    alive(&store);
    drop(store);
    let crashed = disk.after_power_cut(|_| 0);
    alive(&Store::over(Arc::new(crashed.clone()), roomy.clone()).unwrap());
    // The index made again from the log says the same.
    crashed.remove(files::INDEX).unwrap();
    alive(&Store::over(Arc::new(crashed), roomy).unwrap());
}

/// A removal that was still needed was written again at the end of the log; read from there, it also removed the
/// certificate that came later. One that was not, because its piece is back, let what was removed come back too.
#[test]
fn a_removal_that_moves_takes_what_came_before_it_and_nothing_else() {
    let (store, disk) = memory();
    let (gone, back, kept) = (piece(1, 1000), piece(2, 1000), piece(3, 100_000));
    for piece in [&gone, &back, &kept] {
        put(&store, piece).unwrap();
    }
    certify(&store, back.0, b"old").unwrap();
    store.promise(kept.0, promise(9), |result| result.unwrap());
    store.commit();
    let next_segment = || {
        disk.leave_room(Some(10));
        certify(&store, kept.0, b"for which there is no room").unwrap_err();
        disk.leave_room(None);
    };
    next_segment();
    assert_eq!(store.collect(Epoch(1)).unwrap().pieces, 2);
    next_segment();
    certify(&store, gone.0, b"of a piece elsewhere").unwrap();
    put(&store, &back).unwrap();
    assert_eq!(store.collect(Epoch(0)).unwrap().segments, 1);
    let check = |store: &Store| {
        assert_eq!(store.held(&gone.0).unwrap(), None);
        assert_eq!(store.certificate(&gone.0).unwrap().as_deref(), Some(&b"of a piece elsewhere"[..]));
        assert_eq!(store.held(&back.0).unwrap().unwrap().until, Epoch(1));
        assert_eq!(store.certificate(&back.0).unwrap(), None);
        assert_eq!(store.held(&kept.0).unwrap().unwrap().until, Epoch(9));
    };
    check(&store);
    drop(store);
    disk.remove(files::INDEX).unwrap();
    check(&open(&disk));
}

#[test]
fn a_lost_or_damaged_index_is_made_again_from_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (small, large) = (piece(1, 1000), piece(2, LARGE));
    {
        let store = Store::open(folder.path(), QUOTA).unwrap();
        for (cid, bytes) in [&small, &large] {
            let mut draft = store.draft(*cid, bytes.len() as u64).unwrap();
            draft.push(bytes).unwrap();
            let (sender, receiver) = mpsc::channel();
            draft.seal(&root_of(bytes), Some(promise(1)), move |result| sender.send(result).unwrap());
            receiver.recv().unwrap().unwrap();
        }
    }
    let index = folder.path().join("index.redb");
    let good = std::fs::read(&index).unwrap();
    let mut damages: Vec<Vec<u8>> = vec![vec![0x55; 100_000]];
    damages.extend([0, 100, 5000, good.len() / 2, good.len() - 1].map(|bytes| good[..bytes].to_vec()));
    // Some of these made the database panic.
    for at in (0..good.len()).step_by(4096) {
        let mut damaged = good.clone();
        damaged[at..good.len().min(at + 40)].fill(0xff);
        damages.push(damaged);
    }
    for damaged in damages {
        std::fs::write(&index, damaged).unwrap();
        let store = Store::open(folder.path(), QUOTA).unwrap();
        assert_eq!(store.usage().pieces, 2);
        assert_eq!(store.check(|_| ()).unwrap().damaged, []);
        assert_eq!(store.block(&large.0).unwrap(), Some(vec![2; LARGE]));
        assert!(store.has_promised(&small.0, &promise(1).statement).unwrap());
        drop(store);
        drop(Store::rebuild(folder.path(), QUOTA).unwrap());
    }
}

#[test]
fn a_damaged_record_costs_its_piece_and_no_other() {
    let (store, disk) = memory();
    let pieces: Vec<_> = (1..6).map(|byte| piece(byte, 10_000)).collect();
    for piece in &pieces {
        put(&store, piece).unwrap();
    }
    let place = store.piece(&pieces[2].0).unwrap().unwrap().place;
    drop(store);
    disk.damage(&files::segment(place.segment), |data| data[usize::try_from(place.body).unwrap() + 50] ^= 1);
    disk.remove(files::INDEX).unwrap();
    let store = open(&disk);
    for (number, (cid, _)) in pieces.iter().enumerate() {
        assert_eq!(store.held(cid).unwrap().is_some(), number != 2, "piece {number}");
    }
    assert!(store.check(|_| ()).unwrap().skipped_log_bytes > 0);
    put(&store, &pieces[2]).unwrap();
}

/// Its bytes are as they were, and an index made again would not have it.
#[test]
fn a_piece_whose_record_or_promise_is_damaged_is_found_by_a_check() {
    let (store, disk) = memory();
    let pieces = [piece(1, 1000), piece(2, LARGE), piece(3, 1000)];
    for piece in &pieces {
        put(&store, piece).unwrap();
    }
    let [small, large, promised] = pieces.each_ref().map(|(cid, _)| store.piece(cid).unwrap().unwrap().place);
    let promise = store.shared.index.promises(&pieces[2].0).unwrap()[0].place;
    assert_eq!(promise.segment, promised.segment);
    for place in [small, large, promise] {
        let at = usize::try_from(place.start).unwrap() + 40;
        disk.damage(&files::segment(place.segment), |data| data[at] ^= 1);
    }
    let damaged: Vec<_> = store.check(|_| ()).unwrap().damaged.into_iter().map(|damage| damage.cid).collect();
    let expected: std::collections::BTreeSet<_> = pieces.iter().map(|(cid, _)| *cid).collect();
    assert_eq!(damaged.into_iter().collect::<std::collections::BTreeSet<_>>(), expected);
}

/// The piece is written again behind its promise, and the index is made again from that.
#[test]
fn a_promise_that_stands_before_its_piece_in_the_log_counts() {
    let disk = MemoryDisk::default();
    let roomy = Options { quota: 1 << 30, ..options() };
    let store = Store::over(Arc::new(disk.clone()), roomy.clone()).unwrap();
    let add = |number: u64, until: u64| {
        let mut data = vec![0; usize::try_from(SMALL_BYTES).unwrap() - 200];
        data[..8].copy_from_slice(&number.to_be_bytes());
        let (cid, piece) = piece_of(&data);
        let mut draft = store.draft(cid, piece.len() as u64).unwrap();
        draft.push(&piece).unwrap();
        draft.seal(&root_of(&piece), Some(promise(until)), |result| {
            result.unwrap();
        });
        store.commit();
        cid
    };
    let kept = add(0, 5);
    for number in 1..300 {
        add(number, 1);
    }
    store.promise(kept, promise(9), |result| result.unwrap());
    store.commit();
    assert!(store.collect(Epoch(1)).unwrap().segments > 0);
    drop(store);
    disk.remove(files::INDEX).unwrap();
    let store = Store::over(Arc::new(disk), roomy).unwrap();
    assert_eq!(store.piece(&kept).unwrap().unwrap().until, Epoch(9));
    store.collect(Epoch(8)).unwrap();
    assert!(store.held(&kept).unwrap().is_some(), "a promised piece was collected");
}

#[test]
fn a_promise_made_twice_is_written_once() {
    let (store, _) = memory();
    let held = piece(1, 1000);
    put(&store, &held).unwrap();
    let end = || lock(&store.shared.writer).end;
    let before = end();
    put(&store, &held).unwrap();
    assert_eq!(end(), before);
    assert_eq!(store.promises(&held.0).unwrap().len(), 1);
}

#[test]
fn a_damaged_piece_is_given_up_and_comes_back_with_what_was_promised() {
    for bytes in [1000, LARGE] {
        for rebuilt in [false, true] {
            let (store, disk) = memory();
            let (broken, whole) = (piece(1, bytes), piece(2, bytes));
            for piece in [&broken, &whole] {
                put(&store, piece).unwrap();
                certify(&store, piece.0, b"certificate").unwrap();
            }
            let row = store.piece(&broken.0).unwrap().unwrap();
            let (path, start) = match row.own {
                true => (files::own(&row.root, files::Part::Data), 0),
                false => (files::segment(row.place.segment), usize::try_from(row.place.body).unwrap()),
            };
            disk.damage(&path, |data| data[start + 500] ^= 1);
            assert_eq!(store.lost().unwrap(), [], "its length is right");
            assert!(store.discard(&broken.0).unwrap());
            assert!(!store.discard(&broken.0).unwrap());
            assert_eq!(store.usage(), Usage { pieces: 1, bytes: taken(row.bytes), quota: QUOTA });

            drop(store);
            let crashed = disk.after_power_cut(|_| 0);
            if rebuilt {
                crashed.remove(files::INDEX).unwrap();
            }
            let store = open(&crashed);
            assert_eq!(store.usage(), Usage { pieces: 1, bytes: taken(row.bytes), quota: QUOTA });
            assert_eq!(store.check(|_| ()).unwrap().damaged, []);
            assert_eq!(store.lost().unwrap(), [broken.0]);
            assert_eq!(store.wanted().unwrap(), [broken.0]);
            put(&store, &broken).unwrap();
            assert_eq!(store.lost().unwrap(), []);
            assert_eq!(store.certificate(&broken.0).unwrap().as_deref(), Some(&b"certificate"[..]));
            assert!(store.block(&broken.0).unwrap().is_some() && store.block(&whole.0).unwrap().is_some());
            assert_eq!(store.check(|_| ()).unwrap().damaged, []);
        }
    }
}

fn segments(disk: &MemoryDisk) -> usize {
    disk.paths().iter().filter(|path| path.starts_with("log/")).count()
}

/// Lets a write fail, after which the log goes on in a new segment.
fn next_segment(store: &Store, disk: &MemoryDisk) {
    disk.fail_next_sync();
    certify(store, piece(200, 1).0, b"lost").unwrap_err();
}

#[test]
fn either_copy_of_a_secret_reads_a_segment_of_any_length() {
    for copy in [4, 36] {
        let (disk, roomy) = (MemoryDisk::default(), Options { quota: 1 << 30, ..options() });
        let store = Store::over(Arc::new(disk.clone()), roomy.clone()).unwrap();
        let pieces: Vec<_> = (0..40).map(|number| piece(number, 200_000)).collect();
        for piece in &pieces {
            put(&store, piece).unwrap();
        }
        drop(store);
        disk.damage("log/00000001.seg", |data| data[copy] ^= 1);
        disk.remove(files::INDEX).unwrap();
        let store = Store::over(Arc::new(disk), roomy).unwrap();
        assert!(pieces.iter().all(|(cid, _)| store.block(cid).unwrap().is_some()), "copy at {copy}");
    }
}

#[test]
fn a_segment_with_something_that_is_needed_and_damaged_stays() {
    let (store, disk) = memory();
    let (dead, damaged) = (piece(1, 100_000), piece(2, 1000));
    put(&store, &dead).unwrap();
    put(&store, &damaged).unwrap();
    store.promise(damaged.0, promise(9), |result| result.unwrap());
    store.commit();
    next_segment(&store, &disk);
    certify(&store, dead.0, b"begins a segment").unwrap();
    disk.damage("log/00000001.seg", |data| {
        let at = data.windows(1000).position(|part| part == [2; 1000]).unwrap();
        data[at] ^= 1;
    });
    let collected = store.collect(Epoch(1)).unwrap();
    assert_eq!((collected.pieces, collected.segments), (1, 0));
    assert_eq!(store.check(|_| ()).unwrap().damaged.len(), 1, "it is still known");
    // Once it is back, nothing keeps the segment.
    store.discard(&damaged.0).unwrap();
    put(&store, &damaged).unwrap();
    assert_eq!(store.collect(Epoch(1)).unwrap().segments, 1);
    assert!(store.block(&damaged.0).unwrap().is_some());
}

#[test]
fn a_lost_segment_does_not_stop_collection() {
    let (store, disk) = memory();
    let [lost, dead, kept] = [piece(1, 1000), piece(2, 100_000), piece(3, 1000)];
    put(&store, &lost).unwrap();
    next_segment(&store, &disk);
    put(&store, &dead).unwrap();
    put(&store, &kept).unwrap();
    store.promise(kept.0, promise(9), |result| result.unwrap());
    store.commit();
    next_segment(&store, &disk);
    certify(&store, dead.0, b"begins a segment").unwrap();
    drop(store);
    disk.remove("log/00000001.seg").unwrap();
    let store = open(&disk);
    put(&store, &lost).unwrap();
    assert_eq!(store.collect(Epoch(1)).unwrap().segments, 1);
    assert!(store.block(&kept.0).unwrap().is_some());
}

#[test]
fn what_no_record_can_hold_is_refused_and_the_log_goes_on() {
    let (store, _) = memory();
    let kept = piece(1, 1000);
    let error = certify(&store, kept.0, &[7; 16_384 - 100]).unwrap_err();
    assert!(matches!(error, CommitError::TooLong), "{error:?}");
    certify(&store, kept.0, &[7; crate::log::PAYLOAD_BYTES_MAX]).unwrap();
    put(&store, &kept).unwrap();
}

#[test]
fn of_certificates_that_come_at_once_the_right_one_stays() {
    let (store, _) = memory();
    let cid = piece(1, 10).0;
    let longer = |bytes: &[u8]| {
        let bytes = bytes.len();
        move |kept: Option<&[u8]>| kept.is_none_or(|kept| kept.len() < bytes)
    };
    for certificate in [&b"three"[..], b"fourfour", b"two", b"three"] {
        store.certify(cid, certificate.to_vec(), longer(certificate), |result| result.unwrap());
    }
    store.certify_lazily(cid, b"unchecked".to_vec());
    store.commit();
    assert_eq!(store.certificate(&cid).unwrap().as_deref(), Some(&b"fourfour"[..]));
}

/// A smaller one, to which a larger one was preferred that then found no room, was acknowledged.
#[test]
fn no_certificate_is_acknowledged_for_one_that_was_not_kept() {
    let (store, disk) = memory();
    let cid = piece(1, 10).0;
    disk.leave_room(Some(10));
    let (sender, receiver) = mpsc::channel();
    for certificate in [&b"fourfour"[..], b"two"] {
        let (sender, bytes) = (sender.clone(), certificate.len());
        let replaces = move |kept: Option<&[u8]>| kept.is_none_or(|kept| kept.len() < bytes);
        store.certify(cid, certificate.to_vec(), replaces, move |result| sender.send(result).unwrap());
    }
    store.commit();
    assert!(receiver.try_iter().all(|result| result.is_err()));
    assert_eq!(store.certificate(&cid).unwrap(), None);
}

#[test]
fn a_full_disk_does_not_fill_with_segments() {
    let (store, disk) = memory();
    let kept = piece(1, 1000);
    put(&store, &kept).unwrap();
    disk.leave_room(Some(100));
    for _ in 0..5 {
        certify(&store, kept.0, &[7; 200]).unwrap_err();
    }
    assert!(segments(&disk) <= 2, "{:?}", disk.paths());
    disk.leave_room(None);
    certify(&store, kept.0, &[7; 200]).unwrap();
    drop(store);
    let store = open(&disk);
    assert_eq!(segments(&disk), 2, "one with records, and the last");
    assert!(store.block(&kept.0).unwrap().is_some());
}
