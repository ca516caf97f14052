//! Blocks, CARs, chunk proofs, and DAGs to write out.

use holdfast_core::block::BlockId;
use holdfast_core::tree::{ChunkError, ChunkProof, GROUP_BYTES, PAIR_BYTES, TreeHasher, chunks};
use holdfast_core::{car, codec};
use holdfast_fuzz::dag::{self, Block};
use holdfast_fuzz::fixed::PIECE;
use holdfast_fuzz::script::{Script, part};

/// How a CARv2 file starts.
const V2_PRAGMA: &[u8] = b"\x0a\xa1gversion\x02";

/// A folder with a file, a file in two parts, a symbolic link and a folder, root last.
fn folder() -> Vec<Block> {
    let (first, second) = (dag::raw(b"hold"), dag::raw(b"fast"));
    let file = dag::node(&[("", first.0), ("", second.0)], &dag::parts(&[4, 4]));
    let link = dag::node(&[], &dag::unixfs(4, b"../.."));
    let inner = dag::node(&[("hold", first.0)], &dag::unixfs(1, b""));
    let entries = [("a", first.0), ("file", file.0), ("inner", inner.0), ("link", link.0)];
    let root = dag::node(&entries, &dag::unixfs(1, b""));
    vec![first, second, file, link, inner, root]
}

/// A dag-cbor node with links in a list, in a map and inside the name of another.
fn cbor() -> Block {
    let (one, two) = (dag::raw(b"one"), dag::raw(b"two"));
    let inner = dag::list(&[one.0]);
    let identity = cid::multihash::Multihash::wrap(0, &inner.1).expect("short");
    let identity = cid::Cid::new_v1(0x71, identity);
    let cids = [one.0.to_cid(), two.0.to_cid(), identity];
    let data = codec::encode(&(7, std::collections::BTreeMap::from([("a", cids)]), "x", false, ()));
    (BlockId::of(holdfast_core::block::Codec::DagCbor, &data), data)
}

pub(crate) fn blocks() -> Vec<Vec<u8>> {
    let with = |codec: u8, data: &[u8]| [&[codec], data].concat();
    let mut seeds: Vec<_> = folder().iter().map(|(_, data)| with(0, data)).collect();
    let list = dag::list(&[dag::raw(b"a").0, dag::raw(b"b").0]);
    // UnixFS with a modification time, and a shard.
    let time = [dag::unixfs(2, b"x"), dag::field(8, &[0x08, 7])].concat();
    seeds.extend([
        with(0, &dag::node(&[], &time).1),
        with(0, &dag::node(&[("00a", list.0)], &dag::shard(&[1])).1),
        with(1, &list.1),
        with(1, &cbor().1),
        with(2, b"raw"),
        // Something behind the CID of a link.
        with(0, &dag::field(2, &dag::field(1, &[&list.0.to_cid().to_bytes()[..], b"more"].concat()))),
    ]);
    seeds
}

/// Whole CARs, and scripts of DAGs with no byte changed or one.
pub(crate) fn cars() -> Vec<Vec<u8>> {
    let large = dag::raw(&PIECE[..40_000]);
    let list = dag::list(&[large.0, dag::raw(b"").0]);
    let dags = [folder(), vec![dag::raw(b"")], vec![large, dag::raw(b""), list]];
    let mut seeds: Vec<_> =
        dags.iter().map(|blocks| [vec![0, 0, 200], dag::piece(blocks)].concat()).collect();
    // Three blocks: 400 times 7, a list of it, a dag-pb node of both with data of two bytes.
    let blocks = [2, 0, 0, 7, 1, 144, 1, 1, 0, 2, 2, 0, 1, 0, 2, 8, 1];
    assert_eq!(dag::scripted(&mut Script::new(&blocks)).len(), 3);
    for change in [[0, 0, 0], [0, 100, 1], [1, 200, 0x80]] {
        seeds.push([&[1], &blocks[..], &change, &[2, 8, 1]].concat());
    }
    seeds
}

