//! What a validator keeps of a running height, so that being killed does not make it forget or contradict itself.
//!
//! The log is short by construction: a [`Begin`] stands for everything before it, and between two of them there are at most
//! [`RECORDS_MAX`] records. Votes of others are not in it, but for sums: to have lost them is the same as not to have
//! received them yet. Specification: docs/spec/consensus.md, "Log".

use holdfast_core::codec::{self, DecodeError};
use holdfast_core::tagged_enum;
use holdfast_proofs::header::{Height, Round};
use holdfast_proofs::vote::Vote;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::message::{SignedVote, Votes};
use crate::polka::Polka;
use crate::proposal::{Proposal, SignedProposal};

/// Longest record, in bytes: two locks of about a kilobyte, and a message full of votes.
pub const RECORD_BYTES_MAX: usize = 32 << 10;

/// Most records that matter: where the round begins, a lock and a newer valid block, two votes and a proposal, each before and
/// after it is signed.
pub const RECORDS_MAX: usize = 9;

tagged_enum! {
    /// One entry of the log.
    pub enum Record {
        /// A round begins. All records before this one are void and may be removed.
        1 => Begin(Box<Begin>),
        /// More than two thirds voted for a block in this round, and it is known to be valid.
        2 => Lock(Box<Lock>),
        /// This vote will be signed; none that contradicts it ever.
        3 => Vote(Vote),
        /// This vote is signed, and will be sent.
        4 => Cast(SignedVote),
        /// This proposal will be signed.
        5 => Proposal(Box<Proposal>),
        /// This proposal is signed, and will be sent.
        6 => Proposed(Box<SignedProposal>),
    }
}

/// The state in which a round begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Begin {
    /// The height.
    pub height: Height,
    /// The round.
    pub round: Round,
    /// The last block for which this validator voted in a second step. Only a newer polka lets it vote for another.
    pub locked: Option<Lock>,
    /// The last block for which more than two thirds voted, as far as this validator saw in time.
    pub valid: Option<Lock>,
    /// Votes that made it enter the round; none for the first.
    pub why: Votes,
}

/// A block, and the votes that speak for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Lock {
    /// The proposal of the polka's round.
    pub proposal: SignedProposal,
    /// The votes.
    pub polka: Polka,
}

impl Record {
    /// Reads a record of this validator's own log.
    ///
    /// # Errors
    /// If the bytes are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes, RECORD_BYTES_MAX)
    }

    /// The one encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }
}
