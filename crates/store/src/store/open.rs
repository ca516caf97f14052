//! Opening a store: what the log holds beyond the index is shown again, what a crash left behind is removed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use holdfast_core::id::{Epoch, PieceRoot};

use super::commit::Writer;
use super::files::{self, LOG, PARTIAL, Part, Sections};
use super::{KEEP_PARTIAL, OpenError, Options, Shared, Store, taken};
use crate::disk::{Disk, DiskFile, RealDisk, remove_if_there};
use crate::index::{Applied, Changes, Index, IndexError, PieceRow, Place};
use crate::log::{
    Extent, Key, PieceHead, RECORD_BYTES_MAX, Record, SEGMENT_BYTES, SEGMENT_HEAD_BYTES, SEGMENT_HEAD_LEN,
    Scan, segment_keys,
};

/// Bytes of a segment read at once: several of the longest records.
const WINDOW_BYTES: u64 = 4 << 20;

impl Store {
    /// Opens a store on a disk; the caller makes changes durable with [`Store::commit`].
    ///
    /// # Errors
    /// If disk or index cannot be used.
    pub fn over(disk: Arc<dyn Disk>, options: Options) -> Result<Self, OpenError> {
        for folder in [LOG, "pieces", PARTIAL] {
            disk.make_folder(folder).map_err(OpenError::Disk)?;
        }
        let lost = index_is_lost(&*disk).map_err(OpenError::Disk)?;
        if lost {
            tracing::warn!("the index is lost; making it again from the log");
        }
        match Self::with_index(disk.clone(), options.clone(), lost) {
            Err(OpenError::Index(IndexError::Damaged)) => {
                // All of it is in the log.
                tracing::warn!("the index is damaged; making it again from the log");
                remove_if_there(&*disk, files::INDEX).map_err(OpenError::Disk)?;
                Self::with_index(disk, options, true)
            }
            opened => opened,
        }
    }

    fn with_index(disk: Arc<dyn Disk>, options: Options, made_again: bool) -> Result<Self, OpenError> {
        let index = open_index(&*disk)?;
        // A lost name of the index would cost a long start.
        disk.sync_folder("").map_err(OpenError::Disk)?;
        let writer = replay(&*disk, &index)?;
        let pieces = index.pieces()?;
        let partials = tidy(&*disk, pieces.iter().filter(|(_, row)| row.own).map(|(_, row)| row.root))
            .map_err(OpenError::Disk)?;
        let held: u64 = pieces.iter().map(|(_, row)| taken(row.bytes)).sum();
        let shared = Shared {
            used: Mutex::new(held + partials.values().sum::<u64>()),
            pieces: AtomicU64::new(pieces.len() as u64),
            partials: Mutex::new(partials),
            arriving: Mutex::default(),
            drafts: AtomicU64::new(0),
            queue: Mutex::default(),
            wake: std::sync::Condvar::new(),
            writer: Mutex::new(writer),
            segments: Mutex::default(),
            disk,
            options,
            index,
            made_again,
        };
        Ok(Self { shared: Arc::new(shared), _committer: None })
    }

    /// Makes the index of the store in `folder` again from its log, and opens the store.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn rebuild(folder: &Path, quota: u64) -> Result<Self, OpenError> {
        let disk = RealDisk::at(folder).map_err(OpenError::Disk)?;
        remove_if_there(&disk, files::INDEX).map_err(OpenError::Disk)?;
        Self::open(folder, quota)
    }
}

/// Whether there is a log, but no index of it.
fn index_is_lost(disk: &dyn Disk) -> io::Result<bool> {
    let has_index = disk.list("")?.iter().any(|entry| entry.name == files::INDEX);
    Ok(!has_index && disk.list(LOG)?.iter().any(|entry| files::parse_segment(&entry.name).is_some()))
}

/// Opens the index as far as it can be told that it is whole.
fn open_index(disk: &dyn Disk) -> Result<Index, OpenError> {
    // The database checks no page as it reads one, and may panic over what it finds: all are checked now, and a panic
    // says no more than a checksum.
    let open = || Index::open(disk, files::INDEX).and_then(Index::checked);
    Ok(panic::catch_unwind(AssertUnwindSafe(open)).unwrap_or(Err(IndexError::Damaged))?)
}

