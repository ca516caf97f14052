//! What this validator itself said in a round, and what it waits for.

use std::collections::BTreeMap;

use holdfast_core::bls::Signature;
use holdfast_proofs::header::Round;
use holdfast_proofs::vote::{Step, Vote};

use crate::engine::Ask;
use crate::message::SignedVote;
use crate::proposal::{Proposal, SignedProposal};

/// What was asked.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    /// A block for a round.
    Block(Round),
    /// A signature under a vote.
    Vote(Vote),
    /// A signature under the proposal of a round.
    Proposal(Round),
}

impl Asked {
    fn round(&self) -> Round {
        match self {
            Self::Block(round) | Self::Proposal(round) => *round,
            Self::Vote(vote) => vote.round,
        }
    }
}

/// Questions without an answer. There are at most four in a round, and those of earlier ones are dropped.
#[derive(Debug, Default)]
pub(super) struct Asks {
    next: u64,
    open: BTreeMap<Ask, Asked>,
}

impl Asks {
    /// Asks something.
    pub(super) fn ask(&mut self, what: Asked) -> Ask {
        let ask = Ask(self.next);
        self.next += 1;
        self.open.insert(ask, what);
        ask
    }

    /// What an answer is about; `None` if nobody waits for it any more.
    pub(super) fn answered(&mut self, ask: Ask) -> Option<Asked> {
        self.open.remove(&ask)
    }

    /// Whether a signature under this vote is asked for.
    pub(super) fn waits_for_vote(&self, vote: &Vote) -> bool {
        self.open.values().any(|asked| matches!(asked, Asked::Vote(open) if open == vote))
    }

    /// Whether a signature under the proposal of a round is asked for.
    pub(super) fn waits_for_proposal(&self, of: Round) -> bool {
        self.open.values().any(|asked| matches!(asked, Asked::Proposal(round) if *round == of))
    }

    /// Drops questions of rounds before this one.
    pub(super) fn drop_before(&mut self, round: Round) {
        self.open.retain(|_, asked| asked.round() >= round);
    }

    /// Drops all questions.
    pub(super) fn clear(&mut self) {
        self.open.clear();
    }

    /// How many are open.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }
}

/// Own votes and the own proposal of the running round. They are written down before they are signed, and once they are, there
/// is no way back.
#[derive(Clone, Debug, Default)]
pub(super) struct Own {
    pub(super) votes: BTreeMap<Step, (Vote, Option<Signature>)>,
    pub(super) proposal: Option<(Proposal, Option<Signature>)>,
}

impl Own {
    /// Votes with signatures.
    pub(super) fn cast(&self, node: holdfast_core::id::NodeId) -> impl Iterator<Item = SignedVote> + '_ {
        let signed = move |(vote, signature): &(Vote, Option<Signature>)| {
            signature.map(|signature| SignedVote { node, vote: *vote, signature })
        };
        self.votes.values().filter_map(signed)
    }

    /// The proposal, if it is signed.
    pub(super) fn proposed(&self) -> Option<SignedProposal> {
        let (proposal, signature) = self.proposal.as_ref()?;
        signature.map(|signature| SignedProposal { proposal: proposal.clone(), signature })
    }
}
