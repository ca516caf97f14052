//! A height that is not decided: malachite's driver, and what it must be told.
//!
//! The driver is given only what was checked: votes whose signatures verify, proposals whose blocks were looked at, polkas. What it
//! wants is turned into effects, in an order that survives being killed at any point: a lock is written down before the vote
//! that it belongs to, a vote before it is signed, and its signature before it is sent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use holdfast_core::codec::Bounded;
use holdfast_core::id::NodeId;
use holdfast_core::planted::{self, Bug};
use holdfast_ledger::evidence::{Accuse, Offence, Pair, Signed};
use holdfast_proofs::header::{BlockHash, BlockTime, Height, Round};
use holdfast_proofs::validators::Validators;
use holdfast_proofs::vote::{Finality, Step};
use malachite_types::{
    PolkaCertificate, RoundCertificateType, ThresholdParam, ThresholdParams, Timeout, TimeoutKind, Validity,
};

use super::context::{
    At, Ballot, Candidate, Driver, Input, Ledger, Node, Offer, Output, Set, round, round_of,
};
use super::own::{Asked, Own};
use super::proposals::{Proposals, Ready};
use super::timers::Timer;
use super::turn::Turn;
use crate::engine::{Effect, ToSign};
use crate::message::{Message, SignedVote, VOTES_MAX, Votes};
use crate::polka::Polka;
use crate::record::{Begin, Lock, Record};

/// Rounds behind the running one whose votes and proposals are kept: a late vote may still decide.
pub(super) const ROUNDS_BEHIND: u32 = 4;

/// Rounds ahead of the running one whose votes and proposals are kept. Each costs a table of all votes, some 40 KiB with the most
/// validators; whoever is further behind is shown why others are where they are.
pub(super) const ROUNDS_AHEAD: u32 = 10;

/// Rounds after which a new driver takes the place of the old one, which keeps every round it saw.
pub(super) const ROUNDS_PER_DRIVER: u32 = 16;

/// Polkas kept besides those of the locked and the valid block: one for each round that can matter.
pub(super) const POLKAS_MAX: usize = 16;

/// One height.
pub(super) struct Undecided {
    pub(super) height: Height,
    pub(super) parent: BlockTime,
    pub(super) validators: Arc<Validators>,
    /// Whether this node votes.
    pub(super) votes: bool,
    pub(super) driver: Driver,
    pub(super) proposals: Proposals,
    pub(super) polkas: BTreeMap<(Round, BlockHash), Polka>,
    pub(super) locked: Option<Lock>,
    pub(super) valid: Option<Lock>,
    /// The lock that was written down last.
    pub(super) logged: Option<Lock>,
    pub(super) why: Votes,
    pub(super) own: Own,
    pub(super) accused: BTreeSet<NodeId>,
    pub(super) repeats: u32,
    /// Rounds that the driver has seen.
    pub(super) rounds_driven: u32,
    pub(super) decided: bool,
}

pub(super) fn nothing() -> Votes {
    Bounded::new(Vec::new()).expect("none")
}

impl Undecided {
    /// A height in which nothing happened. `votes` tells whether this node may vote if it is a validator.
    pub(super) fn new(
        height: Height,
        parent: BlockTime,
        validators: Arc<Validators>,
        votes: bool,
        turn: &Turn<'_>,
    ) -> Self {
        let votes = votes && validators.set().place(&turn.identity.node).is_some();
        let driver = new_driver(height, &validators, turn.identity.node);
        Self {
            height,
            parent,
            validators,
            votes,
            driver,
            proposals: Proposals::default(),
            polkas: BTreeMap::new(),
            locked: None,
            valid: None,
            logged: None,
            why: nothing(),
            own: Own::default(),
            accused: BTreeSet::new(),
            repeats: 0,
            rounds_driven: 0,
            decided: false,
        }
    }

    /// Begins the first round.
    pub(super) fn begin(&mut self, turn: &mut Turn<'_>) {
        self.keep_begin(turn, Round(0));
        let input = self.enter(turn, Round(0));
        self.drive(turn, input);
    }

    /// The running round.
    pub(super) fn round(&self) -> Round {
        round_of(self.driver.round())
    }

    /// The validator whose turn it is in a round.
    pub(super) fn proposer(&self, round: Round) -> NodeId {
        self.validators.set().proposer(self.height, round).node
    }

