//! The network for Holdfast: who is connected, and frames between peers. It decides nothing.
//!
//! - [`Net`] owns the swarm task. [`Net::open`] dials if needed and opens a stream; [`Net::accept`] yields inbound ones.
//! - [`link`]: what pieces and blocks move on, plain TLS connections that carry one conversation at a time.
//! - [`frames`] reads and writes the frames of [`holdfast_core::frame`] on both.
//! - [`key`] keeps the host's peer key in a file.

pub mod frames;
pub mod key;
pub mod link;
mod swarm;

pub use libp2p::{Multiaddr, PeerId, identity::Keypair, multiaddr};
pub use swarm::{Incoming, Net, OpenError, StartError, Stream};

#[cfg(test)]
mod tests;
