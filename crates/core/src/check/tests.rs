use super::*;
use crate::walk::InMemory;
use ipld_core::ipld::Ipld;

/// A small DAG: root → (node → (a, b), a, empty).
fn sample() -> (BlockId, Vec<(BlockId, Vec<u8>)>) {
    let leaf = |data: &[u8]| (BlockId::of(Codec::Raw, data), data.to_vec());
    let node = |links: &[BlockId]| {
        let list = links.iter().map(|id| Ipld::Link(id.to_cid())).collect();
        let data = serde_ipld_dagcbor::to_vec(&Ipld::List(list)).unwrap();
        (BlockId::of(Codec::DagCbor, &data), data)
    };
    let (a, b, empty) = (leaf(&[1; 3000]), leaf(&[2; 40_000]), leaf(&[]));
    let inner = node(&[a.0, b.0]);
    let root = node(&[inner.0, a.0, empty.0]);
    (root.0, vec![root, inner, a, b, empty])
}

fn car(root: &BlockId, blocks: &[(BlockId, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = car::header(root);
    for (id, data) in blocks {
        bytes.extend(car::section_prefix(id, data.len()));
        bytes.extend(data);
    }
    bytes
}

type Outcome = Result<(Checked, Vec<Placed>), CheckError<std::convert::Infallible>>;

fn check(root: BlockId, bytes: &[u8], step: usize) -> Outcome {
    let (mut placed, mut outboard) = (Vec::new(), Vec::new());
    let mut checker = PieceChecker::new(root, InMemory::default())?;
    for part in bytes.chunks(step) {
        checker.push(part, &mut placed, &mut outboard)?;
    }
    Ok((checker.finish(&mut outboard)?, placed))
}

#[test]
fn a_canonical_piece_passes_however_it_is_cut() {
    let (root, blocks) = sample();
    let bytes = car(&root, &blocks);
    for step in [1, 7, 1024, bytes.len()] {
        let (checked, placed) = check(root, &bytes, step).unwrap();
        assert_eq!(checked.root, PieceRoot::new(*blake3::hash(&bytes).as_bytes()));
        assert_eq!((checked.bytes, checked.blocks), (bytes.len() as u64, 5));
        for (at, (id, data)) in placed.iter().zip(&blocks) {
            let start = usize::try_from(at.offset).unwrap();
            assert_eq!((at.id, &bytes[start..start + data.len()]), (*id, &data[..]));
        }
        assert_eq!(placed.len(), 5);
    }
}

/// The place was that of the piece of bytes in which the error came up.
#[test]
fn the_place_of_an_error_does_not_depend_on_how_the_bytes_arrive() {
    let (root, blocks) = sample();
    let bytes = car(&root, &blocks);
    let section = car::header(&root).len();
    for (place, value) in [(section, 0xff), (section + 1, 0xff), (section + 5, 0xff), (section + 20, 0xff)] {
        let mut changed = bytes.clone();
        changed[place..place + 8].fill(value);
        let whole = check(root, &changed, bytes.len());
        let (CheckError::Order { offset, .. } | CheckError::Varint { offset, .. }) =
            whole.as_ref().unwrap_err()
        else {
            panic!("{whole:?}");
        };
        assert_eq!(*offset, section as u64);
        for step in [1, 2, 7] {
            assert_eq!(check(root, &changed, step), whole, "by {step}");
        }
    }
}

#[test]
fn every_truncation_is_incomplete_and_every_addition_trails() {
    let (root, blocks) = sample();
    let bytes = car(&root, &blocks);
    for end in (0..bytes.len()).step_by(997).chain([bytes.len() - 1]) {
        assert!(matches!(check(root, &bytes[..end], 512), Err(CheckError::Incomplete { .. })), "at {end}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(check(root, &longer, 512), Err(CheckError::Trailing { offset: bytes.len() as u64 }));
}

#[test]
fn every_flipped_byte_is_caught() {
    let (root, blocks) = sample();
    let bytes = car(&root, &blocks);
    for at in (0..bytes.len()).step_by(61) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        assert!(check(root, &damaged, 4096).is_err(), "at {at}");
    }
}

#[test]
fn other_orders_repeats_and_strangers_are_refused() {
    let (root, blocks) = sample();
    let stranger = (BlockId::of(Codec::Raw, b"stranger"), b"stranger".to_vec());
    let swapped = vec![blocks[0].clone(), blocks[1].clone(), blocks[3].clone(), blocks[2].clone()];
    let repeated = vec![blocks[0].clone(), blocks[1].clone(), blocks[2].clone(), blocks[2].clone()];
    let foreign = vec![blocks[0].clone(), stranger];
    for order in [swapped, repeated, foreign] {
        assert!(matches!(check(root, &car(&root, &order), 512), Err(CheckError::Order { .. })));
    }
    let other_root = car(&blocks[1].0, &blocks);
    assert_eq!(check(root, &other_root, 512), Err(CheckError::Header));
}

#[test]
fn claimed_lengths_are_checked_before_anything_is_kept() {
    let (root, _) = sample();
    let mut bytes = car::header(&root);
    bytes.extend(car::section_prefix(&root, BLOCK_BYTES_MAX + 1));
    assert!(matches!(check(root, &bytes, 512), Err(CheckError::TooLarge { .. })));

    let mut bytes = car::header(&root);
    bytes.push(3); // shorter than any CID
    assert!(matches!(check(root, &bytes, 512), Err(CheckError::Order { .. })));
}
