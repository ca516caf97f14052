//! `index.redb`: where transactions are, and what an account took part in. A view of the blocks for whoever explores them,
//! not needed to follow the chain.
//!
//! It follows behind the commits, as many blocks at once as there are, and tells how far it is. It can be thrown away and
//! made again from the blocks that are kept, and from the orders of the state. An order stays listed when it has ended.
//!
//! | table | key | value |
//! |---|---|---|
//! | `transactions` | transaction id | height ‖ index |
//! | `accounts` | account ‖ 2⁶⁴ − 1 − height ‖ 2³² − 1 − index | empty |
//! | `orders` | account ‖ order id | empty |
//! | `range` | `""` | first height ‖ last height ‖ hash of the last header |

use std::ops::Bound::{Excluded, Included, Unbounded};
use std::path::Path;

use holdfast_core::id::OrderId;
use holdfast_ledger::account::AccountId;
use holdfast_ledger::block::{BlockHash, Height};
use holdfast_ledger::transaction::TransactionId;
use redb::{Database, ReadableDatabase, TableDefinition, TableError, WriteTransaction};

use crate::error::{ChainError, failed};
use crate::view::PAGE_MAX;
use crate::{Bytes, View, open_database};

mod entries;

use entries::{ACCOUNT_BYTES, Entries, history_key, order_id, order_key, parse_place, reverse, write_orders};

const TRANSACTIONS: TableDefinition<'static, Bytes, Bytes> = TableDefinition::new("transactions");
const ACCOUNTS: TableDefinition<'static, Bytes, Bytes> = TableDefinition::new("accounts");
const ORDERS: TableDefinition<'static, Bytes, Bytes> = TableDefinition::new("orders");
const RANGE: TableDefinition<'static, Bytes, Bytes> = TableDefinition::new("range");

/// Blocks that are taken in one commit, of at most a gigabyte.
const FOLLOW_BLOCKS_MAX: usize = 64;

/// Where something happened: the transactions of the block that came before it. For what a block did at its end, that is
/// all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The block.
    pub height: Height,
    /// Transactions before it.
    pub index: u32,
}

/// Blocks that an explorer knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The oldest.
    pub first: Height,
    /// The newest.
    pub last: Height,
    hash: BlockHash,
}

/// The index on disk. One process has it open at a time.
pub struct Explorer(Database);

impl Explorer {
    /// Opens the index in the folder of a ledger, or begins it. `memory_bytes` hold pages of its database.
    ///
    /// # Errors
    /// If it cannot be opened. An index that is damaged may be removed.
    pub fn open(folder: &Path, memory_bytes: usize) -> Result<Self, ChainError> {
        open_database(folder, "index.redb", memory_bytes).map(Self)
    }

    /// Takes the next blocks of a view, at most 64. Returns the blocks that are known now; if the last of them is not the
    /// view's, there are more.
    ///
    /// An index of another chain, or one that is behind the oldest block that is kept, begins again.
    ///
    /// # Errors
    /// If blocks cannot be read, or the index not be written; then nothing has changed.
    pub fn follow(&self, view: &View) -> Result<Option<Known>, ChainError> {
        let Some(oldest) = view.first_block()? else { return Ok(None) };
        let known = match self.known()? {
            Some(known) if known.last.next() >= Some(oldest) && is_of(&known, view)? => Some(known),
            _ => None,
        };
        let first = known.map_or(oldest.0, |known| known.last.0 + 1);
        let heights = first..=view.header().height.0;
        if heights.is_empty() {
            return Ok(known);
        }
        let write = self.0.begin_write().map_err(failed("write"))?;
        if known.is_none() {
            clear(&write).map_err(failed("write"))?;
            write_orders(view, &write)?;
        }
        let mut now = known;
        for height in heights.take(FOLLOW_BLOCKS_MAX).map(Height) {
            let missing = || ChainError::Damaged("a block is missing");
            let header = view.header_at(height)?.ok_or_else(missing)?;
            let entries = Entries::of(view, height)?.ok_or_else(missing)?;
            entries.write(&write).map_err(failed("write"))?;
            now =
                Some(Known { first: now.map_or(height, |now| now.first), last: height, hash: header.hash() });
        }
        if let Some(now) = now.filter(|now| known != Some(*now)) {
            set_known(&write, &now).map_err(failed("write"))?;
            write.commit().map_err(failed("write"))?;
        }
        Ok(now)
    }

