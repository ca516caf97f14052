//! Blocks and pieces that nobody made with Holdfast.

use holdfast_core::block::{BLOCK_BYTES_MAX, BlockId, Codec, links};
use holdfast_core::car;
use holdfast_core::check::{Checked, PieceChecker};
use holdfast_core::protobuf;
use holdfast_core::walk::InMemory;
use ipld_core::cid::{Cid, multihash::Multihash};
use ipld_core::ipld::Ipld;
use ipld_dagpb::{PbLink, PbNode};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::wire_type::{for_all, hostile};

/// The shortest link: a multihash.
const LINK_BYTES_MIN: usize = 34;

fn leaf(byte: u8) -> (BlockId, Vec<u8>) {
    (BlockId::of(Codec::Raw, &[byte; 100]), vec![byte; 100])
}

/// A dag-pb node with data, two named links, and one whose name carries its data.
fn dag_pb() -> Vec<u8> {
    let identity = Cid::new_v1(0x55, Multihash::wrap(0, b"inside").unwrap());
    let cids = [leaf(1).0.to_cid(), identity, leaf(2).0.to_cid()];
    let link = |(place, cid)| PbLink { cid, name: Some(format!("name{place}")), size: Some(100) };
    let links = cids.into_iter().enumerate().map(link).collect();
    PbNode { links, data: Some(vec![0x08, 0x01].into()) }.into_bytes()
}

/// A dag-cbor node with links in a list, in a map, and inside the name of another.
fn dag_cbor() -> Vec<u8> {
    let link = |byte| Ipld::Link(leaf(byte).0.to_cid());
    let inner = serde_ipld_dagcbor::to_vec(&Ipld::List(vec![link(3)])).unwrap();
    let identity = Cid::new_v1(0x71, Multihash::wrap(0, &inner).unwrap());
    let map = [("a".to_owned(), link(1)), ("bb".to_owned(), Ipld::Integer(-7))].into();
    let node = Ipld::List(vec![Ipld::Map(map), link(2), Ipld::Link(identity), Ipld::Null]);
    serde_ipld_dagcbor::to_vec(&node).unwrap()
}

#[test]
fn any_bytes_have_links_or_an_error() {
    assert_eq!(links(Codec::DagPb, &dag_pb()).unwrap(), [leaf(1).0, leaf(2).0]);
    assert_eq!(links(Codec::DagCbor, &dag_cbor()).unwrap(), [leaf(1).0, leaf(2).0, leaf(3).0]);
    for (codec, good) in [(Codec::Raw, vec![1; 64]), (Codec::DagPb, dag_pb()), (Codec::DagCbor, dag_cbor())] {
        for_all(&hostile(good), |data| {
            // Memory follows what arrives: no block says more links than it has room for.
            let found = links(codec, &data).unwrap_or_default();
            prop_assert!(found.len() * LINK_BYTES_MIN <= data.len());
            Ok(())
        });
    }
}

/// Each opener is one level deeper: as many as a block holds would overflow the stack of a naive reader.
#[test]
fn bottomless_blocks_are_refused() {
    for opener in
        [&[0x81][..], &[0xa1, 0x60], &[0xd8, 0x2a], &[0xc1], &[0x9f], &[0xbf, 0x60], &[0x5f], &[0x12]]
    {
        let data = opener.repeat(BLOCK_BYTES_MAX / opener.len());
        assert!(links(Codec::DagCbor, &data).is_err(), "{opener:02x?}");
        assert!(links(Codec::DagPb, &data).is_err(), "{opener:02x?}");
    }
}

#[test]
fn any_bytes_pass_the_look_at_protobuf_or_not() {
    let unixfs = [0x08, 0x02, 0x12, 0x01, 0x78, 0x18, 0x01, 0x42, 0x02, 0x08, 0x07];
    let node = PbNode { links: vec![], data: Some(unixfs.to_vec().into()) }.into_bytes();
    assert_eq!(protobuf::check_unixfs(&node), Ok(()));
    for_all(&hostile(node), |data| {
        prop_assert!(protobuf::check_unixfs(&data).is_err() || protobuf::check_dag_pb(&data).is_ok());
        Ok(())
    });
}

