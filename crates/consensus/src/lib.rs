//! How validators agree on the next block of the ledger.
//!
//! Nothing here reads a clock, a file or a socket, and no body of a block gets in: an engine is told what happened and says
//! what to do. It sees headers and hashes; whether the block under a header is valid, its host finds out.
//!
//! - [`engine`]: what every engine is told, and what it asks for.
//! - [`authority`]: Tendermint among a known set of validators, on the state machine of malachite.
//! - [`message`], [`proposal`], [`polka`]: what validators send each other; [`record`]: what one keeps for itself.
//! - [`guard`]: the rule by which an enclave refuses to sign against what it signed before.
//! - [`mempool`]: transactions that wait for a block.
//!
//! Specification: docs/spec/consensus.md.

pub mod authority;
pub mod engine;
pub mod guard;
pub mod mempool;
pub mod message;
pub mod polka;
pub mod proposal;
pub mod record;
