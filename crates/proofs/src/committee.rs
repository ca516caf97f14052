//! The committee of an epoch: its record, and the record with usable keys.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use holdfast_core::bls::{self, BlsError};
use holdfast_core::codec::{self, Bounded};
use holdfast_core::id::{CommitteeId, Epoch, NetworkId, NodeId, Timestamp};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::genesis::{Genesis, GenesisProofs, MEMBERS_MAX, Member, PROFILES_MAX, ProofsError};
use crate::profile::Profile;
use crate::row::{RowKey, RowProof, RowProofError, Table};
use crate::vote::FinalHeader;

/// Most epochs that a promise may run: ten years of days.
pub const RETAIN_EPOCHS_MAX: u64 = 3660;

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

    /// When the promise "until this epoch, exclusive" is planned to end, if every epoch is as long as this one; `None` if
    /// it ends before it begins, or never.
    pub fn end_of(&self, retain_until: Epoch) -> Option<Timestamp> {
        let beyond = retain_until.0.checked_sub(self.epoch.next()?.0)?;
        let length = self.end.0.checked_sub(self.start.0)?;
        self.end.plus(beyond.checked_mul(length)?)
    }

    /// Where the ledger keeps the record of an epoch.
    pub fn row(epoch: Epoch) -> RowKey {
        RowKey::new(Table::COMMITTEES, &epoch.0.to_be_bytes())
    }
}

/// A committee whose members have all shown possession of their keys. There is no other way to make one.
#[derive(Clone, Debug)]
pub struct Committee {
    record: CommitteeRecord,
    id: CommitteeId,
    keys: Vec<OnceLock<bls::PublicKey>>,
    places: BTreeMap<NodeId, usize>,
    ledger: bool,
}

/// Why a record is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The ledger says something else about that epoch.
    #[error("the committee record is not the ledger's")]
    Proof(#[from] RowProofError),
    /// It is for another network.
    #[error("the committee record is for network {0}")]
    Network(NetworkId),
    /// A key that cannot be used.
    #[error("member {node} is refused")]
    Key {
        /// Whose.
        node: NodeId,
        /// Why.
        source: BlsError,
    },
}

impl Committee {
    /// The committee of epoch 0, from genesis and its possession proofs, all of whose rules are checked.
    ///
    /// # Errors
    /// The first rule broken, or the first member without a good proof.
    pub fn new(genesis: &Genesis, proofs: &GenesisProofs) -> Result<Self, ProofsError> {
        genesis.validate()?;
        let keys = proofs.keys(genesis)?;
        Ok(Self::with_keys(CommitteeRecord::of_genesis(genesis), keys, genesis.ledger.is_some()))
    }

    /// The committee of a record that a finalised header of this network commits to.
    ///
    /// # Errors
    /// If the record is another, or a key in it is none.
    pub fn under(
        header: &FinalHeader,
        network: &NetworkId,
        record: CommitteeRecord,
        proof: &RowProof,
    ) -> Result<Self, RecordError> {
        if record.network != *network {
            return Err(RecordError::Network(record.network));
        }
        // The row is the record, so its hash is the committee's id.
        let id = *record.id().as_bytes();
        proof.verify_hash(&header.header().state, &CommitteeRecord::row(record.epoch), Some(id))?;
        let key = |member: &Member| {
            let node = member.node;
            member.bls.admitted().map_err(|source| RecordError::Key { node, source })
        };
        let keys = record.members.iter().map(key).collect::<Result<_, _>>()?;
        Ok(Self::with_keys(record, keys, true))
    }

    /// The committee of a record of a ledger that this program executed itself: possession was checked when its members
    /// registered. Keys are made usable when they are first asked for.
    pub fn admitted(record: CommitteeRecord) -> Self {
        let mut committee = Self::with_keys(record, Vec::new(), true);
        committee.keys.resize_with(committee.record.members.len(), OnceLock::new);
        committee
    }

    fn with_keys(record: CommitteeRecord, keys: Vec<bls::PublicKey>, ledger: bool) -> Self {
        let keys = keys.into_iter().map(OnceLock::from).collect();
        let places = record.members.iter().enumerate().map(|(place, member)| (member.node, place)).collect();
        Self { id: record.id(), record, keys, places, ledger }
    }

    /// Whether the network has a ledger, and with it later epochs, prices and orders.
    pub fn has_ledger(&self) -> bool {
        self.ledger
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
        let member = &self.record.members[place];
        self.keys[place].get_or_init(|| member.bls.admitted().expect("checked when it registered"))
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

    /// When the promise "until this epoch, exclusive" ends, or `None` if this committee cannot promise that.
    ///
    /// Without a ledger there is one epoch, so the only promise is "until epoch 1", which ends with epoch 0. With one, at
    /// most [`RETAIN_EPOCHS_MAX`] epochs can be promised, and the time is the planned one: an epoch may end early.
    pub fn end_of(&self, retain_until: Epoch) -> Option<Timestamp> {
        let most = if self.ledger { RETAIN_EPOCHS_MAX } else { 1 };
        let epochs = retain_until.0.checked_sub(self.record.epoch.0)?;
        self.record.end_of(retain_until).filter(|_| epochs <= most)
    }
}
