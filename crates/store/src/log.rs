//! The log of a store: everything it knows, in records, in the order in which it came to be.
//!
//! A small piece lies in the log itself; a large one has files of its own and a record that says so. The index is
//! a view of the log and can be made again from it. One sync of one segment makes everything durable that waits
//! for it. Bytes: docs/spec/store.md.
//!
//! A record that was cut off by a crash fails its checksum. Reading goes on at the next good record, so that damage in
//! one place never hides what lies behind it. Checksums are keyed with a secret of the segment, for what lies in a
//! damaged place may be the content of a piece, and whoever stored it could have made it look like a record.

use holdfast_core::block::BlockId;
use holdfast_core::codec;
use holdfast_core::id::{Epoch, PieceRoot};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

/// A segment that has grown to this is followed by a new one: large enough that files are few, small enough that
/// one is soon written again without its dead records.
pub const SEGMENT_BYTES: u64 = 64 << 20;

/// First bytes of a segment, before its secret, which is written twice.
const SEGMENT_MAGIC: [u8; 4] = *b"hfs1";
/// Length of what comes before the first record.
pub const SEGMENT_HEAD_BYTES: u64 = SEGMENT_HEAD_LEN as u64;
/// The same, as a length in memory.
pub const SEGMENT_HEAD_LEN: usize = 4 + 32 + 32;

/// The secret of a segment.
pub type Key = [u8; 32];

/// What a segment starts with.
pub fn segment_head(key: &Key) -> Vec<u8> {
    [&SEGMENT_MAGIC[..], key, key].concat()
}

/// The secrets that a segment may have: one, or two that differ because one copy is damaged.
pub fn segment_keys(head: &[u8; SEGMENT_HEAD_LEN]) -> [Key; 2] {
    let key = |at: usize| head[at..at + 32].try_into().expect("32 bytes");
    [key(4), key(36)]
}

/// First bytes of a record.
const MAGIC: [u8; 4] = *b"hfr1";
/// Magic, kind, zeros, length of head, length of body, checksum.
const FIXED_BYTES: usize = 4 + 4 + 4 + 4 + 16;
/// Longest head: a promise or a certificate.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Longest certificate, or statement of a promise, that a record takes: beside it stand a CID and an epoch.
pub const PAYLOAD_BYTES_MAX: usize = HEAD_BYTES_MAX - 128;
/// Longest body: a small piece and its outboard.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Longest record.
pub const RECORD_BYTES_MAX: u64 = (FIXED_BYTES + HEAD_BYTES_MAX + BODY_BYTES_MAX) as u64;

/// What a record says. The numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Piece = 1,
    Own = 2,
    Promise = 3,
    Certificate = 4,
    Removal = 5,
    MovedRemoval = 6,
}

/// A place in the log as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize_tuple, Deserialize_tuple)]
pub struct Position {
    /// Number of the segment.
    pub segment: u32,
    /// A byte of it.
    pub start: u64,
}

/// A piece, as the log tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct PieceHead {
    /// Root of the DAG.
    pub cid: BlockId,
    /// BLAKE3 of the piece.
    pub root: PieceRoot,
    /// Its length.
    pub bytes: u64,
    /// Its number of blocks.
    pub blocks: u32,
}

/// What a provider has promised about a piece. The bytes belong to the layer above.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Promise {
    /// The piece must be kept until then, exclusive.
    pub until: Epoch,
    /// What was promised.
    #[serde(with = "serde_bytes")]
    pub statement: Vec<u8>,
}

/// A record, as it is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A small piece, whose bytes and outboard are the record's body.
    Piece(PieceHead),
    /// A piece in files of its own.
    Own(PieceHead),
    /// A promise about a piece.
    Promise(BlockId, Promise),
    /// The largest certificate known of a piece, which need not be here.
    Certificate(BlockId, Vec<u8>),
    /// A piece is removed, with all promises and certificates.
    Removal(BlockId),
    /// The same, written again behind what came after it: it removes only what stands before the place where it stood
    /// first.
    MovedRemoval(BlockId, Position),
}

/// Where a record lies in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// First byte of the record.
    pub start: u64,
    /// First byte of its body.
    pub body: u64,
    /// Length of the record.
    pub bytes: u64,
}

#[derive(Serialize_tuple, Deserialize_tuple)]
struct PromiseHead {
    cid: BlockId,
    promise: Promise,
}

