//! Whole Holdfast networks on virtual time.
//!
//! A run is one seed: from it follow the pieces and who puts them, every delay and every lost frame, who crashes when,
//! what a power cut leaves on a disk, and what the adversaries do. One thread runs it event by event, so the same seed
//! gives the same event log, and a bug that was seen once can be seen again.
//!
//! What decides is the real thing: [`holdfast_protocol`]'s machines, [`holdfast_store`]'s store with its log and index,
//! real certificates with real signatures, messages in their real encoding. Only the shells around them are the
//! simulator's: [`node`] and [`client`] perform on virtual time what the node's and the client's crates perform on sockets
//! and files.
//!
//! - [`clock`], [`chance`], [`links`], [`disks`] and [`world`] know nothing of pieces; whatever else has peers can use them.
//! - [`piece`] draws what is stored; [`download`] is the get that clients and repairing nodes share; [`verified`] remembers
//!   what was checked.
//! - [`adversary`]: peers that break the rules, a file each.
//! - [`run`] draws a whole run from a seed; [`record`] is what clients hold in hand; [`verdict`] checks that nothing was
//!   broken that was promised.
//! - [`validators`]: the same for those who agree on blocks of the ledger, with faults and rules of their own.
//!
//! # What is modelled
//!
//! Connections with delay and rate per direction; lost frames that break or freeze a connection; partitions; machines that
//! are killed or lose power between any two events, with store and enclave journal on disks that forget what was not
//! synced; group commit, with the time a sync takes; members that lie, stall, repeat and garble; clients that lie and
//! clients that die.
//!
//! # What is not
//!
//! Bytes of a frame are never changed on the way (TLS sees to that), and no frame arrives twice. A disk that fails or is
//! full is a matter of the store's own tests. Work takes no time, but for syncing and signing. A draft's own files are
//! synced at once; only the log waits for the sync that a group shares. Certificates are checked before they are kept, also the
//! first of a put, and a piece that was fetched again adds no signature to them. There is no encryption, no dialing by
//! address, and no limit on conversations at once.

pub mod adversary;
pub mod chance;
pub mod client;
pub mod clock;
pub mod disks;
pub mod download;
pub mod links;
pub mod node;
pub mod piece;
pub mod record;
pub mod run;
pub mod trace;
pub mod validators;
pub mod verdict;
pub mod verified;
pub mod world;

use holdfast_core::bls;
use holdfast_proofs::committee::Committee;

use crate::links::PeerIndex;

/// A network with all its secrets. The member at place `i` is peer `i` of the run.
#[derive(Debug)]
pub struct Network {
    /// The members.
    pub committee: Committee,
    /// Their secret keys, in the same order.
    pub secrets: Vec<bls::SecretKey>,
}

impl Network {
    /// The peer of a member.
    pub fn peer(place: usize) -> PeerIndex {
        PeerIndex(place)
    }
}
