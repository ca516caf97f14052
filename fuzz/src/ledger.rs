//! A ledger whose every row is known, with accounts whose keys only this crate knows.

use std::sync::LazyLock;

use holdfast_core::codec::Bounded;
use holdfast_core::ed25519::SecretKey;
use holdfast_core::id::{Amount, NetworkId};
use holdfast_ledger::account::{Account, AccountId};
use holdfast_ledger::execute::Executed;
use holdfast_ledger::genesis::{Allotment, Contents};
use holdfast_ledger::memory::MemoryLedger;
use holdfast_ledger::params::Params;
use holdfast_ledger::state::{RowKey, Table};
use holdfast_ledger::testing::life::MEMBERS;
use holdfast_ledger::testing::{TestLedger, free};
use holdfast_ledger::transaction::{Payload, Transfer};

/// Accounts that have a row.
const ACCOUNTS: u8 = 40;

/// The network that its transactions are signed for.
pub static NETWORK: LazyLock<NetworkId> = LazyLock::new(|| TEST.network.genesis.network());

fn secret(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

fn account(number: u8) -> AccountId {
    AccountId::of(secret(number).public())
}

/// Its founding, with all secrets.
pub static TEST: LazyLock<TestLedger> = LazyLock::new(|| {
    let allotment = |number| Allotment { account: account(number), amount: Amount(1_000) };
    let mut allotments: Vec<_> = (0..ACCOUNTS).map(allotment).collect();
    allotments.sort_by_key(|allotment| allotment.account);
    let allotments = Bounded::new(allotments).expect("few");
    TestLedger::of(4, Contents { allotments, ..TestLedger::new(4, free()).contents })
});

/// Ledgers of whose members bond comes back soon: without fees and with them.
pub static FREE: LazyLock<TestLedger> = LazyLock::new(|| TestLedger::new(MEMBERS, soon(free())));
/// See [`FREE`].
pub static FEES: LazyLock<TestLedger> = LazyLock::new(|| TestLedger::new(MEMBERS, soon(Params::default())));

fn soon(params: Params) -> Params {
    Params { unbond_epochs: 3, evidence_epochs: 2, ..params }
}

/// The first block of [`TEST`].
pub static BLOCK: LazyLock<Executed> = LazyLock::new(|| {
    let ledger = MemoryLedger::new(TEST.founded.clone());
    let pay = |number: u8| {
        let payload = Payload::Transfer(Transfer { to: account(number + 1), amount: Amount(7) });
        TEST.transaction(&secret(number), 0, payload)
    };
    TEST.next(ledger.parent(), vec![pay(1), pay(2)]).expect("they fit")
});

/// The ledger after it.
pub static LEDGER: LazyLock<MemoryLedger> = LazyLock::new(|| {
    let mut ledger = MemoryLedger::new(TEST.founded.clone());
    ledger.commit(&BLOCK);
    ledger
});

/// The address of a row, of which the first forty are there and the others are not.
pub fn row(number: u8) -> RowKey {
    RowKey::new(Table::ACCOUNTS, Account::key(&account(number)))
}