#[derive(Serialize_tuple, Deserialize_tuple)]
struct MovedRemovalHead {
    cid: BlockId,
    first: Position,
}

#[derive(Serialize_tuple, Deserialize_tuple)]
struct CertificateHead {
    cid: BlockId,
    #[serde(with = "serde_bytes")]
    certificate: Vec<u8>,
}

impl Record {
    /// Appends the record to `out`, which will stand at byte `at` of the segment with this key.
    ///
    /// # Panics
    /// If head or body is longer than a record may hold; see [`PAYLOAD_BYTES_MAX`].
    pub fn append(&self, key: &Key, body: [&[u8]; 2], at: u64, out: &mut Vec<u8>) -> Extent {
        let (kind, head) = match self {
            Self::Piece(head) => (Kind::Piece, codec::encode(head)),
            Self::Own(head) => (Kind::Own, codec::encode(head)),
            Self::Promise(cid, promise) => {
                (Kind::Promise, codec::encode(&PromiseHead { cid: *cid, promise: promise.clone() }))
            }
            Self::Certificate(cid, bytes) => {
                (Kind::Certificate, codec::encode(&CertificateHead { cid: *cid, certificate: bytes.clone() }))
            }
            Self::Removal(cid) => (Kind::Removal, codec::encode(cid)),
            Self::MovedRemoval(cid, first) => {
                (Kind::MovedRemoval, codec::encode(&MovedRemovalHead { cid: *cid, first: *first }))
            }
        };
        let body_bytes = body[0].len() + body[1].len();
        assert!(head.len() <= HEAD_BYTES_MAX && body_bytes <= BODY_BYTES_MAX, "a record over the limit");
        let start = out.len();
        out.extend(MAGIC);
        out.extend([kind as u8, 0, 0, 0]);
        out.extend(to_u32(head.len()));
        out.extend(to_u32(body_bytes));
        out.extend([0; 16]);
        out.extend(head);
        let body_at = out.len();
        out.extend_from_slice(body[0]);
        out.extend_from_slice(body[1]);
        let checksum = checksum(key, &out[start..]);
        out[start + 16..start + FIXED_BYTES].copy_from_slice(&checksum);
        Extent { start: at + start as u64, body: at + body_at as u64, bytes: (out.len() - start) as u64 }
    }

    fn decode(kind: u8, head: &[u8]) -> Option<Self> {
        fn read<T: DeserializeOwned + Serialize>(head: &[u8]) -> Option<T> {
            codec::decode(head, HEAD_BYTES_MAX).ok()
        }
        Some(match kind {
            1 => Self::Piece(read(head)?),
            2 => Self::Own(read(head)?),
            3 => read::<PromiseHead>(head).map(|PromiseHead { cid, promise }| Self::Promise(cid, promise))?,
            4 => read::<CertificateHead>(head)
                .map(|CertificateHead { cid, certificate }| Self::Certificate(cid, certificate))?,
            5 => Self::Removal(read(head)?),
            6 => read::<MovedRemovalHead>(head)
                .map(|MovedRemovalHead { cid, first }| Self::MovedRemoval(cid, first))?,
            _ => return None,
        })
    }
}

fn to_u32(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("limited above").to_be_bytes()
}

/// First half of the keyed BLAKE3 hash of a record without its checksum.
fn checksum(key: &Key, record: &[u8]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(&record[..16]);
    hasher.update(&record[FIXED_BYTES..]);
    *hasher.finalize().as_bytes().first_chunk().expect("half of 32 bytes")
}

/// Reads a segment record by record, over whatever is damaged.
pub struct Scan<'a> {
    key: Key,
    segment: &'a [u8],
    /// Where `segment` starts in its file.
    base: u64,
    at: usize,
    skipped: u64,
}

impl<'a> Scan<'a> {
    /// Reads the part of a segment that starts at byte `base` of its file, behind the segment's head.
    pub fn new(key: Key, segment: &'a [u8], base: u64) -> Self {
        Self { key, segment, base, at: 0, skipped: 0 }
    }

