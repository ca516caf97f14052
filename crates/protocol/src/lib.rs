//! Holdfast's conversations between peers: their messages, and one state machine for each side of each.
//!
//! A machine is told what happened (`Input`) and when, and answers what to do (`Effect`). It opens no stream,
//! reads no clock and holds no file, so the simulator can run the very code that nodes and clients run.
//!
//! - [`put`]: the messages of storing a piece; [`intake`] is the provider's side, [`dispersal`] the client's.
//! - [`get`]: the messages of fetching blocks; [`fetch`] is the client's side.
//! - [`ask`]: single questions and answers. [`chain`]: those about the ledger.
//! - [`peer`]: what validators send each other.
//! - [`link`]: what puts and gets travel on; [`pace`]: how slow a peer may be.

pub mod ask;
pub mod chain;
pub mod dispersal;
pub mod fetch;
pub mod get;
#[cfg(test)]
mod golden;
pub mod intake;
pub mod link;
pub mod pace;
pub mod peer;
pub mod put;
