//! A ledger whose every row is known, with accounts whose keys only this crate knows.

use std::sync::LazyLock;

use holdfast_core::codec::Bounded;
use holdfast_core::ed25519::SecretKey;
use holdfast_core::id::{Amount, NetworkId};
use holdfast_ledger::account::{Account, AccountId};
use holdfast_ledger::block::{BlockTime, Height};
use holdfast_ledger::execute::{Draft, Executed, propose};
use holdfast_ledger::genesis::{Allotment, LedgerGenesis};
use holdfast_ledger::memory::MemoryLedger;
use holdfast_ledger::params::Params;
use holdfast_ledger::state::{RowKey, Table};
use holdfast_ledger::transaction::{Body, Payload, Transaction, Transfer};

/// Accounts that have a row.
const ACCOUNTS: u8 = 40;

/// The network that its transactions are signed for.
pub const NETWORK: NetworkId = NetworkId::new([6; 32]);

fn secret(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

fn account(number: u8) -> AccountId {
    AccountId::of(secret(number).public())
}

/// What it begins with.
///
/// # Panics
/// Never: it has few accounts.
pub fn genesis() -> LedgerGenesis {
    let allotment = |number| Allotment { account: account(number), amount: Amount(1_000) };
    let mut allotments: Vec<_> = (0..ACCOUNTS).map(allotment).collect();
    allotments.sort_by_key(|allotment| allotment.account);
    let params = Params { fee_flat: Amount(1), fee_byte: Amount(0) };
    LedgerGenesis { time: BlockTime(1), params, allotments: Bounded::new(allotments).expect("few") }
}

/// Its first block, not yet committed.
///
/// # Panics
/// Never: its genesis keeps every rule, and its transactions fit.
pub fn block() -> Executed {
    let ledger = MemoryLedger::new(genesis().execute(&NETWORK).expect("a good genesis"));
    let pay = |number: u8| {
        let payload = Payload::Transfer(Transfer { to: account(number + 1), amount: Amount(7) });
        let (fee, valid_until) = (Amount(1), Height(9));
        let body = Body { sender: account(number), nonce: 0, fee, valid_until, payload };
        Transaction::sign(body, &NETWORK, &secret(number)).check(&NETWORK).expect("signed")
    };
    let draft = Draft { time: BlockTime(2), proposer: account(0) };
    propose(ledger.parent(), draft, vec![pay(1), pay(2)]).expect("they fit")
}

/// The ledger after it.
pub static LEDGER: LazyLock<MemoryLedger> = LazyLock::new(|| {
    let mut ledger = MemoryLedger::new(genesis().execute(&NETWORK).expect("a good genesis"));
    ledger.commit(&block());
    ledger
});

/// The address of a row, of which the first forty are there and the others are not.
pub fn row(number: u8) -> RowKey {
    RowKey::new(Table::ACCOUNTS, Account::key(&account(number)))
}
