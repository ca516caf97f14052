//! Possession proofs: a second object beside genesis, for they sign the network id.

use holdfast_core::bls::{self, BlsError};
use holdfast_core::codec::{self, Bounded, DecodeError};
use holdfast_core::id::{NetworkId, NodeId};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use super::{Genesis, GenesisError, MEMBERS_MAX, PROOFS_BYTES_MAX};

/// A member's proof that it possesses its BLS key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct MemberProof {
    /// Who.
    pub node: NodeId,
    /// Signature over {node id, BLS key} under `holdfast/pop/1`.
    pub possession: bls::Signature,
}

/// The possession proofs of all members of a genesis, by ascending node id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct GenesisProofs {
    /// The network they were made for.
    pub network: NetworkId,
    /// One per member.
    pub members: Bounded<MemberProof, MEMBERS_MAX>,
}

/// Why possession proofs were not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofsError {
    /// Not a proofs object.
    #[error("not a possession-proofs object")]
    Decode(#[from] DecodeError),
    /// The genesis itself breaks a rule.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// Made for another network.
    #[error("possession proofs are for network {found}, genesis is network {expected}")]
    Network {
        /// The network of the genesis.
        expected: NetworkId,
        /// The network of the proofs.
        found: NetworkId,
    },
    /// A member without proof, or a proof without member.
    #[error("member {node} has no proof of possession")]
    Missing {
        /// Who.
        node: NodeId,
    },
    /// A proof for nobody in genesis.
    #[error("proof of possession for {node}, which is no member")]
    Stranger {
        /// Who.
        node: NodeId,
    },
    /// A proof that does not verify: the member may not own its key (a rogue key).
    #[error("member {node} is refused")]
    Member {
        /// Who.
        node: NodeId,
        /// Why.
        source: BlsError,
    },
}

impl GenesisProofs {
    /// Reads the object; [`crate::committee::Committee::new`] checks it.
    ///
    /// # Errors
    /// If the bytes are no proofs object.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProofsError> {
        Ok(codec::decode(bytes, PROOFS_BYTES_MAX)?)
    }

    /// Checks every proof, and answers the usable keys in the order of the members.
    ///
    /// # Errors
    /// The first member without a good proof.
    pub fn keys(&self, genesis: &Genesis) -> Result<Vec<bls::PublicKey>, ProofsError> {
        let expected = genesis.network();
        if self.network != expected {
            return Err(ProofsError::Network { expected, found: self.network });
        }
        let mut keys = Vec::with_capacity(genesis.members.len());
        let mut proofs = self.members.iter();
        for member in genesis.members.iter() {
            let proof = proofs.next().ok_or(ProofsError::Missing { node: member.node })?;
            match proof.node.cmp(&member.node) {
                std::cmp::Ordering::Less => return Err(ProofsError::Stranger { node: proof.node }),
                std::cmp::Ordering::Greater => return Err(ProofsError::Missing { node: member.node }),
                std::cmp::Ordering::Equal => {}
            }
            let key = member
                .bls
                .prove_possession(member.node, &expected, &proof.possession)
                .map_err(|source| ProofsError::Member { node: member.node, source })?;
            keys.push(key);
        }
        match proofs.next() {
            Some(extra) => Err(ProofsError::Stranger { node: extra.node }),
            None => Ok(keys),
        }
    }
}
