//! A Holdfast provider: it performs what `protocol` decides, over `net`, `store` and the enclave.
//!
//! - [`folder`]: what lies in a node's folder; making one, and joining a network.
//! - [`node`]: starting, running and stopping. Start at [`node::run`].
//! - [`provider`]: the tasks that serve put, get and ask, one per link and one per question, and the one that fetches
//!   pieces that are lacking.
//! - [`trusted`]: the enclave process, started again when it dies; [`signer`] gathers what it is to sign.

pub mod folder;
mod ledger;
pub mod node;
pub mod provider;
pub mod signer;
pub mod trusted;
mod upkeep;
mod whereabouts;
