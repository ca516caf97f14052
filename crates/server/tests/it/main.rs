//! The API over real sockets of loopback, and a ledger in memory behind it.

#![allow(clippy::unwrap_used)] // helpers outside of test functions are test code as well

mod answers;
mod document;
mod limits;
mod lists;
mod page;
mod schema;
mod source;
mod streams;
mod submit;
mod world;
