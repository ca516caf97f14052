use holdfast_ledger::state::Table;
use proptest::prelude::*;

use super::*;

fn key(number: u8) -> RowKey {
    RowKey::new(Table::ACCOUNTS, &[number])
}

/// Who looks in a test, and when: a view begins at `from` and ends before block `until` is taken.
#[derive(Clone, Copy, Debug)]
struct Look {
    from: u64,
    until: u64,
}

fn look() -> impl Strategy<Value = Look> {
    (0..12_u64, 1..12_u64).prop_map(|(from, blocks)| Look { from, until: from + blocks })
}

proptest! {
    /// Whoever looks sees the rows of its height, however many blocks come meanwhile; and who does not is no burden.
    #[test]
    fn a_view_sees_its_own_height(
        blocks in prop::collection::vec(
            prop::collection::btree_map(0..20_u8, prop::option::of(any::<u8>()), 0..12), 1..12,
        ),
        looks in prop::collection::vec(look(), 0..4),
    ) {
        let overlay = Overlay::default();
        let mut models = vec![BTreeMap::new()];
        for (height, block) in (1..).zip(&blocks) {
            let live = || looks.iter().filter(|look| look.from < height && height < look.until).map(|look| look.from);
            let watched = live().min().zip(live().max());
            let watched = watched.map(|(oldest, newest)| Watched { oldest: Height(oldest), newest: Height(newest) });
            let changes = block.iter().map(|(number, row)| (key(*number), row.map(|row| vec![row]))).collect();
            overlay.take(Height(height), &changes, &TreeChanges::default(), watched);
            let mut model = models[models.len() - 1].clone();
            model.extend(changes);
            models.push(model);
            for at in live().chain([height]) {
                let model = &models[usize::try_from(at).unwrap()];
                for number in 0..20 {
                    prop_assert_eq!(overlay.row(&key(number), Height(at)), model.get(&key(number)).cloned());
                    let after = model.range((Excluded(key(number)), Unbounded)).next();
                    let after = after.map(|(key, row)| (key.clone(), row.clone()));
                    prop_assert_eq!(overlay.row_after(&key(number), Height(at)), after);
                }
            }
        }
        let mut saved = BTreeMap::new();
        overlay.each_row(|key, row| {
            saved.insert(key.clone(), row.cloned());
            Ok::<(), ()>(())
        }).unwrap();
        prop_assert_eq!(&saved, &models[blocks.len()]);
    }
}

#[test]
fn what_nobody_looks_at_takes_no_memory() {
    let overlay = Overlay::default();
    let change = |row: u8| Changes::from([(key(1), Some(vec![row; 100]))]);
    let take = |height, watched| {
        overlay.take(Height(height), &change(1), &TreeChanges::default(), watched);
        overlay.bytes()
    };
    let once = take(1, None);
    assert_eq!(take(2, None), once);
    let watched = Some(Watched { oldest: Height(2), newest: Height(2) });
    assert_eq!(take(3, watched), once + 100);
    assert_eq!(take(4, watched), once + 100, "nobody looks at block 3");
    assert_eq!(take(5, None), once);
}