    /// Bytes so far that were no good record.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The record at this place, if it is good.
    fn here(&self) -> Option<(Record, &'a [u8], Extent)> {
        let rest = &self.segment[self.at..];
        let fixed = rest.first_chunk::<FIXED_BYTES>()?;
        let length = |at: usize| {
            let bytes = fixed[at..at + 4].try_into().expect("four bytes");
            usize::try_from(u32::from_be_bytes(bytes)).ok()
        };
        let (head, body) = (length(8)?, length(12)?);
        let well_formed = fixed[..4] == MAGIC && fixed[5..8] == [0; 3];
        if !well_formed || head > HEAD_BYTES_MAX || body > BODY_BYTES_MAX {
            return None;
        }
        let record = rest.get(..FIXED_BYTES + head + body)?;
        if checksum(&self.key, record) != fixed[16..FIXED_BYTES] {
            return None;
        }
        let (head, body) = record[FIXED_BYTES..].split_at(head);
        let start = self.base + self.at as u64;
        let extent =
            Extent { start, body: start + (FIXED_BYTES + head.len()) as u64, bytes: record.len() as u64 };
        Some((Record::decode(fixed[4], head)?, body, extent))
    }
}

impl<'a> Iterator for Scan<'a> {
    type Item = (Record, &'a [u8], Extent);

    fn next(&mut self) -> Option<Self::Item> {
        while self.at < self.segment.len() {
            if let Some(found) = self.here() {
                self.at += usize::try_from(found.2.bytes).expect("within the segment");
                return Some(found);
            }
            // The next place where a record may start.
            let rest = &self.segment[self.at + 1..];
            let jump = rest.windows(MAGIC.len()).position(|window| window == MAGIC).unwrap_or(rest.len()) + 1;
            self.at += jump;
            self.skipped += jump as u64;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_core::block::Codec;

    const KEY: Key = [9; 32];

    fn records() -> Vec<(Record, Vec<u8>)> {
        let cid = BlockId::of(Codec::Raw, b"x");
        let head = PieceHead { cid, root: PieceRoot::new([7; 32]), bytes: 3, blocks: 1 };
        let promise = Promise { until: Epoch(1), statement: vec![1; 40] };
        vec![
            (Record::Piece(head), b"abc".to_vec()),
            (Record::Own(head), vec![]),
            (Record::Promise(cid, promise), vec![]),
            (Record::Certificate(cid, vec![2; 300]), vec![]),
            (Record::Removal(cid), vec![]),
            (Record::MovedRemoval(cid, Position { segment: 1, start: 68 }), vec![]),
        ]
    }

    fn written() -> (Vec<u8>, Vec<Extent>) {
        let (mut out, mut extents) = (Vec::new(), Vec::new());
        for (record, body) in records() {
            extents.push(record.append(
                &KEY,
                [&body[..body.len() / 2], &body[body.len() / 2..]],
                0,
                &mut out,
            ));
        }
        (out, extents)
    }

    #[test]
    fn what_was_written_is_read_back() {
        let (segment, extents) = written();
        let mut scan = Scan::new(KEY, &segment, 0);
        for ((record, body), extent) in records().into_iter().zip(extents) {
            let (found, found_body, found_extent) = scan.next().unwrap();
            assert_eq!((found, found_body, found_extent), (record, &body[..], extent));
            let start = usize::try_from(extent.body).unwrap();
            assert_eq!(&segment[start..start + body.len()], body);
        }
        assert_eq!((scan.next(), scan.skipped()), (None, 0));
    }

    #[test]
    fn the_first_bytes_are_as_specified() {
        let (segment, _) = written();
        assert_eq!(&segment[..16], b"hfr1\x01\0\0\0\0\0\0\x4e\0\0\0\x03");
    }

    #[test]
    fn content_that_looks_like_a_record_is_none() {
        let mut forged = Vec::new();
        Record::Removal(BlockId::of(Codec::Raw, b"x")).append(&[0; 32], [&[], &[]], 0, &mut forged);
        assert_eq!(Scan::new(KEY, &forged, 0).count(), 0);
    }

    #[test]
    fn a_cut_or_damaged_record_hides_no_other() {
        let (segment, extents) = written();
        for cut in 0..segment.len() {
            let whole = extents.iter().filter(|extent| extent.start + extent.bytes <= cut as u64).count();
            assert_eq!(Scan::new(KEY, &segment[..cut], 0).count(), whole, "cut at {cut}");
        }
        for at in 0..segment.len() {
            let mut damaged = segment.clone();
            damaged[at] ^= 0x10;
            let mut scan = Scan::new(KEY, &damaged, 0);
            assert_eq!(scan.by_ref().count(), extents.len() - 1, "damage at {at}");
            assert!(scan.skipped() > 0);
        }
    }
}
