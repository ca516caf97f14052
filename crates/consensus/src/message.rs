//! What validators send each other. Specification: docs/spec/consensus.md, "Messages".

use holdfast_core::bls::Signature;
use holdfast_core::codec::{self, Bounded, DecodeError};
pub use holdfast_core::frame::MESSAGE_BYTES_MAX;
use holdfast_core::id::NodeId;
use holdfast_core::tagged_enum;
use holdfast_proofs::header::Height;
use holdfast_proofs::vote::Vote;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::polka::Polka;
use crate::proposal::SignedProposal;

/// Most votes in one message: more than the heaviest two thirds of all validators are, and less than
/// [`MESSAGE_BYTES_MAX`] with 135 bytes each.
pub const VOTES_MAX: usize = 100;

/// Votes that made somebody enter a round.
pub type Votes = Bounded<SignedVote, VOTES_MAX>;

tagged_enum! {
    /// A message between validators, of at most [`MESSAGE_BYTES_MAX`].
    pub enum Message {
        /// A block for this round.
        1 => Proposal(Box<SignedProposal>),
        /// A vote.
        2 => Vote(SignedVote),
        /// An answer to a message about an older height.
        3 => Decided(Decided),
        /// More than two thirds voted for one block.
        4 => Polka(Polka),
        /// Why the sender is in its round.
        5 => Votes(Votes),
    }
}

/// A vote, who cast it, and its signature by that node's BLS key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct SignedVote {
    /// The validator.
    pub node: NodeId,
    /// What it voted.
    pub vote: Vote,
    /// Over the vote alone, so that signatures under the same vote add up.
    pub signature: Signature,
}

/// The sender knows final blocks up to this height.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Decided {
    /// The newest of them.
    pub height: Height,
}

impl Message {
    /// Reads a message. Nothing of it is trusted yet.
    ///
    /// # Errors
    /// If the bytes are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes, MESSAGE_BYTES_MAX)
    }

    /// The one encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// About which height it is; `None` for an answer, and for an empty list.
    pub fn height(&self) -> Option<Height> {
        match self {
            Self::Proposal(signed) => Some(signed.proposal.height),
            Self::Vote(signed) => Some(signed.vote.height),
            Self::Decided(_) => None,
            Self::Polka(polka) => Some(polka.height),
            Self::Votes(votes) => votes.first().map(|signed| signed.vote.height),
        }
    }
}
