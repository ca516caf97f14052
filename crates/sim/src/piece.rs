//! Pieces to store: raw blocks and small DAGs of every kind of size.

use std::collections::BTreeMap;

use bytes::Bytes;
use holdfast_core::block::{BlockId, Codec};
use holdfast_core::car;
use holdfast_core::codec;
use holdfast_core::id::PieceRoot;
use holdfast_core::walk::{InMemory, Walk};

use crate::chance::Chance;

/// A piece that somebody wants to be kept.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Root of the DAG.
    pub cid: BlockId,
    /// BLAKE3 of the piece.
    pub root: PieceRoot,
    /// The piece.
    pub bytes: Bytes,
}

/// BLAKE3 of these bytes, as a piece root.
pub fn root_of(bytes: &[u8]) -> PieceRoot {
    PieceRoot::new(*blake3::hash(bytes).as_bytes())
}

impl Piece {
    /// The canonical piece of a DAG.
    ///
    /// # Panics
    /// If a block is missing.
    pub fn of(root: BlockId, blocks: &BTreeMap<BlockId, Vec<u8>>) -> Self {
        let mut walk = Walk::new(root, InMemory::default()).expect("memory does not fail");
        let mut bytes = car::header(&root);
        while let Some(id) = walk.next().expect("small DAGs are walked to their end") {
            let data = &blocks[&id];
            walk.enter(&id, data).expect("blocks made here are well formed");
            bytes.extend(car::section_prefix(&id, data.len()));
            bytes.extend(data);
        }
        Self { cid: root, root: root_of(&bytes), bytes: bytes.into() }
    }

    /// A piece of one raw block.
    pub fn raw(data: Vec<u8>) -> Self {
        let id = BlockId::of(Codec::Raw, &data);
        Self::of(id, &BTreeMap::from([(id, data)]))
    }

    /// A piece of some shape and size: one raw block, or a node of either codec over leaves of which one may be part of
    /// other pieces, too.
    pub fn draw(chance: &mut Chance, shared_leaf: &[u8]) -> Self {
        if chance.one_in(3) {
            let length = raw_length(chance);
            return Self::raw(chance.bytes(length));
        }
        let mut blocks = BTreeMap::new();
        let longest = if chance.one_in(2) { 20_000 } else { 150_000 };
        let leaves: Vec<_> = (0..2 + chance.index(9))
            .map(|_| {
                let length = chance.index(longest);
                let data = if chance.one_in(4) { shared_leaf.to_vec() } else { chance.bytes(length) };
                let id = BlockId::of(Codec::Raw, &data);
                blocks.insert(id, data);
                id
            })
            .collect();
        let inner = node(Codec::DagCbor, &leaves[1..], &mut blocks);
        let codec = if chance.one_in(2) { Codec::DagPb } else { Codec::DagCbor };
        let root = node(codec, &[leaves[0], inner], &mut blocks);
        Self::of(root, &blocks)
    }
}

/// Nothing, little, about the border between small and large pieces, or much.
fn raw_length(chance: &mut Chance) -> usize {
    match chance.below(8) {
        0 => 0,
        1..=3 => chance.index(20_000),
        4 => (256 << 10) - 140 + chance.index(200),
        5 | 6 => 270_000 + chance.index(300_000),
        _ => 500_000 + chance.index(550_000),
    }
}

/// A node that links to these blocks.
fn node(codec: Codec, links: &[BlockId], blocks: &mut BTreeMap<BlockId, Vec<u8>>) -> BlockId {
    let data = match codec {
        Codec::DagPb => {
            let link = |id: &BlockId| ipld_dagpb::PbLink {
                cid: id.to_cid(),
                name: Some(String::new()),
                size: Some(0),
            };
            ipld_dagpb::PbNode { links: links.iter().map(link).collect(), data: None }.into_bytes()
        }
        _ => codec::encode(&links),
    };
    let id = BlockId::of(codec, &data);
    blocks.insert(id, data);
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_core::check::PieceChecker;

    #[test]
    fn drawn_pieces_are_canonical() {
        let mut chance = Chance::new(7);
        let (mut small, mut large) = (0, 0);
        for _ in 0..40 {
            let piece = Piece::draw(&mut chance, b"shared");
            let mut checker = PieceChecker::new(piece.cid, InMemory::default()).unwrap();
            let (mut placed, mut outboard) = (Vec::new(), Vec::new());
            checker.push(&piece.bytes, &mut placed, &mut outboard).unwrap();
            assert_eq!(checker.finish(&mut outboard).unwrap().root, piece.root);
            if piece.bytes.len() > 256 << 10 { large += 1 } else { small += 1 }
        }
        assert!(small > 5 && large > 5, "{small} small, {large} large");
    }
}
