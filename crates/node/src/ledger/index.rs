//! What people look up: what became of transactions, whose they are, what happened. It is written before the block is
//! committed, so that nothing is ever missing; what is written of a block that a crash then kept back is written again.
//!
//! | table | key | value |
//! |---|---|---|
//! | `receipts` | height | [`Receipts`] in DAG-CBOR |
//! | `transactions` | transaction id | height ‖ place in the block |
//! | `history` | account ‖ height ‖ place | nothing |
//! | `orders` | account ‖ order id | nothing |
//!
//! Heights and places are eight and four bytes, big-endian. The end of a block is the place after its transactions. An order
//! stays listed when it has ended.

use std::collections::BTreeSet;
use std::path::Path;

use holdfast_core::codec;
use holdfast_core::id::OrderId;
use holdfast_ledger::account::AccountId;
use holdfast_ledger::block::Height;
use holdfast_ledger::execute::Executed;
use holdfast_ledger::receipt::{
    Event, EventPosition, OrderChanged, OrderPaid, RECEIPTS_BYTES_MAX, Receipts, Rewarded, Transferred,
};
use holdfast_ledger::transaction::TransactionId;
use redb::{Database, ReadableDatabase, TableDefinition};

type Bytes = &'static [u8];

const RECEIPTS: TableDefinition<'_, u64, Bytes> = TableDefinition::new("receipts");
const TRANSACTIONS: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("transactions");
const HISTORY: TableDefinition<'_, Bytes, ()> = TableDefinition::new("history");
const ORDERS: TableDefinition<'_, Bytes, ()> = TableDefinition::new("orders");

/// Memory for pages.
const CACHE_BYTES: usize = 16 << 20;

/// Why the index could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IndexError {
    #[error("could not use the index of transactions")]
    Database(#[from] Box<redb::Error>),
    #[error("the index of transactions is damaged")]
    Damaged,
}

fn failed<E: Into<redb::Error>>(error: E) -> IndexError {
    IndexError::Database(Box::new(error.into()))
}

/// The index of a node's ledger.
pub(crate) struct Index(Database);

impl Index {
    pub(crate) fn open(path: &Path) -> Result<Self, IndexError> {
        let database = Database::builder().set_cache_size(CACHE_BYTES).create(path).map_err(failed)?;
        let write = database.begin_write().map_err(failed)?;
        write.open_table(RECEIPTS).map_err(failed)?;
        write.open_table(TRANSACTIONS).map_err(failed)?;
        write.open_table(HISTORY).map_err(failed)?;
        write.open_table(ORDERS).map_err(failed)?;
        write.commit().map_err(failed)?;
        Ok(Self(database))
    }

    /// Writes what became of a block.
    pub(crate) fn add(&self, executed: &Executed) -> Result<(), IndexError> {
        let height = executed.block().header.height;
        let write = self.0.begin_write().map_err(failed)?;
        {
            let mut receipts = write.open_table(RECEIPTS).map_err(failed)?;
            receipts.insert(height.0, &codec::encode(executed.receipts())[..]).map_err(failed)?;
            let mut transactions = write.open_table(TRANSACTIONS).map_err(failed)?;
            let mut history = write.open_table(HISTORY).map_err(failed)?;
            let both = executed.block().transactions.iter().zip(executed.receipts().transactions.iter());
            let mut orders = write.open_table(ORDERS).map_err(failed)?;
            let place = |index: u32| [&height.0.to_be_bytes()[..], &index.to_be_bytes()].concat();
            let mut remember = |account: AccountId, place: &[u8]| {
                let key = [&account.key().as_bytes()[..], place].concat();
                history.insert(&key[..], ()).map(drop).map_err(failed)
            };
            let mut index = 0;
            for (transaction, receipt) in both {
                let place = place(index);
                index += 1;
                transactions.insert(&transaction.id().as_bytes()[..], &place[..]).map_err(failed)?;
                let sender = transaction.body().sender;
                let accounts = receipt.events.iter().filter_map(concerns).chain([sender]);
                for account in accounts.collect::<BTreeSet<_>>() {
                    remember(account, &place)?;
                }
                for event in receipt.events.iter() {
                    // Only its owner makes or changes an order.
                    if let Event::OrderChanged(OrderChanged { order, .. }) = event {
                        let key = [&sender.key().as_bytes()[..], order.as_bytes()].concat();
                        orders.insert(&key[..], ()).map_err(failed)?;
                    }
                }
            }
            let at_end = executed.receipts().events.iter().filter_map(concerns);
            for account in at_end.collect::<BTreeSet<_>>() {
                remember(account, &place(index))?;
            }
        }
        write.commit().map_err(failed)
    }

    /// What became of the transactions of a block, if it is known.
    pub(crate) fn receipts(&self, height: Height) -> Result<Option<Receipts>, IndexError> {
        let read = self.0.begin_read().map_err(failed)?;
        let table = read.open_table(RECEIPTS).map_err(failed)?;
        let Some(bytes) = table.get(height.0).map_err(failed)? else { return Ok(None) };
        codec::decode(bytes.value(), RECEIPTS_BYTES_MAX).map(Some).map_err(|_| IndexError::Damaged)
    }

