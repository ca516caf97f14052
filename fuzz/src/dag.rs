//! DAGs made by hand: blocks that no importer would make, and pieces of them.

use std::collections::BTreeMap;

use holdfast_core::block::{BlockId, Codec};
use holdfast_core::walk::{InMemory, Walk};
use holdfast_core::{car, codec};

use crate::script::Script;

/// A name and what it names.
pub type Block = (BlockId, Vec<u8>);

/// Most blocks that [`scripted`] makes.
const BLOCKS_MAX: u8 = 12;

/// A raw block.
pub fn raw(data: &[u8]) -> Block {
    named(Codec::Raw, data.to_vec())
}

/// A dag-cbor list of links.
pub fn list(links: &[BlockId]) -> Block {
    named(Codec::DagCbor, codec::encode(&links))
}

/// A dag-pb node with named links and data.
pub fn node(links: &[(&str, BlockId)], data: &[u8]) -> Block {
    let mut bytes = Vec::new();
    for (name, id) in links {
        let link = [field(1, &id.to_cid().to_bytes()), field(2, name.as_bytes()), vec![0x18, 1]].concat();
        bytes.extend(field(2, &link));
    }
    bytes.extend(field(1, data));
    named(Codec::DagPb, bytes)
}

/// UnixFS data of a type (1 folder, 2 file, 4 symbolic link, 5 shard) with content.
pub fn unixfs(kind: u8, content: &[u8]) -> Vec<u8> {
    let size = u8::try_from(content.len()).expect("made by hand").min(0x7f);
    [vec![0x08, kind], field(2, content), vec![0x18, size]].concat()
}

/// UnixFS data of a file in parts of these lengths, each below 128.
pub fn parts(lengths: &[u8]) -> Vec<u8> {
    let mut data = vec![0x08, 2, 0x18, lengths.iter().sum()];
    for length in lengths {
        data.extend([0x20, *length]);
    }
    data
}

/// UnixFS data of a folder's shard: width 256, murmur3.
pub fn shard(bits: &[u8]) -> Vec<u8> {
    [vec![0x08, 5], field(2, bits), vec![0x28, 0x22, 0x30, 0x80, 0x02]].concat()
}

/// A length-delimited protobuf field.
pub fn field(number: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    car::push_varint(&mut bytes, data.len() as u64);
    bytes.extend_from_slice(data);
    bytes
}

/// The blocks of a DAG as a script says; the last one is its root, and may not reach all others.
pub fn scripted(script: &mut Script<'_>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for _ in 0..=script.below(BLOCKS_MAX) {
        let (kind, count) = (script.below(3), script.below(5));
        let links: Vec<_> = (0..count)
            .filter_map(|_| blocks.get(usize::from(script.below(BLOCKS_MAX))).map(|(id, _)| *id))
            .collect();
        blocks.push(match kind {
            0 => raw(&vec![script.byte(); usize::from(script.short())]),
            1 => list(&links),
            _ => node(&links.into_iter().map(|id| ("", id)).collect::<Vec<_>>(), script.part()),
        });
    }
    blocks
}

/// The canonical piece of the DAG whose root is the last of these blocks.
///
/// # Panics
/// If there are no blocks, or one is missing.
pub fn piece(blocks: &[Block]) -> Vec<u8> {
    let known: BTreeMap<_, _> = blocks.iter().cloned().collect();
    let (root, _) = blocks.last().expect("a DAG has a root");
    let mut piece = car::header(root);
    let mut walk = Walk::new(*root, InMemory::default()).expect("memory does not fail");
    while let Some(id) = walk.next().expect("few blocks") {
        let data = &known[&id];
        walk.enter(&id, data).expect("blocks are well formed");
        piece.extend(section(&id, data));
    }
    piece
}

/// A section of a CAR.
pub fn section(id: &BlockId, data: &[u8]) -> Vec<u8> {
    [&car::section_prefix(id, data.len()), data].concat()
}

fn named(codec: Codec, data: Vec<u8>) -> Block {
    (BlockId::of(codec, &data), data)
}
