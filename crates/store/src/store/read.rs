//! Reading: blocks, chunk proofs, promises and certificates.

use std::io;
use std::sync::Arc;

use holdfast_core::block::BlockId;
use holdfast_core::id::PieceRoot;
use holdfast_core::tree::{self, ChunkError, ChunkProof, GROUP_BYTES, PAIR_BYTES};

use super::files::{self, Part};
use super::{ReadError, Shared, Store, lock, taken};
use crate::disk::DiskFile;
use crate::index::{PieceRow, Place};
use crate::log::{Record, SEGMENT_HEAD_LEN, Scan, segment_keys};

/// Segments kept open for reading.
const OPEN_SEGMENTS: usize = 64;

impl Store {
    /// What is known of a piece that is really there, in full length. A piece that the index knows and the disk has
    /// lost can be put again.
    ///
    /// # Errors
    /// If index or disk cannot be read.
    pub fn held(&self, cid: &BlockId) -> Result<Option<PieceRow>, ReadError> {
        let Some(row) = self.piece(cid)? else { return Ok(None) };
        let there = self.shared.is_there(&row);
        if there.map_err(|source| ReadError::Read { root: row.root, source })? {
            return Ok(Some(row));
        }
        tracing::error!(%cid, root = %row.root.short(), "a piece is lost or cut on disk");
        Ok(None)
    }

    /// Bytes of a block, checked against its name; `None` if no piece here has it. A block of several pieces is served
    /// as long as one of its copies is good.
    ///
    /// # Errors
    /// If no copy can be read, or the disk returned something else.
    pub fn block(&self, id: &BlockId) -> Result<Option<Vec<u8>>, ReadError> {
        let mut data = Vec::new();
        Ok(self.read_block(id, &mut data)?.then_some(data))
    }

    /// Like [`Store::block`], into memory that is there already; what it holds otherwise means nothing. Whether the block is
    /// here.
    ///
    /// # Errors
    /// The same.
    pub fn read_block(&self, id: &BlockId, data: &mut Vec<u8>) -> Result<bool, ReadError> {
        let mut failure = None;
        for place in self.shared.index.block(id)? {
            let Some(row) = self.piece(&place.cid)? else { continue };
            data.resize(usize::try_from(place.bytes).expect("blocks are at most 2 MiB"), 0);
            match self.shared.read(&row, Part::Data, place.offset, data) {
                Ok(()) if id.matches(data) => return Ok(true),
                Ok(()) => failure = Some(ReadError::Damaged { root: row.root }),
                Err(error) => failure = Some(error),
            }
            tracing::error!(%id, root = %row.root.short(), "a copy of a block is damaged");
        }
        failure.map_or(Ok(false), Err)
    }

    /// Proves a 1 KiB chunk of a piece; `None` if the piece is not here.
    ///
    /// # Errors
    /// If it cannot be read, is damaged, or has no such chunk.
    pub fn prove(&self, cid: &BlockId, index: u64) -> Result<Option<ChunkProof>, ReadError> {
        let Some(row) = self.piece(cid)? else { return Ok(None) };
        let chunks = tree::chunks(row.bytes);
        if index >= chunks {
            return Err(ChunkError::OutOfRange { index, chunks }.into());
        }
        let start = index * tree::CHUNK_BYTES / GROUP_BYTES * GROUP_BYTES;
        let length = GROUP_BYTES.min(row.bytes - start);
        let mut group = vec![0; usize::try_from(length).expect("at most 16 KiB")];
        self.shared.read(&row, Part::Data, start, &mut group)?;
        let proof = ChunkProof::make(index, row.bytes, &group, |entry| {
            let mut pair = [0; PAIR_BYTES];
            self.shared.read(&row, Part::Outboard, entry * PAIR_BYTES as u64, &mut pair)?;
            Ok::<_, ReadError>(pair)
        })?;
        match proof.verify(index, &row.root, row.bytes) {
            Ok(()) => Ok(Some(proof)),
            Err(_) => Err(ReadError::Damaged { root: row.root }),
        }
    }

