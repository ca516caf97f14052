//! Segments of a log, private pieces, and lives of a store; the numbers are those of the targets.

use holdfast_fuzz::fixed::key_text;
use holdfast_fuzz::records::{KEY, forged, records};
use holdfast_fuzz::script::part;

/// After the form and two bytes that say where it is cut: a segment, or a script of one.
pub(crate) fn logs() -> Vec<Vec<u8>> {
    let mut segment = Vec::new();
    for record in records() {
        record.append(&KEY, [b"abc", b"outboard"], 0, &mut segment);
    }
    let all: Vec<u8> = (0..6).flat_map(|kind| [&[0, kind][..], &part(b"body")].concat()).collect();
    let forge = |kind: u8, head: &[u8]| [&[1, kind][..], &part(head), &part(b"")].concat();
    let mut head = Vec::new();
    records()[2].append(&KEY, [&[], &[]], 0, &mut head);
    vec![
        [&[0, 0xff, 0xff], &segment[..]].concat(),
        [&[0, 0, 150], &segment[..]].concat(),
        [&[1, 0xff, 0xff], &all[..]].concat(),
        // A change in the second record, and noise that starts like one.
        [&[1, 0, 200], &all[..], &[3, 0, 170, 4, 2], &part(b"hfr1hfr1"), &all].concat(),
        // A good head under another kind, no kind, an empty head; a record inside another.
        [&[1, 0, 0], &forge(2, &head[32..])[..], &forge(9, b""), &forge(5, b"")].concat(),
        [&[1, 0, 90, 1, 5], &part(&head[32..])[..], &part(&forged(3, &head[32..], b""))].concat(),
    ]
}

/// After the form.
pub(crate) fn private() -> Vec<Vec<u8>> {
    let text = key_text(&[1; 32]);
    // The example of docs/spec/private.md.
    let stored = b"holdfast/priv/01\
        \xdc\x6d\x59\x87\xbf\x46\x83\xcd\xdf\x17\x5e\x6e\x41\xb9\x08\x33\
        \xd1\x86\x82\x51\xc9\x6c\xb1\x3c\x17\xcb\x8a\x1a\x5a\xcf\xb3\xff\
        \x62\xb1\xd3\x25\x39\x46\x34\xc3\x32\xe2\xa5\xc7\x7d\xbf\xc5\xba\x70\x63\xcd\x11\x83\x8b\x67\x93";
    let golden = |bytes: u64| [&[1][..], &bytes.to_be_bytes(), stored].concat();
    // Piece, whether the length is true, the range, the steps.
    let whole = |piece: u8| vec![2, piece, 1, 0, 0, 255, 255, 200, 0];
    let changed = |piece: u8, changes: &[u8]| [&whole(piece)[..], changes].concat();
    vec![
        [&[0], text.as_bytes()].concat(),
        [&b"\0 "[..], text.as_bytes(), b"\n"].concat(),
        [&[0], text.to_uppercase().as_bytes()].concat(),
        golden(72),
        golden(64),
        golden(u64::MAX),
        whole(0),
        whole(1),
        whole(2),
        whole(3),
        // A range inside one cell, and one of nothing.
        vec![2, 4, 1, 10, 0, 20, 0, 0, 100],
        vec![2, 3, 1, 255, 255, 255, 255, 0, 1],
        // A changed byte, one cut off, a cell cut off, something behind.
        changed(4, &[0, 0, 1, 0, 1]),
        changed(4, &[0, 1, 0, 0, 1]),
        changed(3, &[1, 0, 1]),
        changed(3, &[2, 1]),
        changed(2, &[3, 0, 2, 7, 7]),
        // Cells in each other's place, and of two pieces of one length.
        changed(4, &[4, 1, 0]),
        changed(4, &[5, 5, 1]),
        changed(4, &[5, 5, 0]),
    ]
}

/// Operations one after the other; see the target.
pub(crate) fn stores() -> Vec<Vec<u8>> {
    let put = |piece: u8, until: u8| [0, piece, until, 0];
    let cut: [u8; 3] = [9, 0, 0];
    let all: Vec<u8> = (0..5).flat_map(|piece| put(piece, 1 + piece % 3)).collect();
    vec![
        [&all[..], &[11]].concat(),
        [&all[..], &cut].concat(),
        // Some wait together; a power cut takes them, or keeps them.
        vec![0, 1, 2, 1, 0, 2, 1, 1, 4, 1, 3, 0, 9, 0, 0],
        [&[8, 9], &all[..], &[1, 0]].concat(),
        [&[8, 30], &all[..], &[7, 7, 7]].concat(),
        // Promised for longer, certified, collected, and stored again.
        [&all[..], &[4, 0, 4, 0, 5, 1, 7, 0, 6, 2, 8, 1, 7, 2, 11], &put(2, 4), &cut].concat(),
        // A certificate of what is not here; a promise about it.
        [&[5, 3, 9, 0, 4, 3, 1, 0], &put(3, 1)[..], &[7, 1], &cut].concat(),
        // Interrupted and gone on, spoilt, no room.
        [&[3, 5, 128, 11, 2, 5, 200, 0, 1, 3, 5, 200], &cut[..], &put(5, 1), &put(4, 1), &[11]].concat(),
        // The index is lost, after a collection in another life.
        [&put(1, 1)[..], &put(2, 3), &cut, &[7, 1, 5, 1, 5, 0], &cut, &put(0, 2), &[7, 0], &[10, 1, 0]]
            .concat(),
        // Two of one piece wait together, and the power goes.
        vec![0, 0, 1, 1, 0, 0, 0, 1, 8, 0, 11],
        // A removal moves, behind the certificate of what it removed; the index is lost.
        vec![
            0, 1, 4, 0, 0, 0, 1, 0, 8, 0, 5, 1, 7, 0, 1, 0, 7, 1, 8, 0, 4, 1, 0, 0, 1, 0, 5, 0, 9, 0, 7, 0,
            10, 1, 0,
        ],
        // The power goes again while the store is opened.
        [&put(4, 1)[..], &put(3, 1), &[9, 1, 205], &put(1, 1)].concat(),
    ]
}
