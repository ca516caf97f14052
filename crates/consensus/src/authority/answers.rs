//! Answers of the host and its enclave, and deadlines.

use std::sync::Arc;

use holdfast_core::bls::Signature;
use holdfast_core::planted::{self, Bug};
use holdfast_core::purpose::Signable;
use holdfast_proofs::header::{BlockHash, Header, Round};
use holdfast_proofs::vote::Vote;
use malachite_types::Timeout;

use super::context::{Ballot, Candidate, Input, round};
use super::own::Asked;
use super::proposals::Verdict;
use super::timers::Timer;
use super::turn::Turn;
use super::undecided::Undecided;
use crate::engine::{Effect, ToSign};
use crate::message::{Message, SignedVote};
use crate::proposal::{Proposal, SignedProposal};
use crate::record::Record;

impl Undecided {
    /// A block was made for a round, or none could be made.
    pub(super) fn built(&mut self, turn: &mut Turn<'_>, of: Round, header: Option<Header>) {
        let Some(header) = header else { return };
        let proposal = Proposal { height: self.height, round: of, pol_round: None, header };
        let waits = of == self.round() && self.driver.step_is_propose() && self.own.proposal.is_none();
        if !waits || !self.is_sound(&proposal) || self.proposer(of) != turn.identity.node {
            return;
        }
        let hash = proposal.header.hash();
        self.proposals.judge(hash, Verdict::Valid);
        let candidate = Candidate { hash, header: Arc::new(proposal.header) };
        self.drive(turn, Input::ProposeValue(round(of), candidate));
    }

    /// The host looked at a block.
    pub(super) fn checked(&mut self, turn: &mut Turn<'_>, block: BlockHash, valid: bool) {
        if self.proposals.verdict(&block).is_some() {
            self.proposals.judge(block, if valid { Verdict::Valid } else { Verdict::Invalid });
            self.drive_ready(turn);
        }
    }

    /// The enclave signed, or refused to. Without a signature this validator is silent, and the others go on.
    pub(super) fn signed(&mut self, turn: &mut Turn<'_>, asked: &Asked, signature: Option<Signature>) {
        let Some(signature) = signature else { return };
        match asked {
            Asked::Block(_) => {}
            Asked::Vote(vote) => self.signed_vote(turn, *vote, signature),
            Asked::Proposal(of) if *of == self.round() => self.signed_proposal(turn, signature),
            Asked::Proposal(_) => {}
        }
    }

    fn signed_vote(&mut self, turn: &mut Turn<'_>, vote: Vote, signature: Signature) {
        let signed = SignedVote { node: turn.identity.node, vote, signature };
        // A vote that does not verify would spoil every sum that it enters.
        if vote.round != self.round() || !self.is_signed(turn, &signed) {
            return;
        }
        self.own.votes.insert(vote.step, (vote, Some(signature)));
        if !planted::is(Bug::ForgetVote) {
            turn.persist(Record::Cast(signed));
        }
        turn.out.push(Effect::Broadcast(Message::Vote(signed)));
        self.drive(turn, Input::Vote(Ballot::signed(&signed)));
    }

    fn signed_proposal(&mut self, turn: &mut Turn<'_>, signature: Signature) {
        let Some((proposal, slot)) = &mut self.own.proposal else { return };
        let input = proposal.head().signing_input(&turn.identity.network);
        let place = self.validators.set().place(&turn.identity.node);
        let is_signed = place
            .is_some_and(|place| turn.check.verify(&self.validators, &[place], &input, &signature).is_ok());
        if !is_signed {
            return;
        }
        *slot = Some(signature);
        let signed = SignedProposal { proposal: proposal.clone(), signature };
        turn.persist(Record::Proposed(Box::new(signed.clone())));
        self.show(turn, &signed);
        self.hold_own(signed);
        self.drive_ready(turn);
    }