    /// Where a transaction stands: its block, and its place in there.
    pub(crate) fn place(&self, id: &TransactionId) -> Result<Option<EventPosition>, IndexError> {
        let read = self.0.begin_read().map_err(failed)?;
        let table = read.open_table(TRANSACTIONS).map_err(failed)?;
        let place = table.get(&id.as_bytes()[..]).map_err(failed)?;
        place.map(|place| parse(place.value()).ok_or(IndexError::Damaged)).transpose()
    }

    /// Places of an account's transactions before one of them, the newest first, at most so many.
    pub(crate) fn history(
        &self,
        account: &AccountId,
        before: Option<EventPosition>,
        most: usize,
    ) -> Result<Vec<EventPosition>, IndexError> {
        let read = self.0.begin_read().map_err(failed)?;
        let table = read.open_table(HISTORY).map_err(failed)?;
        let owner = account.key().as_bytes();
        let last = EventPosition { height: Height(u64::MAX), index: u32::MAX };
        let before = before.unwrap_or(last);
        let end = [&owner[..], &before.height.0.to_be_bytes(), &before.index.to_be_bytes()].concat();
        let mut found = Vec::new();
        for entry in table.range::<&[u8]>(&owner[..]..&end[..]).map_err(failed)?.rev().take(most) {
            let (key, _) = entry.map_err(failed)?;
            found.push(parse(&key.value()[owner.len()..]).ok_or(IndexError::Damaged)?);
        }
        Ok(found)
    }
}

impl Index {
    /// The first order that an account ever made, ascending by id, after one if that is given.
    pub(crate) fn order_after(
        &self,
        owner: &AccountId,
        after: Option<&OrderId>,
    ) -> Result<Option<OrderId>, IndexError> {
        let read = self.0.begin_read().map_err(failed)?;
        let table = read.open_table(ORDERS).map_err(failed)?;
        let owner = owner.key().as_bytes();
        let from = [&owner[..], after.map_or(&[][..], |after| &after.as_bytes()[..])].concat();
        let mut range = table
            .range::<&[u8]>((std::ops::Bound::Excluded(&from[..]), std::ops::Bound::Unbounded))
            .map_err(failed)?;
        let Some(entry) = range.next() else { return Ok(None) };
        let (key, _) = entry.map_err(failed)?;
        let Some(order) = key.value().strip_prefix(&owner[..]) else { return Ok(None) };
        order.try_into().map(|order| Some(OrderId::new(order))).map_err(|_| IndexError::Damaged)
    }
}

/// Whose money an event of a transaction moves, besides the sender's.
fn concerns(event: &Event) -> Option<AccountId> {
    match event {
        Event::Transferred(Transferred { to, .. })
        | Event::Rewarded(Rewarded { to, .. })
        | Event::OrderPaid(OrderPaid { to, .. }) => Some(*to),
        _ => None,
    }
}

fn parse(place: &[u8]) -> Option<EventPosition> {
    let (height, index) = place.split_first_chunk()?;
    let index = u32::from_be_bytes(index.try_into().ok()?);
    Some(EventPosition { height: Height(u64::from_be_bytes(*height)), index })
}

#[cfg(test)]
mod tests {
    use holdfast_core::ed25519::SecretKey;
    use holdfast_core::id::Amount;
    use holdfast_ledger::testing::{TestChain, free, rich};
    use holdfast_ledger::transaction::{Payload, Transfer};

    use super::*;

    #[test]
    fn transactions_are_found_by_name_and_by_account() {
        let folder = tempfile::tempdir().unwrap();
        let index = Index::open(&folder.path().join("index.redb")).unwrap();
        let mut chain = TestChain::new(4, free());
        let to = AccountId::of(SecretKey::from_seed(&[7; 32]).public());
        let pay = Payload::Transfer(Transfer { to, amount: Amount(5) });
        let mut ids = Vec::new();
        for _ in 0..5 {
            let transaction = chain.transaction(&rich(), pay.clone());
            ids.push(transaction.id());
            let executed = chain.block(1000, vec![transaction]);
            // Twice, as after a crash.
            index.add(&executed).unwrap();
            index.add(&executed).unwrap();
        }
        let at = |height| EventPosition { height: Height(height), index: 0 };
        assert_eq!(index.place(&ids[2]).unwrap(), Some(at(3)));
        assert_eq!(index.place(&TransactionId::new([7; 32])).unwrap(), None);
        let receipts = index.receipts(Height(3)).unwrap().unwrap();
        assert_eq!(receipts.transactions[0].transaction, ids[2]);
        for account in [to, AccountId::of(rich().public())] {
            assert_eq!(index.history(&account, None, 3).unwrap(), [at(5), at(4), at(3)]);
            assert_eq!(index.history(&account, Some(at(3)), 3).unwrap(), [at(2), at(1)]);
            assert_eq!(index.history(&account, Some(at(1)), 3).unwrap(), []);
        }
    }
}
