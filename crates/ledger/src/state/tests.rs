use holdfast_core::id::Amount;
use proptest::prelude::*;

use super::*;
use crate::account::Account;

fn account(balance: u128) -> Account {
    Account { balance: Amount(balance), nonce: 0 }
}

fn apply(rows: &mut BTreeMap<RowKey, Vec<u8>>, changes: Changes) {
    for (key, bytes) in changes {
        match bytes {
            Some(bytes) => rows.insert(key, bytes),
            None => rows.remove(&key),
        };
    }
}

fn list(state: &State<'_>) -> Vec<(Vec<u8>, u128)> {
    let (mut found, mut key) = (Vec::new(), Vec::new());
    while let Some((next, row)) = state.after::<Account>(&key).unwrap() {
        found.push((next.clone(), row.balance.0));
        key = next;
    }
    found
}

proptest! {
    /// A state over committed rows shows what one map with all changes would.
    #[test]
    fn a_state_reads_like_one_map(
        committed in prop::collection::btree_map(1..30_u8, 0..9_u128, 0..20),
        changed in prop::collection::vec((1..30_u8, prop::option::of(0..9_u128)), 0..20),
        undone in prop::collection::vec((1..30_u8, prop::option::of(0..9_u128)), 0..20),
    ) {
        let mut rows = BTreeMap::new();
        for (key, balance) in &committed {
            rows.insert(RowKey::new(Table::ACCOUNTS, &[*key]), codec::encode(&account(*balance)));
        }
        rows.insert(RowKey::new(Table::SUPPLY, &[]), vec![0]); // of the next table
        let mut state = State::over(&rows);
        let mut model = committed;
        let change = |state: &mut State<'_>, key: u8, balance: Option<u128>| match balance {
            Some(balance) => state.put(&[key], &account(balance)),
            None => state.remove::<Account>(&[key]),
        };
        for (key, balance) in changed {
            change(&mut state, key, balance);
            match balance {
                Some(balance) => model.insert(key, balance),
                None => model.remove(&key),
            };
        }
        state.savepoint();
        for (key, balance) in undone {
            change(&mut state, key, balance);
        }
        state.roll_back();

        let model: Vec<_> = model.into_iter().map(|(key, balance)| (vec![key], balance)).collect();
        prop_assert_eq!(&list(&state), &model);
        for key in 1..30 {
            let row = state.get::<Account>(&[key]).unwrap().map(|row| row.balance.0);
            let expected = model.iter().find(|(other, _)| *other == [key]).map(|(_, balance)| *balance);
            prop_assert_eq!(row, expected);
        }
        let changes = state.into_changes();
        let mut after = rows.clone();
        apply(&mut after, changes);
        prop_assert_eq!(list(&State::over(&after)), model);
    }
}

#[test]
fn a_row_that_nobody_wrote_is_an_error_and_no_panic() {
    let rows = BTreeMap::from([(RowKey::new(Table::ACCOUNTS, b"x"), vec![0xff])]);
    assert!(State::over(&rows).get::<Account>(b"x").is_err());
}
