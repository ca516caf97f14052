//! The ledger: accounts and their money, as a deterministic state machine without I/O.
//!
//! Committed rows, time and keys are arguments; what comes out is changes of rows, their state root, receipts and events.
//! There is one way from a block to changes, whether the block was proposed, gossiped or synced.
//! Specification: docs/spec/ledger.md.

pub mod account;
pub mod accounts;
pub mod block;
pub mod chunk;
pub mod execute;
pub mod genesis;
pub mod layer;
pub mod list;
pub mod memory;
pub mod params;
pub mod receipt;
pub mod received;
pub mod state;
pub mod supply;
pub mod transaction;
pub mod tree;
pub mod units;