/// The library reads the low 32 bits of a tag. A modification time whose tag has a bit above them was not
/// looked into, and the library then read it for ever: a field in it claims 2^64 − 13 bytes.
#[test]
fn a_tag_with_high_bits_does_not_hide_a_message() {
    let mut data = vec![
        0x08, 0x02, // type: file
        0xc2, 0x80, 0x80, 0x80, 0x10, // 2^32 + 0x42: to the library field 8, the time
        0x01, 0x08, // its one byte is half a field, whose value is the next byte
        0x12, 0x1a, // to us 26 bytes of data; to the library that value, and an unknown field
        0xf3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, // of 2^64 − 13 bytes
    ];
    data.extend([0; 16]);
    let node = [&[0x0a, u8::try_from(data.len()).unwrap()], &data[..]].concat();
    assert!(protobuf::check_unixfs(&node).is_err());
}

/// A piece of three blocks: its root, and its bytes.
fn piece() -> (BlockId, Vec<u8>) {
    let list = [leaf(1).0, leaf(2).0].map(|id| Ipld::Link(id.to_cid())).into();
    let node = serde_ipld_dagcbor::to_vec(&Ipld::List(list)).unwrap();
    let root = BlockId::of(Codec::DagCbor, &node);
    let mut bytes = car::header(&root);
    for (id, data) in [(root, node), leaf(1), leaf(2)] {
        bytes.extend(car::section_prefix(&id, data.len()));
        bytes.extend(data);
    }
    (root, bytes)
}

/// Checks bytes that arrive in two parts.
fn check(root: BlockId, bytes: &[u8], cut: usize) -> Option<Checked> {
    let (mut placed, mut outboard) = (Vec::new(), Vec::new());
    let mut checker = PieceChecker::new(root, InMemory::default()).unwrap();
    let (first, second) = bytes.split_at(cut);
    for part in [first, second] {
        checker.push(part, &mut placed, &mut outboard).ok()?;
    }
    checker.finish(&mut outboard).ok()
}

/// Root CID → bytes: whatever else arrives, in whatever parts, is refused.
#[test]
fn one_sequence_of_bytes_is_the_piece() {
    let (root, good) = piece();
    let checked = check(root, &good, 100).expect("the piece itself");
    assert_eq!((checked.bytes, checked.blocks), (good.len() as u64, 3));
    for_all(&(hostile(good.clone()), any::<Index>()), |(bytes, cut)| {
        let found = check(root, &bytes, cut.index(bytes.len() + 1));
        prop_assert_eq!(found, (bytes == good).then_some(checked));
        Ok(())
    });
    // Behind a good header everything is still to be shown.
    let header = car::header(&root);
    for_all(&hostile(good[header.len()..].to_vec()), |rest| {
        let bytes = [&header[..], &rest].concat();
        prop_assert_eq!(check(root, &bytes, header.len()).is_some(), bytes == good);
        Ok(())
    });
}

/// A hostile node under a root that does name it: its links are read, and nothing panics.
#[test]
fn a_piece_of_one_hostile_node_is_checked_to_its_end() {
    for (codec, good) in [(Codec::Raw, vec![1; 64]), (Codec::DagPb, dag_pb()), (Codec::DagCbor, dag_cbor())] {
        for_all(&hostile(good), |data| {
            let root = BlockId::of(codec, &data);
            let bytes = [car::header(&root), car::section_prefix(&root, data.len()), data.clone()].concat();
            let complete = links(codec, &data).is_ok_and(|links| links.is_empty());
            prop_assert_eq!(check(root, &bytes, bytes.len() / 2).is_some(), complete);
            Ok(())
        });
    }
}
