//! The piece checker: any bytes as a CAR (first byte even), and CARs of scripted DAGs with at most one byte
//! changed (odd).
//!
//! The outcome is the same however the bytes arrive. A piece that is accepted is made of the blocks reported,
//! and of nothing else; one with a changed byte is not accepted.

#![no_main]
#![forbid(unsafe_code)]

use std::convert::Infallible;

use cid::Cid;
use holdfast_core::block::BlockId;
use holdfast_core::car;
use holdfast_core::check::{CheckError, Checked, PieceChecker, Placed};
use holdfast_core::id::PieceRoot;
use holdfast_core::tree::outboard_bytes;
use holdfast_core::walk::InMemory;
use holdfast_fuzz::script::Script;
use holdfast_fuzz::{bounded, dag, fixed};
use libfuzzer_sys::fuzz_target;

/// Lengths of the headers that name a CID of version 1 and 0.
const HEADERS: [usize; 2] = [59, 57];
/// Bytes of a header before the CID, and after it.
const AROUND_CID: (usize, usize) = (14, 9);

fuzz_target!(|data: &[u8]| bounded(data, judge));

fn judge(data: &[u8]) {
    let mut script = Script::new(data);
    if script.below(2) == 0 {
        let splits = [script.byte(), script.byte()];
        let bytes = script.rest();
        check(root_of(bytes).unwrap_or_else(fixed::cid), bytes, &splits);
        return;
    }
    let blocks = dag::scripted(&mut script);
    let root = blocks.last().expect("a DAG has a root").0;
    let mut bytes = dag::piece(&blocks);
    let (place, change) = (usize::from(script.short()) % bytes.len(), script.byte());
    bytes[place] ^= change;
    assert_eq!(check(root, &bytes, script.rest()), change == 0, "byte {place} changed by {change:#x}");
}

/// The root that the header names.
fn root_of(bytes: &[u8]) -> Option<BlockId> {
    HEADERS.into_iter().find_map(|end| {
        let (before, after) = AROUND_CID;
        let cid = Cid::try_from(bytes.get(before..end - after)?).ok()?;
        let root = BlockId::try_from(&cid).ok()?;
        (car::header(&root) == bytes.get(..end)?).then_some(root)
    })
}

/// Whether the bytes are the piece of this root.
fn check(root: BlockId, bytes: &[u8], splits: &[u8]) -> bool {
    let (whole, placed, outboard) = run(root, std::iter::once(bytes));
    let (split, placed_split, outboard_split) = run(root, pieces(bytes, splits));
    assert_eq!(whole, split, "the outcome depends on how the bytes arrive");
    assert_eq!(placed, placed_split, "the blocks depend on how the bytes arrive");
    let Ok(checked) = whole else { return false };

    assert_eq!(outboard, outboard_split, "the outboard depends on how the bytes arrive");
    assert_eq!(outboard.len() as u64, outboard_bytes(checked.bytes));
    assert_eq!(checked.root, PieceRoot::new(*blake3::hash(bytes).as_bytes()));
    assert_eq!(usize::try_from(checked.blocks), Ok(placed.len()));
    let mut again = car::header(&root);
    for at in placed {
        let start = usize::try_from(at.offset).expect("within the input");
        let data = &bytes[start..start + usize::try_from(at.bytes).expect("within the input")];
        assert!(at.id.matches(data));
        again.extend(dag::section(&at.id, data));
    }
    assert!(again == bytes, "a second CAR of the same blocks");
    true
}

type Run = (Result<Checked, CheckError<Infallible>>, Vec<Placed>, Vec<u8>);

fn run<'a>(root: BlockId, pieces: impl Iterator<Item = &'a [u8]>) -> Run {
    let (mut placed, mut outboard) = (Vec::new(), Vec::new());
    let mut checker = PieceChecker::new(root, InMemory::default()).expect("memory does not fail");
    for piece in pieces {
        if let Err(error) = checker.push(piece, &mut placed, &mut outboard) {
            return (Err(error), placed, outboard);
        }
    }
    let result = checker.finish(&mut outboard);
    (result, placed, outboard)
}

/// Cuts bytes by lengths that repeat: one more than the byte says, or 128 times that if it is odd.
fn pieces<'a>(mut bytes: &'a [u8], splits: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut lengths = splits.iter().copied().chain([0, 3]).cycle();
    std::iter::from_fn(move || {
        let split = usize::from(lengths.next()?);
        let length = if split % 2 == 0 { split + 1 } else { 128 * (split + 1) };
        let (piece, rest) = bytes.split_at(length.min(bytes.len()));
        bytes = rest;
        (!piece.is_empty()).then_some(piece)
    })
}
