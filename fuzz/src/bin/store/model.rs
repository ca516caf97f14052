//! The pieces that there are, and what a store should know of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use holdfast_core::block::{BlockId, Codec};
use holdfast_core::id::{Epoch, PieceRoot};
use holdfast_core::tree::{TreeHasher, outboard_bytes};
use holdfast_fuzz::dag::{self, Block};
use holdfast_store::log::Promise;
use holdfast_store::store::Store;

/// A piece that may be stored.
pub(crate) struct Piece {
    pub(crate) cid: BlockId,
    pub(crate) bytes: Vec<u8>,
    pub(crate) root: PieceRoot,
    blocks: Vec<Block>,
}

/// Four small ones, of which the last two share blocks, and two large ones, of which the second has several blocks.
pub(crate) static PIECES: LazyLock<[Piece; 6]> = LazyLock::new(|| {
    let (first, second) = (dag::raw(&[1; 500]), dag::raw(&[2; 5000]));
    let leaves: Vec<_> = (3..8).map(|byte| dag::raw(&[byte; 60_000])).collect();
    let ids: Vec<_> = leaves.iter().map(|(id, _)| *id).collect();
    let list = dag::list(&[first.0, second.0]);
    [
        vec![dag::raw(b"")],
        vec![dag::raw(&[9; 20_000])],
        vec![first.clone()],
        vec![first, second, list],
        vec![dag::raw(&[8; 270_000])],
        leaves.into_iter().chain([dag::list(&ids)]).collect(),
    ]
    .map(|blocks| {
        let bytes = dag::piece(&blocks);
        let (mut hasher, mut outboard) = (TreeHasher::default(), Vec::new());
        hasher.update(&bytes, &mut outboard);
        let root = hasher.finish(&mut outboard);
        let (cid, _) = *blocks.last().expect("a DAG has a root");
        Piece { cid, bytes, root, blocks }
    })
});

/// Number of a piece in [`PIECES`].
pub(crate) type Number = usize;

impl Piece {
    /// Bytes that it takes with its outboard.
    pub(crate) fn taken(&self) -> u64 {
        let bytes = self.bytes.len() as u64;
        bytes + outboard_bytes(bytes)
    }
}

/// What is promised until an epoch. The statement says nothing but that.
pub(crate) fn promise(until: u8) -> Promise {
    Promise { until: Epoch(until.into()), statement: vec![until] }
}

/// A certificate that is told from others by a byte.
pub(crate) fn certificate(byte: u8) -> Vec<u8> {
    vec![byte; 50]
}

/// What is known of a piece. Promises and certificates may be there without it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) held: bool,
    pub(crate) promises: BTreeSet<u8>,
    pub(crate) certificate: Option<u8>,
}

/// Something that was asked of the store.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Put(Number, Option<u8>),
    Promise(Number, u8),
    /// A certificate, if it is larger than the one that is kept.
    Certify(Number, u8),
    /// A certificate, if there is none.
    CertifyFirst(Number, u8),
    Collect(u8),
}

impl Known {
    /// When the last promise ends.
    pub(crate) fn until(&self) -> u8 {
        self.promises.last().copied().unwrap_or(0)
    }
}

/// What a store should know.
#[derive(Clone, Default)]
pub(crate) struct Model {
    pub(crate) known: BTreeMap<Number, Known>,
    /// What may have come to be or not.
    pub(crate) uncertain: Vec<Change>,
}

impl Model {
    pub(crate) fn of(&mut self, number: Number) -> &mut Known {
        self.known.entry(number).or_default()
    }

    pub(crate) fn is_held(&self, number: Number) -> bool {
        self.known.get(&number).is_some_and(|known| known.held)
    }

    /// What was acknowledged has come to be.
    pub(crate) fn apply(&mut self, change: &Change) {
        match change {
            Change::Put(number, until) => {
                let known = self.of(*number);
                known.held = true;
                known.promises.extend(until);
            }
            Change::Promise(number, until) => {
                self.of(*number).promises.insert(*until);
            }
            Change::Certify(number, byte) => {
                let kept = &mut self.of(*number).certificate;
                *kept = (*kept).max(Some(*byte));
            }
            Change::CertifyFirst(number, byte) => drop(self.of(*number).certificate.get_or_insert(*byte)),
            Change::Collect(epoch) => {
                self.known.retain(|_, known| !known.held || known.until() > *epoch);
            }
        }
    }

