//! Wire types of this crate byte by byte, and the small readers under all others.

use holdfast_core::block::{BlockId, Codec};
use holdfast_core::bls::{Possession, PublicKeyBytes};
use holdfast_core::car::{VARINT_BYTES_MAX, Varint, push_varint};
use holdfast_core::codec::{Bounded, Text};
use holdfast_core::frame::{DATA_BYTES_MAX, Head, MESSAGE_BYTES_MAX};
use holdfast_core::id::{NodeId, PieceRoot};
use holdfast_core::tree::{ChunkError, ChunkProof, GROUP_BYTES, PAIR_BYTES, TreeHasher};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::wire_type::{CASES, check_wire_type};

/// Longest chunk proof: a whole chunk and 54 siblings.
const PROOF_BYTES_MAX: usize = 4096;

/// A piece of `bytes` bytes, its root, and the proof of its last chunk.
fn last_chunk(bytes: u16) -> (PieceRoot, ChunkProof) {
    let piece: Vec<u8> = (0..bytes).map(|place| u8::try_from(place % 251).unwrap()).collect();
    let (mut hasher, mut outboard) = (TreeHasher::default(), Vec::new());
    hasher.update(&piece, &mut outboard);
    let root = hasher.finish(&mut outboard);
    let index = u64::from(bytes - 1) / 1024;
    let group = usize::try_from(index * 1024 / GROUP_BYTES * GROUP_BYTES).unwrap();
    let group = &piece[group..piece.len().min(group + 16 * 1024)];
    let proof = ChunkProof::make::<ChunkError>(index, bytes.into(), group, |entry| {
        let at = usize::try_from(entry).unwrap() * PAIR_BYTES;
        Ok(outboard[at..at + PAIR_BYTES].try_into().unwrap())
    });
    (root, proof.unwrap())
}

/// The last chunk of a piece of 16,386 bytes: beside it the first group, all that is on the way.
#[test]
fn chunk_proof() {
    let (root, proof) = last_chunk(16_386);
    assert_eq!(root.to_string(), "bbaaaec902c32cfc43bd5eb584a7aa6ad6e6c256b880d3a2c2a65257d49e114f");
    assert_eq!(proof.verify(16, &root, 16_386), Ok(()));
    check_wire_type(
        &proof,
        &[
            "82",   // list of 2: chunk, siblings
            "42",   // chunk: 2 bytes
            "4546", // bytes 16,384 and 16,385 of the piece, modulo 251
            "81",   // siblings: list of 1
            "5820", // chaining value of the first group: 32 bytes
            "5384f9b342c6cb86badedcbe662b0e980476a8db17db3cc1f13b19329749ab1f",
        ],
        PROOF_BYTES_MAX,
    );
}

/// A piece of one chunk has nothing beside the way.
#[test]
fn chunk_proof_without_siblings() {
    let (root, proof) = last_chunk(3);
    assert_eq!(proof.verify(0, &root, 3), Ok(()));
    check_wire_type(&proof, &["82", "43", "000102", "80"], PROOF_BYTES_MAX);
}

#[test]
fn possession() {
    let possession = Possession { node: NodeId::new([1; 32]), key: PublicKeyBytes::new([2; 96]) };
    check_wire_type(
        &possession,
        &[
            "82", // list of 2
            "5820",
            &"01".repeat(32), // node id
            "5860",
            &"02".repeat(96), // BLS key
        ],
        256,
    );
}

#[test]
fn bounded_lists_of_cids_texts_and_numbers() {
    let cid = BlockId::of(Codec::Raw, b"hold fast");
    let legacy: BlockId = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG".parse().unwrap();
    check_wire_type(
        &Bounded::<_, 2>::new(vec![cid, legacy]).unwrap(),
        &[
            "82",         // list of 2
            "d82a582500", // tag 42, 37 bytes, multibase identity
            "01551220",   // CIDv1, raw, sha2-256, 32 bytes
            "67f81ab66b0c88901535066e81f6e14db3d6158f6ef75c019e2d5d92aa4ea69b",
            "d82a582300", // tag 42, 35 bytes, multibase identity
            "1220",       // CIDv0: sha2-256, 32 bytes
            "9d6c2be50f706953479ab9df2ce3edca90b68053c00b3004b7f0accbe1e8eedf",
        ],
        4096,
    );
    let texts = ["", "é"].map(|text| Text::<2>::new(text).unwrap()).into();
    check_wire_type(&Bounded::<_, 2>::new(texts).unwrap(), &["82", "60", "62c3a9"], 4096);
    let numbers = vec![0, 23, 24, 255, 256, 65_535, 65_536, u64::from(u32::MAX), 1 << 32, u64::MAX];
    check_wire_type(
        &Bounded::<u64, 10>::new(numbers).unwrap(),
        &[
            "8a", // list of 10
            "00",
            "17",
            "1818",
            "18ff",
            "190100",
            "19ffff",
            "1a00010000",
            "1affffffff",
            "1b0000000100000000",
            "1bffffffffffffffff",
        ],
        4096,
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) })]

    #[test]
    fn heads_have_one_spelling(bytes: [u8; 4]) {
        match Head::decode(bytes) {
            Ok(head) => prop_assert_eq!(head.encode(), bytes),
            Err(error) => prop_assert!(error.bytes > error.max),
        }
    }

    /// Most words are over the limits; these are around them.
    #[test]
    fn heads_are_refused_from_their_limit_on(
        data: bool,
        length in prop_oneof![0..=2 * MESSAGE_BYTES_MAX, 0..=2 * DATA_BYTES_MAX],
    ) {
        let word = u32::try_from(length).unwrap() | u32::from(data) << 31;
        let (max, head) = if data {
            (DATA_BYTES_MAX, Head::Data(length))
        } else {
            (MESSAGE_BYTES_MAX, Head::Message(length))
        };
        prop_assert_eq!(Head::decode(word.to_be_bytes()).ok(), (length <= max).then_some(head));
    }

    #[test]
    fn varints_have_one_spelling(bytes in vec(prop_oneof![any::<u8>(), 0x80..=0xff_u8, Just(0)], 0..8)) {
        let mut varint = Varint::default();
        for (place, byte) in bytes.iter().enumerate() {
            match varint.push(*byte) {
                Ok(None) => prop_assert!(place < VARINT_BYTES_MAX),
                Ok(Some(value)) => {
                    let mut again = Vec::new();
                    push_varint(&mut again, value);
                    prop_assert_eq!(&again[..], &bytes[..=place]);
                    break;
                }
                Err(_) => break,
            }
        }
    }
}
