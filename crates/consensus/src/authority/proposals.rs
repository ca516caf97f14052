//! Proposals that were received, and what is known of their blocks.
//!
//! The driver is given a proposal once its block is known to be valid. One that cannot be valid ends the wait of its round
//! instead, and the driver never learns of it. A fresh one that came at a wrong time does both, one after the other: it gets no
//! vote here, and may still be decided by others.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_proofs::header::{BlockHash, Round};

use crate::proposal::SignedProposal;

/// Proposals kept of one round. An honest proposer makes one; a second one shows that it is not.
const PROPOSALS_PER_ROUND: usize = 2;

/// What is known of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The host is asked.
    Asked,
    /// It may be decided on, and its bytes are here.
    Valid,
    /// It can never be decided on.
    Invalid,
}

/// A proposal that its proposer signed.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) signed: SignedProposal,
    pub(super) block: BlockHash,
    /// Its header is what it must be, as far as a header shows.
    pub(super) sound: bool,
    /// It came at the right time, or needs not.
    pub(super) timely: bool,
    /// The driver has it.
    given: bool,
}

/// What to do about a proposal.
#[derive(Debug)]
pub(super) enum Ready {
    /// Give it to the driver.
    Give(Box<SignedProposal>),
    /// Vote for none in this round.
    Refuse,
}

#[derive(Debug, Default)]
pub(super) struct Proposals {
    by_round: BTreeMap<Round, Vec<Held>>,
    verdicts: BTreeMap<BlockHash, Verdict>,
}

impl Proposals {
    /// Whether this very proposal is here.
    pub(super) fn holds(&self, signed: &SignedProposal) -> bool {
        self.of_round(signed.proposal.round).iter().any(|held| held.signed == *signed)
    }

    /// Whether no more of a round are kept.
    pub(super) fn is_full(&self, round: Round) -> bool {
        self.of_round(round).len() >= PROPOSALS_PER_ROUND
    }

    /// Keeps a proposal, unless it is here or its round is full.
    pub(super) fn hold(&mut self, signed: SignedProposal, sound: bool, timely: bool) {
        let round = signed.proposal.round;
        if !self.holds(&signed) && !self.is_full(round) {
            let block = signed.proposal.header.hash();
            let held = Held { signed, block, sound, timely, given: false };
            self.by_round.entry(round).or_default().push(held);
        }
    }

    /// What is known of a block.
    pub(super) fn verdict(&self, block: &BlockHash) -> Option<Verdict> {
        self.verdicts.get(block).copied()
    }

    /// Notes what is known of a block. What can be decided on stays so.
    pub(super) fn judge(&mut self, block: BlockHash, verdict: Verdict) {
        let known = self.verdicts.entry(block).or_insert(verdict);
        if *known == Verdict::Asked {
            *known = verdict;
        }
    }

    /// What can be done, in round `now`, in which `waits` tells whether a proposal is still waited for.
    pub(super) fn next(&mut self, now: Round, waits: bool) -> Option<Ready> {
        for held in self.by_round.values_mut().flatten().filter(|held| !held.given) {
            let round = held.signed.proposal.round;
            let verdict = self.verdicts.get(&held.block).filter(|_| held.sound);
            let hopeless = !held.sound || verdict == Some(&Verdict::Invalid);
            let refused = hopeless || !held.timely;
            if refused && round == now && waits {
                return Some(Ready::Refuse);
            }
            let early = !held.timely && round > now;
            if verdict == Some(&Verdict::Valid) && !early {
                held.given = true;
                return Some(Ready::Give(Box::new(held.signed.clone())));
            }
        }
        None
    }

    /// A proposal of this round whose block is here.
    pub(super) fn valid_in(&self, round: Round) -> Option<&SignedProposal> {
        let is_valid = |held: &&Held| held.sound && self.verdict(&held.block) == Some(Verdict::Valid);
        self.of_round(round).iter().find(is_valid).map(|held| &held.signed)
    }

    /// The proposal of this block in a round.
    pub(super) fn find(&self, round: Round, block: &BlockHash) -> Option<&SignedProposal> {
        self.of_round(round).iter().find(|held| held.block == *block).map(|held| &held.signed)
    }

    /// Proposals of a round whose blocks nobody has looked at.
    pub(super) fn asked_in(&self, round: Round) -> impl Iterator<Item = &Held> {
        let asked = |held: &&Held| held.sound && self.verdict(&held.block) == Some(Verdict::Asked);
        self.of_round(round).iter().filter(asked)
    }

    /// Forgets rounds before `first`, and blocks that nobody proposes but for those in `keep`.
    pub(super) fn prune(&mut self, first: Round, keep: &[BlockHash]) {
        self.by_round = self.by_round.split_off(&first);
        let proposed = self.by_round.values().flatten().map(|held| held.block);
        let used: BTreeSet<_> = proposed.chain(keep.iter().copied()).collect();
        self.verdicts.retain(|block, _| used.contains(block));
    }

    /// The driver is a new one.
    pub(super) fn give_again(&mut self) {
        for held in self.by_round.values_mut().flatten() {
            held.given = false;
        }
    }

    fn of_round(&self, round: Round) -> &[Held] {
        self.by_round.get(&round).map_or(&[], Vec::as_slice)
    }

    /// How many proposals and verdicts there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_round.values().map(Vec::len).sum::<usize>() + self.verdicts.len()
    }
}
