//! A disk in memory that dies, and forgets what was not synced.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use redb::{Database, StorageBackend};

/// What becomes of writes that were not synced when the disk died.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unsynced {
    Lost,
    Kept,
    /// A disk writes in any order.
    EveryOtherKept,
}

/// One disk with several files, which die together.
#[derive(Debug)]
pub(super) struct Disk {
    /// Writes, changes of length and syncs until it dies.
    left: AtomicU64,
    dead: AtomicBool,
}

impl Disk {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { left: AtomicU64::new(u64::MAX), dead: AtomicBool::new(false) })
    }

    /// From now on.
    pub(super) fn dies_after(&self, steps: u64) {
        self.left.store(steps, Ordering::SeqCst);
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    pub(super) fn die(&self) {
        self.dead.store(true, Ordering::SeqCst);
    }

    fn step(&self) -> io::Result<()> {
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_err() {
            self.die();
        }
        self.alive()
    }

    fn alive(&self) -> io::Result<()> {
        if self.is_dead() { Err(io::Error::other("the disk is dead")) } else { Ok(()) }
    }
}

#[derive(Clone, Debug, Default)]
struct Content {
    now: Vec<u8>,
    synced: Vec<u8>,
    unsynced: Vec<(usize, Vec<u8>)>,
}

/// A file, of which the test keeps a handle beyond the database's end.
#[derive(Clone, Debug)]
pub(super) struct File {
    disk: Arc<Disk>,
    content: Arc<Mutex<Content>>,
}

impl File {
    pub(super) fn new(disk: &Arc<Disk>, content: Vec<u8>) -> Self {
        let content = Content { now: content.clone(), synced: content, unsynced: Vec::new() };
        Self { disk: disk.clone(), content: Arc::new(Mutex::new(content)) }
    }

    pub(super) fn database(&self) -> Result<Database, redb::DatabaseError> {
        Database::builder().set_cache_size(1 << 20).create_with_backend(self.clone())
    }

    /// What is found when the disk runs again.
    pub(super) fn after_crash(&self, unsynced: Unsynced) -> Vec<u8> {
        let content = self.content.lock().unwrap();
        let mut found = content.synced.clone();
        for (number, (at, bytes)) in content.unsynced.iter().enumerate() {
            let kept = match unsynced {
                Unsynced::Lost => false,
                Unsynced::Kept => true,
                Unsynced::EveryOtherKept => number % 2 == 1,
            };
            if kept {
                found.resize(found.len().max(at + bytes.len()), 0);
                found[*at..at + bytes.len()].copy_from_slice(bytes);
            }
        }
        found
    }
}

impl StorageBackend for File {
    fn len(&self) -> io::Result<u64> {
        self.disk.alive()?;
        Ok(self.content.lock().unwrap().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.disk.alive()?;
        let (at, content) = (usize::try_from(offset).unwrap(), self.content.lock().unwrap());
        let bytes = content.now.get(at..at + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    /// A length is durable at once, which is the worse case: bytes behind it may be old or zero.
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.step()?;
        let (len, mut content) = (usize::try_from(len).unwrap(), self.content.lock().unwrap());
        content.now.resize(len, 0);
        content.synced.resize(len, 0);
        content.unsynced.retain(|(at, bytes)| at + bytes.len() <= len);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.step()?;
        let mut content = self.content.lock().unwrap();
        content.synced = content.now.clone();
        content.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk.step()?;
        let (at, mut content) = (usize::try_from(offset).unwrap(), self.content.lock().unwrap());
        if at + data.len() > content.now.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        content.now[at..at + data.len()].copy_from_slice(data);
        content.unsynced.push((at, data.to_vec()));
        Ok(())
    }
}
