//! A folder of this machine.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, OFlags, fallocate};
use rustix::io::Errno;

use super::{Disk, DiskFile, Entry};
use crate::folder_of;

/// A folder of this machine.
#[derive(Clone, Debug)]
pub struct RealDisk {
    root: PathBuf,
}

impl RealDisk {
    /// The disk in `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn at(folder: &Path) -> io::Result<Self> {
        let disk = Self { root: folder.to_owned() };
        disk.make_folder("")?;
        Ok(disk)
    }

    fn path(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path) }
    }
}

impl Disk for RealDisk {
    fn create(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(self.path(path))?;
        Ok(Box::new(RealFile(file)))
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        let path = self.path(path);
        // A disk mounted read-only can still be served from.
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => File::open(&path)?,
            opened => opened?,
        };
        Ok(Box::new(RealFile(file)))
    }

    fn open_direct(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        let direct = OFlags::DIRECT.bits().cast_signed();
        match OpenOptions::new().write(true).custom_flags(direct).open(self.path(path)) {
            Err(error) if is_invalid(&error) => self.open(path),
            opened => Ok(Box::new(DirectFile { direct: opened?, plain: self.open(path)? })),
        }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.path(path))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(self.path(folder))? {
            let entry = entry?;
            // What goes away while we look was not there.
            let metadata = match entry.metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                metadata => metadata?,
            };
            if let (true, Ok(name)) = (metadata.is_file(), entry.file_name().into_string()) {
                let age = metadata.modified()?.elapsed().unwrap_or_default();
                entries.push(Entry { name, bytes: metadata.len(), age });
            }
        }
        Ok(entries)
    }

    fn make_folder(&self, folder: &str) -> io::Result<()> {
        make_folder(&self.path(folder))
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let found = rustix::fs::statvfs(&self.root)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        sync_folder(&self.path(folder))
    }
}

/// Makes a folder and those above it, each synced into the one above.
fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let above = folder_of(path);
    make_folder(above)?;
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync_folder(above),
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

struct RealFile(File);

impl DiskFile for RealFile {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }

    fn reserve(&self, bytes: u64) -> io::Result<()> {
        if bytes == 0 {
            return Ok(());
        }
        match fallocate(&self.0, FallocateFlags::KEEP_SIZE, 0, bytes) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            reserved => Ok(reserved?),
        }
    }

    fn set_bytes(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// A file of which some file systems only say at the first write that they cannot go past the cache.
struct DirectFile {
    direct: File,
    plain: Box<dyn DiskFile>,
}

impl DiskFile for DirectFile {
    fn bytes(&self) -> io::Result<u64> {
        self.plain.bytes()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.plain.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        match self.direct.write_all_at(data, offset) {
            Err(error) if is_invalid(&error) => self.plain.write_at(offset, data),
            written => written,
        }
    }

    fn reserve(&self, bytes: u64) -> io::Result<()> {
        self.plain.reserve(bytes)
    }

    fn set_bytes(&self, bytes: u64) -> io::Result<()> {
        self.plain.set_bytes(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.plain.sync()
    }
}

fn is_invalid(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::INVAL.raw_os_error())
}
