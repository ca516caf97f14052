//! A disk that turned read-only, as disks do when they begin to fail.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::disk::{Disk, DiskFile, Entry};

/// A disk that refuses every change while its switch is on.
#[derive(Clone, Default)]
struct Switched {
    disk: MemoryDisk,
    read_only: Arc<AtomicBool>,
}

struct SwitchedFile(Box<dyn DiskFile>, Arc<AtomicBool>);

fn changing(read_only: &AtomicBool) -> io::Result<()> {
    match read_only.load(Ordering::SeqCst) {
        true => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
        false => Ok(()),
    }
}

impl Switched {
    fn file(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(SwitchedFile(file, self.read_only.clone()))
    }

    fn changed(&self) -> io::Result<&MemoryDisk> {
        changing(&self.read_only).map(|()| &self.disk)
    }
}

impl Disk for Switched {
    fn create(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(self.changed()?.create(path)?))
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(self.disk.open(path)?))
    }

    fn open_direct(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(self.disk.open_direct(path)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.changed()?.rename(from, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.changed()?.remove(path)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Entry>> {
        self.disk.list(folder)
    }

    fn make_folder(&self, folder: &str) -> io::Result<()> {
        self.changed()?.make_folder(folder)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.disk.free_bytes()
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.changed()?.sync_folder(folder)
    }
}

impl DiskFile for SwitchedFile {
    fn bytes(&self) -> io::Result<u64> {
        self.0.bytes()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        changing(&self.1)?;
        self.0.write_at(offset, data)
    }

    fn reserve(&self, bytes: u64) -> io::Result<()> {
        changing(&self.1)?;
        self.0.reserve(bytes)
    }

    fn set_bytes(&self, bytes: u64) -> io::Result<()> {
        changing(&self.1)?;
        self.0.set_bytes(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        changing(&self.1)?;
        self.0.sync()
    }
}

#[test]
fn a_disk_that_takes_no_write_still_serves() {
    let disk = Switched::default();
    let open = || Store::over(Arc::new(disk.clone()), options()).unwrap();
    let store = open();
    let kept = [piece(1, 1000), piece(2, LARGE)];
    for piece in &kept {
        put(&store, piece).unwrap();
    }
    let usage = store.usage();

    disk.read_only.store(true, Ordering::SeqCst);
    for refused in [piece(3, 1000), piece(4, LARGE)] {
        let error = put(&store, &refused).unwrap_err();
        assert_eq!(error.fault(), holdfast_core::Fault::Local, "{error:?}");
        assert!(!error.is_full());
        assert_eq!(store.held(&refused.0).unwrap(), None);
    }
    for (number, (cid, _)) in kept.iter().enumerate() {
        let block = store.block(cid).unwrap().expect("it is held");
        assert!(block.iter().all(|byte| usize::from(*byte) == number + 1));
    }
    assert_eq!(store.usage(), usage);

    disk.read_only.store(false, Ordering::SeqCst);
    put(&store, &piece(3, 1000)).unwrap();
    put(&store, &piece(4, LARGE)).unwrap();
    drop(store);
    let store = open();
    assert_eq!(store.usage().pieces, 4);
    assert_eq!(store.check(|_| ()).unwrap().damaged, []);
}
