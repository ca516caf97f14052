//! One behaviour test for every volume.

use super::*;

fn name(byte: u8, part: Part) -> Name {
    Name { root: PieceRoot::new([byte; 32]), part }
}

fn check_behaviour(volume: &dyn Volume) {
    let (first, second) = (name(1, Part::Data), name(1, Part::Outboard));
    let mut buffer = [0; 4];
    assert_eq!(volume.read_at(&first, 0, &mut buffer).unwrap_err().kind(), io::ErrorKind::NotFound);

    let mut draft = volume.draft().unwrap();
    draft.write_all(b"hold").unwrap();
    draft.write_all(b"fast").unwrap();
    assert_eq!(volume.list().unwrap(), [], "a draft has no name");
    draft.publish(&first).unwrap();

    volume.read_at(&first, 2, &mut buffer).unwrap();
    assert_eq!(&buffer, b"ldfa");
    for offset in [5, 8, 100, u64::MAX] {
        assert!(volume.read_at(&first, offset, &mut buffer).is_err(), "offset {offset}");
    }
    assert_eq!(volume.read_at(&second, 0, &mut buffer).unwrap_err().kind(), io::ErrorKind::NotFound);

    assert_eq!((volume.length(&first).unwrap(), volume.length(&second).unwrap()), (Some(8), None));

    let mut dropped = volume.draft().unwrap();
    dropped.write_all(b"gone").unwrap();
    drop(dropped);
    let mut again = volume.draft().unwrap();
    again.write_all(b"holdfast").unwrap();
    again.publish(&first).unwrap();
    assert_eq!(volume.list().unwrap(), [(first, 8)]);

    volume.remove(&first).unwrap();
    volume.remove(&first).unwrap();
    assert_eq!(volume.list().unwrap(), []);
}

#[test]
fn memory_keeps_its_promises() {
    check_behaviour(&MemoryVolume::default());
}

#[test]
fn disk_keeps_its_promises_and_forgets_drafts() {
    let folder = tempfile::tempdir().unwrap();
    check_behaviour(&DiskVolume::open(folder.path()).unwrap());

    let volume = DiskVolume::open(folder.path()).unwrap();
    let mut draft = volume.draft().unwrap();
    draft.write_all(b"cut off").unwrap();
    draft.flush().unwrap();
    std::mem::forget(draft); // as a crash would
    assert_eq!(std::fs::read_dir(volume.scratch()).unwrap().count(), 1);
    let volume = DiskVolume::open(folder.path()).unwrap();
    assert_eq!(std::fs::read_dir(volume.scratch()).unwrap().count(), 0);
}
