//! A disk in memory that fails on demand: at a power cut it forgets what was not synced, and at any write it may die.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{ALIGNMENT, Disk, DiskFile, Entry};

/// A disk in memory. Clones share it.
#[derive(Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    files: Vec<Inode>,
    names: BTreeMap<String, usize>,
    synced_names: BTreeMap<String, usize>,
    /// Changes until the power goes; none if it stays.
    left: Option<u64>,
    changes: u64,
    /// Bytes that files may grow by; none if there is no end.
    room: Option<u64>,
    now: Duration,
    frozen_folders: bool,
    failing_sync: bool,
}

/// A file, whether it has a name or not.
#[derive(Clone, Default)]
struct Inode {
    data: Vec<u8>,
    synced: Vec<u8>,
    /// Changes since the last sync, oldest first.
    pending: Vec<Change>,
    changed: Duration,
    /// Bytes that room was set aside for, from its beginning.
    reserved: u64,
}

impl Inode {
    /// Bytes that it takes.
    fn taken(&self) -> u64 {
        self.reserved.max(self.data.len() as u64)
    }
}

#[derive(Clone)]
enum Change {
    Write(u64, Vec<u8>),
    SetBytes(u64),
}

impl Change {
    fn apply(&self, data: &mut Vec<u8>) {
        match self {
            Self::Write(offset, bytes) => {
                let start = usize::try_from(*offset).expect("files in memory fit memory");
                data.resize(data.len().max(start + bytes.len()), 0);
                data[start..start + bytes.len()].copy_from_slice(bytes);
            }
            Self::SetBytes(bytes) => {
                data.resize(usize::try_from(*bytes).expect("files in memory fit memory"), 0);
            }
        }
    }
}

impl MemoryDisk {
    /// Lets the power go at the `changes`-th change from now: that one is done by half if it is a write, and every
    /// later one fails.
    pub fn die_after(&self, changes: u64) {
        self.state().left = Some(changes);
    }

    /// Lets the process die instead of the power: what it wrote is still there, and as little of it synced.
    pub fn only_the_process_died(&self) {
        self.state().left = None;
    }

    /// Lets the next sync of a file fail, and nothing else.
    pub fn fail_next_sync(&self) {
        self.state().failing_sync = true;
    }

    /// How many changes (writes, syncs, new names) were made or tried.
    pub fn changes(&self) -> u64 {
        self.state().changes
    }

    /// Leaves room for so many more bytes; `None` for no end.
    pub fn leave_room(&self, bytes: Option<u64>) {
        self.state().room = bytes;
    }

    /// Makes syncing of folders do nothing, as a program that forgets it would.
    pub fn forget_folder_syncs(&self) {
        self.state().frozen_folders = true;
    }

    /// Sets the disk's clock, from which ages follow.
    pub fn set_time(&self, now: Duration) {
        self.state().now = now;
    }

    /// Changes a file behind the store's back, as a failing disk would.
    ///
    /// # Panics
    /// If there is no such file.
    pub fn damage(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let inode = *state.names.get(path).expect("only what exists can be damaged");
        let inode = &mut state.files[inode];
        change(&mut inode.data);
        inode.synced.clone_from(&inode.data);
        inode.pending.clear();
    }

    /// Paths of all files, in order.
    pub fn paths(&self) -> Vec<String> {
        self.state().names.keys().cloned().collect()
    }

