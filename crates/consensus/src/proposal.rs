//! Proposals: a block, shown by the validator whose turn it is.
//!
//! A *fresh* proposal shows a block made for its round. Who knows a block for which more than two thirds voted in an earlier
//! round proposes that one again, and names the round. Only headers travel here; bodies are fetched beside.
//! Specification: docs/spec/consensus.md, "Messages".

use holdfast_core::bls::Signature;
use holdfast_core::purpose::{Purpose, Signable};
use holdfast_proofs::header::{BlockHash, Header, Height, Round};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

/// A proposal as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Proposal {
    /// For which height.
    pub height: Height,
    /// In which round.
    pub round: Round,
    /// The earlier round in which more than two thirds voted for the block; null for a fresh one.
    pub pol_round: Option<Round>,
    /// The block.
    pub header: Header,
}

/// What the proposer signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct ProposalHead {
    /// For which height.
    pub height: Height,
    /// In which round.
    pub round: Round,
    /// The earlier round in which more than two thirds voted for the block.
    pub pol_round: Option<Round>,
    /// The block.
    pub block: BlockHash,
}

impl Signable for ProposalHead {
    const PURPOSE: Purpose = Purpose::PROPOSAL;
}

impl Proposal {
    /// What is signed of it.
    pub fn head(&self) -> ProposalHead {
        let Self { height, round, pol_round, .. } = *self;
        ProposalHead { height, round, pol_round, block: self.header.hash() }
    }
}

/// A proposal and the proposer's signature over its head, by its BLS key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct SignedProposal {
    /// The proposal.
    pub proposal: Proposal,
    /// By the validator whose turn it is in that round.
    pub signature: Signature,
}
