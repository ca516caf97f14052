//! Writes a large file from front to back, past the page cache.
//!
//! The disk takes whole blocks as they are, so nothing is copied into the cache, nothing else is pushed out of it, and
//! little is left to do for the sync at the end. One block is filled while the one before is written by whoever calls
//! [`Stream::beside`]; if nobody does, the next full block waits for it.

use std::io;
use std::sync::{Arc, Mutex};

use super::lock;
use crate::disk::{ALIGNMENT, Aligned, Disk, DiskFile};

/// Bytes written at once.
const BLOCK_BYTES: usize = 512 << 10;

/// A file that is written from front to back.
pub(super) struct Stream {
    filling: Aligned,
    /// Where in the file `filling` begins.
    at: u64,
    behind: Arc<Mutex<Behind>>,
}

/// What the disk does meanwhile.
struct Behind {
    file: Box<dyn DiskFile>,
    /// A full block, and where it goes.
    full: Option<(Aligned, u64)>,
    /// A block that was written.
    spare: Option<Aligned>,
    /// What went wrong while nobody waited.
    error: Option<io::Error>,
}

impl Behind {
    fn write(&mut self) -> io::Result<()> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let Some((mut block, at)) = self.full.take() else { return Ok(()) };
        self.file.write_at(at, block.filled())?;
        block.clear();
        self.spare = Some(block);
        Ok(())
    }
}

impl Stream {
    /// Goes on behind the first `from` bytes of the file at `path`, which `file` reads.
    pub(super) fn open(disk: &dyn Disk, path: &str, file: &dyn DiskFile, from: u64) -> io::Result<Self> {
        let mut filling = Aligned::new(BLOCK_BYTES);
        let head = usize::try_from(from % ALIGNMENT as u64).expect("less than the alignment");
        let at = from - head as u64;
        file.read_at(at, &mut filling.space()[..head])?;
        filling.advance(head);
        let behind = Behind { file: disk.open_direct(path)?, full: None, spare: None, error: None };
        Ok(Self { filling, at, behind: Arc::new(Mutex::new(behind)) })
    }

    /// Takes the next bytes. After an error the stream must not be used.
    pub(super) fn write(&mut self, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            data = &data[self.filling.take(data)..];
            if self.filling.is_full() {
                let mut behind = lock(&self.behind);
                behind.write()?;
                let spare = behind.spare.take().unwrap_or_else(|| Aligned::new(BLOCK_BYTES));
                let full = std::mem::replace(&mut self.filling, spare);
                behind.full = Some((full, self.at));
                self.at += BLOCK_BYTES as u64;
            }
        }
        Ok(())
    }

    /// The writing that can be done beside the stream, if there is some that nobody does yet.
    pub(super) fn beside(&self) -> Option<impl FnOnce() + Send + 'static> {
        if !self.behind.try_lock().is_ok_and(|behind| behind.full.is_some()) {
            return None;
        }
        let behind = self.behind.clone();
        Some(move || {
            let mut behind = lock(&behind);
            if let Err(error) = behind.write() {
                behind.error = Some(error);
            }
        })
    }

    /// Writes what is left, its end through `file`. Nothing is synced.
    pub(super) fn finish(&mut self, file: &dyn DiskFile) -> io::Result<()> {
        lock(&self.behind).write()?;
        file.write_at(self.at, self.filling.filled())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::MemoryDisk;

    const PATH: &str = "file";

    fn content(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|number| u8::try_from(number % 251).unwrap()).collect()
    }

    fn start(disk: &MemoryDisk, content: &[u8], from: usize) -> (Box<dyn DiskFile>, Stream) {
        let file = disk.create(PATH).unwrap();
        file.write_at(0, &content[..from]).unwrap();
        let stream = Stream::open(disk, PATH, &*file, from as u64).unwrap();
        (file, stream)
    }

    #[test]
    fn parts_of_any_size_from_any_place_make_the_file() {
        for bytes in [0, 1, ALIGNMENT, BLOCK_BYTES - 1, BLOCK_BYTES, 3 * BLOCK_BYTES + 5] {
            for from in [0, 1, ALIGNMENT - 1, ALIGNMENT, BLOCK_BYTES + 77].map(|from| from.min(bytes)) {
                for part in [1000, BLOCK_BYTES, 2 * BLOCK_BYTES + 1] {
                    let (disk, content) = (MemoryDisk::default(), content(bytes));
                    let (file, mut stream) = start(&disk, &content, from);
                    for (number, part) in content[from..].chunks(part).enumerate() {
                        stream.write(part).unwrap();
                        if let (0, Some(write)) = (number % 2, stream.beside()) {
                            write();
                        }
                    }
                    stream.finish(&*file).unwrap();
                    let mut found = vec![0; bytes];
                    file.read_at(0, &mut found).unwrap();
                    assert!(found == content, "{bytes} bytes from {from}");
                    assert_eq!(file.bytes().unwrap(), bytes as u64);
                }
            }
        }
    }

    #[test]
    fn an_error_met_beside_is_told_once_somebody_waits() {
        for wait_in_finish in [true, false] {
            let (disk, content) = (MemoryDisk::default(), content(2 * BLOCK_BYTES));
            let (file, mut stream) = start(&disk, &content, 0);
            stream.write(&content[..BLOCK_BYTES]).unwrap();
            disk.leave_room(Some(0));
            stream.beside().expect("a block is full")();
            assert!(stream.beside().is_none());
            disk.leave_room(None);
            let told = match wait_in_finish {
                true => stream.finish(&*file),
                false => stream.write(&content[BLOCK_BYTES..]),
            };
            assert_eq!(told.unwrap_err().kind(), io::ErrorKind::StorageFull);
        }
    }
}
