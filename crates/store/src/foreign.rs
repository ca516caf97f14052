//! A CAR made elsewhere becomes a DAG: scanned once, every block checked, in whatever order it has.
//!
//! CARv1 and the data part of CARv2 are read. The blocks stay where they are, in the CAR; the canonical order
//! comes from [`crate::source::Dag::plan`], which also leaves out what nothing links to.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use cid::Cid;
use holdfast_core::block::{BLOCK_BYTES_MAX, BlockId, CidError};
use holdfast_core::car::Varint;
use serde::Deserialize;

use crate::source::{Dag, DagBuilder};

/// Longest CAR header that is read.
const HEADER_BYTES_MAX: u64 = 4096;
/// Longest CID that is read.
const CID_BYTES_MAX: usize = 128;
/// How a CARv2 file starts, where a CARv1 header would be.
const V2_PRAGMA: [u8; 11] = [0x0a, 0xa1, 0x67, b'v', b'e', b'r', b's', b'i', b'o', b'n', 0x02];

/// Why a file is no usable CAR.
#[derive(Debug, thiserror::Error)]
pub enum CarError {
    /// The file cannot be read.
    #[error("could not read the CAR")]
    Read(#[from] io::Error),
    /// No CAR header.
    #[error("not a CAR file: {0}")]
    Header(String),
    /// A CAR of several DAGs, or of none.
    #[error("the CAR names {0} roots; a piece has exactly one")]
    Roots(usize),
    /// The root cannot name a piece.
    #[error(transparent)]
    Root(#[from] CidError),
    /// A section that is no section.
    #[error("malformed section at byte {offset}")]
    Section {
        /// Where it starts.
        offset: u64,
    },
    /// A block larger than a piece allows.
    #[error("block {cid} is {bytes} bytes, the limit is {BLOCK_BYTES_MAX}")]
    TooLarge {
        /// Which.
        cid: Box<Cid>,
        /// How long.
        bytes: usize,
    },
    /// A block that is not what its CID says.
    #[error("block {id} at byte {offset} does not match its hash")]
    Hash {
        /// Which.
        id: BlockId,
        /// Where.
        offset: u64,
    },
}

/// Scans a CAR file. Blocks that a piece cannot hold are left out here; if one of them is needed, planning
/// the piece names it.
///
/// # Errors
/// See [`CarError`].
pub fn scan(path: &Path, scratch: &Path, progress: &mut dyn FnMut(u64)) -> Result<Dag, CarError> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut reader =
        Scanner { file: BufReader::with_capacity(256 << 10, file), offset: 0, end: metadata.len() };
    reader.skip_pragma()?;
    let root = reader.header()?;

    let mut dag = DagBuilder::new(scratch);
    let index = dag.add_file(path, &metadata)?;
    let mut data = Vec::new();
    while let Some((cid, bytes)) = reader.section()? {
        let offset = reader.offset;
        data.resize(bytes, 0);
        reader.fill(&mut data, offset)?;
        progress(bytes as u64);
        if let Ok(id) = BlockId::try_from(&cid) {
            if !id.matches(&data) {
                return Err(CarError::Hash { id, offset });
            }
            dag.add_leaf(id, index, offset, bytes)?;
        }
    }
    Ok(dag.finish(root))
}

struct Scanner {
    file: BufReader<File>,
    offset: u64,
    end: u64,
}

impl Scanner {
    /// Moves to the data part of a CARv2 file; a CARv1 file is left where it starts.
    fn skip_pragma(&mut self) -> Result<(), CarError> {
        let mut head = [0; 51];
        let mut start = &mut head[..];
        let got = io::copy(&mut (&mut self.file).take(51), &mut start)?;
        let is_v2 = got == 51 && head.starts_with(&V2_PRAGMA);
        let mut from = 0;
        if is_v2 {
            let number = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("eight bytes"));
            let (offset, bytes) = (number(27), number(35));
            let end = offset.checked_add(bytes).filter(|end| *end <= self.end && offset >= 51);
            self.end =
                end.ok_or_else(|| CarError::Header("the CARv2 header points outside the file".into()))?;
            from = offset;
        }
        self.file.seek(SeekFrom::Start(from))?;
        self.offset = from;
        Ok(())
    }

    fn header(&mut self) -> Result<BlockId, CarError> {
        #[derive(Deserialize)]
        struct Header {
            roots: Vec<Cid>,
            version: u64,
        }
        let wrong = |why: &str| CarError::Header(why.to_owned());
        let length =
            self.varint().map_err(|_| wrong("no header length"))?.ok_or_else(|| wrong("it is empty"))?;
        if length > HEADER_BYTES_MAX {
            return Err(wrong("the header is too long"));
        }
        let mut bytes = vec![0; usize::try_from(length).expect("limited above")];
        self.fill(&mut bytes, 0).map_err(|_| wrong("the header is cut off"))?;
        let header: Header =
            serde_ipld_dagcbor::from_slice(&bytes).map_err(|error| CarError::Header(error.to_string()))?;
        if header.version != 1 {
            return Err(CarError::Header(format!("version {}", header.version)));
        }
        match header.roots[..] {
            [root] => Ok(BlockId::try_from(&root)?),
            ref roots => Err(CarError::Roots(roots.len())),
        }
    }

    /// The next section's CID and the length of its data, or `None` at the end.
    fn section(&mut self) -> Result<Option<(Cid, usize)>, CarError> {
        let start = self.offset;
        let malformed = || CarError::Section { offset: start };
        let Some(length) = self.varint().map_err(|_| malformed())? else { return Ok(None) };
        let length = usize::try_from(length).map_err(|_| malformed())?;
        let before = self.offset;
        let mut limited =
            Counted { inner: (&mut self.file).take(length.min(CID_BYTES_MAX) as u64), count: 0 };
        let cid = Cid::read_bytes(&mut limited).map_err(|_| malformed())?;
        self.offset = before + limited.count;
        let bytes = length - usize::try_from(limited.count).expect("at most 128");
        if bytes > BLOCK_BYTES_MAX {
            return Err(CarError::TooLarge { cid: Box::new(cid), bytes });
        }
        Ok(Some((cid, bytes)))
    }

    fn fill(&mut self, buffer: &mut [u8], start: u64) -> Result<(), CarError> {
        if self.end.saturating_sub(self.offset) < buffer.len() as u64 {
            return Err(CarError::Section { offset: start });
        }
        self.file.read_exact(buffer)?;
        self.offset += buffer.len() as u64;
        Ok(())
    }

    /// A varint, or `None` at the end of the data. Other spellings than the shortest are refused.
    fn varint(&mut self) -> Result<Option<u64>, CarError> {
        let mut varint = Varint::default();
        if self.offset == self.end {
            return Ok(None);
        }
        loop {
            let mut byte = [0];
            let start = self.offset;
            self.fill(&mut byte, start)?;
            match varint.push(byte[0]) {
                Ok(Some(value)) => return Ok(Some(value)),
                Ok(None) => {}
                Err(_) => return Err(CarError::Section { offset: start }),
            }
        }
    }
}

/// Counts what is read through it.
struct Counted<R> {
    inner: R,
    count: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
