//! The files in which blocks lie, and whether they are still what they were.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;

use super::{IN_SCRATCH, Kept, PLACE_LEN, SourceError};

pub(super) fn to_place(source: u64, offset: u64, bytes: usize) -> [u8; PLACE_LEN] {
    let mut place = [0; PLACE_LEN];
    place[..8].copy_from_slice(&source.to_be_bytes());
    place[8..16].copy_from_slice(&offset.to_be_bytes());
    let bytes = u32::try_from(bytes).expect("blocks are at most 2 MiB");
    place[16..].copy_from_slice(&bytes.to_be_bytes());
    place
}

/// Where a block lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    source: u64,
    offset: u64,
    pub(super) bytes: usize,
}

impl Place {
    pub(super) fn read(place: &[u8; PLACE_LEN]) -> Self {
        let number = |at: usize| u64::from_be_bytes(place[at..at + 8].try_into().expect("eight bytes"));
        let bytes = u32::from_be_bytes(place[16..].try_into().expect("four bytes"));
        Self { source: number(0), offset: number(8), bytes: usize::try_from(bytes).expect("at most 2 MiB") }
    }
}

/// What a file was when it was imported: length, seconds and nanoseconds of its last change, inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp(pub(super) [u64; 4]);

impl Stamp {
    #[allow(clippy::cast_sign_loss)] // compared for equality only
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self([metadata.len(), metadata.mtime() as u64, metadata.mtime_nsec() as u64, metadata.ino()])
    }
}

/// The temporary file, and the one file of the user's that is being read.
pub(super) struct Files {
    scratch: Kept,
    open: Option<OpenFile>,
}

struct OpenFile {
    index: u64,
    path: PathBuf,
    file: File,
    stamp: Stamp,
}

impl OpenFile {
    fn check(&self) -> Result<(), SourceError> {
        let metadata =
            self.file.metadata().map_err(|source| SourceError::Read { path: self.path.clone(), source })?;
        if Stamp::of(&metadata) == self.stamp {
            Ok(())
        } else {
            Err(SourceError::Changed { path: self.path.clone() })
        }
    }
}

impl Files {
    pub(super) fn new(scratch: Kept) -> Self {
        Self { scratch, open: None }
    }

    /// Fills `buffer` from a block, starting `skip` bytes into it.
    pub(super) fn read(&mut self, place: &Place, skip: u64, buffer: &mut [u8]) -> Result<(), SourceError> {
        if place.source == IN_SCRATCH {
            return Ok(self.scratch.read_at(place.offset + skip, buffer)?);
        }
        if self.open.as_ref().is_none_or(|open| open.index != place.source) {
            self.finish()?;
            self.open = Some(self.describe(place.source)?);
        }
        let open = self.open.as_ref().expect("opened above");
        open.file.read_exact_at(buffer, place.offset + skip).map_err(|source| {
            if source.kind() == io::ErrorKind::UnexpectedEof {
                return SourceError::Changed { path: open.path.clone() };
            }
            SourceError::Read { path: open.path.clone(), source }
        })
    }

    /// Closes the open file, after a last look whether it changed.
    pub(super) fn finish(&mut self) -> Result<(), SourceError> {
        self.open.take().map_or(Ok(()), |open| open.check())
    }

    fn describe(&self, index: u64) -> Result<OpenFile, SourceError> {
        let mut head = [0; 40];
        self.scratch.read_at(index, &mut head)?;
        let number =
            |at: usize| u64::from_be_bytes(head[at * 8..at * 8 + 8].try_into().expect("eight bytes"));
        let mut name = vec![0; usize::try_from(number(4)).expect("a path fits memory")];
        self.scratch.read_at(index + 40, &mut name)?;
        let path = PathBuf::from(std::ffi::OsString::from_vec(name));
        let file = File::open(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => SourceError::Changed { path: path.clone() },
            _ => SourceError::Read { path: path.clone(), source },
        })?;
        let open = OpenFile { index, path, file, stamp: Stamp([number(0), number(1), number(2), number(3)]) };
        open.check()?;
        Ok(open)
    }
}
