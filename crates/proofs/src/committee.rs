//! The committee of an epoch: its record, and the record with usable keys.

use std::collections::BTreeMap;

use holdfast_core::bls;
use holdfast_core::codec::{self, Bounded};
use holdfast_core::id::{CommitteeId, Epoch, NetworkId, NodeId, Timestamp};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::genesis::{Genesis, GenesisProofs, MEMBERS_MAX, Member, PROFILES_MAX, ProofsError};
use crate::profile::Profile;

/// The public record of a committee. Its id is the BLAKE3 hash of its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct CommitteeRecord {
    /// The network it belongs to.
    pub network: NetworkId,
    /// The epoch it serves.
    pub epoch: Epoch,
    /// The committee before it; none in epoch 0.
    pub previous: Option<CommitteeId>,
    /// When the epoch starts.
    pub start: Timestamp,
    /// When the epoch ends.
    pub end: Timestamp,
    /// Profiles that clients may ask for; the first is the default.
    pub profiles: Bounded<Profile, PROFILES_MAX>,
    /// Members by ascending node id.
    pub members: Bounded<Member, MEMBERS_MAX>,
}

impl CommitteeRecord {
    /// The record of epoch 0, which follows from genesis alone.
    pub fn of_genesis(genesis: &Genesis) -> Self {
        Self {
            network: genesis.network(),
            epoch: Epoch::GENESIS,
            previous: None,
            start: genesis.start,
            end: genesis.end,
            profiles: genesis.profiles.clone(),
            members: genesis.members.clone(),
        }
    }

    /// The record's name.
    pub fn id(&self) -> CommitteeId {
        CommitteeId::new(codec::digest(self))
    }
}

/// A committee whose members have all shown possession of their keys. There is no other way to make one.
#[derive(Clone, Debug)]
pub struct Committee {
    record: CommitteeRecord,
    id: CommitteeId,
    keys: Vec<bls::PublicKey>,
    places: BTreeMap<NodeId, usize>,
}

impl Committee {
    /// The committee of epoch 0, from genesis and its possession proofs, all of whose rules are checked.
    ///
    /// # Errors
    /// The first rule broken, or the first member without a good proof.
    pub fn new(genesis: &Genesis, proofs: &GenesisProofs) -> Result<Self, ProofsError> {
        genesis.validate()?;
        let keys = proofs.keys(genesis)?;
        let record = CommitteeRecord::of_genesis(genesis);
        let places = record.members.iter().enumerate().map(|(place, member)| (member.node, place)).collect();
        Ok(Self { id: record.id(), record, keys, places })
    }

    /// The public record.
    pub fn record(&self) -> &CommitteeRecord {
        &self.record
    }

    /// The record's name.
    pub fn id(&self) -> CommitteeId {
        self.id
    }

    /// The network.
    pub fn network(&self) -> &NetworkId {
        &self.record.network
    }

    /// Members by ascending node id.
    pub fn members(&self) -> &[Member] {
        &self.record.members
    }

    /// The usable BLS key of the member at a place.
    ///
    /// # Panics
    /// If there is no such place.
    pub fn key(&self, place: usize) -> &bls::PublicKey {
        &self.keys[place]
    }

    /// Where a member stands, or `None` for strangers.
    pub fn place(&self, node: &NodeId) -> Option<usize> {
        self.places.get(node).copied()
    }

    /// How many slots the widest profile has: no piece is kept by more members.
    pub fn slots_max(&self) -> usize {
        self.record.profiles.iter().map(|profile| usize::from(profile.n)).max().unwrap_or(0)
    }

    /// Whether clients may ask for this profile.
    pub fn allows(&self, profile: &Profile) -> bool {
        self.record.profiles.contains(profile)
    }

    /// When the promise "until this epoch, exclusive" ends, or `None` if this committee cannot tell.
    ///
    /// Without a ledger there is one epoch, so the only promise is "until epoch 1", which ends with epoch 0.
    pub fn end_of(&self, retain_until: Epoch) -> Option<Timestamp> {
        (self.record.epoch.next() == Some(retain_until)).then_some(self.record.end)
    }
}
