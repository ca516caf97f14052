//! `chain block`: a block, as one node keeps it. That its validators decided on it, and that these are its transactions, is
//! checked.

use holdfast_client::ledger::LedgerClient;
use holdfast_client::send::Signed;
use holdfast_core::explain;
use holdfast_ledger::block::Block;
use holdfast_ledger::transaction::{Transaction, TransactionId};
use holdfast_proofs::header::{Header, Height};
use holdfast_proofs::light::SignedHeader;
use holdfast_proofs::list::ListRoot;
use holdfast_proofs::vote::Finality;
use holdfast_protocol::chain::BlocksQuery;
use serde_json::json;

use crate::args::Common;
use crate::commands::online;
use crate::commands::words::{payload, time};
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// A block that was fetched.
pub(super) struct Fetched {
    pub(super) header: Header,
    pub(super) transactions: Vec<Transaction>,
    /// Whether it is known to be final.
    pub(super) proven: bool,
}

/// Fetches a block, and checks what can be checked of it.
pub(super) async fn fetch(ledger: &LedgerClient, height: Height) -> Result<Fetched, Failure> {
    let missing = || {
        let message = format!("no node keeps block {height}, or there is none yet");
        Failure::new(Exit::NotFound, "ledger.no_block", message)
    };
    let lies = |what: &str| {
        let message = format!("what a node shows as block {height} {what}");
        Failure::new(Exit::Invalid, "ledger.unproven", message)
    };
    if height.0 == 0 {
        let message = "block 0 follows from genesis, and nobody decided on it; blocks are from 1 on";
        return Err(Failure::new(Exit::Usage, "ledger.no_block", message));
    }
    let blocks = ledger.blocks(BlocksQuery { from: height, most: 1 }).await?;
    let answer = blocks.blocks.into_inner().into_iter().next().ok_or_else(missing)?;
    let block = Block::from_bytes(&answer.block).map_err(|error| lies(&explain(&error)))?;
    let finality = Finality::from_bytes(&answer.finality).map_err(|error| lies(&explain(&error)))?;
    if block.header.height != height {
        return Err(missing());
    }
    let transactions = block.transactions.into_inner();
    let ids = transactions.iter().map(|transaction| *id_of(transaction).as_bytes());
    if ListRoot::of(ids) != block.header.transactions {
        return Err(lies("holds other transactions than its header says"));
    }
    let header = block.header;
    let proven = match ledger.check(SignedHeader { header: header.clone(), finality }) {
        Some(Ok(_)) => true,
        Some(Err(error)) => return Err(lies(&format!("is not final: {}", explain(&error)))),
        None => false,
    };
    Ok(Fetched { header, transactions, proven })
}

fn id_of(transaction: &Transaction) -> TransactionId {
    Signed::of(transaction.clone()).id
}

pub(super) async fn run(height: Option<Height>, common: &Common, output: &Output) -> Result<(), Failure> {
    let mut ledger = online::ledger(common).await?;
    // Also to learn of changes of validators.
    let newest = ledger.head().await?.header.header().height;
    let Fetched { header, transactions, proven } = fetch(&ledger, height.unwrap_or(newest)).await?;
    let mut lines = vec![
        format!("block         {}", header.height),
        format!("hash          {}", header.hash()),
        format!("parent        {}", header.parent),
        format!("time          {}, round {}", time(header.time), header.round),
        format!("proposer      node {}", header.proposer),
        format!("validators    {}, then {}", header.validators.short(), header.next_validators.short()),
        format!("state         {}", header.state),
        format!("transactions  {}", transactions.len()),
    ];
    let mut objects = Vec::new();
    for transaction in &transactions {
        let (words, what) = payload(&transaction.body.payload);
        let (id, sender) = (id_of(transaction), transaction.body.sender.to_string());
        lines.push(format!("  {} by {}…: {words}", id.short(), &sender[..11]));
        objects.push(json!({
            "transaction": id,
            "sender": sender,
            "nonce": transaction.body.nonce,
            "fee": transaction.body.fee,
            "payload": what,
        }));
    }
    lines.push(match proven {
        true => "final: more than two thirds of its validators decided on it, and the way from genesis to them is checked"
            .to_owned(),
        false => "not checked: it names validators to whom no way from genesis was shown".to_owned(),
    });
    let object = json!({
        "height": header.height,
        "hash": header.hash(),
        "parent": header.parent,
        "time": header.time.second(),
        "time_ms": header.time.0,
        "round": header.round,
        "proposer": header.proposer,
        "validators": header.validators,
        "next_validators": header.next_validators,
        "state": header.state,
        "transactions": objects,
        "proven": proven,
    });
    output.result(&lines.join("\n"), "chain-block", object);
    Ok(())
}