    /// Compares with what a store says, which is the truth from then on where it was uncertain.
    pub(crate) fn compare(&mut self, store: &Store) {
        let uncertain = std::mem::take(&mut self.uncertain);
        for (number, piece) in PIECES.iter().enumerate() {
            let found = look(store, piece);
            let known = self.known.remove(&number).unwrap_or_default();
            check(number, &known, &found, &uncertain);
            if found != Known::default() {
                self.known.insert(number, found);
            }
        }
        self.check_blocks(store);
        let report = store.check(|_| ()).expect("the store can be read");
        assert_eq!(report.damaged, [], "damaged");
        assert_eq!(store.usage().pieces, self.known.values().filter(|known| known.held).count() as u64);
    }

    /// A block is there exactly if it is in a piece that is here.
    fn check_blocks(&self, store: &Store) {
        let held = || PIECES.iter().enumerate().filter(|(number, _)| self.is_held(*number));
        for (id, data) in PIECES.iter().flat_map(|piece| &piece.blocks) {
            let expected = held().any(|(_, piece)| piece.blocks.iter().any(|(other, _)| other == id));
            let found = store.block(id).expect("blocks can be read");
            assert!(found.as_ref() == expected.then_some(data), "block {id}");
        }
    }

    /// Bytes of the pieces that are here.
    pub(crate) fn bytes(&self) -> u64 {
        let held = PIECES.iter().enumerate().filter(|(number, _)| self.is_held(*number));
        held.map(|(_, piece)| piece.taken()).sum()
    }
}

fn look(store: &Store, piece: &Piece) -> Known {
    let row = store.held(&piece.cid).expect("the index can be read");
    let listed = store.piece(&piece.cid).expect("the index can be read");
    assert_eq!(row, listed, "a piece is listed and is not there");
    let statements = store.promises(&piece.cid).expect("promises can be read");
    let promises: BTreeSet<_> = statements.iter().map(|statement| statement[0]).collect();
    for statement in statements {
        assert!(store.has_promised(&piece.cid, &statement).expect("the index can be read"));
        assert_eq!(statement.len(), 1);
    }
    let bytes = store.certificate(&piece.cid).expect("certificates can be read");
    let found = Known { held: row.is_some(), promises, certificate: bytes.as_ref().map(|bytes| bytes[0]) };
    assert_eq!(bytes, found.certificate.map(certificate), "another certificate");
    if let Some(row) = row {
        let expected = (piece.root, piece.bytes.len() as u64, piece.blocks.len());
        assert_eq!((row.root, row.bytes, row.blocks as usize), expected);
        assert_eq!(row.until, Epoch(found.until().into()), "kept for another time than was promised");
        assert_eq!(piece.cid.codec() == Codec::Raw, piece.blocks.len() == 1);
    }
    found
}

/// Whether a piece is as it may be.
fn check(number: Number, known: &Known, found: &Known, uncertain: &[Change]) {
    let story = || format!("piece {number} is {found:?}, was {known:?}, uncertain is {uncertain:?}");
    let removed = known.held
        && uncertain.iter().any(|change| matches!(change, Change::Collect(epoch) if known.until() <= *epoch));
    if removed && !found.held {
        // It goes with all that is known of it.
        assert_eq!(*found, Known::default(), "{}", story());
        return;
    }
    let (mut may_be_held, mut promises, mut certificates) =
        (known.held, known.promises.clone(), BTreeSet::from([known.certificate]));
    for change in uncertain {
        match change {
            Change::Put(other, until) if *other == number => {
                may_be_held = true;
                promises.extend(until);
            }
            Change::Promise(other, until) if *other == number => {
                promises.insert(*until);
            }
            Change::Certify(other, byte) | Change::CertifyFirst(other, byte) if *other == number => {
                certificates.insert(Some(*byte));
            }
            _ => {}
        }
    }
    assert!(found.held || !known.held, "lost: {}", story());
    assert!(may_be_held || !found.held, "not stored: {}", story());
    assert!(known.promises.is_subset(&found.promises), "a promise is lost: {}", story());
    assert!(found.promises.is_subset(&promises), "not promised: {}", story());
    assert!(certificates.contains(&found.certificate), "another certificate: {}", story());
}
