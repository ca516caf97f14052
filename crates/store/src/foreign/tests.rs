use super::*;
use holdfast_core::block::Codec;
use holdfast_core::car;
use std::fs;

fn leaf(byte: u8) -> (BlockId, Vec<u8>) {
    let data = vec![byte; 1000];
    (BlockId::of(Codec::Raw, &data), data)
}

fn node(links: &[BlockId]) -> (BlockId, Vec<u8>) {
    let data = holdfast_core::codec::encode(&links);
    (BlockId::of(Codec::DagCbor, &data), data)
}

fn car_of(root: &BlockId, blocks: &[&(BlockId, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = car::header(root);
    for (id, data) in blocks {
        bytes.extend(car::section_prefix(id, data.len()));
        bytes.extend(data);
    }
    bytes
}

/// Root, length and number of unreachable blocks.
type Scanned = (BlockId, u64, u64);

fn scan_bytes(bytes: &[u8]) -> Result<Scanned, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("foreign.car");
    fs::write(&path, bytes).unwrap();
    let dag = scan(&path, folder.path(), &mut |_| ()).map_err(|error| format!("{error:?}"))?;
    let plan = std::sync::Arc::new(dag.plan().map_err(|error| format!("{error:?}"))?);
    let mut piece = Vec::new();
    plan.reader().unwrap().read_into(&mut piece, 1 << 20).unwrap();
    assert_eq!(piece.len() as u64, plan.piece_bytes());
    Ok((plan.root(), plan.piece_bytes(), plan.unreachable()))
}

#[test]
fn any_order_becomes_the_canonical_one_and_strangers_are_left_out() {
    let (a, b, stranger) = (leaf(1), leaf(2), leaf(3));
    let root = node(&[a.0, b.0]);
    let canonical = scan_bytes(&car_of(&root.0, &[&root, &a, &b])).unwrap();
    let shuffled = scan_bytes(&car_of(&root.0, &[&b, &stranger, &a, &b, &root])).unwrap();
    assert_eq!((canonical.0, canonical.1), (shuffled.0, shuffled.1));
    assert_eq!((canonical.2, shuffled.2), (0, 1));
}

#[test]
fn the_data_part_of_version_two_is_read() {
    let a = leaf(1);
    let inner = car_of(&a.0, &[&a]);
    let mut bytes = V2_PRAGMA.to_vec();
    bytes.extend([0; 16]);
    bytes.extend(60_u64.to_le_bytes());
    bytes.extend((inner.len() as u64).to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes.extend([0; 9]); // padding up to byte 60
    bytes.extend(&inner);
    bytes.extend([0xff; 20]); // an index that is not read
    assert_eq!(scan_bytes(&bytes).unwrap().0, a.0);
    bytes[27] = 0xff;
    assert!(scan_bytes(&bytes).is_err());
}

#[test]
fn damaged_and_incomplete_cars_are_refused() {
    let (a, b) = (leaf(1), leaf(2));
    let root = node(&[a.0, b.0]);
    let good = car_of(&root.0, &[&root, &a, &b]);
    assert!(scan_bytes(&car_of(&root.0, &[&root, &a])).unwrap_err().contains("Missing"));
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    assert!(scan_bytes(&flipped).unwrap_err().contains("Hash"));
    for end in (0..good.len()).step_by(37) {
        assert!(scan_bytes(&good[..end]).is_err(), "cut at {end}");
    }
    assert!(scan_bytes(b"not a CAR").unwrap_err().contains("Header"));
    assert!(scan_bytes(b"").unwrap_err().contains("Header"));
}

#[test]
fn a_car_of_two_dags_is_refused() {
    #[derive(serde::Serialize)]
    struct Header {
        roots: [BlockId; 2],
        version: u8,
    }
    let body = holdfast_core::codec::encode(&Header { roots: [leaf(1).0, leaf(2).0], version: 1 });
    let mut bytes = Vec::new();
    car::push_varint(&mut bytes, body.len() as u64);
    bytes.extend(body);
    assert!(scan_bytes(&bytes).unwrap_err().contains("Roots(2)"));
}
