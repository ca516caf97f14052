//! The narrow seam under which bytes lie.
//!
//! A volume holds immutable objects named by piece root. An object comes into being in one step: a
//! [`Draft`] is written, then published; when `publish` returns, data and name are on stable storage. A draft
//! that is dropped, or cut off by a crash, leaves nothing that [`Volume::list`] shows.

use std::io::{self, Write};
use std::path::Path;

use holdfast_core::id::PieceRoot;

mod disk;
mod memory;

pub use disk::DiskVolume;
pub use memory::MemoryVolume;

/// What is kept of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Its bytes, the canonical CAR.
    Data,
    /// The outboard of its hash tree.
    Outboard,
}

/// Name of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// The piece.
    pub root: PieceRoot,
    /// Which part of it.
    pub part: Part,
}

/// Where objects lie.
pub trait Volume: Send + Sync {
    /// Starts a new object that has no name yet.
    ///
    /// # Errors
    /// If it cannot be created.
    fn draft(&self) -> io::Result<Box<dyn Draft>>;

    /// Fills `buffer` from an object.
    ///
    /// # Errors
    /// `NotFound` if there is no such object, `UnexpectedEof` if it is shorter.
    fn read_at(&self, name: &Name, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Length of an object, or `None` if there is none of that name.
    ///
    /// # Errors
    /// If it cannot be looked at.
    fn length(&self, name: &Name) -> io::Result<Option<u64>>;

    /// Removes an object, and returns when its name is gone from stable storage. Removing what is not there
    /// succeeds.
    ///
    /// # Errors
    /// If it cannot be removed.
    fn remove(&self, name: &Name) -> io::Result<()>;

    /// Names and lengths of all published objects, in no particular order.
    ///
    /// # Errors
    /// If they cannot be listed.
    fn list(&self) -> io::Result<Vec<(Name, u64)>>;

    /// A folder for temporary files of the same size class as the objects.
    fn scratch(&self) -> &Path;
}

/// An object being written.
pub trait Draft: Write + Send {
    /// Gives the object its name, durably. An object of that name with the same bytes may exist already.
    ///
    /// # Errors
    /// If data or name cannot be synced; then the object may or may not exist.
    fn publish(self: Box<Self>, name: &Name) -> io::Result<()>;
}

#[cfg(test)]
mod tests;
