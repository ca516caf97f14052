//! Going on after a restart, from what was written down.
//!
//! The driver is brought to the locks in which the round began, then through the steps of the round in which this validator voted. Its
//! own conclusions on that way were drawn before and are not acted upon: what was written down is said again, and nothing else.

use holdfast_core::planted::{self, Bug};
use holdfast_proofs::header::{Height, Round};
use holdfast_proofs::vote::Step;
use malachite_types::Timeout;

use super::context::{Ballot, Input, round};
use super::own::Own;
use super::proposals::Verdict;
use super::turn::Turn;
use super::undecided::{Undecided, polka_input};
use crate::record::{Begin, Lock, Record};

/// What a log says of the round in which it ends.
#[derive(Clone, Debug)]
pub(super) struct Saved {
    begin: Begin,
    lock: Option<Lock>,
    own: Own,
}

impl Saved {
    /// Reads a log: what counts is its last beginning, and what follows.
    pub(super) fn of(records: impl IntoIterator<Item = Record>) -> Option<Self> {
        let mut saved: Option<Self> = None;
        for record in records {
            match (record, &mut saved) {
                (Record::Begin(begin), _) => {
                    saved = Some(Self { begin: *begin, lock: None, own: Own::default() });
                }
                (record, Some(saved)) => saved.add(record),
                (_, None) => {} // the rest of a height whose beginning was removed
            }
        }
        saved
    }

    /// The height that was running.
    pub(super) fn height(&self) -> Height {
        self.begin.height
    }

    fn add(&mut self, record: Record) {
        let here = (self.begin.height, self.begin.round);
        match record {
            Record::Begin(_) => {}
            Record::Lock(lock) if (lock.polka.height, lock.polka.round) == here => self.lock = Some(*lock),
            Record::Vote(vote) if (vote.height, vote.round) == here => {
                self.own.votes.entry(vote.step).or_insert((vote, None));
            }
            Record::Cast(cast) if (cast.vote.height, cast.vote.round) == here => {
                self.own.votes.insert(cast.vote.step, (cast.vote, Some(cast.signature)));
            }
            Record::Proposal(proposal) if (proposal.height, proposal.round) == here => {
                self.own.proposal.get_or_insert((*proposal, None));
            }
            Record::Proposed(signed) if (signed.proposal.height, signed.proposal.round) == here => {
                self.own.proposal = Some((signed.proposal, Some(signed.signature)));
            }
            _ => {} // of another round: it means nothing any more
        }
    }
}

impl Undecided {
    /// Goes on where the log ends.
    pub(super) fn restore(&mut self, turn: &mut Turn<'_>, saved: Saved) {
        let Saved { begin: Begin { round: at, locked, valid, why, .. }, lock, own } = saved;
        let forgets = planted::is(Bug::ForgetLock);
        self.locked = locked.filter(|_| !forgets);
        self.valid = valid.filter(|_| !forgets);
        self.why = why;
        self.driver = self.locked_driver(turn.identity.node);
        self.logged.clone_from(&lock);
        self.own = own;
        let input = self.enter(turn, at);
        // These blocks were checked before they were written down.
        for known in [&self.locked, &self.valid, &lock].into_iter().flatten() {
            self.proposals.judge(known.polka.block, Verdict::Valid);
        }
        self.drive(turn, input);
        if let Some(signed) = self.own.proposed() {
            self.hold_own(signed);
            self.drive_ready(turn);
        }
        self.replay_steps(turn, at, lock.filter(|_| !forgets));
        let cast: Vec<_> = self.own.cast(turn.identity.node).collect();
        for signed in cast.iter().chain(self.why.clone().iter()) {
            self.drive(turn, Input::Vote(Ballot::signed(signed)));
        }
        if self.round() == at && !self.decided {
            self.ask_again(turn);
        }
    }

    fn replay_steps(&mut self, turn: &mut Turn<'_>, at: Round, lock: Option<Lock>) {
        let voted = |own: &Own, step| own.votes.get(&step).map(|(vote, _)| vote.block);
        if voted(&self.own, Step::Prevote).is_some() {
            self.drive(turn, Input::TimeoutElapsed(Timeout::propose(round(at))));
        }
        if voted(&self.own, Step::Precommit) == Some(None) {
            self.drive(turn, Input::TimeoutElapsed(Timeout::prevote(round(at))));
        }
        if let Some(Lock { proposal, polka }) = lock {
            self.proposals.hold(proposal, true, true);
            self.polkas.insert((polka.round, polka.block), polka.clone());
            self.drive_ready(turn);
            self.drive(turn, polka_input(&polka));
        }
    }
}
