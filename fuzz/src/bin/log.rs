//! The log of a store over any bytes; the first byte says whether they are a segment or a script of one, and two
//! more where it is cut.
//!
//! Reading ends, and tells every byte as part of a record or as skipped. A record that is found is written again
//! to the same bytes. A cut takes records away and brings none to light, but for what lay inside the record that it
//! went through.

#![no_main]
#![forbid(unsafe_code)]

use holdfast_fuzz::records::{self, KEY};
use holdfast_fuzz::{bounded, script::Script};
use holdfast_store::log::{Extent, Record, SEGMENT_HEAD_BYTES, Scan};
use libfuzzer_sys::fuzz_target;

/// Where the part of the segment lies in its file.
const BASE: u64 = SEGMENT_HEAD_BYTES;

fuzz_target!(|data: &[u8]| bounded(data, judge));

fn judge(data: &[u8]) {
    let mut script = Script::new(data);
    let (form, cut) = (script.below(2), usize::from(script.short()));
    match form {
        0 => check(script.rest(), cut),
        _ => check(&records::scripted(script), cut),
    }
}

fn check(segment: &[u8], cut: usize) {
    let found = scan(segment);
    for (record, body, extent) in &found {
        let mut again = Vec::new();
        assert_eq!(record.append(&KEY, [body, &[]], extent.start, &mut again), *extent);
        assert_eq!(again, segment[range(extent)], "another encoding of {record:?}");
    }

    let cut = cut.min(segment.len());
    let left = scan(&segment[..cut]);
    let whole = found.iter().take_while(|(.., extent)| range(extent).end <= cut).count();
    assert!(left.len() >= whole && left[..whole] == found[..whole], "a cut hides what lies before it");
    for (record, _, extent) in &left[whole..] {
        let inside = found.get(whole).is_some_and(|(.., outer)| outer.start < extent.start);
        assert!(inside, "a cut brings {record:?} to light");
    }
}

fn scan(segment: &[u8]) -> Vec<(Record, &[u8], Extent)> {
    let mut scan = Scan::new(KEY, segment, BASE);
    let found: Vec<_> = scan.by_ref().collect();
    let mut end = 0;
    for (.., extent) in &found {
        assert!(range(extent).start >= end, "records overlap");
        end = range(extent).end;
    }
    let bytes: u64 = found.iter().map(|(.., extent)| extent.bytes).sum();
    assert_eq!(bytes + scan.skipped(), segment.len() as u64, "some bytes are told twice or not at all");
    found
}

/// Where a record lies in the part.
fn range(extent: &Extent) -> std::ops::Range<usize> {
    let start = usize::try_from(extent.start - BASE).expect("inside the segment");
    start..start + usize::try_from(extent.bytes).expect("inside the segment")
}