    /// Whether a statement was promised about a piece.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn has_promised(&self, cid: &BlockId, statement: &[u8]) -> Result<bool, ReadError> {
        Ok(self.shared.index.promise(cid, blake3::hash(statement).as_bytes())?.is_some())
    }

    /// All statements that were promised about a piece.
    ///
    /// # Errors
    /// If index or log cannot be read.
    pub fn promises(&self, cid: &BlockId) -> Result<Vec<Vec<u8>>, ReadError> {
        let mut statements = Vec::new();
        for row in self.shared.index.promises(cid)? {
            if let Record::Promise(_, promise) = self.shared.record(row.place)? {
                statements.push(promise.statement);
            }
        }
        Ok(statements)
    }

    /// The certificate kept of a piece, which need not be here.
    ///
    /// # Errors
    /// If index or log cannot be read.
    pub fn certificate(&self, cid: &BlockId) -> Result<Option<Vec<u8>>, ReadError> {
        self.shared.certificate(cid)
    }

    /// Pieces of which a certificate is kept and that are not here: what this node should fetch.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn wanted(&self) -> Result<Vec<BlockId>, ReadError> {
        let mut wanted = Vec::new();
        for (cid, _) in self.shared.index.certificates()? {
            if self.held(&cid)?.is_none() {
                wanted.push(cid);
            }
        }
        Ok(wanted)
    }

    /// Pieces about which something was promised and that are not here: what the disk has lost.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn lost(&self) -> Result<Vec<BlockId>, ReadError> {
        let mut lost = Vec::new();
        for cid in self.shared.index.promised()? {
            if self.held(&cid)?.is_none() {
                lost.push(cid);
            }
        }
        Ok(lost)
    }
}

impl Shared {
    pub(super) fn certificate(&self, cid: &BlockId) -> Result<Option<Vec<u8>>, ReadError> {
        let Some(place) = self.index.certificate(cid)? else { return Ok(None) };
        match self.record(place)? {
            Record::Certificate(_, bytes) => Ok(Some(bytes)),
            _ => Err(ReadError::Log(io::ErrorKind::InvalidData.into())),
        }
    }

    /// Whether the bytes of a piece are there in full length.
    pub(super) fn is_there(&self, row: &PieceRow) -> io::Result<bool> {
        if row.own {
            return self.own_is_there(&row.root, row.bytes);
        }
        match self.segment(row.place.segment) {
            Ok(file) => Ok(file.bytes()? >= row.place.start + row.place.bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether both files of a large piece are there in full length.
    pub(super) fn own_is_there(&self, root: &PieceRoot, bytes: u64) -> io::Result<bool> {
        for (part, expected) in [(Part::Data, bytes), (Part::Outboard, taken(bytes) - bytes)] {
            match self.disk.open(&files::own(root, part)) {
                Ok(file) if file.bytes()? == expected => {}
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Reads a part of a piece, wherever it lies.
    pub(super) fn read(
        &self,
        row: &PieceRow,
        part: Part,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<(), ReadError> {
        let mut read = || -> io::Result<()> {
            if row.own {
                return self.disk.open(&files::own(&row.root, part))?.read_at(offset, buffer);
            }
            let (start, length) = match part {
                Part::Data => (row.place.body, row.bytes),
                Part::Outboard => (row.place.body + row.bytes, taken(row.bytes) - row.bytes),
            };
            let inside = offset.checked_add(buffer.len() as u64).is_some_and(|end| end <= length);
            if !inside {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.segment(row.place.segment)?.read_at(start + offset, buffer)
        };
        read().map_err(|source| ReadError::Read { root: row.root, source })
    }

    /// A segment, open for reading.
    pub(super) fn segment(&self, number: u32) -> io::Result<Arc<dyn DiskFile>> {
        let mut segments = lock(&self.segments);
        if let Some(file) = segments.get(&number) {
            return Ok(file.clone());
        }
        let file: Arc<dyn DiskFile> = self.disk.open(&files::segment(number))?.into();
        while segments.len() >= OPEN_SEGMENTS {
            segments.pop_first();
        }
        segments.insert(number, file.clone());
        Ok(file)
    }

    /// Reads a record without a body back from the log.
    pub(super) fn record(&self, place: Place) -> Result<Record, ReadError> {
        let read = || -> io::Result<Record> {
            let file = self.segment(place.segment)?;
            let mut head = [0; SEGMENT_HEAD_LEN];
            file.read_at(0, &mut head)?;
            let length = usize::try_from(place.bytes).map_err(|_| io::ErrorKind::InvalidData)?;
            let mut record = vec![0; length];
            file.read_at(place.start, &mut record)?;
            let found = segment_keys(&head)
                .into_iter()
                .find_map(|key| Scan::new(key, &record, place.start).next().map(|(record, ..)| record));
            found.ok_or_else(|| io::ErrorKind::InvalidData.into())
        };
        read().map_err(ReadError::Log)
    }
}
