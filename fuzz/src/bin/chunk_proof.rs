//! Chunk proofs: place and length, then the proof's bytes, against a piece whose every chunk is known.
//!
//! What verifies is the chunk that lies there, also under a length that only the prover claims. Proofs made of
//! arbitrary groups and outboards are refused or made, whatever the place and the length.

#![no_main]
#![forbid(unsafe_code)]

use std::sync::LazyLock;

use holdfast_core::codec;
use holdfast_core::id::PieceRoot;
use holdfast_core::tree::{ChunkError, ChunkProof, GROUP_BYTES, PAIR_BYTES, chunks};
use holdfast_fuzz::script::Script;
use holdfast_fuzz::{bounded, fixed, wire};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    LazyLock::force(&fixed::PIECE);
    bounded(data, judge);
});

fn judge(data: &[u8]) {
    let mut script = Script::new(data);
    let (index, bytes) = (script.long(), script.long());
    let rest = script.rest();
    make(index, bytes, rest);

    wire::check::<ChunkProof>(rest, wire::CHUNK_PROOF_BYTES_MAX);
    let Ok(proof) = codec::decode::<ChunkProof>(rest, wire::CHUNK_PROOF_BYTES_MAX) else { return };
    let piece = &*fixed::PIECE;
    let root = PieceRoot::new(*blake3::hash(piece).as_bytes());
    if proof.verify(index, &root, piece.len() as u64).is_ok() {
        let start = usize::try_from(index).expect("within the piece") * 1024;
        assert_eq!(proof.chunk, piece[start..piece.len().min(start + 1024)], "forged");
    }
    if proof.verify(index, &root, bytes).is_ok() {
        // A shorter or longer piece whose tree has this shape up to the chunk: the bytes still hash to the root.
        assert!(piece.windows(proof.chunk.len()).any(|part| part == proof.chunk), "forged");
    }
}

/// Makes a proof of a group of the right length, and looks for the chunk in it.
fn make(index: u64, bytes: u64, pairs: &[u8]) {
    let start = (index.min(chunks(bytes) - 1) * 1024) / GROUP_BYTES * GROUP_BYTES;
    let group = vec![7; usize::try_from(GROUP_BYTES.min(bytes - start)).expect("16 KiB")];
    let made = ChunkProof::make::<ChunkError>(index, bytes, &group, |entry| {
        let place = usize::try_from(entry).expect("64 bits") % (pairs.len() + 1);
        let mut pair = [0; PAIR_BYTES];
        pair.iter_mut().zip(&pairs[place..]).for_each(|(to, from)| *to = *from);
        Ok(pair)
    });
    match made {
        Ok(proof) => {
            assert!(index < chunks(bytes) && proof.chunk.iter().all(|byte| *byte == 7));
            let shape = proof.verify(index, &PieceRoot::new([0; 32]), bytes);
            assert_eq!(shape, Err(ChunkError::Root), "what is made has the right shape");
            assert!(codec::encode(&proof).len() <= wire::CHUNK_PROOF_BYTES_MAX);
        }
        Err(error) => assert_eq!(error, ChunkError::OutOfRange { index, chunks: chunks(bytes) }),
    }
}
