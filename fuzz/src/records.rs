//! Segments of a store's log, made by hand under a key that everyone here knows.

use holdfast_core::id::{Epoch, PieceRoot};
use holdfast_store::log::{Key, PieceHead, Position, Promise, Record};

use crate::fixed::cid;
use crate::script::Script;

/// The secret of every segment.
pub const KEY: Key = [9; 32];

/// A record of each kind, in the order of their numbers, which start at 1.
pub fn records() -> [Record; 6] {
    let head = PieceHead { cid: cid(), root: PieceRoot::new([7; 32]), bytes: 3, blocks: 1 };
    [
        Record::Piece(head),
        Record::Own(head),
        Record::Promise(cid(), Promise { until: Epoch(1), statement: vec![1; 40] }),
        Record::Certificate(cid(), vec![2; 300]),
        Record::Removal(cid()),
        Record::MovedRemoval(cid(), Position { segment: 1, start: 68 }),
    ]
}

/// A record with any kind, head and body under a good checksum, as docs/spec/store.md draws it.
pub fn forged(kind: u8, head: &[u8], body: &[u8]) -> Vec<u8> {
    let length = |part: &[u8]| u32::try_from(part.len()).expect("parts are short").to_be_bytes();
    let before = [&b"hfr1"[..], &[kind, 0, 0, 0], &length(head), &length(body)].concat();
    let mut hasher = blake3::Hasher::new_keyed(&KEY);
    hasher.update(&before).update(head).update(body);
    let checksum = hasher.finalize();
    [&before, &checksum.as_bytes()[..16], head, body].concat()
}

/// A segment as a script says: records, forgeries and noise, of which some bytes may be changed.
pub fn scripted(mut script: Script<'_>) -> Vec<u8> {
    let mut segment = Vec::new();
    while !script.is_over() {
        match script.below(4) {
            0 => {
                let (records, place) = (records(), usize::from(script.below(6)));
                let body = script.part();
                let (first, second) = body.split_at(body.len() / 2);
                records[place].append(&KEY, [first, second], 0, &mut segment);
            }
            1 => segment.extend(forged(script.byte(), script.part(), script.part())),
            2 => segment.extend(script.part()),
            _ => {
                let (place, change) = (usize::from(script.short()), script.byte());
                if let Some(byte) = segment.get_mut(place) {
                    *byte ^= change;
                }
            }
        }
    }
    segment
}
