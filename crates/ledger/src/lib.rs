//! The ledger: accounts, nodes and orders, as a deterministic state machine without I/O.
//!
//! Committed rows, time and keys are arguments; what comes out is changes of rows, their state root, receipts and events.
//! There is one way from a block to changes, whether the block was proposed, gossiped or synced.
//! Specification: docs/spec/ledger.md.

pub mod account;
pub mod accounts;
pub mod beacon;
pub mod block;
pub mod chunk;
mod context;
pub mod epoch;
pub mod evidence;
pub mod execute;
pub mod genesis;
pub mod governance;
pub mod layer;
pub mod memory;
pub mod params;
pub mod receipt;
pub mod received;
pub mod registry;
pub mod stake;
pub mod state;
pub mod storage;
pub mod supply;
pub mod transaction;
pub mod tree;
pub mod units;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
