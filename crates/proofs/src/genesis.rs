//! The genesis object, whose hash is the network's name.
//!
//! Genesis holds members and parameters, never proofs: a possession proof signs the network id, which is the
//! hash of genesis. The proofs are a second object, [`GenesisProofs`], checked against that id.
//! Specification: docs/spec/network.md.

use holdfast_core::bls::{BlsError, PublicKeyBytes};
use holdfast_core::codec::{self, Bounded, DecodeError, Text};
use holdfast_core::ed25519::{self, Ed25519Error};
use holdfast_core::fixed_bytes;
use holdfast_core::id::{BoxKey, BoxKeyError, NetworkId, NodeId, Salt, Timestamp};
use serde::{Deserialize, Serialize};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::profile::{Profile, ProfileError};
use crate::validators::{VALIDATORS_MAX, ValidatorSet, ValidatorsError};

mod possession;
mod wire;

pub use possession::{GenesisProofs, MemberProof, ProofsError};

/// Most members of a committee. A bundle carries all of them, about 300 bytes each.
pub const MEMBERS_MAX: usize = 1024;
/// Most profiles that a network may allow.
pub const PROFILES_MAX: usize = 16;
/// Longest genesis accepted, in bytes.
pub const GENESIS_BYTES_MAX: usize = 1 << 20;
/// Longest time between blocks, in milliseconds: an hour.
pub const BLOCK_MS_MAX: u32 = 3_600_000;
/// Longest possession-proofs object accepted, in bytes.
pub const PROOFS_BYTES_MAX: usize = 1 << 18;
/// Most authorities that a ledger begins with.
pub const AUTHORITIES_MAX: usize = VALIDATORS_MAX;
/// Version of a genesis without a ledger.
const WITHOUT_LEDGER: u8 = 1;
/// Version of a genesis with one.
const WITH_LEDGER: u8 = 2;

/// A member's weight: between 1 and 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Weight(u8);

impl Weight {
    /// The weight of ordinary members.
    pub const ONE: Self = Self(1);

    /// A weight, or `None` outside 1..=16.
    pub fn new(weight: u8) -> Option<Self> {
        (1..=16).contains(&weight).then_some(Self(weight))
    }

    /// The number.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Weight {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(u8::deserialize(deserializer)?)
            .ok_or_else(|| serde::de::Error::custom("weight must be between 1 and 16"))
    }
}

/// One member of a committee, as everyone sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Member {
    /// BLAKE3 of the Ed25519 key.
    pub node: NodeId,
    /// Signs a node's own messages.
    pub ed25519: ed25519::PublicKey,
    /// Signs statements that are aggregated.
    pub bls: PublicKeyBytes,
    /// Receives secrets for the node's enclave.
    pub box_key: BoxKey,
    /// Who runs the node. Slots of one piece avoid sharing an operator.
    pub operator: Text<64>,
    /// What can fail together: a rack, a site, a country. Slots of one piece avoid sharing it.
    pub failure_domain: Text<64>,
    /// How often the member is drawn.
    pub weight: Weight,
    /// Fixed at admission, so that nobody can grind an id into a chosen bucket. Zero in genesis.
    pub salt: Salt,
    /// The libp2p peer id in its text form, `12D3…`. It belongs to the host.
    pub peer: Text<64>,
}

/// Why a member entry was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// The node id is not the hash of the Ed25519 key.
    #[error("node id is not the hash of its Ed25519 key")]
    NodeId,
    /// The Ed25519 key is unusable.
    #[error(transparent)]
    Ed25519(#[from] Ed25519Error),
    /// The BLS key is garbage, outside the group, or the identity.
    #[error(transparent)]
    Bls(#[from] BlsError),
    /// The box key cannot be used.
    #[error(transparent)]
    BoxKey(#[from] BoxKeyError),
    /// Another member has the same node id, key or peer id.
    #[error("{what} already belongs to member {other}")]
    Duplicate {
        /// What is repeated.
        what: &'static str,
        /// Who had it first.
        other: NodeId,
    },
    /// A member of genesis with a salt.
    #[error("members of genesis have salt zero")]
    Salt,
}

impl Member {
    /// Checks what one entry can show by itself.
    ///
    /// # Errors
    /// The first rule broken.
    pub fn validate(&self) -> Result<(), MemberError> {
        if NodeId::of(&self.ed25519) != self.node {
            return Err(MemberError::NodeId);
        }
        self.ed25519.validate()?;
        self.bls.validate()?;
        self.box_key.validate()?;
        Ok(())
    }
}

/// Who decides about the ledger, and what it begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct LedgerPart {
    /// Time from block to block that validators aim at, in milliseconds.
    pub block_ms: u32,
    /// The first validators, by ascending node id.
    pub authorities: Bounded<Authority, AUTHORITIES_MAX>,
    /// The hash of the first rows' description, which only those need who execute the ledger.
    pub contents: ContentsHash,
}

/// A member that decides about blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Authority {
    /// The member.
    pub node: NodeId,
    /// What its vote counts.
    pub weight: Weight,
}

fixed_bytes!(
    /// BLAKE3 of what a ledger begins with.
    ContentsHash, 32
);

/// The founding object of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// Version of this format.
    pub version: u8,
    /// A name for people.
    pub name: Text<64>,
    /// Start of epoch 0.
    pub start: Timestamp,
    /// End of epoch 0. Without a ledger there is no other epoch, so this is the planned end of the network. With one, every
    /// epoch shall last as long as this one.
    pub end: Timestamp,
    /// Profiles that clients may ask for; the first is the default.
    pub profiles: Bounded<Profile, PROFILES_MAX>,
    /// Members by ascending node id.
    pub members: Bounded<Member, MEMBERS_MAX>,
    /// The ledger, if the network has one.
    pub ledger: Option<LedgerPart>,
}

