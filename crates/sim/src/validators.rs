//! Validators that agree on blocks, on virtual time: the real engine, the real ledger, real signatures.
//!
//! A run is one seed: from it follow every delay and every lost message, who is killed when and what a power cut leaves of its
//! log, whose clock jumps, how the network falls apart, and what one or two validators do that break the rules.
//!
//! - [`host`] performs what the engine wants as a node will; [`blocks`] is its part that makes, gets and commits blocks; [`disk`] is
//!   what it does not forget, [`enclave`] what signs for it.
//! - [`air`] carries messages; [`adversary`] says what a bad validator does with its turn.
//! - [`run`] draws a run from its seed; [`record`] is told of every signature and every decision and checks the rules.
//!
//! # What is checked
//!
//! No height has two decided blocks. No honest validator asks to sign two votes that contradict each other, in its whole life; none
//! votes for a block in the second step without two thirds of votes in the first, or against its lock without a newer polka. Whoever is
//! accused did it, and whoever was seen is expelled. Once faults end, every honest node goes on within a bounded time. Rows are
//! equal everywhere.
//!
//! # What is not
//!
//! Validators are those of genesis, but for those that are expelled when the epoch ends. Work takes little time. A host never loses a
//! block that it said it keeps.

pub mod adversary;
pub mod air;
pub mod blocks;
pub mod disk;
pub mod enclave;
pub mod host;
pub mod record;
pub mod run;
pub mod verified;

use holdfast_core::id::{NetworkId, NodeId};
use holdfast_core::{bls, ed25519};
use holdfast_ledger::genesis::Founded;

/// One validator's secrets.
pub struct Seat {
    /// The node.
    pub node: NodeId,
    /// Signs votes.
    pub secret: bls::SecretKey,
    /// Owns the node.
    pub owner: ed25519::SecretKey,
}

/// A network with all its secrets.
pub struct Ground {
    /// Its name.
    pub network: NetworkId,
    /// The first block.
    pub founded: Founded,
    /// All validators, by ascending node id.
    pub seats: Vec<Seat>,
}
