//! Those who read a DAG without writing it out as it is: the list of a folder, a range of a file, a piece in temporary space.
//!
//! The first byte says which. Blocks come in the order wanted, one part each. Names of a list are sorted. A range is as long as
//! it says, and whatever range is asked for is the same bytes of the same file. A piece that passes is written
//! out as the tree that it is.

#![no_main]
#![forbid(unsafe_code)]

use std::fs;

use holdfast_core::block::{BlockId, Codec};
use holdfast_fuzz::bounded;
use holdfast_fuzz::script::Script;
use holdfast_store::export::archive::Archive;
use holdfast_store::export::content::ContentReader;
use holdfast_store::export::list::{ENTRIES_MAX, Kind, Lister};
use holdfast_store::export::range::ByteRange;
use holdfast_store::export::{ExportError, TreeWriter};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bounded(data, judge));

fn judge(data: &[u8]) {
    let mut script = Script::new(data);
    match script.below(3) {
        0 => list(script),
        1 => range(script),
        _ => archive(script),
    }
}

fn root(script: &mut Script<'_>) -> BlockId {
    let codec = [Codec::DagPb, Codec::Raw, Codec::DagCbor][usize::from(script.below(3))];
    BlockId::from_digest(codec, [7; 32])
}

fn list(mut script: Script<'_>) {
    let mut lister = Lister::new(root(&mut script));
    while lister.wanted().next().is_some() {
        if script.is_over() || lister.push(script.part()).is_err() {
            return;
        }
    }
    let listing = lister.finish();
    assert!(listing.entries.len() <= ENTRIES_MAX, "a list without end");
    assert!(listing.entries.is_sorted_by(|left, right| left.name <= right.name));
    assert!(listing.entries.is_empty() || listing.kind == Kind::Folder, "entries of what is no folder");
}

/// Reads a part of a file, and all of it with what is wanted from the same blocks.
fn range(mut script: Script<'_>) {
    let root = root(&mut script);
    let asked = match script.below(4) {
        0 => ByteRange::Inside(script.short().into(), script.short().into()),
        1 => ByteRange::From(script.short().into()),
        2 => ByteRange::Last(script.short().into()),
        _ => ByteRange::Inside(script.long(), script.long()),
    };
    let Some((whole, blocks)) = read(root, ByteRange::Whole, |_| Some(script.part())) else { return };
    let Ok(expected) = asked.within(whole.len() as u64) else { return };
    // A block is known by its place among those of the whole file, for its name says nothing here.
    let mut from = 0;
    let part = read(root, asked, |id| {
        let place = from + blocks[from..].iter().position(|(other, _)| *other == id)?;
        from = place + 1;
        Some(blocks[place].1)
    });
    if let Some((part, _)) = part {
        let expected = usize::try_from(expected.start).unwrap()..usize::try_from(expected.end).unwrap();
        assert_eq!(part.len(), expected.len(), "a range of another length");
        let distinct =
            blocks.iter().all(|(id, data)| blocks.iter().all(|(other, more)| id != other || data == more));
        assert!(!distinct || part == whole[expected], "a range of other bytes");
    }
}

type Blocks<'a> = Vec<(BlockId, &'a [u8])>;

/// What a range holds, and the blocks that were read for it.
fn read<'a>(
    root: BlockId,
    range: ByteRange,
    mut block: impl FnMut(BlockId) -> Option<&'a [u8]>,
) -> Option<(Vec<u8>, Blocks<'a>)> {
    let mut reader = ContentReader::new(root, range);
    let (mut content, mut blocks) = (Vec::new(), Vec::new());
    loop {
        let Some(id) = reader.wanted().next() else { break };
        let data = block(id).filter(|data| !data.is_empty() || blocks.len() < 1000)?;
        content.extend_from_slice(reader.push(data).ok()?);
        blocks.push((id, data));
    }
    assert_eq!(content.len() as u64, reader.range().end - reader.range().start, "read to its end");
    Some((content, blocks))
}

fn archive(mut script: Script<'_>) {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let step = usize::from(script.byte()) + 1;
    let mut archive = Archive::new(folder.path()).expect("there is room");
    for part in script.rest().chunks(step) {
        if archive.push(part).is_err() {
            return;
        }
    }
    let Ok(piece) = archive.finish() else { return };
    let target = folder.path().join("out");
    let mut writer = TreeWriter::new(piece.root(), &target).expect("the folder is empty");
    loop {
        match piece.feed(&mut writer) {
            Ok(true) => {}
            Ok(false) => break,
            Err(ExportError::Scratch { source }) => panic!("a checked piece lacks a block: {source}"),
            Err(_) => return, // no tree of files
        }
    }
    writer.finish().expect("the target is free");
    assert!(fs::symlink_metadata(&target).is_ok(), "it was finished");
}
