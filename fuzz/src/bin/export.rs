//! Writing a DAG out as files and folders, from blocks as they come.
//!
//! The first byte says what the root is, then each part is the block wanted next. Nothing appears beside the
//! target, nothing is left when writing fails, and what is written is what was counted.

#![no_main]
#![forbid(unsafe_code)]

use std::fs;
use std::path::Path;

use holdfast_core::block::{BlockId, Codec};
use holdfast_fuzz::bounded;
use holdfast_fuzz::script::Script;
use holdfast_store::export::TreeWriter;
use libfuzzer_sys::fuzz_target;

/// Folders around the target's, for names that lead upwards.
const DEPTH: usize = 3;

fuzz_target!(|data: &[u8]| bounded(data, judge));

fn judge(data: &[u8]) {
    let outer = tempfile::tempdir().expect("there is a temporary folder");
    let inner = (0..DEPTH).fold(outer.path().to_owned(), |path, _| path.join("in"));
    fs::create_dir_all(&inner).expect("the folder is new");
    let target = inner.join("out");
    write(data, &target);
    let mut path = outer.path().to_owned();
    for _ in 0..DEPTH {
        assert_eq!(names(&path), ["in"], "something appeared beside the folder");
        path.push("in");
    }
    let expected: &[&str] = if target.symlink_metadata().is_ok() { &["out"] } else { &[] };
    assert_eq!(names(&inner), expected, "something appeared beside the target");
}

fn write(data: &[u8], target: &Path) {
    let mut script = Script::new(data);
    let codec = [Codec::DagPb, Codec::Raw, Codec::DagCbor][usize::from(script.below(3))];
    let mut writer =
        TreeWriter::new(BlockId::from_digest(codec, [7; 32]), target).expect("the folder is empty");
    while writer.wanted().next().is_some() {
        if script.is_over() || writer.push(script.part()).is_err() {
            drop(writer);
            assert!(target.symlink_metadata().is_err(), "a tree in part has its name");
            return;
        }
    }
    let counted = writer.content_bytes();
    writer.finish().expect("the target is free");
    assert_eq!(content_bytes(target), counted);
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect()
}

/// Bytes of all files; links are not followed.
fn content_bytes(path: &Path) -> u64 {
    let metadata = path.symlink_metadata().expect("it was written");
    if metadata.is_dir() {
        let entries = fs::read_dir(path).expect("it was written");
        entries.map(|entry| content_bytes(&entry.expect("readable").path())).sum()
    } else if metadata.is_file() {
        metadata.len()
    } else {
        0
    }
}