/// Shows the records that are not in the index yet, and finds the end of the log.
fn replay(disk: &dyn Disk, index: &Index) -> Result<Writer, OpenError> {
    let applied = index.applied()?;
    let entries = disk.list(LOG).map_err(OpenError::Disk)?;
    let mut segments: Vec<_> =
        entries.iter().filter_map(|entry| Some((files::parse_segment(&entry.name)?, entry.bytes))).collect();
    segments.sort_unstable();
    let last = segments.last().map_or(0, |(number, _)| *number).max(applied.segment);
    // What a full disk left without a record stays for nobody. The last one keeps its number from being used again.
    for (number, _) in
        segments.extract_if(.., |(number, bytes)| *number < last && *bytes <= SEGMENT_HEAD_BYTES)
    {
        remove_if_there(disk, &files::segment(number)).map_err(OpenError::Disk)?;
    }
    let mut writer =
        Writer { segment: last, key: [0; 32], file: None, end: 0, since_checkpoint: 0, stopped: false };
    let mut removals = false;
    for (number, _) in segments.into_iter().filter(|(number, _)| *number >= applied.segment) {
        let from = if number == applied.segment { applied.offset } else { 0 };
        let Some(segment) = Segment::open(disk, number).map_err(OpenError::Disk)? else { continue };
        let mut offset = from.max(SEGMENT_HEAD_BYTES);
        let mut clean = true;
        while let Some(window) = segment.window(offset).map_err(OpenError::Disk)? {
            let applied = Applied { segment: number, offset: window.end };
            index.apply(applied, false, |changes| {
                for (record, body, extent) in window.records(&segment.key) {
                    removals |= matches!(record, Record::Removal(_) | Record::MovedRemoval(..));
                    show(disk, changes, &record, body, Place::new(number, extent))?;
                }
                Ok(())
            })?;
            clean &= window.skipped == 0;
            offset = window.end;
        }
        if !clean {
            tracing::warn!(
                segment = number,
                "a part of the log is no record; a crash cut it off, or it is damaged"
            );
        }
        if offset > from.max(SEGMENT_HEAD_BYTES) {
            // It was read, perhaps from memory alone: a process that was killed may not have come to its sync.
            segment.file.sync().map_err(OpenError::Disk)?;
        }
        if number == last && clean && segment.bytes < SEGMENT_BYTES {
            (writer.key, writer.end) = (segment.key, offset.max(SEGMENT_HEAD_BYTES));
            writer.file = Some(segment.file);
        }
        index.apply(Applied { segment: number, offset }, true, |changes| {
            if std::mem::take(&mut removals) { changes.sweep() } else { Ok(()) }
        })?;
    }
    Ok(writer)
}

