//! The check of a whole store: every piece is read and hashed, and compared with its rows and records.

use holdfast_core::block::BlockId;
use holdfast_core::check::PieceChecker;
use holdfast_core::id::PieceRoot;

use super::files::{self, LOG, Part};
use super::open::Segment;
use super::{ReadError, SMALL_BYTES, Store, taken};
use crate::index::PieceRow;
use crate::log::SEGMENT_HEAD_BYTES;
use crate::spill::WalkMemory;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Pieces that were read.
    pub pieces: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Pieces that are not what was stored.
    pub damaged: Vec<Damage>,
    /// Bytes of the log that are no record: a crash cut them off, or they are damaged.
    pub skipped_log_bytes: u64,
    /// Whether the index was damaged or not there, and was made again when the store was opened.
    pub index_made_again: bool,
}

/// A piece that is not what was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The piece.
    pub cid: BlockId,
    /// Its root.
    pub root: PieceRoot,
    /// What is wrong.
    pub why: String,
}

impl Store {
    /// Reads and hashes everything. `progress` is told how many bytes were read.
    ///
    /// # Errors
    /// If index or log cannot be read. What is wrong with single pieces is in the report.
    pub fn check(&self, mut progress: impl FnMut(u64)) -> Result<Report, ReadError> {
        let mut report = Report {
            skipped_log_bytes: self.skipped_log_bytes()?,
            index_made_again: self.shared.made_again,
            ..Report::default()
        };
        for (cid, row) in self.pieces()? {
            report.pieces += 1;
            report.bytes += row.bytes;
            if let Err(why) = self.check_piece(&cid, &row, &mut progress) {
                report.damaged.push(Damage { cid, root: row.root, why });
            }
        }
        Ok(report)
    }

    /// What is wrong with a piece, in words.
    fn check_piece(
        &self,
        cid: &BlockId,
        row: &PieceRow,
        progress: &mut impl FnMut(u64),
    ) -> Result<(), String> {
        let scratch = &self.shared.options.scratch;
        let explain = |error: &dyn std::error::Error| holdfast_core::explain(error);
        // Whoever makes the index again goes by the records alone.
        self.shared.record(row.place).map_err(|_| "its record in the log is damaged")?;
        for promise in self.shared.index.promises(cid).map_err(|error| explain(&error))? {
            self.shared.record(promise.place).map_err(|_| "a promise about it is damaged in the log")?;
        }
        let mut checker =
            PieceChecker::new(*cid, WalkMemory::new(scratch)).map_err(|error| explain(&error))?;
        let (mut buffer, mut placed, mut outboard) = (Vec::new(), Vec::new(), Vec::new());
        let (mut at, mut outboard_at) = (0, 0);
        while at < row.bytes {
            let length = SMALL_BYTES.min(row.bytes - at);
            buffer.resize(usize::try_from(length).expect("at most 256 KiB"), 0);
            self.shared.read(row, Part::Data, at, &mut buffer).map_err(|error| explain(&error))?;
            checker.push(&buffer, &mut placed, &mut outboard).map_err(|error| explain(&error))?;
            for placed in placed.drain(..) {
                let found = self.shared.index.block(&placed.id).map_err(|error| explain(&error))?;
                let right = |place: &crate::index::BlockPlace| {
                    (place.cid, place.offset, place.bytes) == (*cid, placed.offset, placed.bytes)
                };
                if !found.iter().any(right) {
                    return Err(format!("the index does not know where block {} lies", placed.id));
                }
            }
            self.check_outboard(row, &mut outboard_at, &mut outboard)?;
            at += length;
            progress(length);
        }
        let checked = checker.finish(&mut outboard).map_err(|error| explain(&error))?;
        self.check_outboard(row, &mut outboard_at, &mut outboard)?;
        let whole = (checked.root, checked.blocks, outboard_at)
            == (row.root, row.blocks, taken(row.bytes) - row.bytes);
        if whole { Ok(()) } else { Err(format!("its root is {}", checked.root)) }
    }

    /// Compares the next entries of an outboard with those that were computed.
    fn check_outboard(&self, row: &PieceRow, at: &mut u64, computed: &mut Vec<u8>) -> Result<(), String> {
        let mut found = vec![0; computed.len()];
        let read = self.shared.read(row, Part::Outboard, *at, &mut found);
        read.map_err(|error| holdfast_core::explain(&error))?;
        if found != *computed {
            return Err("its hash tree is damaged".into());
        }
        *at += computed.len() as u64;
        computed.clear();
        Ok(())
    }

    fn skipped_log_bytes(&self) -> Result<u64, ReadError> {
        let disk = &*self.shared.disk;
        let mut skipped = 0;
        for entry in disk.list(LOG).map_err(ReadError::Log)? {
            let Some(number) = files::parse_segment(&entry.name) else { continue };
            let Some(segment) = Segment::open(disk, number).map_err(ReadError::Log)? else { continue };
            let mut offset = SEGMENT_HEAD_BYTES;
            while let Some(window) = segment.window(offset).map_err(ReadError::Log)? {
                skipped += window.skipped;
                offset = window.end;
            }
        }
        Ok(skipped)
    }
}