pub(crate) fn foreign_cars() -> Vec<Vec<u8>> {
    let blocks = folder();
    let root = blocks.last().expect("it has a root").0;
    let first = dag::piece(&blocks);
    // Leaves first, and twice.
    let sections = || blocks.iter().map(|(id, data)| dag::section(id, data));
    let shuffled = [car::header(&root)].into_iter().chain(sections()).chain(sections()).flatten().collect();
    let missing = [car::header(&root), dag::section(&root, &blocks[5].1)].concat();

    let mut second = [V2_PRAGMA, &[0; 16]].concat();
    for number in [60, first.len() as u64, 0] {
        second.extend(number.to_le_bytes());
    }
    second.extend([0; 9]);
    second.extend(&first);
    second.extend([0xff; 20]);
    vec![first, shuffled, missing, second]
}

pub(crate) fn chunk_proofs() -> Vec<Vec<u8>> {
    let piece = &*PIECE;
    let (mut hasher, mut outboard) = (TreeHasher::default(), Vec::new());
    hasher.update(piece, &mut outboard);
    hasher.finish(&mut outboard);
    let bytes = piece.len() as u64;
    let place = |index: u64, bytes: u64| [index.to_be_bytes(), bytes.to_be_bytes()].concat();
    let group_bytes = usize::try_from(GROUP_BYTES).expect("16 KiB");
    let prove = |index: u64| {
        let start = usize::try_from(index * 1024).expect("small") / group_bytes * group_bytes;
        let group = &piece[start..piece.len().min(start + group_bytes)];
        let proof = ChunkProof::make::<ChunkError>(index, bytes, group, |entry| {
            let at = usize::try_from(entry).expect("small") * PAIR_BYTES;
            Ok(outboard[at..at + PAIR_BYTES].try_into().expect("64 bytes"))
        });
        [place(index, bytes), codec::encode(&proof.expect("the piece is whole"))].concat()
    };
    let mut seeds: Vec<_> = [0, 17, 41, chunks(bytes) - 1].into_iter().map(prove).collect();
    for (index, bytes) in [(0, 0), (0, u64::MAX), ((1 << 54) - 1, u64::MAX), (1 << 40, 1 << 60)] {
        seeds.push(place(index, bytes));
    }
    seeds
}

/// Blocks in the order in which they are wanted, after the kind of the root.
pub(crate) fn trees() -> Vec<Vec<u8>> {
    let tree = |kind: u8, blocks: &[&[u8]]| {
        let parts: Vec<u8> = blocks.iter().flat_map(|data| part(data)).collect();
        [vec![kind], parts].concat()
    };
    let blocks = folder();
    let [first, second, file, link, inner, root] = [0, 1, 2, 3, 4, 5].map(|place| &blocks[place].1[..]);
    let (id, folder_id) = (blocks[0].0, blocks[4].0);
    let shard = dag::node(&[("00hold", id), ("01", folder_id)], &dag::shard(&[3]));
    let below = dag::node(&[("02fast", id)], &dag::shard(&[1]));
    // A link to a folder outside, and then something to put behind it.
    let behind = dag::node(&[("way", blocks[3].0), ("way", folder_id)], &dag::unixfs(1, b""));
    let mut seeds = vec![
        tree(1, &[b"hold fast"]),
        tree(0, &[file, first, second]),
        tree(0, &[link]),
        tree(0, &[root, first, file, first, second, inner, first, link]),
        tree(0, &[&shard.1, first, &below.1, second]),
        tree(0, &[&behind.1, link, inner, first]),
    ];
    for name in ["..", "../x", "/x", "", ".", "a\0b"] {
        seeds.push(tree(0, &[&dag::node(&[(name, id)], &dag::unixfs(1, b"")).1, first]));
    }
    seeds
}

/// The same trees for those who list and read, and pieces for those who keep them.
pub(crate) fn read() -> Vec<Vec<u8>> {
    let lists = trees().into_iter().map(|tree| [&[0], &tree[..]].concat());
    // The codec, the range from the second byte on, the blocks.
    let ranges = trees().into_iter().map(|tree| [&[1, tree[0], 1, 0, 1], &tree[1..]].concat());
    let pieces =
        cars().into_iter().filter_map(|car| Some([&[2, 200], car.strip_prefix(&[0, 0, 200])?].concat()));
    lists.chain(ranges).chain(pieces).collect()
}
