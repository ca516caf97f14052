//! The rule by which an enclave refuses to sign against what it signed before.
//!
//! It remembers one place, the highest at which it signed, and what. A place is a height, a round and a step, in this order: a
//! proposal comes before the two votes of its round. Whatever happens to the host, its disk or its log: who keeps this
//! mark never signs two votes that contradict each other. Specification: docs/spec/consensus.md, "Guard".

use std::cmp::Ordering;

use holdfast_proofs::header::{BlockHash, Height, Round};
use holdfast_proofs::vote::Vote;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::engine::ToSign;
use crate::proposal::ProposalHead;

/// The step of a proposal; votes have the numbers 1 and 2.
const PROPOSAL_STEP: u8 = 0;

/// Longest encoding of a guard, in bytes.
pub const GUARD_BYTES_MAX: usize = 64;

/// The highest place at which was signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Guard {
    /// The height.
    pub height: Height,
    /// The round.
    pub round: Round,
    /// 0 for a proposal, 1 and 2 for votes.
    pub step: u8,
    /// What was signed there; null for a vote for no block, and before the first.
    pub block: Option<BlockHash>,
}

/// Why something must not be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Something later was signed already.
    #[error("something was signed at height {height}, round {round}, step {step} already")]
    Late {
        /// The mark's height.
        height: Height,
        /// The mark's round.
        round: Round,
        /// The mark's step.
        step: u8,
    },
    /// Something else was signed at the same place.
    #[error("something else was signed at height {height}, round {round}, step {step}")]
    Contradiction {
        /// The height.
        height: Height,
        /// The round.
        round: Round,
        /// The step.
        step: u8,
    },
}

impl Guard {
    /// Whether this vote may be signed; then it counts as signed, and the guard is kept before the signature is given.
    ///
    /// # Errors
    /// See [`Refusal`]; then nothing has changed.
    pub fn allow(&mut self, vote: &Vote) -> Result<(), Refusal> {
        let Vote { height, round, step, block } = *vote;
        self.raise(Self { height, round, step: step.into(), block })
    }

    /// The same for a proposal.
    ///
    /// # Errors
    /// See [`Refusal`]; then nothing has changed.
    pub fn allow_proposal(&mut self, head: &ProposalHead) -> Result<(), Refusal> {
        let ProposalHead { height, round, block, .. } = *head;
        self.raise(Self { height, round, step: PROPOSAL_STEP, block: Some(block) })
    }

    /// The same for whatever an engine wants to have signed.
    ///
    /// # Errors
    /// See [`Refusal`]; then nothing has changed.
    pub fn allow_any(&mut self, what: &ToSign) -> Result<(), Refusal> {
        match what {
            ToSign::Vote(vote) => self.allow(vote),
            ToSign::Proposal(head) => self.allow_proposal(head),
        }
    }

    fn raise(&mut self, to: Self) -> Result<(), Refusal> {
        let Self { height, round, step, .. } = *self;
        match to.place().cmp(&self.place()) {
            Ordering::Greater => *self = to,
            Ordering::Equal if to.block == self.block => {}
            Ordering::Equal => return Err(Refusal::Contradiction { height, round, step }),
            Ordering::Less => return Err(Refusal::Late { height, round, step }),
        }
        Ok(())
    }

    fn place(&self) -> (Height, Round, u8) {
        (self.height, self.round, self.step)
    }
}

#[cfg(test)]
mod tests;
