//! `chain tx ID`: a transaction. That it is in a final block is checked; what became of it is one node's word.

use holdfast_client::send::Signed;
use holdfast_ledger::transaction::TransactionId;
use holdfast_protocol::chain::TransactionState;
use serde_json::json;

use super::block::{Fetched, fetch};
use crate::args::Common;
use crate::commands::online;
use crate::commands::words::{event, transaction};
use crate::failure::{Exit, Failure};
use crate::output::Output;

pub(super) async fn run(id: TransactionId, common: &Common, output: &Output) -> Result<(), Failure> {
    let mut ledger = online::ledger(common).await?;
    ledger.head().await?;
    let Some(TransactionState { height, receipt }) = ledger.transaction(id).await? else {
        let message = format!("no node that was asked knows transaction {id}; it may never have been sent");
        return Err(Failure::new(Exit::NotFound, "ledger.no_transaction", message));
    };
    let (Some(height), Some(receipt)) = (height, receipt) else {
        let text = format!("transaction {id} waits for a block");
        output.result(&text, "chain-tx", json!({"transaction": id, "state": "waiting"}));
        return Ok(());
    };
    let Fetched { transactions, proven, .. } = fetch(&ledger, height).await?;
    let found = transactions.into_iter().map(Signed::of).zip(0_u32..).find(|(signed, _)| signed.id == id);
    let Some((signed, index)) = found else {
        let message = format!("transaction {id} is not in block {height}, where a node says that it is");
        return Err(Failure::new(Exit::Invalid, "ledger.unproven", message));
    };
    let (words, mut object) = transaction(&signed.transaction, receipt.failure);
    let final_word = if proven { "final" } else { "not checked to be final" };
    let text = format!(
        "transaction {id}\nin block     {height}, place {index}: {final_word}\nby           {}\nwhat         {words}",
        signed.transaction.body.sender
    );
    object["transaction"] = json!(id);
    object["state"] = json!("in-block");
    object["height"] = json!(height);
    object["index"] = json!(index);
    object["proven"] = json!(proven);
    object["events"] = receipt.events.iter().map(|one| event(one).1).collect();
    output.result(&text, "chain-tx", object);
    Ok(())
}
