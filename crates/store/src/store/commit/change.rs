//! A change of the store: what it writes to the log, and what it means for the index.

use holdfast_core::block::BlockId;
use holdfast_core::check::Checked;
use holdfast_core::id::Epoch;

use super::Writer;
use crate::index::{Changes, PieceRow, Place};
use crate::log::{PAYLOAD_BYTES_MAX, PieceHead, Promise, Record};
use crate::spill::SpillLog;
use crate::store::draft::{self, PLACED_LEN, Reservation};

/// Whether a certificate shall take the place of the one that is kept, or of none.
pub(in crate::store) type Replaces = Box<dyn Fn(Option<&[u8]>) -> bool + Send>;

/// Called once a piece and its promise are on stable storage.
pub(in crate::store) type Synced = Box<dyn FnOnce() + Send>;

/// Something to be made durable.
pub(in crate::store) enum Change {
    Add(Addition),
    Promise {
        cid: BlockId,
        promise: Promise,
    },
    /// A certificate takes the place of another, if it shall.
    Certificate {
        cid: BlockId,
        bytes: Vec<u8>,
        replaces: Replaces,
    },
    /// A piece goes, unless a promise lasts beyond this epoch by now.
    Remove {
        cid: BlockId,
        epoch: Epoch,
    },
    /// A record that is still needed moves out of a segment.
    Move {
        record: Record,
        body: Vec<u8>,
        from: Place,
    },
}

/// A piece that was checked to its end.
pub(in crate::store) struct Addition {
    pub(in crate::store) cid: BlockId,
    pub(in crate::store) checked: Checked,
    pub(in crate::store) blocks: SpillLog<PLACED_LEN>,
    /// Bytes and outboard of a small piece; a large one lies in its own files.
    pub(in crate::store) content: Option<(Vec<u8>, Vec<u8>)>,
    pub(in crate::store) promise: Option<Promise>,
    /// Bytes reserved for it, which count as held from now on.
    pub(in crate::store) reserved: Reservation,
    /// Bytes of the piece, if a row of it was there when it was committed: its content had been lost.
    pub(in crate::store) before: Option<u64>,
    /// Called when its records are on stable storage, before the index shows them.
    pub(in crate::store) synced: Option<Synced>,
}

impl Change {
    /// About how much it adds to the log.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Add(Addition { content: Some((data, outboard)), .. }) => data.len() + outboard.len() + 512,
            Self::Move { body, .. } => body.len() + 512,
            _ => 512,
        }
    }

    /// Whether its records keep to the limits of the log.
    pub(super) fn fits(&self) -> bool {
        let payload = match self {
            Self::Add(Addition { promise, .. }) => {
                promise.as_ref().map_or(0, |promise| promise.statement.len())
            }
            Self::Promise { promise, .. } => promise.statement.len(),
            Self::Certificate { bytes, .. } => bytes.len(),
            Self::Remove { .. } | Self::Move { .. } => 0, // no text of others, or taken from the log
        };
        payload <= PAYLOAD_BYTES_MAX
    }

    /// Its records are on stable storage.
    pub(super) fn tell_synced(&mut self) {
        if let Self::Add(Addition { synced, .. }) = self
            && let Some(synced) = synced.take()
        {
            synced();
        }
    }

    pub(super) fn append(&self, writer: &Writer, buffer: &mut Vec<u8>) -> Vec<Place> {
        let mut places = Vec::new();
        let mut append = |record: &Record, body: [&[u8]; 2]| {
            let extent = record.append(&writer.key, body, writer.end, buffer);
            places.push(Place::new(writer.segment, extent));
        };
        match self {
            Self::Add(Addition { cid, checked, content, promise, .. }) => {
                let head =
                    PieceHead { cid: *cid, root: checked.root, bytes: checked.bytes, blocks: checked.blocks };
                match content {
                    Some((data, outboard)) => append(&Record::Piece(head), [data, outboard]),
                    None => append(&Record::Own(head), [&[], &[]]),
                }
                if let Some(promise) = promise {
                    append(&Record::Promise(*cid, promise.clone()), [&[], &[]]);
                }
            }
            Self::Promise { cid, promise } => append(&Record::Promise(*cid, promise.clone()), [&[], &[]]),
            Self::Certificate { cid, bytes, .. } => {
                append(&Record::Certificate(*cid, bytes.clone()), [&[], &[]]);
            }
            Self::Remove { cid, .. } => append(&Record::Removal(*cid), [&[], &[]]),
            Self::Move { record, body, .. } => append(record, [body, &[]]),
        }
        places
    }

    pub(super) fn show(&self, places: &[Place], changes: &Changes<'_>) -> Result<(), redb::Error> {
        match self {
            Self::Add(Addition { cid, checked, blocks, content, promise, .. }) => {
                let row = PieceRow {
                    root: checked.root,
                    bytes: checked.bytes,
                    blocks: checked.blocks,
                    until: Epoch(0),
                    place: places[0],
                    own: content.is_none(),
                };
                let placed =
                    (0..blocks.len()).map(|at| blocks.get(at).and_then(|record| draft::from_record(&record)));
                changes.add(cid, &row, placed)?;
                promise.as_ref().map_or(Ok(()), |promise| changes.promise(cid, promise, places[1]))
            }
            Self::Promise { cid, promise } => changes.promise(cid, promise, places[0]),
            Self::Certificate { cid, .. } => changes.certificate(cid, places[0]),
            Self::Remove { cid, .. } => changes.remove(cid, places[0].position(), places[0]),
            Self::Move { record, from, .. } => changes.relocate(record, *from, places[0]),
        }
    }
}
