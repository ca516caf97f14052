//! What a node says over HTTP: JSON objects, made of the ledger's own, and problems.
//!
//! Each answer is one object with a `schema`, whose number grows when a field changes its meaning or goes away; new fields may
//! come at any time. Identifiers are lower-case hex, accounts `hf1…`, CIDs as others write them, sums of money decimal strings of the
//! smallest unit, times both RFC 3339 and milliseconds. Heights, epochs, nonces and lengths are numbers up to 2^64 − 1.
//! What is signed or hashed stands beside its fields as `encoded`, the hex of its one encoding, so that it can be checked.
//!
//! Everything here is data: there is no socket, and no clock.

pub mod account;
pub mod block;
pub mod committee;
pub mod event;
pub mod hex;
pub mod node;
pub mod order;
pub mod params;
pub mod payload;
pub mod position;
pub mod problem;
pub mod row;
pub mod schema;
pub mod status;
mod text;
mod time;
pub mod transaction;

/// Media type of transactions in their one encoding.
pub const DAG_CBOR: &str = "application/vnd.ipld.dag-cbor";

/// Media type of problems (RFC 9457).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Where this version of the API begins in a path.
pub const ROOT: &str = "/v1";
