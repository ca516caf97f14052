use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::state::Table;

/// A tree in memory.
#[derive(Default)]
struct Memory {
    top: Child,
    pages: BTreeMap<PageKey, Page>,
}

impl Pages for Memory {
    fn page(&self, key: &PageKey) -> Result<Option<Page>, RowsError> {
        Ok(self.pages.get(key).cloned())
    }

    fn top(&self) -> Result<Child, RowsError> {
        Ok(self.top)
    }
}

impl Memory {
    fn apply(&mut self, changes: &Changes) -> StateRoot {
        let tree = TreeChanges::of(self, changes).unwrap();
        self.top = tree.top;
        for (key, page) in &tree.pages {
            match page {
                Some(page) => {
                    assert_eq!(Page::from_bytes(&page.to_bytes()).as_ref(), Some(page));
                    self.pages.insert(key.clone(), page.clone())
                }
                None => self.pages.remove(key),
            };
        }
        tree.root()
    }
}

fn key(number: u16) -> RowKey {
    RowKey::new(Table::ACCOUNTS, &number.to_be_bytes())
}

/// The definition, without pages: the hash of the rows whose paths share `depth` bits.
fn naive(rows: &[(Path, Vec<u8>)], depth: usize) -> [u8; 32] {
    match rows {
        [] => EMPTY,
        [(path, row)] => hash_leaf(path, &hash_row(row)),
        _ => {
            let (right, left): (Vec<_>, Vec<_>) = rows.iter().cloned().partition(|(path, _)| path.bit(depth));
            hash_node(&naive(&left, depth + 1), &naive(&right, depth + 1))
        }
    }
}

fn root_of(rows: &BTreeMap<RowKey, Vec<u8>>) -> StateRoot {
    let rows: Vec<_> = rows.iter().map(|(key, row)| (Path::of(key), row.clone())).collect();
    StateRoot::new(naive(&rows, 0))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However changes are cut into batches, the root is that of the rows, and every proof says what is there.
    #[test]
    fn the_tree_is_that_of_its_rows(
        batches in prop::collection::vec(
            prop::collection::btree_map(0..300_u16, prop::option::of(prop::collection::vec(any::<u8>(), 0..4)), 0..60),
            0..8,
        )
    ) {
        let mut tree = Memory::default();
        let mut rows = BTreeMap::new();
        for batch in batches {
            let changes: Changes = batch.into_iter().map(|(number, row)| (key(number), row)).collect();
            let root = tree.apply(&changes);
            for (key, row) in changes {
                match row {
                    Some(row) => rows.insert(key, row),
                    None => rows.remove(&key),
                };
            }
            prop_assert_eq!(root, root_of(&rows));
        }
        // What nobody needs any more is gone.
        let again = { let mut again = Memory::default(); again.apply(&all(&rows)); again };
        prop_assert_eq!(&tree.pages, &again.pages);
        let root = StateRoot::new(tree.top.hash());
        for number in 0..300 {
            let key = key(number);
            let proof = prove(&tree, &key).unwrap();
            let row = rows.get(&key).map(Vec::as_slice);
            prop_assert_eq!(proof.verify(&root, &key, row), Ok(()));
            let lies: [Option<&[u8]>; 2] = [None, Some(b"lie!!")];
            for lie in lies.into_iter().filter(|lie| *lie != row) {
                prop_assert!(proof.verify(&root, &key, lie).is_err());
            }
        }
    }
}

fn all(rows: &BTreeMap<RowKey, Vec<u8>>) -> Changes {
    rows.iter().map(|(key, row)| (key.clone(), Some(row.clone()))).collect()
}

/// Every proof of a row that is there is tried as a proof that it is not, with everything that may stand instead.
#[test]
fn presence_cannot_be_turned_into_absence() {
    let rows: BTreeMap<_, _> = (0..40).map(|number| (key(number), vec![1])).collect();
    let mut tree = Memory::default();
    let root = tree.apply(&all(&rows));
    let mut absent = BTreeSet::new();
    for number in 40..4_000 {
        let proof = prove(&tree, &key(number)).unwrap();
        proof.verify(&root, &key(number), None).unwrap();
        absent.insert(proof.siblings.len());
        for other in 0..40 {
            assert!(proof.verify(&root, &key(other), None).is_err());
        }
    }
    assert!(absent.len() > 3, "{absent:?}");
    let proof = prove(&tree, &key(0)).unwrap();
    for depth in 0..proof.siblings.len() {
        let siblings = proof.siblings[..depth].to_vec();
        let cut =
            RowProof { siblings: holdfast_core::codec::Bounded::new(siblings).unwrap(), ..proof.clone() };
        assert!(cut.verify(&root, &key(0), Some(&[1])).is_err());
    }
}

#[test]
fn no_rows_hash_to_zero() {
    let mut tree = Memory::default();
    assert_eq!(tree.apply(&Changes::new()), StateRoot::new([0; 32]));
    tree.apply(&Changes::from([(key(1), Some(vec![7]))]));
    assert_eq!(tree.apply(&Changes::from([(key(1), None)])), StateRoot::new([0; 32]));
    assert!(tree.pages.is_empty());
}
