//! The narrow seam under which bytes lie: a small file system, with exactly what a store needs to keep promises.
//!
//! Nothing is durable before it is synced: a file's bytes by [`DiskFile::sync`], names (creation, renaming, removal) by
//! [`Disk::sync_folder`]. Paths are relative, `/` between names. [`RealDisk`] is a folder of this machine;
//! [`MemoryDisk`] keeps the same promises and no others, for it forgets at a power cut whatever was not synced.

use std::io;
use std::time::Duration;

mod aligned;
mod memory;
mod real;

pub use aligned::{ALIGNMENT, Aligned};
pub use memory::MemoryDisk;
pub use real::RealDisk;

/// A small file system. Clones of what implements it share one disk.
pub trait Disk: Send + Sync {
    /// Makes a new, empty file.
    ///
    /// # Errors
    /// `AlreadyExists` if the name is taken.
    fn create(&self, path: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    fn open(&self, path: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file for writing past the cache of the operating system. What is written begins at multiples of
    /// [`ALIGNMENT`], in memory and in the file, and is as long as one. A file system that cannot do this
    /// opens the file as usual.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    fn open_direct(&self, path: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name, replacing what had it. Files opened before stay open.
    ///
    /// # Errors
    /// `NotFound` if there is no such file.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// The files of a folder, in no particular order.
    ///
    /// # Errors
    /// If there is no such folder.
    fn list(&self, folder: &str) -> io::Result<Vec<Entry>>;

    /// Makes a folder and those above it, durably. One that is there already is left as it is.
    ///
    /// # Errors
    /// If it cannot be made.
    fn make_folder(&self, folder: &str) -> io::Result<()>;

    /// Bytes that files may still grow by.
    ///
    /// # Errors
    /// If it cannot be told.
    fn free_bytes(&self) -> io::Result<u64>;

    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// If it cannot; then nobody knows what is durable.
    fn sync_folder(&self, folder: &str) -> io::Result<()>;
}

/// A file in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name in the folder.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Time since it was written last; zero if the clock has gone back.
    pub age: Duration,
}

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Its length.
    ///
    /// # Errors
    /// If it cannot be looked at.
    fn bytes(&self) -> io::Result<u64>;

    /// Fills `buffer` from the file.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Writes all of `data`, growing the file where needed.
    ///
    /// # Errors
    /// If it cannot; then any part of it may have been written.
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Sets room aside for a file that will grow to `bytes` bytes; its length stays. [`DiskFile::set_bytes`] gives back what
    /// is beyond. A file system that cannot do this leaves it to the writes.
    ///
    /// # Errors
    /// `StorageFull` if there is no room.
    fn reserve(&self, bytes: u64) -> io::Result<()>;

    /// Cuts the file, or grows it with zeros.
    ///
    /// # Errors
    /// If it cannot.
    fn set_bytes(&self, bytes: u64) -> io::Result<()>;

    /// Makes bytes and length durable.
    ///
    /// # Errors
    /// If it cannot; then nobody knows what is durable, and asking again does not tell.
    fn sync(&self) -> io::Result<()>;
}

/// Removes a file, if it is there.
///
/// # Errors
/// If it is there and cannot be removed.
pub fn remove_if_there(disk: &dyn Disk, path: &str) -> io::Result<()> {
    match disk.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
