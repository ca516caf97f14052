//! Names of the files of a store, and what lies in them.
//!
//! | path | content |
//! |---|---|
//! | `index.redb` | the index |
//! | `log/00000001.seg` | segments of the log |
//! | `pieces/ab/ab12….car`, `.tree` | a large piece and its outboard |
//! | `partial/CID.car`, `.tree` | a large piece that is still arriving, or was interrupted |

use std::fs;
use std::io;
use std::path::Path;

use cid::Cid;
use holdfast_core::block::{BLOCK_BYTES_MAX, BlockId};
use holdfast_core::car::{VARINT_BYTES_MAX, Varint};
use holdfast_core::check::Placed;
use holdfast_core::id::PieceRoot;

use crate::disk::{Disk, remove_if_there};

pub(super) const INDEX: &str = "index.redb";
pub(super) const LOG: &str = "log";
pub(super) const PARTIAL: &str = "partial";

/// Longest start of a section: its length, and a CID.
const SECTION_HEAD_BYTES: usize = VARINT_BYTES_MAX + 36;

/// Which of the two files of a large piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Data,
    Outboard,
}

impl Part {
    pub(super) const ALL: [Self; 2] = [Self::Data, Self::Outboard];

    fn extension(self) -> &'static str {
        match self {
            Self::Data => "car",
            Self::Outboard => "tree",
        }
    }
}

pub(super) fn segment(number: u32) -> String {
    format!("{LOG}/{number:08}.seg")
}

pub(super) fn parse_segment(name: &str) -> Option<u32> {
    name.strip_suffix(".seg")?.parse().ok()
}

pub(super) fn folder(root: &PieceRoot) -> String {
    format!("pieces/{}", &root.to_string()[..2])
}

pub(super) fn own(root: &PieceRoot, part: Part) -> String {
    format!("{}/{root}.{}", folder(root), part.extension())
}

pub(super) fn parse_own(name: &str) -> Option<PieceRoot> {
    let (root, extension) = name.rsplit_once('.')?;
    Part::ALL.iter().any(|part| part.extension() == extension).then(|| root.parse().ok())?
}

/// Name of a piece that arrives; the `copy`-th at once cannot be resumed.
pub(super) fn partial(cid: &BlockId, copy: Option<u64>, part: Part) -> String {
    let copy = copy.map(|copy| format!("~{copy}")).unwrap_or_default();
    format!("{PARTIAL}/{cid}{copy}.{}", part.extension())
}

pub(super) fn parse_partial(name: &str) -> Option<BlockId> {
    name.strip_suffix(".car")?.parse().ok()
}

/// Removes both files of a large piece, durably.
pub(super) fn remove_own(disk: &dyn Disk, root: &PieceRoot) -> io::Result<()> {
    for part in Part::ALL {
        remove_if_there(disk, &own(root, part))?;
    }
    disk.sync_folder(&folder(root))
}

/// Makes a folder of this machine that is empty.
pub(super) fn empty_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir_all(path)
}

/// Where the blocks of a piece lie, from the bytes of its sections alone: no block is read or checked. Ends
/// at the first section that is none.
pub(super) struct Sections<R> {
    read: R,
    bytes: u64,
    at: u64,
}

impl<R: FnMut(u64, &mut [u8]) -> io::Result<()>> Sections<R> {
    /// Reads the sections of a piece of `bytes` bytes.
    pub(super) fn new(bytes: u64, mut read: R) -> io::Result<Self> {
        let head = peek(&mut read, 0, bytes)?;
        let at = length(&head).map_or(bytes, |(length, varint)| length + varint as u64);
        Ok(Self { read, bytes, at })
    }

    fn section(&mut self) -> io::Result<Option<Placed>> {
        let head = peek(&mut self.read, self.at, self.bytes)?;
        let parse = || {
            let (length, varint) = length(&head)?;
            let mut rest = &head[varint..];
            let id = BlockId::try_from(&Cid::read_bytes(&mut rest).ok()?).ok()?;
            let name = head.len() - varint - rest.len();
            let bytes = length.checked_sub(name as u64).filter(|bytes| *bytes <= BLOCK_BYTES_MAX as u64)?;
            let offset = self.at + (varint + name) as u64;
            let whole = offset + bytes <= self.bytes;
            whole.then_some(Placed { id, offset, bytes: u32::try_from(bytes).expect("limited above") })
        };
        Ok(parse())
    }
}

fn peek(read: &mut impl FnMut(u64, &mut [u8]) -> io::Result<()>, at: u64, end: u64) -> io::Result<Vec<u8>> {
    let left = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
    let mut head = vec![0; SECTION_HEAD_BYTES.min(left)];
    read(at, &mut head)?;
    Ok(head)
}

/// A varint at the start of `head`, and how many bytes it takes.
fn length(head: &[u8]) -> Option<(u64, usize)> {
    let mut varint = Varint::default();
    for (at, byte) in head.iter().enumerate() {
        if let Some(value) = varint.push(*byte).ok()? {
            return Some((value, at + 1));
        }
    }
    None
}

impl<R: FnMut(u64, &mut [u8]) -> io::Result<()>> Iterator for Sections<R> {
    type Item = io::Result<Placed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes {
            return None;
        }
        let found = self.section().transpose()?;
        if let Ok(placed) = &found {
            self.at = placed.offset + u64::from(placed.bytes);
        } else {
            self.at = self.bytes;
        }
        Some(found)
    }
}
