//! The ledger's objects on the wire, each byte labelled in `testdata`, which `interop/vectors.py` writes from the specification
//! alone; and what holds of a ledger whatever is asked of it.

#![allow(clippy::unwrap_used)] // helpers outside of test functions are test code as well

mod blocks;
mod failures;
mod golden;
mod pairs;
mod payloads;
mod properties;
mod receipts;
mod rows;
#[path = "../../../core/tests/it/wire_type.rs"]
mod wire_type;
