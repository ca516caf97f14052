use super::encrypt::Encryptor;
use super::*;
use holdfast_core::block::{BlockId, Codec};
use proptest::prelude::*;
use std::path::Path;

fn noise(bytes: usize) -> Vec<u8> {
    let byte = |at: u64| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0];
    (0..bytes as u64).map(byte).collect()
}

fn key(byte: u8) -> PieceKey {
    PieceKey::from_bytes([byte; 32])
}

fn encrypted(content: &[u8], kind: Kind) -> Vec<u8> {
    let mut encryptor = Encryptor::new(&key(1), kind, Vec::new()).unwrap();
    for step in content.chunks(50_000) {
        encryptor.push(step).unwrap();
    }
    encryptor.finish().unwrap()
}

/// Opens a ciphertext and reads a range, in steps of so many bytes.
fn read(
    key: &PieceKey,
    stored: &[u8],
    range: impl Fn(u64) -> std::ops::Range<u64>,
    step: usize,
) -> Result<(Kind, Vec<u8>), OpenError> {
    let opened = Opened::open(key, stored, stored.len() as u64)?;
    let mut reader = opened.read(range(opened.content_bytes()));
    let wanted = reader.wanted();
    let at = |place: u64| usize::try_from(place).unwrap();
    let mut out = Vec::new();
    for data in stored[at(wanted.start)..at(wanted.end)].chunks(step) {
        reader.push(data, &mut out)?;
    }
    reader.finish()?;
    Ok((opened.kind(), out))
}

fn read_all(key: &PieceKey, stored: &[u8]) -> Result<(Kind, Vec<u8>), OpenError> {
    read(key, stored, |bytes| 0..bytes, 30_000)
}

const SIZES: [usize; 9] = [
    0,
    1,
    15,
    CELL_BYTES - 1,
    CELL_BYTES,
    CELL_BYTES + 1,
    2 * CELL_BYTES,
    3 * CELL_BYTES + 7,
    5 * CELL_BYTES - 1,
];

