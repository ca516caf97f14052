//! Disks that outlive who uses them.
//!
//! A process that is killed changes nothing on its disk any more, not even by what its destructors would tidy up; what
//! it wrote is there for the next one. After a power cut only what was synced is sure to be there. Both are had by a
//! [`Socket`]: the disk as one process sees it, which can be pulled.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use holdfast_store::disk::{Disk, DiskFile, Entry, MemoryDisk};

use crate::chance::Chance;

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// It is killed: the disk is as it was written.
    Kill,
    /// The power goes: the disk forgets what was not synced, by chance.
    PowerCut,
}

/// A machine's disk.
#[derive(Default)]
pub struct Machine {
    disk: MemoryDisk,
    plugged: Option<Arc<AtomicBool>>,
}

impl Machine {
    /// The disk for a process that starts. Any older one finds its own dead.
    pub fn plug(&mut self) -> Socket {
        self.pull();
        let alive = Arc::new(AtomicBool::new(true));
        self.plugged = Some(alive.clone());
        Socket { disk: self.disk.clone(), alive }
    }

    /// The process ends; what it still tries fails.
    pub fn pull(&mut self) {
        if let Some(plugged) = self.plugged.take() {
            plugged.store(false, Ordering::Relaxed);
        }
    }

    /// Ends the process and, at a power cut, forgets what was not synced.
    pub fn crash(&mut self, how: Crash, chance: &mut Chance) {
        self.pull();
        if how == Crash::PowerCut {
            self.disk = self.disk.after_power_cut(|n| chance.below(n));
        }
    }

    /// Sets the disk's clock.
    pub fn set_time(&self, now: std::time::Duration) {
        self.disk.set_time(now);
    }
}

/// A disk as one process sees it.
#[derive(Clone)]
pub struct Socket {
    disk: MemoryDisk,
    alive: Arc<AtomicBool>,
}

impl Socket {
    fn disk(&self) -> io::Result<&MemoryDisk> {
        check(&self.alive)?;
        Ok(&self.disk)
    }

    fn file(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(File { file, alive: self.alive.clone() })
    }
}

fn check(alive: &AtomicBool) -> io::Result<()> {
    if alive.load(Ordering::Relaxed) { Ok(()) } else { Err(io::Error::other("the process has ended")) }
}

impl Disk for Socket {
    fn create(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(self.disk()?.create(path)?))
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(self.disk()?.open(path)?))
    }

    fn open_direct(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(self.disk()?.open_direct(path)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk()?.rename(from, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.disk()?.remove(path)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Entry>> {
        self.disk()?.list(folder)
    }

    fn make_folder(&self, folder: &str) -> io::Result<()> {
        self.disk()?.make_folder(folder)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.disk()?.free_bytes()
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.disk()?.sync_folder(folder)
    }
}

struct File {
    file: Box<dyn DiskFile>,
    alive: Arc<AtomicBool>,
}

impl DiskFile for File {
    fn bytes(&self) -> io::Result<u64> {
        check(&self.alive)?;
        self.file.bytes()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        check(&self.alive)?;
        self.file.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        check(&self.alive)?;
        self.file.write_at(offset, data)
    }

    fn reserve(&self, bytes: u64) -> io::Result<()> {
        check(&self.alive)?;
        self.file.reserve(bytes)
    }

    fn set_bytes(&self, bytes: u64) -> io::Result<()> {
        check(&self.alive)?;
        self.file.set_bytes(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        check(&self.alive)?;
        self.file.sync()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_process_changes_nothing_and_a_power_cut_forgets_what_was_not_synced() {
        let mut machine = Machine::default();
        let first = machine.plug();
        let file = first.create("a").unwrap();
        file.write_at(0, b"synced").unwrap();
        file.sync().unwrap();
        first.sync_folder("").unwrap();
        file.write_at(0, b"SYNCED").unwrap();
        machine.crash(Crash::Kill, &mut Chance::new(1));
        assert!(first.remove("a").is_err() && file.write_at(0, b"x").is_err() && first.open("a").is_err());

        let read = |machine: &mut Machine| {
            let mut bytes = [0; 6];
            machine.plug().open("a").unwrap().read_at(0, &mut bytes).unwrap();
            bytes
        };
        assert_eq!(&read(&mut machine), b"SYNCED");
        let forgotten = (0..20).any(|seed| {
            let mut chance = Chance::new(seed);
            machine.disk.after_power_cut(|n| chance.below(n)).open("a").unwrap().bytes().unwrap();
            let mut cut = Machine { disk: machine.disk.after_power_cut(|n| chance.below(n)), plugged: None };
            &read(&mut cut) == b"synced"
        });
        assert!(forgotten);
    }
}