/// Why a genesis was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// Not a genesis object.
    #[error("not a genesis object")]
    Decode(#[from] DecodeError),
    /// From another version of Holdfast.
    #[error("genesis version {0} is unknown")]
    Version(u8),
    /// A span that ends before it starts.
    #[error("epoch 0 ends before it starts")]
    Span,
    /// More members or profiles than a genesis can hold.
    #[error("{count} {what}, the limit is {max}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many.
        count: usize,
        /// How many are allowed.
        max: usize,
    },
    /// No profile allowed.
    #[error("genesis allows no profile")]
    NoProfile,
    /// A profile breaks a rule.
    #[error("profile {index} is invalid")]
    Profile {
        /// Its place in the list.
        index: usize,
        /// The rule.
        source: ProfileError,
    },
    /// A profile needs more slots than there are members.
    #[error("profile {} needs {} members, genesis has {members}", profile.name(), profile.n)]
    TooFewMembers {
        /// The profile.
        profile: Profile,
        /// Members in genesis.
        members: usize,
    },
    /// Members are not in ascending order of node id.
    #[error("member {node} is out of order")]
    Order {
        /// The first out of order.
        node: NodeId,
    },
    /// A member entry breaks a rule.
    #[error("member {node} is refused")]
    Member {
        /// Who.
        node: NodeId,
        /// The rule.
        source: MemberError,
    },
    /// The authorities break a rule.
    #[error("the ledger's authorities are refused")]
    Authorities(#[source] Box<ValidatorsError>),
    /// Blocks that follow each other without time between them.
    #[error("the time between blocks must be between 1 and {BLOCK_MS_MAX} ms")]
    BlockTime,
}

impl Genesis {
    /// Founds a network: sorts the members and checks every rule.
    ///
    /// # Errors
    /// The first rule broken, naming the member.
    pub fn found(
        name: Text<64>,
        start: Timestamp,
        end: Timestamp,
        profiles: Vec<Profile>,
        mut members: Vec<Member>,
        ledger: Option<LedgerPart>,
    ) -> Result<Self, GenesisError> {
        members.sort_by_key(|member| member.node);
        let too_many = |what, count, max| GenesisError::TooMany { what, count, max };
        let too_wide = |profiles: Vec<_>| too_many("profiles", profiles.len(), PROFILES_MAX);
        let too_large = |members: Vec<_>| too_many("members", members.len(), MEMBERS_MAX);
        let genesis = Self {
            version: if ledger.is_some() { WITH_LEDGER } else { WITHOUT_LEDGER },
            name,
            start,
            end,
            profiles: Bounded::new(profiles).map_err(too_wide)?,
            members: Bounded::new(members).map_err(too_large)?,
            ledger,
        };
        genesis.validate()?;
        Ok(genesis)
    }

    /// Reads a genesis and checks every rule but possession.
    ///
    /// # Errors
    /// If the bytes are no genesis, or a rule is broken.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, GenesisError> {
        let genesis: Self = codec::decode(bytes, GENESIS_BYTES_MAX)?;
        genesis.validate()?;
        Ok(genesis)
    }

    /// The bytes whose hash names the network.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The network's name.
    pub fn network(&self) -> NetworkId {
        NetworkId::new(codec::digest(self))
    }

    /// Checks every rule but possession.
    ///
    /// # Errors
    /// The first rule broken, naming the member.
    pub fn validate(&self) -> Result<(), GenesisError> {
        let version = if self.ledger.is_some() { WITH_LEDGER } else { WITHOUT_LEDGER };
        if self.version != version {
            return Err(GenesisError::Version(self.version));
        }
        if self.end <= self.start {
            return Err(GenesisError::Span);
        }
        if self.profiles.is_empty() {
            return Err(GenesisError::NoProfile);
        }
        for (index, profile) in self.profiles.iter().enumerate() {
            profile.validate().map_err(|source| GenesisError::Profile { index, source })?;
            if usize::from(profile.n) > self.members.len() {
                return Err(GenesisError::TooFewMembers { profile: *profile, members: self.members.len() });
            }
        }
        for member in self.members.iter() {
            let refuse = |source| GenesisError::Member { node: member.node, source };
            if member.salt != Salt::new([0; 32]) {
                return Err(refuse(MemberError::Salt));
            }
            member.validate().map_err(refuse)?;
        }
        check_distinct(&self.members)?;
        if let Some(ledger) = &self.ledger {
            if !(1..=BLOCK_MS_MAX).contains(&ledger.block_ms) {
                return Err(GenesisError::BlockTime);
            }
            ValidatorSet::of_genesis(self).map_err(|error| GenesisError::Authorities(Box::new(error)))?;
        }
        Ok(())
    }
}

/// Checks that no two members share a node id, key or peer id, and that they are sorted.
fn check_distinct(members: &[Member]) -> Result<(), GenesisError> {
    use std::collections::BTreeMap;

    let mut ids: BTreeMap<(&str, &[u8]), NodeId> = BTreeMap::new();
    let mut previous: Option<NodeId> = None;
    for member in members {
        let named: [(&'static str, &[u8]); 4] = [
            ("node id", member.node.as_bytes()),
            ("BLS key", member.bls.as_bytes()),
            ("box key", member.box_key.as_bytes()),
            ("peer id", member.peer.as_str().as_bytes()),
        ];
        for (what, bytes) in named {
            if let Some(other) = ids.insert((what, bytes), member.node) {
                let source = MemberError::Duplicate { what, other };
                return Err(GenesisError::Member { node: member.node, source });
            }
        }
        if previous.is_some_and(|previous| previous > member.node) {
            return Err(GenesisError::Order { node: member.node });
        }
        previous = Some(member.node);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