    /// Keeps an own proposal, whose block is here. Whether it is timely is for others to say.
    pub(super) fn hold_own(&mut self, signed: SignedProposal) {
        self.proposals.judge(signed.proposal.header.hash(), Verdict::Valid);
        self.proposals.hold(signed, true, true);
    }

    /// Sends a proposal; before it, what lets others vote for a block that was proposed before.
    pub(super) fn show(&self, turn: &mut Turn<'_>, signed: &SignedProposal) {
        let valid = self.valid.as_ref().filter(|_| signed.proposal.pol_round.is_some());
        let polka = valid.map(|valid| Message::Polka(valid.polka.clone()));
        let messages = polka.into_iter().chain([Message::Proposal(Box::new(signed.clone()))]);
        turn.out.extend(messages.map(Effect::Broadcast));
    }

    /// Gives the driver whatever proposals are ready.
    pub(super) fn drive_ready(&mut self, turn: &mut Turn<'_>) {
        if let Some(input) = self.ready() {
            self.drive(turn, input);
        }
    }

    /// Time is up for something.
    pub(super) fn due(&mut self, turn: &mut Turn<'_>, timer: Timer) {
        let now = self.driver.round();
        let timeout = match timer {
            Timer::Begin | Timer::Answer => return,
            Timer::Repeat => return self.repeat(turn),
            Timer::Propose => Timeout::propose(now),
            Timer::Prevote => Timeout::prevote(now),
            Timer::Precommit => Timeout::precommit(now),
        };
        self.drive(turn, Input::TimeoutElapsed(timeout));
    }

    /// Sends again what others may have missed in this round, and asks again for what did not come. There are at most a proposal,
    /// two votes, two sums and the reason for being in the round.
    fn repeat(&mut self, turn: &mut Turn<'_>) {
        self.repeats = self.repeats.saturating_add(1);
        turn.wait(Timer::Repeat, turn.config.pause_ms(self.repeats));
        let now = self.round();
        let checks = self.proposals.asked_in(now).map(|held| {
            let Proposal { round, ref header, .. } = held.signed.proposal;
            Effect::Check { header: header.clone(), from: self.proposer(round) }
        });
        turn.out.extend(checks);
        if !self.votes {
            return;
        }
        self.ask_again(turn);
        if !self.why.is_empty() {
            turn.out.push(Effect::Broadcast(Message::Votes(self.why.clone())));
        }
        // What a re-proposal rests on, what may set others free from a lock, and what made this one enter the round.
        let valid = self.valid.as_ref().map(|valid| &valid.polka);
        let newer = self.polkas.last_key_value().map(|(_, polka)| polka);
        let newer =
            newer.filter(|polka| polka.round >= now && valid.is_none_or(|valid| valid.round < polka.round));
        let polkas = valid.filter(|_| now > Round(0)).into_iter().chain(newer);
        turn.out.extend(polkas.map(|polka| Effect::Broadcast(Message::Polka(polka.clone()))));
        if let Some(signed) = self.proposals.valid_in(now) {
            turn.out.push(Effect::Broadcast(Message::Proposal(Box::new(signed.clone()))));
        }
        let votes = self.own.cast(turn.identity.node);
        turn.out.extend(votes.map(|vote| Effect::Broadcast(Message::Vote(vote))));
    }

    /// Asks again for signatures that the enclave did not give, perhaps because it was being restarted.
    pub(super) fn ask_again(&mut self, turn: &mut Turn<'_>) {
        for (vote, signature) in self.own.votes.values() {
            if signature.is_none() && !turn.asks.waits_for_vote(vote) {
                turn.sign(Asked::Vote(*vote), ToSign::Vote(*vote));
            }
        }
        if let Some((proposal, None)) = &self.own.proposal
            && !turn.asks.waits_for_proposal(proposal.round)
        {
            turn.sign(Asked::Proposal(proposal.round), ToSign::Proposal(proposal.head()));
        }
    }
}