#[test]
fn content_of_every_size_comes_back_with_its_kind() {
    for bytes in SIZES {
        for kind in [Kind::File, Kind::Tree] {
            let content = noise(bytes);
            let stored = encrypted(&content, kind);
            let cells = bytes.div_ceil(CELL_BYTES).max(1);
            assert_eq!(stored.len(), HEADER_BYTES + bytes + cells * TAG_BYTES);
            let found = read_all(&key(1), &stored).unwrap();
            assert!(found == (kind, content), "{bytes} bytes, {kind:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_range_is_what_the_content_has_there(
        size in prop_oneof![0..200_u64, 65_500..65_600_u64, 131_000..131_100_u64, 0..400_000_u64],
        (from, to) in (0..=1000_u64, 0..=1000_u64),
        step in 1..100_000_usize,
    ) {
        let content = noise(usize::try_from(size).unwrap());
        let stored = encrypted(&content, Kind::File);
        let place = |part: u64| size * part / 1000;
        let range = place(from.min(to))..place(from.max(to));
        let expected = &content[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
        let (_, found) = read(&key(1), &stored, |_| range.clone(), step.max(100)).unwrap();
        prop_assert!(found == expected, "{range:?} of {size}");
    }
}

#[test]
fn a_range_needs_only_its_cells() {
    let stored = encrypted(&noise(10 * CELL_BYTES + 5), Kind::File);
    let opened = Opened::open(&key(1), &stored, stored.len() as u64).unwrap();
    let wanted = |range| {
        let wanted = opened.read(range).wanted();
        ((wanted.start - 48) / 65_552, (wanted.end - 48).div_ceil(65_552))
    };
    let cell = CELL_BYTES as u64;
    assert_eq!(wanted(0..1), (0, 1));
    assert_eq!(wanted(cell - 1..cell + 1), (0, 2));
    assert_eq!(wanted(3 * cell..4 * cell), (3, 4));
    assert_eq!(wanted(10 * cell..10 * cell + 5), (10, 11));
}

#[test]
fn every_kind_of_damage_is_found() {
    let content = noise(3 * CELL_BYTES + 100);
    let stored = encrypted(&content, Kind::File);
    assert_eq!(read_all(&key(2), &stored), Err(OpenError::WrongKey));
    assert_eq!(read_all(&key(1), &content), Err(OpenError::NotPrivate));
    assert_eq!(read_all(&key(1), &stored[..10]), Err(OpenError::NotPrivate));

    // Every bit of the header, and bits of every cell and of its tag.
    let cell = |place: usize| HEADER_BYTES + place * (CELL_BYTES + TAG_BYTES);
    let in_cells = (0..4).flat_map(|place| [cell(place), cell(place) + 70]);
    let tags = (1..4).map(|place| cell(place) - 1).chain([stored.len() - 1]);
    for at in (0..HEADER_BYTES).chain(in_cells).chain(tags) {
        for bit in [0, 7] {
            let mut damaged = stored.clone();
            damaged[at] ^= 1 << bit;
            let found = read_all(&key(1), &damaged).unwrap_err();
            let expected = match at {
                0..14 => OpenError::NotPrivate,
                14..16 => OpenError::Version,
                16..HEADER_BYTES => OpenError::WrongKey,
                _ => OpenError::Cell {
                    place: u32::try_from((at - HEADER_BYTES) / (CELL_BYTES + TAG_BYTES)).unwrap(),
                },
            };
            assert_eq!(found, expected, "byte {at}");
        }
    }
}

#[test]
fn nothing_can_be_cut_off_added_or_moved() {
    let content = noise(3 * CELL_BYTES + 100);
    let stored = encrypted(&content, Kind::File);
    let cell = |place: usize| HEADER_BYTES + place * (CELL_BYTES + TAG_BYTES);
    let cuts = (0..4).flat_map(|place| (0..=17).map(move |more| cell(place) + more));
    for cut in cuts.chain([stored.len() - 1]).filter(|cut| *cut > HEADER_BYTES) {
        let found = read_all(&key(1), &stored[..cut]).unwrap_err();
        assert!(matches!(found, OpenError::Length { .. } | OpenError::Cell { .. }), "{cut}: {found:?}");
    }
    assert_eq!(
        read_all(&key(1), &stored[..cell(2)]),
        Err(OpenError::Cell { place: 1 }),
        "at the end of a cell"
    );
    for added in [1, 16, 17, CELL_BYTES + TAG_BYTES] {
        let longer = [&stored[..], &vec![0; added]].concat();
        assert!(read_all(&key(1), &longer).is_err(), "{added} more bytes");
    }
    let mut swapped = stored.clone();
    swapped[cell(0)..cell(2)].rotate_left(CELL_BYTES + TAG_BYTES);
    assert_eq!(read_all(&key(1), &swapped), Err(OpenError::Cell { place: 0 }));
    let mut repeated = stored.clone();
    repeated.copy_within(cell(0)..cell(1), cell(1));
    assert_eq!(read_all(&key(1), &repeated), Err(OpenError::Cell { place: 1 }));

    // A file cannot be passed off as a folder: the cells of one do not open under the header of the other.
    let tree = encrypted(&content, Kind::Tree);
    let mixed = [&tree[..HEADER_BYTES], &stored[HEADER_BYTES..]].concat();
    assert_eq!(read_all(&key(1), &mixed), Err(OpenError::Cell { place: 0 }));
}

#[test]
fn a_reader_notices_too_few_and_too_many_bytes() {
    let stored = encrypted(b"content", Kind::File);
    let opened = Opened::open(&key(1), &stored, stored.len() as u64).unwrap();
    let mut out = Vec::new();
    let mut short = opened.read(0..7);
    short.push(&stored[HEADER_BYTES..stored.len() - 1], &mut out).unwrap();
    assert!(out.is_empty(), "nothing comes out before its tag was checked");
    assert_eq!(short.finish(), Err(OpenError::Incomplete));
    let mut long = opened.read(0..7);
    let more = [&stored[HEADER_BYTES..], b"x"].concat();
    assert_eq!(long.push(&more, &mut out), Err(OpenError::Incomplete));
}

/// It was looked for in a cell behind the last one, which never came.
#[test]
fn nothing_at_the_end_of_a_full_last_cell_is_read() {
    for cells in [1, 2] {
        let stored = encrypted(&noise(cells * CELL_BYTES), Kind::File);
        assert_eq!(read(&key(1), &stored, |bytes| bytes..bytes, 30_000), Ok((Kind::File, vec![])));
    }
}

/// Behind a last cell that is not full, the range went backwards.
#[test]
fn nothing_is_wanted_behind_the_last_cell() {
    let stored = encrypted(b"content", Kind::File);
    let bytes = stored.len() as u64;
    let opened = Opened::open(&key(1), &stored, bytes).unwrap();
    let mut reader = opened.read(0..7);
    assert_eq!(reader.wanted(), HEADER_BYTES as u64..bytes);
    reader.push(&stored[HEADER_BYTES..], &mut Vec::new()).unwrap();
    assert_eq!(reader.wanted(), bytes..bytes);
}

/// Computed by another program from the specification alone. Other bytes would be another version.
#[test]
fn the_bytes_are_those_of_the_specification() {
    let hex = |bytes: &[u8]| holdfast_core::id::hex(bytes);
    let small = [
        "686f6c64666173742f707269762f3031",                                 // magic
        "dc6d5987bf4683cddf175e6e41b90833d1868251c96cb13c17cb8a1a5acfb3ff", // key check
        "62b1d325394634c3",                                                 // "holdfast"
        "32e2a5c77dbfc5ba7063cd11838b6793",                                 // tag of cell 0, the last
    ];
    assert_eq!(hex(&encrypted(b"holdfast", Kind::File)), small.concat());
    let empty = [
        "686f6c64666173742f707269762f3031",
        "6d4a2b8d0233ed0c672e75e3b031e1ada99a4a1366254a61c7fb1b8502d3f134", // of a tree
        "c7ce8bdf5845adb862dc5fe7dc9abbe8",
    ];
    assert_eq!(hex(&encrypted(b"", Kind::Tree)), empty.concat());
    let long = BlockId::of(Codec::Raw, &encrypted(&noise(2 * CELL_BYTES + 1), Kind::File));
    assert_eq!(hex(long.digest()), "84f19fcd81af3caaa41d54b6d88c9ad391a1c57061982be24f4ff80492a55dca");
}

#[test]
fn files_are_encrypted_under_fresh_keys() {
    let content = noise(200_000);
    let run = || {
        let mut stored = Vec::new();
        let key = encrypt::file(&content[..], Path::new("-"), &mut stored, &mut |_| ()).unwrap();
        (key, stored)
    };
    let ((key, stored), (other_key, other_stored)) = (run(), run());
    assert!(read_all(&key, &stored).unwrap() == (Kind::File, content.clone()));
    assert_ne!(key.bytes(), other_key.bytes());
    assert_ne!(stored, other_stored);
    assert!(!stored.windows(16).any(|window| window == &content[..16]), "no plaintext");
}