    /// Gives the driver one input, does what it wants, and gives it proposals that are ready by then.
    pub(super) fn drive(&mut self, turn: &mut Turn<'_>, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while !self.decided {
            let Some(input) = inputs.pop_front() else {
                match self.ready() {
                    Some(input) => inputs.push_back(input),
                    None => break,
                }
                continue;
            };
            // Whatever the driver refuses with an error has changed nothing.
            let outputs = self.driver.process(input).unwrap_or_default();
            self.accuse(turn);
            self.keep_lock(turn);
            for output in outputs {
                self.perform(turn, output, &mut inputs);
            }
        }
    }

    pub(super) fn ready(&mut self) -> Option<Input> {
        let now = self.round();
        Some(match self.proposals.next(now, self.driver.step_is_propose())? {
            Ready::Refuse => Input::TimeoutElapsed(Timeout::propose(round(now))),
            Ready::Give(signed) => {
                let proposer = self.proposer(signed.proposal.round);
                Input::Proposal(Offer::signed(&signed, proposer), Validity::Valid)
            }
        })
    }

    fn perform(&mut self, turn: &mut Turn<'_>, output: Output, inputs: &mut VecDeque<Input>) {
        match output {
            Output::NewRound(_, to) => {
                let to = round_of(to);
                self.why = self.reason(to);
                self.own = Own::default();
                self.keep_begin(turn, to);
                inputs.push_back(self.enter(turn, to));
                if self.rounds_driven > ROUNDS_PER_DRIVER {
                    inputs.extend(self.renew_driver(turn));
                }
            }
            Output::ScheduleTimeout(Timeout { kind, round }) => {
                let timer = match kind {
                    TimeoutKind::Propose => Timer::Propose,
                    TimeoutKind::Prevote => Timer::Prevote,
                    _ => Timer::Precommit,
                };
                turn.wait(timer, turn.config.timeout_ms(kind, round_of(round)));
            }
            Output::GetValue(_, of, _) => self.build(turn, round_of(of)),
            Output::Propose(offer) => self.propose(turn, &offer),
            Output::Vote(ballot) => self.vote(turn, &ballot),
            Output::Decide(_, offer) => self.decide(turn, &offer),
        }
    }

    /// Prepares for a round, and answers what the driver must be told to begin it.
    pub(super) fn enter(&mut self, turn: &mut Turn<'_>, to: Round) -> Input {
        turn.timers.clear();
        turn.asks.drop_before(to);
        self.repeats = 0;
        self.rounds_driven += 1;
        turn.wait(Timer::Repeat, turn.config.pause_ms(0));
        let keep: Vec<_> =
            [&self.locked, &self.valid].into_iter().flatten().map(|lock| lock.polka.block).collect();
        self.proposals.prune(Round(to.0.saturating_sub(ROUNDS_BEHIND)), &keep);
        Input::NewRound(At(self.height), round(to), Node(self.proposer(to)))
    }

    fn keep_begin(&self, turn: &mut Turn<'_>, round: Round) {
        if self.votes {
            let Self { height, locked, valid, why, .. } = self;
            let (locked, valid, why) = (locked.clone(), valid.clone(), why.clone());
            turn.persist(Record::Begin(Box::new(Begin { height: *height, round, locked, valid, why })));
        }
    }

    /// Votes that brought the driver into a round: the heaviest that suffice.
    fn reason(&self, to: Round) -> Votes {
        let certificate = self.driver.round_certificate().filter(|why| why.enter_round == round(to));
        let Some(certificate) = certificate.map(|why| &why.certificate) else { return nothing() };
        let place = |vote: &SignedVote| self.validators.set().place(&vote.node);
        let weight = |place: usize| u64::from(self.validators.set().validators[place].weight.get());
        let mut votes: Vec<_> = certificate
            .votes(&Ledger)
            .map(|vote| Ballot::to_signed(&vote))
            .filter_map(|vote| Some((weight(place(&vote)?), vote)))
            .collect();
        votes.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
        let part = match certificate.cert_type {
            RoundCertificateType::Precommit => ThresholdParam::TWO_F_PLUS_ONE,
            RoundCertificateType::Skip => ThresholdParam::F_PLUS_ONE,
        };
        let (all, mut sum) = (self.validators.set().weight(), 0);
        let enough = |(weight, _): &(u64, SignedVote)| {
            let more = !part.is_met(sum, all);
            sum += weight;
            more
        };
        let votes: Vec<_> =
            votes.into_iter().take_while(enough).map(|(_, vote)| vote).take(VOTES_MAX).collect();
        Bounded::new(votes).unwrap_or_else(|_| nothing())
    }

    /// Shows the ledger, once for each, who voted for two blocks in one step.
    fn accuse(&mut self, turn: &mut Turn<'_>) {
        for (Node(node), pairs) in self.driver.take_vote_evidence() {
            let Some((one, other)) = pairs.first().filter(|_| self.accused.insert(node)) else { continue };
            let signed = |vote| {
                let SignedVote { vote, signature, .. } = Ballot::to_signed(vote);
                Signed(vote, signature)
            };
            let offence = Offence::Votes(Pair(signed(one), signed(other)));
            turn.out.push(Effect::Offence(Accuse { node, offence }));
        }
    }

    /// Writes down a lock, or a newer valid block, as soon as the driver has it.
    fn keep_lock(&mut self, turn: &mut Turn<'_>) {
        let kept = |lock: &Option<Lock>| lock.as_ref().map(|lock| (lock.polka.round, lock.polka.block));
        let state = self.driver.round_state();
        let locked = state.locked.as_ref().map(|locked| (round_of(locked.round), locked.value.hash));
        let valid = state.valid.as_ref().map(|valid| (round_of(valid.round), valid.value.hash));
        let new = if valid == kept(&self.valid) { locked } else { valid };
        let Some((round, hash)) = new.filter(|_| (locked, valid) != (kept(&self.locked), kept(&self.valid)))
        else {
            return;
        };
        let lock = self.lock(round, &hash);
        debug_assert!(lock.is_some(), "a lock without its proposal and votes");
        let Some(lock) = lock else { return };
        if self.votes && self.logged.as_ref() != Some(&lock) {
            turn.persist(Record::Lock(Box::new(lock.clone())));
            self.logged = Some(lock.clone());
        }
        if locked == Some((round, hash)) {
            self.locked = Some(lock.clone());
            if round > Round(0) && self.votes {
                // In trouble, whoever can vote for this block again shall know it may.
                turn.out.push(Effect::Broadcast(Message::Polka(lock.polka.clone())));
            }
        }
        self.valid = Some(lock);
    }

    fn lock(&self, of: Round, block: &BlockHash) -> Option<Lock> {
        let proposal = self.proposals.find(of, block)?.clone();
        Some(Lock { proposal, polka: self.polka(of, block)? })
    }

    /// The sum of votes of the first step for a block, if they are enough.
    fn polka(&self, of: Round, block: &BlockHash) -> Option<Polka> {
        if let Some(polka) = self.polkas.get(&(of, *block)) {
            return Some(polka.clone());
        }
        let votes = self.driver.votes().per_round(round(of))?.received_votes();
        let votes = votes.iter().map(Ballot::to_signed);
        let votes: Vec<_> = votes
            .filter(|signed| signed.vote.step == Step::Prevote && signed.vote.block == Some(*block))
            .filter_map(|signed| Some((self.validators.set().place(&signed.node)?, signed)))
            .collect();
        let vote = votes.first()?.1.vote;
        let votes: Vec<_> = votes.iter().map(|(place, signed)| (*place, signed.signature)).collect();
        Polka::of(&vote, *block, &votes, &self.validators).ok()
    }

    fn build(&mut self, turn: &mut Turn<'_>, round: Round) {
        let spoke = self.own.proposal.is_some() || !self.own.votes.is_empty();
        if self.votes && !spoke {
            let ask = turn.ask(Asked::Block(round));
            turn.out.push(Effect::Build { ask, height: self.height, round });
        }
    }

    fn propose(&mut self, turn: &mut Turn<'_>, offer: &Offer) {
        if self.votes && self.own.proposal.is_none() {
            let proposal = offer.to_proposal();
            turn.persist(Record::Proposal(Box::new(proposal.clone())));
            turn.sign(Asked::Proposal(offer.round()), ToSign::Proposal(proposal.head()));
            self.own.proposal = Some((proposal, None));
        }
    }

    fn vote(&mut self, turn: &mut Turn<'_>, ballot: &Ballot) {
        let vote = ballot.vote;
        // After a restart the driver may want to vote again in a step in which a vote was written down.
        if self.votes && vote.round == self.round() && !self.own.votes.contains_key(&vote.step) {
            if !planted::is(Bug::ForgetVote) {
                turn.persist(Record::Vote(vote));
            }
            turn.sign(Asked::Vote(vote), ToSign::Vote(vote));
            self.own.votes.insert(vote.step, (vote, None));
        }
    }

    fn decide(&mut self, turn: &mut Turn<'_>, offer: &Offer) {
        let Candidate { hash, header } = offer.candidate();
        let votes = self.driver.restore_precommits(round(offer.round()), hash);
        let votes: Vec<_> = votes
            .iter()
            .map(Ballot::to_signed)
            .filter_map(|signed| Some((self.validators.set().place(&signed.node)?, signed.signature)))
            .collect();
        let Ok(finality) = Finality::of(offer.round(), &votes, &self.validators) else { return };
        // Each was verified by itself. Whoever gets the sum does not know that, so it had better be right.
        if finality.verify((**header).clone(), &turn.identity.network, &self.validators).is_ok() {
            self.decided = true;
            turn.timers.clear();
            turn.asks.clear();
            turn.out.push(Effect::Decide { header: (**header).clone(), finality });
        }
    }

    /// Gives the driver a polka that was checked.
    pub(super) fn drive_polka(&mut self, turn: &mut Turn<'_>, polka: Polka) {
        let input = polka_input(&polka);
        self.polkas.insert((polka.round, polka.block), polka);
        if self.polkas.len() > POLKAS_MAX {
            self.polkas.pop_first();
        }
        self.drive(turn, input);
    }

    /// A driver that knows the locks alone takes the place of one that saw too many rounds; it is told again what still
    /// matters.
    fn renew_driver(&mut self, turn: &Turn<'_>) -> Vec<Input> {
        let first = Round(self.round().0.saturating_sub(ROUNDS_BEHIND));
        let new = self.locked_driver(turn.identity.node);
        let old = std::mem::replace(&mut self.driver, new);
        self.proposals.give_again();
        self.rounds_driven = 1;
        let kept = old.votes().all_rounds().range(round(first)..);
        let votes = kept.flat_map(|(_, votes)| votes.received_votes().iter().cloned().map(Input::Vote));
        votes.chain(self.polkas.values().map(polka_input)).collect()
    }

    /// A driver before its next round, with these locks.
    pub(super) fn locked_driver(&self, me: NodeId) -> Driver {
        let mut driver = new_driver(self.height, &self.validators, me);
        if planted::is(Bug::ForgetLock) {
            return driver;
        }
        let locked = self.locked.iter().map(|lock| (lock, true));
        let newer =
            |valid: &&Lock| self.locked.as_ref().is_none_or(|locked| locked.polka.round < valid.polka.round);
        let valid = self.valid.iter().filter(newer).map(|lock| (lock, false));
        for (Lock { proposal, polka }, is_lock) in locked.chain(valid) {
            let at = round(polka.round);
            let proposer = self.proposer(polka.round);
            let mut inputs = vec![
                Input::NewRound(At(self.height), at, Node(proposer)),
                Input::TimeoutElapsed(Timeout::propose(at)),
            ];
            if !is_lock {
                inputs.push(Input::TimeoutElapsed(Timeout::prevote(at)));
            }
            inputs.push(Input::Proposal(Offer::signed(proposal, proposer), Validity::Valid));
            inputs.push(polka_input(polka));
            inputs.push(Input::TimeoutElapsed(Timeout::precommit(at)));
            for input in inputs {
                // All this was done and said before.
                drop(driver.process(input));
            }
        }
        driver
    }
}

/// As the driver takes it: on our word, for a sum has no signatures of its own.
pub(super) fn polka_input(polka: &Polka) -> Input {
    let (height, round, value_id) = (At(polka.height), round(polka.round), polka.block);
    Input::PolkaCertificate(PolkaCertificate { height, round, value_id, polka_signatures: Vec::new() })
}

fn new_driver(height: Height, validators: &Validators, me: NodeId) -> Driver {
    let mut thresholds = ThresholdParams::default();
    if planted::is(Bug::CountToOneThird) {
        thresholds.quorum = ThresholdParam::F_PLUS_ONE;
    }
    Driver::new(Ledger, At(height), Set::of(validators), Node(me), thresholds)
}