    /// The blocks that are known; `None` before the first.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn known(&self) -> Result<Option<Known>, ChainError> {
        let read = self.0.begin_read().map_err(failed("read"))?;
        let range = match read.open_table(RANGE) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            range => range.map_err(failed("read"))?,
        };
        let Some(bytes) = range.get(&b""[..]).map_err(failed("read"))? else { return Ok(None) };
        let known = parse_known(bytes.value());
        known.map(Some).ok_or(ChainError::Damaged("the index does not say how far it is"))
    }

    /// Where a transaction is, if it is in a known block.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn transaction(&self, id: &TransactionId) -> Result<Option<Place>, ChainError> {
        let read = self.0.begin_read().map_err(failed("read"))?;
        let transactions = match read.open_table(TRANSACTIONS) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            transactions => transactions.map_err(failed("read"))?,
        };
        let Some(place) = transactions.get(&id.as_bytes()[..]).map_err(failed("read"))? else {
            return Ok(None);
        };
        let place = parse_place(place.value()).ok_or(ChainError::Damaged("a place cannot be read"))?;
        Ok(Some(place))
    }

    /// What an account took part in, the newest first: what it sent, and what sent it money. At most `max` places and at
    /// most [`PAGE_MAX`], from before `before`, which is the last of the page before, or from the newest on.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn account(
        &self,
        account: &AccountId,
        before: Option<Place>,
        max: usize,
    ) -> Result<Vec<Place>, ChainError> {
        let read = self.0.begin_read().map_err(failed("read"))?;
        let accounts = match read.open_table(ACCOUNTS) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            accounts => accounts.map_err(failed("read"))?,
        };
        let oldest = history_key(account, Place { height: Height(0), index: 0 });
        let start = before.map(|place| history_key(account, place));
        let newest = history_key(account, Place { height: Height(u64::MAX), index: u32::MAX });
        let start = start.as_ref().map_or(Included(&newest[..]), |key| Excluded(&key[..]));
        let range = accounts.range::<&[u8]>((start, Included(&oldest[..]))).map_err(failed("read"))?;
        let places = range.take(max.min(PAGE_MAX)).map(|entry| {
            let (key, _) = entry.map_err(failed("read"))?;
            let place = key.value().get(ACCOUNT_BYTES..).and_then(parse_place).map(reverse);
            place.ok_or(ChainError::Damaged("a place cannot be read"))
        });
        places.collect()
    }

    /// Orders that an account made, ascending by id: at most `max` and at most [`PAGE_MAX`], behind `after`, or the first.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn orders(
        &self,
        owner: &AccountId,
        after: Option<&OrderId>,
        max: usize,
    ) -> Result<Vec<OrderId>, ChainError> {
        let read = self.0.begin_read().map_err(failed("read"))?;
        let orders = match read.open_table(ORDERS) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            orders => orders.map_err(failed("read"))?,
        };
        let start = order_key(owner, after);
        let range = orders.range::<&[u8]>((Excluded(&start[..]), Unbounded)).map_err(failed("read"))?;
        let mut found = Vec::new();
        for entry in range.take(max.min(PAGE_MAX)) {
            let (key, _) = entry.map_err(failed("read"))?;
            let Some(id) = key.value().strip_prefix(&owner.key().as_bytes()[..]) else { break };
            found.push(order_id(id).ok_or(ChainError::Damaged("an order has no id"))?);
        }
        Ok(found)
    }
}

/// Whether the last block that is known is one of the view's. A view of an earlier block of the same chain has nothing
/// new, and is no reason to begin again.
fn is_of(known: &Known, view: &View) -> Result<bool, ChainError> {
    let header = view.header_at(known.last)?;
    Ok(header.map_or(known.last > view.header().height, |header| header.hash() == known.hash))
}

fn clear(write: &WriteTransaction) -> Result<(), redb::Error> {
    for table in [TRANSACTIONS, ACCOUNTS, ORDERS, RANGE] {
        write.delete_table(table)?;
    }
    Ok(())
}

fn set_known(write: &WriteTransaction, known: &Known) -> Result<(), redb::Error> {
    let mut bytes = known.first.0.to_be_bytes().to_vec();
    bytes.extend_from_slice(&known.last.0.to_be_bytes());
    bytes.extend_from_slice(known.hash.as_bytes());
    write.open_table(RANGE)?.insert(&b""[..], &bytes[..])?;
    Ok(())
}

fn parse_known(bytes: &[u8]) -> Option<Known> {
    let (first, rest) = bytes.split_first_chunk()?;
    let (last, hash) = rest.split_first_chunk()?;
    let hash = BlockHash::new(hash.try_into().ok()?);
    Some(Known { first: Height(u64::from_be_bytes(*first)), last: Height(u64::from_be_bytes(*last)), hash })
}
