//! Accounts and what happened to them.

use holdfast_core::id::Amount;
use holdfast_ledger::account::AccountId;
use holdfast_ledger::block::Height;
use holdfast_ledger::transaction::TransactionId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::event::Event;
use crate::position::Position;
use crate::schema::{AccountText, AmountText, Hash, TimeText, name};
use crate::time;
use crate::transaction::Failure;
use holdfast_ledger::block::BlockTime;

name!(AccountSchema, "holdfast/account/1");
name!(HistorySchema, "holdfast/history/1");

/// What an account has. One that nobody ever paid has nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Account {
    /// What this object is.
    pub schema: AccountSchema,
    /// After which block.
    #[schema(value_type = u64)]
    pub height: Height,
    /// Whose.
    #[serde(with = "crate::text")]
    #[schema(value_type = AccountText)]
    pub account: AccountId,
    /// What it may spend.
    #[schema(value_type = AmountText)]
    pub balance: Amount,
    /// Its transactions so far; the next one carries this number.
    pub nonce: u64,
}

/// What happened to an account, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct History {
    /// What this object is.
    pub schema: HistorySchema,
    /// Whose.
    #[serde(with = "crate::text")]
    #[schema(value_type = AccountText)]
    pub account: AccountId,
    /// Some of it.
    pub entries: Vec<HistoryEntry>,
    /// The `before` with which older entries are asked for; null if there are none.
    pub next: Option<Position>,
}

/// What one transaction, or the end of one block, meant to an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HistoryEntry {
    /// The place of the transaction among those of its block; the end of the block comes after them.
    pub position: Position,
    /// The block's time; null beyond the year 9999.
    #[schema(value_type = Option<TimeText>)]
    pub time: Option<String>,
    /// The block's time, in milliseconds since 1970.
    pub time_ms: u64,
    /// The transaction; null for the end of a block.
    #[schema(value_type = Option<Hash>)]
    pub transaction: Option<TransactionId>,
    /// What the account paid for it; null if it is not the sender.
    #[schema(value_type = Option<AmountText>)]
    pub fee: Option<Amount>,
    /// The rule that it broke, if any.
    pub failure: Option<Failure>,
    /// All events of a transaction that the account sent; of others those that name it.
    pub events: Vec<Event>,
}

impl HistoryEntry {
    /// An entry without transaction and events.
    pub fn at(position: Position, at: BlockTime) -> Self {
        Self {
            position,
            time: time::text(at),
            time_ms: at.0,
            transaction: None,
            fee: None,
            failure: None,
            events: Vec::new(),
        }
    }
}