/// Shows one record in the index, as when it was written.
fn show(
    disk: &dyn Disk,
    changes: &Changes<'_>,
    record: &Record,
    body: &[u8],
    place: Place,
) -> Result<(), redb::Error> {
    match record {
        Record::Piece(head) => {
            let read = |offset: u64, buffer: &mut [u8]| -> io::Result<()> {
                let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
                let found = body.get(start..start + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
                buffer.copy_from_slice(found);
                Ok(())
            };
            let blocks = Sections::new(head.bytes.min(body.len() as u64), read).map_err(redb::Error::Io)?;
            changes.add(&head.cid, &row(head, place, false), blocks)
        }
        Record::Own(head) => {
            // A later record may have removed the piece, and its files.
            let file = match disk.open(&files::own(&head.root, Part::Data)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                file => file.map_err(redb::Error::Io)?,
            };
            let bytes = head.bytes.min(file.bytes().map_err(redb::Error::Io)?);
            let read = |offset: u64, buffer: &mut [u8]| file.read_at(offset, buffer);
            let blocks = Sections::new(bytes, read).map_err(redb::Error::Io)?;
            changes.add(&head.cid, &row(head, place, true), blocks)
        }
        Record::Promise(cid, promise) => changes.promise(cid, promise, place),
        Record::Certificate(cid, _) => changes.certificate(cid, place),
        Record::Removal(cid) => changes.remove(cid, place.position(), place),
        Record::MovedRemoval(cid, first) => changes.remove(cid, *first, place),
    }
}

fn row(head: &PieceHead, place: Place, own: bool) -> PieceRow {
    let PieceHead { root, bytes, blocks, .. } = *head;
    PieceRow { root, bytes, blocks, until: Epoch(0), place, own }
}

/// Removes files of pieces that were never finished, and says what is left of interrupted ones.
fn tidy(
    disk: &dyn Disk,
    known: impl Iterator<Item = PieceRoot>,
) -> io::Result<BTreeMap<holdfast_core::block::BlockId, u64>> {
    let known: BTreeSet<_> = known.collect();
    for first in 0..=u8::MAX {
        let folder = format!("pieces/{first:02x}");
        let entries = match disk.list(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        let mut removed = false;
        for entry in entries {
            let stray = files::parse_own(&entry.name).is_some_and(|root| !known.contains(&root));
            if stray {
                tracing::info!(
                    name = entry.name,
                    bytes = entry.bytes,
                    "removing a piece that was never finished"
                );
                remove_if_there(disk, &format!("{folder}/{}", entry.name))?;
                removed = true;
            }
        }
        if removed {
            disk.sync_folder(&folder)?;
        }
    }
    let mut partials = BTreeMap::new();
    for entry in disk.list(PARTIAL)? {
        match files::parse_partial(&entry.name) {
            Some(cid) if entry.age < KEEP_PARTIAL && entry.bytes > 0 => {
                // Room that was set aside for the rest goes back.
                disk.open(&format!("{PARTIAL}/{}", entry.name))?.set_bytes(entry.bytes)?;
                partials.insert(cid, entry.bytes);
            }
            _ => remove_if_there(disk, &format!("{PARTIAL}/{}", entry.name))?,
        }
    }
    Ok(partials)
}

/// A segment that is read.
pub(super) struct Segment {
    pub(super) file: Box<dyn DiskFile>,
    pub(super) key: Key,
    pub(super) bytes: u64,
}

/// A part of a segment with whole records in it.
pub(super) struct Window {
    data: Vec<u8>,
    start: u64,
    /// Where the next one starts.
    pub(super) end: u64,
    /// Bytes in it that are no record.
    pub(super) skipped: u64,
}

impl Segment {
    /// Opens a segment for reading; `None` if a crash cut it off before its first record.
    pub(super) fn open(disk: &dyn Disk, number: u32) -> io::Result<Option<Self>> {
        let file = disk.open(&files::segment(number))?;
        let bytes = file.bytes()?;
        let mut head = [0; SEGMENT_HEAD_LEN];
        if bytes < SEGMENT_HEAD_BYTES {
            return Ok(None);
        }
        file.read_at(0, &mut head)?;
        let [first, second] = segment_keys(&head);
        let mut segment = Self { file, key: second, bytes };
        if first != second {
            // One of them is damaged: the right one fits more.
            let with_second = segment.records_at_start()?;
            segment.key = first;
            if segment.records_at_start()? < with_second {
                segment.key = second;
            }
        }
        Ok(Some(segment))
    }

    fn records_at_start(&self) -> io::Result<usize> {
        Ok(self.window(SEGMENT_HEAD_BYTES)?.map_or(0, |window| window.records(&self.key).count()))
    }

    /// The records from a place on, as many as fit a window; `None` at the end.
    pub(super) fn window(&self, start: u64) -> io::Result<Option<Window>> {
        if start >= self.bytes {
            return Ok(None);
        }
        let length = WINDOW_BYTES.min(self.bytes - start);
        let mut data = vec![0; usize::try_from(length).expect("at most a window")];
        self.file.read_at(start, &mut data)?;
        let mut scan = Scan::new(self.key, &data, start);
        let good_end = scan.by_ref().last().map_or(start, |(.., extent)| extent.start + extent.bytes);
        let at_end = start + length == self.bytes;
        // A record that does not fit the rest of the window starts the next one.
        let end = match at_end {
            true => start + length,
            false => good_end.max(start + length - RECORD_BYTES_MAX),
        };
        let left = start + length - end;
        let skipped = scan.skipped().saturating_sub(left);
        Ok(Some(Window { data, start, end, skipped }))
    }
}

impl Window {
    /// Its records that start before its end.
    pub(super) fn records(&self, key: &Key) -> impl Iterator<Item = (Record, &[u8], Extent)> {
        let end = self.end;
        Scan::new(*key, &self.data, self.start).take_while(move |(.., extent)| extent.start < end)
    }
}
