//! Objects in memory, for tests: the same promises as a disk, without surviving anything.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Draft, Name, Volume};

type Objects = Arc<Mutex<BTreeMap<Name, Vec<u8>>>>;

/// Objects in memory. Clones share them.
#[derive(Clone)]
pub struct MemoryVolume {
    objects: Objects,
    scratch: PathBuf,
}

impl Default for MemoryVolume {
    fn default() -> Self {
        Self { objects: Objects::default(), scratch: std::env::temp_dir() }
    }
}

impl MemoryVolume {
    /// Changes a published object behind the store's back, as a failing disk would.
    pub fn damage(&self, name: &Name, change: impl FnOnce(&mut Vec<u8>)) {
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        change(objects.get_mut(name).expect("only what exists can be damaged"));
    }
}

impl Volume for MemoryVolume {
    fn draft(&self) -> io::Result<Box<dyn Draft>> {
        Ok(Box::new(MemoryDraft { data: Vec::new(), objects: self.objects.clone() }))
    }

    fn read_at(&self, name: &Name, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let object = objects.get(name).ok_or(io::ErrorKind::NotFound)?;
        let range =
            usize::try_from(offset).ok().and_then(|start| Some(start..start.checked_add(buffer.len())?));
        let found = range.and_then(|range| object.get(range)).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(found);
        Ok(())
    }

    fn length(&self, name: &Name) -> io::Result<Option<u64>> {
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(objects.get(name).map(|object| object.len() as u64))
    }

    fn remove(&self, name: &Name) -> io::Result<()> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<(Name, u64)>> {
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(objects.iter().map(|(name, data)| (*name, data.len() as u64)).collect())
    }

    fn scratch(&self) -> &Path {
        &self.scratch
    }
}

struct MemoryDraft {
    data: Vec<u8>,
    objects: Objects,
}

impl Write for MemoryDraft {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.data.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Draft for MemoryDraft {
    fn publish(self: Box<Self>, name: &Name) -> io::Result<()> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner).insert(*name, self.data);
        Ok(())
    }
}