    /// The disk as the next start finds it. What was synced is there; of the rest, `chance(n)` (a number below n)
    /// decides for every file how many of its unsynced writes had reached the disk, the last of them perhaps
    /// by half, and for every name whether its last change had.
    #[must_use]
    pub fn after_power_cut(&self, mut chance: impl FnMut(u64) -> u64) -> Self {
        let state = self.state();
        let mut files = Vec::new();
        for inode in &state.files {
            let mut data = inode.synced.clone();
            let arrived = chance(inode.pending.len() as u64 + 1);
            let arrived = usize::try_from(arrived).expect("no more than there are");
            for change in &inode.pending[..arrived] {
                change.apply(&mut data);
            }
            if let Some(Change::Write(offset, bytes)) = inode.pending.get(arrived)
                && chance(2) == 1
            {
                Change::Write(*offset, bytes[..bytes.len() / 2].to_vec()).apply(&mut data);
            }
            files.push(Inode { synced: data.clone(), data, changed: inode.changed, ..Inode::default() });
        }
        let mut names = state.synced_names.clone();
        let touched = state.names.keys().chain(state.synced_names.keys()).cloned();
        for name in touched.collect::<std::collections::BTreeSet<_>>() {
            let (now, then) = (state.names.get(&name), state.synced_names.get(&name));
            if now != then && chance(2) == 1 {
                match now {
                    Some(inode) => names.insert(name, *inode),
                    None => names.remove(&name),
                };
            }
        }
        let fresh = State {
            files,
            synced_names: names.clone(),
            names,
            now: state.now,
            frozen_folders: state.frozen_folders,
            ..State::default()
        };
        Self(Arc::new(Mutex::new(fresh)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn power_is_out() -> io::Error {
    io::Error::other("the power is out")
}

impl State {
    /// Counts a change; says whether it is the last one, which happens by half.
    fn change(&mut self) -> io::Result<bool> {
        self.changes += 1;
        match &mut self.left {
            None => Ok(false),
            Some(0) => Err(power_is_out()),
            Some(left) => {
                *left -= 1;
                Ok(*left == 0)
            }
        }
    }

    fn find(&self, path: &str) -> io::Result<usize> {
        if self.left == Some(0) {
            return Err(power_is_out());
        }
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// A file that took so many bytes will take so many.
    fn take_room(&mut self, before: u64, after: u64) -> io::Result<()> {
        let Some(room) = &mut self.room else { return Ok(()) };
        *room = room
            .checked_sub(after.saturating_sub(before))
            .ok_or(io::ErrorKind::StorageFull)?
            .saturating_add(before.saturating_sub(after));
        Ok(())
    }

    fn modify(&mut self, inode: usize, change: Change) -> io::Result<()> {
        let last = self.change()?;
        let change = match change {
            Change::Write(offset, bytes) if last => Change::Write(offset, bytes[..bytes.len() / 2].to_vec()),
            change => change,
        };
        let before = self.files[inode].taken();
        let after = match &change {
            Change::Write(offset, bytes) => before.max(offset + bytes.len() as u64),
            Change::SetBytes(bytes) => *bytes,
        };
        self.take_room(before, after)?;
        if matches!(change, Change::SetBytes(_)) {
            self.files[inode].reserved = 0;
        }
        let now = self.now;
        let inode = &mut self.files[inode];
        change.apply(&mut inode.data);
        inode.pending.push(change);
        inode.changed = now;
        if last { Err(power_is_out()) } else { Ok(()) }
    }
}

/// The folder part of a path, empty at the top.
fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl Disk for MemoryDisk {
    fn create(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        state.change()?;
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let (inode, changed) = (state.files.len(), state.now);
        state.files.push(Inode { changed, ..Inode::default() });
        state.names.insert(path.to_owned(), inode);
        Ok(Box::new(MemoryFile { disk: self.clone(), inode, direct: false }))
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        let inode = self.state().find(path)?;
        Ok(Box::new(MemoryFile { disk: self.clone(), inode, direct: false }))
    }

    fn open_direct(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        let inode = self.state().find(path)?;
        Ok(Box::new(MemoryFile { disk: self.clone(), inode, direct: true }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        let inode = state.find(from)?;
        state.names.remove(from);
        state.names.insert(to.to_owned(), inode);
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        let inode = state.find(path)?;
        state.names.remove(path);
        let freed = state.files[inode].taken();
        state.room = state.room.map(|room| room + freed);
        Ok(())
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Entry>> {
        let state = self.state();
        let here = state.names.iter().filter(|(path, _)| parent(path) == folder);
        let entry = |(path, inode): (&String, &usize)| Entry {
            name: path.rsplit('/').next().expect("every path has a last part").to_owned(),
            bytes: state.files[*inode].data.len() as u64,
            age: state.now.saturating_sub(state.files[*inode].changed),
        };
        Ok(here.map(entry).collect())
    }

    fn make_folder(&self, _folder: &str) -> io::Result<()> {
        Ok(()) // folders are wherever a path says
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(self.state().room.unwrap_or(u64::MAX))
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        if state.frozen_folders {
            return Ok(());
        }
        let State { names, synced_names, .. } = &mut *state;
        synced_names.retain(|path, _| parent(path) != folder || names.contains_key(path));
        for (path, inode) in names.iter().filter(|(path, _)| parent(path) == folder) {
            synced_names.insert(path.clone(), *inode);
        }
        Ok(())
    }
}

struct MemoryFile {
    disk: MemoryDisk,
    inode: usize,
    /// Whether it refuses what is not aligned, as a real disk would.
    direct: bool,
}

impl DiskFile for MemoryFile {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.disk.state().files[self.inode].data.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let state = self.disk.state();
        if state.left == Some(0) {
            return Err(power_is_out());
        }
        let data = &state.files[self.inode].data;
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let range = start..start.checked_add(buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(data.get(range).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let aligned = [offset, data.as_ptr().addr() as u64, data.len() as u64];
        if self.direct && aligned.iter().any(|number| number % ALIGNMENT as u64 != 0) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.disk.state().modify(self.inode, Change::Write(offset, data.to_vec()))
    }

    fn reserve(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let before = state.files[self.inode].taken();
        state.take_room(before, before.max(bytes))?;
        state.files[self.inode].reserved = before.max(bytes);
        Ok(())
    }

    fn set_bytes(&self, bytes: u64) -> io::Result<()> {
        self.disk.state().modify(self.inode, Change::SetBytes(bytes))
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        if state.change()? {
            return Err(power_is_out());
        }
        if std::mem::take(&mut state.failing_sync) {
            // As on a real disk, nobody knows what of it arrived, and the next sync tells nothing.
            state.files[self.inode].pending.clear();
            return Err(io::Error::other("the disk failed"));
        }
        let Inode { synced, pending, .. } = &mut state.files[self.inode];
        for change in pending.drain(..) {
            change.apply(synced);
        }
        Ok(())
    }
}
