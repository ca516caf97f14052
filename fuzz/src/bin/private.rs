//! Private pieces: key files, headers and cells; the first byte selects.
//!
//! A key file holds a key in one spelling. Whatever was changed, cut, moved or put together from two pieces, what is
//! read is what was sealed in that place, or nothing.

#![no_main]
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::{env, fs, process};

use holdfast_client::private::{CELL_BYTES, HEADER_BYTES, KeyError, Opened, PieceKey, TAG_BYTES, encrypt};
use holdfast_fuzz::script::Script;
use holdfast_fuzz::{bounded, fixed};
use libfuzzer_sys::fuzz_target;

/// What is sealed under the golden key, and the length of that: the example of docs/spec/private.md.
const GOLDEN_CONTENT: &[u8] = b"holdfast";
const GOLDEN_BYTES: u64 = 72;

/// Bytes of a cell as it is stored.
const STORED_CELL_BYTES: usize = CELL_BYTES + TAG_BYTES;

/// A file that was sealed.
struct Sealed {
    key: PieceKey,
    content: &'static [u8],
    stored: Vec<u8>,
}

/// None, few and many bytes; a cell, and one more; two of one length.
static SEALED: LazyLock<[Sealed; 6]> = LazyLock::new(|| {
    [(0, 0), (7, 8), (0, CELL_BYTES), (9, CELL_BYTES + 1), (0, 80_000), (20_000, 80_000)].map(
        |(start, bytes)| {
            let content = &fixed::PIECE[start..start + bytes];
            let mut stored = Vec::new();
            let key = encrypt::file(content, Path::new("content"), &mut stored, &mut |_| ());
            Sealed { key: key.expect("memory does not fail"), content, stored }
        },
    )
});

/// Where key files are written.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = env::temp_dir().join(format!("holdfast-private-{}", process::id()));
    fs::create_dir_all(&folder).expect("temporary files can be written");
    folder
});

static KEY: LazyLock<PieceKey> =
    LazyLock::new(|| read_key(fixed::key_text(&[1; 32]).as_bytes()).expect("a good key"));

fuzz_target!(|data: &[u8]| {
    LazyLock::force(&SEALED);
    LazyLock::force(&KEY);
    bounded(data, judge);
});

fn judge(data: &[u8]) {
    let mut script = Script::new(data);
    match script.below(3) {
        0 => key_file(script.rest()),
        1 => golden(script.long(), script.rest()),
        _ => changed(script),
    }
}

fn read_key(content: &[u8]) -> Option<PieceKey> {
    let path = FOLDER.join("read");
    fs::write(&path, content).expect("temporary files can be written");
    match PieceKey::read(&path) {
        Ok(key) => Some(key),
        Err(KeyError::Malformed { .. }) => None,
        Err(error) => panic!("{error:?}"),
    }
}

fn key_file(content: &[u8]) {
    let Some(key) = read_key(content) else { return };
    let path = FOLDER.join("written");
    key.write_new(&path).expect("it is not there");
    let written = fs::read(&path).expect("it was written");
    fs::remove_file(&path).expect("it was written");
    assert!(content.trim_ascii().starts_with(written.trim_ascii()), "a second spelling of a key");
}

/// Any bytes, of any announced length.
fn golden(bytes: u64, stored: &[u8]) {
    for bytes in [bytes, stored.len() as u64] {
        let Ok(opened) = Opened::open(&KEY, stored, bytes) else { continue };
        let end = opened.content_bytes();
        let (read, out) = read(&opened, stored, 0..end.min(1 << 20), 1000);
        assert!(GOLDEN_CONTENT.starts_with(&out), "nobody sealed this");
        assert!(read.is_err() || bytes == GOLDEN_BYTES, "another length was sealed");
    }
}

fn changed(mut script: Script<'_>) {
    let number = usize::from(script.below(6));
    let Sealed { key, content, stored } = &SEALED[number];
    let mut found = stored.clone();
    let announced = script.below(4);
    let (from, to) = (script.short(), script.short());
    let step = usize::from(script.short()) + 1;
    while !script.is_over() {
        change(&mut found, &mut script);
    }
    let bytes = match announced {
        0 => script.long(),
        _ => found.len() as u64,
    };
    let opened = match Opened::open(key, &found, bytes) {
        Ok(opened) => opened,
        Err(_) => {
            assert!(found != *stored || bytes != stored.len() as u64, "what was sealed does not open");
            return;
        }
    };
    let part = |share: u16| opened.content_bytes().min(1 << 20) * u64::from(share) / u64::from(u16::MAX);
    let range = part(from.min(to))..part(from.max(to));
    let (result, out) = read(&opened, &found, range.clone(), step);
    let at = |place: u64| usize::try_from(place).expect("at most a MiB");
    let sealed = content.get(at(range.start)..).unwrap_or_default();
    assert!(sealed.starts_with(&out), "what was read was not sealed here");
    match result {
        Ok(()) => assert_eq!(out.len(), at(range.end - range.start), "a part is missing"),
        Err(()) => assert!(found != *stored || bytes != stored.len() as u64, "what was sealed is not read"),
    }
}

/// Changes what is stored as somebody might who has no key.
fn change(found: &mut Vec<u8>, script: &mut Script<'_>) {
    let cell = |number: u8| HEADER_BYTES + usize::from(number) * STORED_CELL_BYTES;
    match script.below(6) {
        0 => {
            let (from_end, place, change) = (script.below(2), usize::from(script.short()), script.byte());
            let place = if from_end == 0 { Some(place) } else { found.len().checked_sub(place + 1) };
            if let Some(byte) = place.and_then(|place| found.get_mut(place)) {
                *byte ^= change;
            }
        }
        1 => found.truncate(found.len().saturating_sub(script.short().into())),
        2 => found.truncate(cell(script.below(3))),
        3 => found.extend(script.part()),
        4 => {
            // A cell in the place of another.
            let (from, to) = (cell(script.below(2)), cell(script.below(2)));
            let moved = found.get(from..(from + STORED_CELL_BYTES).min(found.len())).map(<[u8]>::to_vec);
            if let (Some(moved), true) = (moved, to <= found.len()) {
                let end = (to + moved.len()).min(found.len());
                found.splice(to..end, moved);
            }
        }
        _ => {
            // The end of another piece behind the start of this one.
            let (other, cell) = (&SEALED[usize::from(script.below(6))].stored, cell(script.below(2)));
            if let (Some(end), true) = (other.get(cell..), cell <= found.len()) {
                found.truncate(cell);
                found.extend(end);
            }
        }
    }
}

/// Reads a range in steps of so many bytes, as long as there are some.
fn read(
    opened: &Opened,
    stored: &[u8],
    range: std::ops::Range<u64>,
    step: usize,
) -> (Result<(), ()>, Vec<u8>) {
    let mut reader = opened.read(range);
    let mut out = Vec::new();
    let wanted = reader.wanted();
    assert!(wanted.start < wanted.end, "every range has a cell");
    let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(stored.len());
    for data in stored[at(wanted.start)..at(wanted.end)].chunks(step) {
        let before = reader.wanted();
        if reader.push(data, &mut out).is_err() {
            return (Err(()), out);
        }
        assert_eq!(reader.wanted().start, before.start + data.len() as u64, "wanted twice");
        assert_eq!(reader.wanted().end, before.end, "wanted more");
    }
    (reader.finish().map_err(drop), out)
}
