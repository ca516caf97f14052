//! Answers that follow from the rows of the ledger alone, for whoever implements [`crate::LedgerSource`].

use holdfast_core::id::NodeId;
use holdfast_ledger::block::Header;
use holdfast_ledger::epoch::Running;
use holdfast_ledger::execute::Parent;
use holdfast_ledger::receipt::{EventPosition, Receipts};
use holdfast_ledger::registry::Node;
use holdfast_ledger::stake::Bond;
use holdfast_ledger::state::{RowKey, RowsError, State};
use holdfast_ledger::tree;
use holdfast_proofs::committee::CommitteeRecord;
use holdfast_proofs::vote::Finality;

use crate::source::{EventAt, ProvenRow, Registered};

/// A node and its bond.
///
/// # Errors
/// If a row cannot be read.
pub fn node(state: &State<'_>, id: &NodeId) -> Result<Option<Registered>, RowsError> {
    let Some(node) = Node::get(state, id)? else { return Ok(None) };
    Ok(Some(Registered { bond: Bond::of(state, id)?, node }))
}

/// At most `max` nodes, ascending by id, after one if that is given.
///
/// # Errors
/// If a row cannot be read.
pub fn nodes(state: &State<'_>, after: Option<&NodeId>, max: usize) -> Result<Vec<Registered>, RowsError> {
    let mut key = after.map(|id| id.as_bytes().to_vec()).unwrap_or_default();
    let mut nodes = Vec::new();
    while nodes.len() < max
        && let Some((next, node)) = state.after::<Node>(&key)?
    {
        key = next;
        nodes.push(Registered { bond: Bond::of(state, &node.member.node)?, node });
    }
    Ok(nodes)
}

/// The committee of the running epoch.
///
/// # Errors
/// If a row cannot be read.
pub fn committee(state: &State<'_>) -> Result<CommitteeRecord, RowsError> {
    let epoch = Running::of(state)?.epoch;
    let record = state.get(&epoch.0.to_be_bytes())?;
    record.ok_or_else(|| RowsError::new("the running epoch has no committee"))
}

/// A row of the ledger after a block, and its proof.
///
/// # Errors
/// If a row or a page cannot be read.
pub fn prove(last: Parent<'_>, finality: Option<Finality>, key: &RowKey) -> Result<ProvenRow, RowsError> {
    let (row, proof) = (last.rows.get(key)?, tree::prove(last.pages, key)?);
    Ok(ProvenRow { row, proof, header: last.header.clone(), finality })
}

/// The events of a block from a number on, at most `max`, each under its position.
pub fn events(header: &Header, receipts: &Receipts, from: u32, max: usize) -> Vec<EventAt> {
    let transactions = receipts.transactions.iter();
    let of_transactions = transactions
        .flat_map(|receipt| receipt.events.iter().map(|event| (Some(receipt.transaction), event)));
    let all = of_transactions.chain(receipts.events.iter().map(|event| (None, event)));
    let numbered = (0..).zip(all).skip_while(|(index, _)| *index < from).take(max);
    let height = header.height;
    numbered
        .map(|(index, (transaction, event))| EventAt {
            position: EventPosition { height, index },
            transaction,
            event: event.clone(),
        })
        .collect()
}
