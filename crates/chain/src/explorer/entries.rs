//! What a block adds to the index, and how its keys look.

use std::collections::BTreeSet;

use holdfast_core::id::OrderId;
use holdfast_ledger::account::AccountId;
use holdfast_ledger::block::{Block, Height};
use holdfast_ledger::receipt::{Event, OrderChanged};
use holdfast_ledger::state::State;
use holdfast_ledger::storage::Order;
use holdfast_ledger::transaction::TransactionId;
use redb::WriteTransaction;

use super::{ACCOUNTS, ORDERS, Place, TRANSACTIONS};
use crate::View;
use crate::error::{ChainError, failed};

/// What a block adds.
pub(super) struct Entries {
    transactions: Vec<(TransactionId, Place)>,
    accounts: BTreeSet<(AccountId, Place)>,
    orders: Vec<(AccountId, OrderId)>,
}

impl Entries {
    /// What the block at a height adds; `None` if it is not kept.
    pub(super) fn of(view: &View, height: Height) -> Result<Option<Self>, ChainError> {
        let (Some(block), Some(receipts)) = (view.block_at(height)?, view.receipts_at(height)?) else {
            return Ok(None);
        };
        let block = Block::from_bytes(&block).map_err(|_| ChainError::Damaged("a block cannot be read"))?;
        let mut entries = Self { transactions: Vec::new(), accounts: BTreeSet::new(), orders: Vec::new() };
        let place = |index| Place { height, index };
        let both = block.transactions.iter().zip(receipts.transactions.iter());
        for (index, (transaction, receipt)) in (0..).zip(both) {
            entries.transactions.push((receipt.transaction, place(index)));
            let sender = transaction.body.sender;
            entries.accounts.insert((sender, place(index)));
            let named = receipt.events.iter().flat_map(Event::accounts);
            entries.accounts.extend(named.map(|account| (account, place(index))));
            // Only its owner makes or changes an order.
            entries.orders.extend(receipt.events.iter().filter_map(|event| match event {
                Event::OrderChanged(OrderChanged { order, .. }) => Some((sender, *order)),
                _ => None,
            }));
        }
        let end = u32::try_from(block.transactions.len()).expect("a block has few transactions");
        let named = receipts.events.iter().flat_map(Event::accounts);
        entries.accounts.extend(named.map(|account| (account, place(end))));
        Ok(Some(entries))
    }

    pub(super) fn write(&self, write: &WriteTransaction) -> Result<(), redb::Error> {
        let mut transactions = write.open_table(TRANSACTIONS)?;
        for (id, place) in &self.transactions {
            transactions.insert(&id.as_bytes()[..], &place_bytes(*place)[..])?;
        }
        let mut accounts = write.open_table(ACCOUNTS)?;
        for (account, place) in &self.accounts {
            accounts.insert(&history_key(account, *place)[..], &b""[..])?;
        }
        let mut orders = write.open_table(ORDERS)?;
        for (owner, order) in &self.orders {
            orders.insert(&order_key(owner, Some(order))[..], &b""[..])?;
        }
        Ok(())
    }
}

/// Writes down the orders of a state, of which some were made in blocks that are not kept.
pub(super) fn write_orders(view: &View, write: &WriteTransaction) -> Result<(), ChainError> {
    let mut orders = write.open_table(ORDERS).map_err(failed("write"))?;
    let state = State::over(view);
    let mut after = Vec::new();
    while let Some((key, order)) = state.after::<Order>(&after)? {
        let id = order_id(&key).ok_or(ChainError::Damaged("an order has no id"))?;
        orders.insert(&order_key(&order.owner, Some(&id))[..], &b""[..]).map_err(failed("write"))?;
        after = key;
    }
    Ok(())
}

/// Length of an account in a key.
pub(super) const ACCOUNT_BYTES: usize = 32;
/// Length of a place.
const PLACE_BYTES: usize = 12;

fn place_bytes(place: Place) -> [u8; PLACE_BYTES] {
    let mut bytes = [0; PLACE_BYTES];
    bytes[..8].copy_from_slice(&place.height.0.to_be_bytes());
    bytes[8..].copy_from_slice(&place.index.to_be_bytes());
    bytes
}

pub(super) fn parse_place(bytes: &[u8]) -> Option<Place> {
    let (height, index) = bytes.split_first_chunk()?;
    let index = u32::from_be_bytes(index.try_into().ok()?);
    Some(Place { height: Height(u64::from_be_bytes(*height)), index })
}

/// So that the newest comes first.
pub(super) fn reverse(place: Place) -> Place {
    Place { height: Height(u64::MAX - place.height.0), index: u32::MAX - place.index }
}

pub(super) fn history_key(account: &AccountId, place: Place) -> [u8; ACCOUNT_BYTES + PLACE_BYTES] {
    let mut key = [0; ACCOUNT_BYTES + PLACE_BYTES];
    key[..ACCOUNT_BYTES].copy_from_slice(account.key().as_bytes());
    key[ACCOUNT_BYTES..].copy_from_slice(&place_bytes(reverse(place)));
    key
}

/// The key of an order, or where the keys of its owner begin.
pub(super) fn order_key(owner: &AccountId, order: Option<&OrderId>) -> Vec<u8> {
    [&owner.key().as_bytes()[..], order.map_or(&[], |order| &order.as_bytes()[..])].concat()
}

pub(super) fn order_id(bytes: &[u8]) -> Option<OrderId> {
    bytes.try_into().ok().map(OrderId::new)
}
