//! Transactions and what became of them.

use holdfast_core::codec;
use holdfast_core::ed25519::Signature;
use holdfast_core::id::{Amount, hex};
use holdfast_ledger::account::AccountId;
use holdfast_ledger::block::{BlockHash, BlockTime, Height};
use holdfast_ledger::transaction::{self, TransactionId};
use holdfast_ledger::{receipt, receipt::Failure as Rule};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::event::Event;
use crate::payload::Payload;
use crate::schema::{AccountText, AmountText, Hash, Hex, TimeText, name};
use crate::time;

name!(TransactionSchema, "holdfast/transaction/1");
name!(AcceptedSchema, "holdfast/accepted/1");

/// A transaction as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransactionAnswer {
    /// What this object is.
    pub schema: TransactionSchema,
    /// What was signed.
    pub transaction: Transaction,
    /// Where it stands; null if it waits for a block.
    pub decided: Option<Decided>,
}

/// Where a transaction stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Decided {
    /// The block.
    #[schema(value_type = u64)]
    pub height: Height,
    /// Transactions before it in the block.
    pub index: u32,
    /// The block's name.
    #[schema(value_type = Hash)]
    pub block: BlockHash,
    /// The block's time; null beyond the year 9999.
    #[schema(value_type = Option<TimeText>)]
    pub time: Option<String>,
    /// The block's time, in milliseconds since 1970.
    pub time_ms: u64,
    /// What became of it.
    pub receipt: Receipt,
}

impl Decided {
    /// A transaction at a place of a block.
    pub fn new(header: &holdfast_ledger::block::Header, index: u32, receipt: &receipt::Receipt) -> Self {
        let (height, BlockTime(time_ms)) = (header.height, header.time);
        let time = time::text(header.time);
        Self { height, index, block: header.hash(), time, time_ms, receipt: receipt.into() }
    }
}

/// What was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Transaction {
    /// BLAKE3 of its bytes.
    #[schema(value_type = Hash)]
    pub id: TransactionId,
    /// Whose money and rights it uses.
    #[serde(with = "crate::text")]
    #[schema(value_type = AccountText)]
    pub sender: AccountId,
    /// Transactions of the sender before it.
    pub nonce: u64,
    /// What the sender pays for it.
    #[schema(value_type = AmountText)]
    pub fee: Amount,
    /// The last block that may hold it.
    #[schema(value_type = u64)]
    pub valid_until: Height,
    /// What it does.
    pub payload: Payload,
    /// By the sender's key.
    #[schema(value_type = Hex)]
    pub signature: Signature,
    /// The transaction in DAG-CBOR.
    #[schema(value_type = Hex)]
    pub encoded: String,
}

impl From<&transaction::Transaction> for Transaction {
    fn from(transaction: &transaction::Transaction) -> Self {
        let body = &transaction.body;
        Self {
            // What `Transaction::check` names it; here its signature was checked before.
            id: TransactionId::new(codec::digest(transaction)),
            sender: body.sender,
            nonce: body.nonce,
            fee: body.fee,
            valid_until: body.valid_until,
            payload: (&body.payload).into(),
            signature: transaction.signature,
            encoded: hex(&transaction.to_bytes()),
        }
    }
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// The rule that it broke; null if it did what it says.
    pub failure: Option<Failure>,
    /// What it brought about.
    pub events: Vec<Event>,
}

impl From<&receipt::Receipt> for Receipt {
    fn from(receipt: &receipt::Receipt) -> Self {
        let failure = receipt.failure.map(Failure::from);
        Self { failure, events: receipt.events.iter().map(Event::from).collect() }
    }
}

/// A rule that the payload of a transaction broke. Its effects were undone, its fee was kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// Stable dotted name for programs, such as `failure.balance`.
    pub reason: String,
    /// The rule, for people.
    pub detail: String,
}

impl From<Rule> for Failure {
    fn from(rule: Rule) -> Self {
        let name = match rule {
            Rule::Balance => "balance",
            Rule::Recipient => "recipient",
            Rule::Nothing => "nothing",
            Rule::Unknown => "unknown",
            Rule::Owner => "owner",
            Rule::Taken => "taken",
            Rule::Key => "key",
            Rule::Signature => "signature",
            Rule::Status => "status",
            Rule::Late => "late",
            Rule::Full => "full",
            Rule::Params => "params",
            Rule::Evidence => "evidence",
            Rule::Certificate => "certificate",
            Rule::Epoch => "epoch",
            Rule::Profile => "profile",
            Rule::Price => "price",
        };
        Self { reason: format!("failure.{name}"), detail: rule.to_string() }
    }
}

/// A transaction to be sent, in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// The signed transaction in DAG-CBOR, at most 16,320 bytes.
    #[schema(value_type = Hex)]
    pub transaction: String,
}

/// A transaction waits for a block. Whether one will hold it is not known yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Accepted {
    /// What this object is.
    pub schema: AcceptedSchema,
    /// Its name.
    #[schema(value_type = Hash)]
    pub transaction: TransactionId,
}
