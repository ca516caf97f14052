//! Messages of peers about the running height.
//!
//! What costs nothing is checked first, signatures last: a message that changes nothing is not worth a pairing.

use std::collections::BTreeSet;

use holdfast_core::id::NodeId;
use holdfast_core::planted::{self, Bug};
use holdfast_core::purpose::Signable;
use holdfast_proofs::header::{BlockTime, Round};
use malachite_types::ThresholdParam;

use super::context::{Ballot, Input};
use super::proposals::Verdict;
use super::turn::Turn;
use super::undecided::{ROUNDS_AHEAD, ROUNDS_BEHIND, Undecided};
use crate::engine::Effect;
use crate::message::{Message, SignedVote, Votes};
use crate::polka::Polka;
use crate::proposal::{Proposal, SignedProposal};

/// How old a fresh block may be: clocks differ, and blocks take their time.
pub const BLOCK_AGE_MS_MAX: u64 = 10_000;
/// How far ahead of the own clock a fresh block may be: clocks differ.
pub const BLOCK_AHEAD_MS_MAX: u64 = 2000;

impl Undecided {
    /// Takes a message about this height.
    pub(super) fn message(&mut self, turn: &mut Turn<'_>, from: NodeId, message: Message) {
        match message {
            Message::Proposal(signed) => self.proposal(turn, from, *signed),
            Message::Vote(signed) => self.cast(turn, from, &signed),
            Message::Polka(polka) => self.polka_of(turn, from, polka),
            Message::Votes(votes) => self.bundle(turn, from, &votes),
            Message::Decided(_) => {} // it is about no height
        }
    }

    fn is_near(&self, round: Round) -> bool {
        let now = self.round().0;
        (now.saturating_sub(ROUNDS_BEHIND)..=now.saturating_add(ROUNDS_AHEAD)).contains(&round.0)
    }

    fn proposal(&mut self, turn: &mut Turn<'_>, from: NodeId, signed: SignedProposal) {
        let Proposal { round, pol_round, ref header, .. } = signed.proposal;
        if !self.is_near(round) {
            return;
        }
        if self.proposals.holds(&signed) {
            // Who sends it again has the block.
            if self.proposals.verdict(&header.hash()) == Some(Verdict::Asked) {
                turn.out.push(Effect::Check { header: header.clone(), from });
            }
            return;
        }
        if self.proposals.is_full(round) {
            return;
        }
        let place = self.validators.set().place(&self.proposer(round)).expect("a proposer is a validator");
        let input = signed.proposal.head().signing_input(&turn.identity.network);
        let is_signed = turn.check.verify(&self.validators, &[place], &input, &signed.signature).is_ok();
        if !is_signed || pol_round.is_some_and(|pol_round| pol_round >= round) {
            return turn.misbehaved(from);
        }
        let header = header.clone();
        let sound = self.is_sound(&signed.proposal);
        let timely = pol_round.is_some() || is_timely(turn.now, header.time);
        self.proposals.hold(signed, sound, timely);
        if sound && self.proposals.verdict(&header.hash()).is_none() {
            self.proposals.judge(header.hash(), Verdict::Asked);
            turn.out.push(Effect::Check { header, from });
        }
        self.drive_ready(turn);
    }

    /// Whether a header is what it must be, as far as it shows.
    pub(super) fn is_sound(&self, proposal: &Proposal) -> bool {
        let Proposal { round, pol_round, header, .. } = proposal;
        let made_for = match pol_round {
            None => header.round == *round,
            Some(pol_round) => header.round <= *pol_round,
        };
        made_for
            && header.height == self.height
            && header.time > self.parent
            && header.validators == self.validators.id()
            && header.proposer == self.proposer(header.round)
    }

    fn cast(&mut self, turn: &mut Turn<'_>, from: NodeId, signed: &SignedVote) {
        if self.is_near(signed.vote.round) && self.is_news(signed) {
            if self.is_signed(turn, signed) {
                self.drive(turn, Input::Vote(Ballot::signed(signed)));
            } else {
                turn.misbehaved(from);
            }
        }
    }

    /// Whether a vote, if it is signed, changes anything.
    fn is_news(&self, signed: &SignedVote) -> bool {
        let vote = Ballot::signed(signed);
        let votes = self.driver.votes();
        let known = votes.has_vote(&vote);
        let futile = votes.conflicting_vote(&vote).is_some() && self.accused.contains(&signed.node);
        signed.vote.height == self.height
            && self.validators.set().place(&signed.node).is_some()
            && !known
            && !futile
    }

    pub(super) fn is_signed(&self, turn: &Turn<'_>, signed: &SignedVote) -> bool {
        let Some(place) = self.validators.set().place(&signed.node) else { return false };
        let input = signed.vote.signing_input(&turn.identity.network);
        planted::is(Bug::SkipVoteCheck)
            || turn.check.verify(&self.validators, &[place], &input, &signed.signature).is_ok()
    }

    fn polka_of(&mut self, turn: &mut Turn<'_>, from: NodeId, polka: Polka) {
        let known = |polka: &Polka| {
            let same = |other: &Polka| (other.round, other.block) == (polka.round, polka.block);
            let kept = [&self.locked, &self.valid].into_iter().flatten().any(|lock| same(&lock.polka));
            kept || self.polkas.contains_key(&(polka.round, polka.block))
        };
        if known(&polka) {
            return;
        }
        match polka.verify(&turn.identity.network, &self.validators, turn.check) {
            Ok(()) => self.drive_polka(turn, polka),
            Err(_) => turn.misbehaved(from),
        }
    }

    /// Votes that show why a peer is in its round. They count however far ahead it is, if they suffice to follow it there.
    fn bundle(&mut self, turn: &mut Turn<'_>, from: NodeId, votes: &Votes) {
        let Some(round) = votes.first().map(|signed| signed.vote.round) else { return };
        if votes.iter().any(|signed| signed.vote.round != round || signed.vote.height != self.height) {
            return turn.misbehaved(from);
        }
        if self.is_near(round) {
            for signed in votes.iter() {
                self.cast(turn, from, signed);
                if self.decided {
                    return;
                }
            }
            return;
        }
        let set = self.validators.set();
        let places: BTreeSet<_> = votes.iter().filter_map(|signed| set.place(&signed.node)).collect();
        let weight = places.iter().map(|place| u64::from(set.validators[*place].weight.get())).sum();
        let follows = round > self.round() && ThresholdParam::F_PLUS_ONE.is_met(weight, set.weight());
        if !follows {
            return;
        }
        if !votes.iter().all(|signed| self.is_signed(turn, signed)) {
            return turn.misbehaved(from);
        }
        for signed in votes.iter() {
            self.drive(turn, Input::Vote(Ballot::signed(signed)));
        }
    }
}

/// Whether a fresh block's time is near enough to ours.
fn is_timely(now: BlockTime, time: BlockTime) -> bool {
    let earliest = now.0.saturating_sub(BLOCK_AGE_MS_MAX);
    (earliest..=now.0.saturating_add(BLOCK_AHEAD_MS_MAX)).contains(&time.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_block_is_between_ten_seconds_old_and_two_ahead() {
        let now = BlockTime(1_000_000);
        for (time, expected) in
            [(989_999, false), (990_000, true), (1_000_000, true), (1_002_000, true), (1_002_001, false)]
        {
            assert_eq!(is_timely(now, BlockTime(time)), expected, "{time}");
        }
        assert!(is_timely(BlockTime(0), BlockTime(0)) && is_timely(BlockTime(u64::MAX), BlockTime(u64::MAX)));
    }
}
