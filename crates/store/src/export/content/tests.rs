use super::*;
use crate::export::tests::by_hand::{Blocks, blocks_of, field};
use crate::import::{ImportProfile, import};
use std::sync::Arc;

/// What was read, and how many blocks that took.
fn read(root: BlockId, blocks: &Blocks, range: ByteRange) -> Result<(Vec<u8>, usize), ContentError> {
    let mut reader = ContentReader::new(root, range);
    let (mut content, mut taken) = (Vec::new(), 0);
    loop {
        let Some(id) = reader.wanted().next() else { return Ok((content, taken)) };
        content.extend_from_slice(reader.push(&blocks[&id])?);
        taken += 1;
    }
}

fn noise(bytes: usize) -> Vec<u8> {
    (0..bytes as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

fn imported(content: &[u8], profile: ImportProfile) -> (BlockId, Blocks) {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    std::fs::write(&source, content).unwrap();
    let plan = Arc::new(import(&source, profile, folder.path(), &mut |_| ()).unwrap().plan().unwrap());
    (plan.root(), blocks_of(&plan))
}

#[test]
fn every_range_is_what_a_full_read_has_there() {
    let profiles = [(ImportProfile::UNIXFS_V1_2025, 1 << 20), (ImportProfile::KIB256_LINKS174, 256 << 10)];
    for (profile, leaf) in profiles {
        for bytes in [0, 1, leaf - 1, leaf, leaf + 1, 3 * leaf + 17] {
            let content = noise(bytes);
            let (root, blocks) = imported(&content, profile);
            let whole = read(root, &blocks, ByteRange::Whole).unwrap();
            assert!(whole.0 == content && whole.1 == blocks.len(), "{bytes} bytes by {}", profile.name);
            let edges = [0, 1, leaf - 1, leaf, leaf + 1, 2 * leaf, bytes.saturating_sub(1), bytes];
            for first in edges {
                for last in edges {
                    let range = ByteRange::Inside(first as u64, last as u64);
                    if first > last || first >= bytes {
                        continue;
                    }
                    let end = bytes.min(last + 1);
                    let (found, taken) = read(root, &blocks, range).unwrap();
                    assert!(found == content[first..end], "{range} of {bytes} bytes by {}", profile.name);
                    let leaves = (end - 1) / leaf - first / leaf + 1;
                    let nodes = usize::from(bytes > leaf);
                    assert_eq!(taken, leaves + nodes, "{range} of {bytes} bytes by {}", profile.name);
                }
            }
        }
    }
}

/// 400 leaves of 256 KiB under nodes of 174 links make a tree of three levels.
#[test]
fn subtrees_outside_the_range_are_never_asked_for() {
    const LEAF: u64 = 256 << 10;
    // All leaves are one block; what is counted is how often it is asked for.
    let content = vec![0; 100 << 20];
    let (root, blocks) = imported(&content, ImportProfile::KIB256_LINKS174);
    for (range, leaves, nodes) in [
        (ByteRange::Inside(0, 0), 1, 2),
        (ByteRange::Inside(173 * LEAF, 174 * LEAF), 2, 3),
        (ByteRange::From(399 * LEAF), 1, 2),
        (ByteRange::Last(1), 1, 2),
        (ByteRange::Inside(10 * LEAF, 20 * LEAF - 1), 10, 2),
        (ByteRange::Whole, 400, 4),
    ] {
        let (found, taken) = read(root, &blocks, range).unwrap();
        assert_eq!(taken, leaves + nodes, "{range}");
        let place = range.within(content.len() as u64).unwrap();
        assert_eq!(found.len() as u64, place.end - place.start);
    }
}

#[test]
fn ranges_outside_and_roots_of_other_kinds_are_refused() {
    let (root, blocks) = imported(b"0123456789", ImportProfile::UNIXFS_V1_2025);
    let outside = read(root, &blocks, ByteRange::From(10));
    assert!(matches!(outside, Err(ContentError::Outside(OutsideFile { file_bytes: 10, .. }))), "{outside:?}");
    for (codec, data) in [(Codec::DagPb, &b"\x0a\x02\x08\x01"[..]), (Codec::DagCbor, b"\x80")] {
        let id = BlockId::of(codec, data);
        let refused = read(id, &[(id, data.to_vec())].into(), ByteRange::Whole);
        assert!(matches!(refused, Err(ContentError::NotAFile { .. })), "{refused:?}");
    }
}

/// A file node with these links, the lengths it claims for them, and its own.
fn node(parts: &[(BlockId, u64)], own: &[u8], claimed: Option<u64>) -> (BlockId, Vec<u8>) {
    let mut message = vec![0x08, 0x02];
    let mut number = |tag: u8, value: u64| {
        message.push(tag);
        holdfast_core::car::push_varint(&mut message, value);
    };
    if let Some(claimed) = claimed {
        number(0x18, claimed);
    }
    for (_, bytes) in parts {
        number(0x20, *bytes);
    }
    message.extend(field(2, own));
    let links = parts.iter().flat_map(|(id, _)| field(2, &field(1, &id.to_cid().to_bytes())));
    let data: Vec<u8> = links.chain(field(1, &message)).collect();
    (BlockId::of(Codec::DagPb, &data), data)
}

#[test]
fn false_claims_are_found() {
    let leaf = (BlockId::of(Codec::Raw, b"abc"), b"abc".to_vec());
    let folder = (BlockId::of(Codec::DagPb, b"\x0a\x02\x08\x01"), b"\x0a\x02\x08\x01".to_vec());
    let good = node(&[(leaf.0, 3), (leaf.0, 3)], b"", Some(6));
    let blocks =
        |root: &(BlockId, Vec<u8>)| Blocks::from([leaf.clone(), folder.clone(), good.clone(), root.clone()]);
    assert_eq!(read(good.0, &blocks(&good), ByteRange::Whole).unwrap().0, b"abcabc");
    let nested = node(&[(good.0, 6), (leaf.0, 3)], b"", Some(9));
    assert_eq!(read(nested.0, &blocks(&nested), ByteRange::Inside(5, 6)).unwrap().0, b"ca");
    for bad in [
        node(&[(leaf.0, 4)], b"", Some(4)),  // more than the leaf has
        node(&[(leaf.0, 2)], b"", Some(2)),  // less
        node(&[(leaf.0, 3)], b"", Some(4)),  // a length that is no sum
        node(&[(leaf.0, 3)], b"x", Some(4)), // content beside links
        node(&[(leaf.0, u64::MAX), (leaf.0, 3)], b"", Some(2)), // a sum that wraps around
        node(&[(folder.0, 3)], b"", Some(3)), // a folder in a file
        node(&[(good.0, 5)], b"", Some(5)),  // less than the node says
    ] {
        let refused = read(bad.0, &blocks(&bad), ByteRange::Whole);
        assert!(matches!(refused, Err(ContentError::NotUnixFs { .. })), "{refused:?}");
    }
    // A part of zero bytes is in no range: a node of many of them asks for nothing.
    let hollow = node(&[(leaf.0, 0), (leaf.0, 3)], b"", Some(3));
    assert_eq!(read(hollow.0, &blocks(&hollow), ByteRange::Whole).unwrap(), (b"abc".to_vec(), 2));
}
