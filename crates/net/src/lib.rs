//! libp2p for Holdfast: who is connected, and streams of frames between peers. It decides nothing.
//!
//! - [`Net`] owns the swarm task. [`Net::open`] dials if needed and opens a stream; [`Net::accept`] yields inbound ones.
//! - [`frames`] reads and writes the frames of [`holdfast_core::frame`] on them.
//! - [`key`] keeps the host's peer key in a file.

pub mod frames;
pub mod key;
mod swarm;

pub use libp2p::{Multiaddr, PeerId, Stream, identity::Keypair, multiaddr};
pub use swarm::{Incoming, Net, OpenError, StartError};

#[cfg(test)]
mod tests;
