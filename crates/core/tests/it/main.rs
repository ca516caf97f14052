//! What peers send to this crate's readers: wire types, blocks, pieces, heads and varints.

#![allow(clippy::unwrap_used)] // helpers outside of test functions are test code as well

mod blocks;
mod wire;
mod wire_type;
