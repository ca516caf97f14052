use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::state::Table;

fn pair(key: &[u8], row: &[u8]) -> (ByteBuf, ByteBuf) {
    (ByteBuf::from(key), ByteBuf::from(row))
}

#[test]
fn a_chunk_has_these_bytes() {
    let rows = BTreeMap::from([
        (RowKey::new(Table::ACCOUNTS, &[7]), vec![0x82]),
        (RowKey::new(Table::SUPPLY, &[]), vec![]),
    ]);
    let chunk = Chunk::fill(&rows, None).unwrap().unwrap();
    let bytes = [
        0x82, // two rows
        0x82, 0x42, 1, 7, 0x41, 0x82, // table 1, key 7: one byte
        0x82, 0x41, 2, 0x40, // table 2, no key: no bytes
    ];
    assert_eq!(chunk.to_bytes(), bytes);
    assert_eq!(Chunk::from_bytes(&bytes), Ok(chunk));
    for cut in 0..bytes.len() {
        assert!(Chunk::from_bytes(&bytes[..cut]).is_err());
    }
}

/// What a chunk says instead is found before anything is done with it.
#[test]
fn hostile_chunks_are_refused() {
    let refused = |pairs: &[(ByteBuf, ByteBuf)]| {
        assert!(Chunk::from_bytes(&codec::encode(&pairs)).is_err());
        Chunk::try_from(Bounded::new(pairs.to_vec()).unwrap()).unwrap_err()
    };
    assert_eq!(refused(&[]), ChunkError::Empty);
    assert_eq!(refused(&[pair(b"", b"x")]), ChunkError::Key { index: 0, bytes: 0 });
    let long = [1; KEY_BYTES_MAX + 1];
    assert_eq!(
        refused(&[pair(b"\0", b""), pair(&long, b"x")]),
        ChunkError::Key { index: 1, bytes: long.len() }
    );
    let large = vec![0; ROW_BYTES_MAX + 1];
    assert_eq!(refused(&[pair(b"a", &large)]), ChunkError::Row { index: 0, bytes: large.len() });
    assert_eq!(refused(&[pair(b"b", b""), pair(b"a", b"")]), ChunkError::Order { index: 1 });
    assert_eq!(refused(&[pair(b"a", b""), pair(b"a", b"")]), ChunkError::Order { index: 1 });
    let many: Vec<_> = (0..=CHUNK_ROWS_MAX as u64).map(|n| pair(&n.to_be_bytes(), b"")).collect();
    assert!(Chunk::from_bytes(&codec::encode(&many)).is_err());
    assert!(Chunk::from_bytes(&codec::encode(&many[1..].to_vec())).is_ok());
    assert!(Chunk::from_bytes(&vec![0; CHUNK_BYTES_MAX + 1]).is_err());
    // A list that claims more rows than memory.
    assert!(Chunk::from_bytes(&[0x9b, 255, 255, 255, 255, 255, 255, 255, 255]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// All rows are in the chunks, once and in order, and no chunk is too long.
    #[test]
    fn chunks_are_all_rows(
        rows in prop::collection::btree_map(
            prop::collection::vec(1..9_u8, 1..5), (any::<u8>(), 0..ROW_BYTES_MAX), 0..200,
        ),
    ) {
        let rows: BTreeMap<_, _> = rows
            .into_iter()
            .map(|(key, (byte, length))| (RowKey::from_bytes(key).unwrap(), vec![byte; length]))
            .collect();
        let (mut found, mut last) = (BTreeMap::new(), None);
        while let Some(chunk) = Chunk::fill(&rows, last.as_ref()).unwrap() {
            let bytes = chunk.to_bytes();
            prop_assert!(bytes.len() <= CHUNK_BYTES_MAX);
            prop_assert_eq!(&Chunk::from_bytes(&bytes).unwrap(), &chunk);
            last = chunk.rows().last().map(|(key, _)| key.clone());
            let count = found.len() + chunk.rows().len();
            found.extend(chunk.into_rows());
            prop_assert_eq!(found.len(), count);
        }
        prop_assert_eq!(found, rows);
    }
}
