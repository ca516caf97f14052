//! One behaviour test for every disk, and what only a power cut shows.

use super::*;

fn check_behaviour(disk: &dyn Disk) {
    let mut buffer = [0; 4];
    assert_eq!(disk.open("sub/a").err().unwrap().kind(), io::ErrorKind::NotFound);
    disk.make_folder("sub").unwrap();
    disk.make_folder("sub").unwrap();
    assert_eq!(disk.list("sub").unwrap(), []);

    let file = disk.create("sub/a").unwrap();
    assert_eq!(disk.create("sub/a").err().unwrap().kind(), io::ErrorKind::AlreadyExists);
    file.write_at(0, b"hold").unwrap();
    file.write_at(6, b"fast").unwrap();
    assert_eq!(file.bytes().unwrap(), 10);
    file.read_at(4, &mut buffer).unwrap();
    assert_eq!(&buffer, b"\0\0fa", "a gap is zeros");
    for offset in [7, 10, 100, 1 << 40] {
        assert_eq!(file.read_at(offset, &mut buffer).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
    file.sync().unwrap();

    disk.rename("sub/a", "sub/b").unwrap();
    disk.sync_folder("sub").unwrap();
    assert_eq!(disk.rename("sub/a", "sub/c").unwrap_err().kind(), io::ErrorKind::NotFound);
    file.reserve(1 << 20).unwrap();
    assert_eq!(file.bytes().unwrap(), 10);
    file.set_bytes(4).unwrap();
    let again = disk.open("sub/b").unwrap();
    again.read_at(0, &mut buffer).unwrap();
    assert_eq!(&buffer, b"hold");
    let names: Vec<_> =
        disk.list("sub").unwrap().into_iter().map(|entry| (entry.name, entry.bytes)).collect();
    assert_eq!(names, [("b".to_owned(), 4)]);

    let direct = disk.open_direct("sub/b").unwrap();
    let mut block = Aligned::new(2 * ALIGNMENT);
    assert_eq!(block.take(&[7; ALIGNMENT + 1]), ALIGNMENT + 1);
    direct.write_at(ALIGNMENT as u64, block.padded()).unwrap();
    assert_eq!(again.bytes().unwrap(), 3 * ALIGNMENT as u64);
    again.read_at(2 * ALIGNMENT as u64 - 1, &mut buffer).unwrap();
    assert_eq!(buffer, [7, 7, 0, 0]);
    again.read_at(0, &mut buffer).unwrap();
    assert_eq!(&buffer, b"hold");
    assert_eq!(disk.open_direct("sub/c").err().unwrap().kind(), io::ErrorKind::NotFound);

    disk.remove("sub/b").unwrap();
    assert_eq!(disk.remove("sub/b").unwrap_err().kind(), io::ErrorKind::NotFound);
    remove_if_there(disk, "sub/b").unwrap();
    again.read_at(0, &mut buffer).unwrap(); // open files outlive their names
    assert_eq!(disk.list("sub").unwrap(), []);
}

#[test]
fn memory_keeps_its_promises() {
    check_behaviour(&MemoryDisk::default());
}

#[test]
fn a_folder_keeps_its_promises() {
    let folder = tempfile::tempdir().unwrap();
    check_behaviour(&RealDisk::at(&folder.path().join("disk")).unwrap());
}

fn content(disk: &MemoryDisk, path: &str) -> Option<Vec<u8>> {
    let file = disk.open(path).ok()?;
    let mut data = vec![0; usize::try_from(file.bytes().unwrap()).unwrap()];
    file.read_at(0, &mut data).unwrap();
    Some(data)
}

#[test]
fn a_power_cut_forgets_what_was_not_synced() {
    let disk = MemoryDisk::default();
    let file = disk.create("a").unwrap();
    file.write_at(0, b"synced").unwrap();
    file.sync().unwrap();
    disk.sync_folder("").unwrap();
    file.write_at(0, b"lost!!").unwrap();
    disk.rename("a", "b").unwrap();
    disk.create("c").unwrap();

    let worst = disk.after_power_cut(|_| 0);
    assert_eq!(content(&worst, "a").as_deref(), Some(&b"synced"[..]));
    assert_eq!(worst.paths(), ["a"]);
    let best = disk.after_power_cut(|choices| choices - 1);
    assert_eq!(content(&best, "b").as_deref(), Some(&b"lost!!"[..]));
    assert_eq!(best.paths(), ["b", "c"]);
}

#[test]
fn a_dying_disk_does_its_last_write_by_half_and_then_nothing() {
    let disk = MemoryDisk::default();
    let file = disk.create("a").unwrap();
    disk.die_after(1);
    file.write_at(0, b"abcd").unwrap_err();
    file.sync().unwrap_err();
    assert!(disk.open("a").is_err());
    let after = disk.after_power_cut(|choices| choices - 1);
    assert_eq!(content(&after, "a").as_deref(), Some(&b"ab"[..]));
}

#[test]
fn a_full_disk_refuses_what_does_not_fit() {
    let disk = MemoryDisk::default();
    disk.leave_room(Some(5));
    let file = disk.create("a").unwrap();
    file.write_at(0, b"1234").unwrap();
    assert_eq!(file.write_at(4, b"56").unwrap_err().kind(), io::ErrorKind::StorageFull);
    file.write_at(0, b"abcd").unwrap();
    file.reserve(4).unwrap();
    file.reserve(5).unwrap();
    assert_eq!(file.reserve(6).unwrap_err().kind(), io::ErrorKind::StorageFull);
    disk.remove("a").unwrap();
    disk.create("b").unwrap().write_at(0, b"12345").unwrap();
}

#[test]
fn memory_refuses_what_a_disk_could_not_take_directly() {
    let disk = MemoryDisk::default();
    disk.create("a").unwrap();
    let direct = disk.open_direct("a").unwrap();
    let mut block = Aligned::new(ALIGNMENT);
    block.advance(ALIGNMENT);
    direct.write_at(0, block.filled()).unwrap();
    for (offset, data) in [(1, block.filled()), (0, &block.filled()[1..]), (0, &block.filled()[..512])] {
        assert_eq!(direct.write_at(offset, data).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
