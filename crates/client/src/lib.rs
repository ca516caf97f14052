//! The client side of Holdfast: it disperses and checks by itself, and trusts no node to do that for it.
//!
//! - [`network`]: what a client must know of a network: genesis, possession proofs, addresses.
//! - [`put`]: a planned piece becomes a certificate. [`feed`] reads the piece once for all slots.
//! - [`get`]: a CID becomes a file, a folder or a CAR.
//! - [`ledger`]: questions about the ledger, whose answers are proven. [`send`]: transactions of an account, one command at a
//!   time ([`account_lock`]). [`order`]: paid storage; [`promise`] renews it without moving data.
//! - [`ask`]: single questions to nodes. [`trace`] follows the way of a fetch and finds where it is broken. [`committees`]
//!   judge certificates of any epoch.
//! - [`private`]: what is encrypted before it is stored, and its key.
//! - [`keystore`]: the keys of one's accounts, encrypted under passphrases.
//! - [`check`]: is this file the one that a statement is about?

pub mod account_lock;
pub mod ask;
pub mod check;
pub mod committees;
pub mod feed;
pub mod get;
pub mod keystore;
pub mod ledger;
pub mod network;
pub mod order;
pub mod private;
pub mod promise;
pub mod put;
pub mod send;
pub mod trace;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
