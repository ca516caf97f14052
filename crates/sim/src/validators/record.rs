//! What an all-seeing observer of a run knows, and the rules that it checks as things happen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use holdfast_core::id::NodeId;
use holdfast_ledger::evidence::Accuse;
use holdfast_proofs::header::{BlockHash, Height, Round};
use holdfast_proofs::validators::Validators;
use holdfast_proofs::vote::{Step, Vote};

use super::Ground;
use crate::trace::Trace;

/// Everything that was signed and decided.
pub struct Record {
    ground: &'static Ground,
    validators: BTreeMap<Height, Arc<Validators>>,
    decided: BTreeMap<Height, BlockHash>,
    /// Who voted what, whether honest or not.
    votes: BTreeMap<Vote, BTreeSet<NodeId>>,
    /// What each honest validator voted.
    own: BTreeMap<(usize, Height), Vec<Vote>>,
    /// Who breaks the rules.
    bad: BTreeSet<NodeId>,
    /// Who does so by voting twice.
    equivocators: BTreeSet<NodeId>,
    /// Whom honest validators saw doing so.
    pub accused: BTreeSet<NodeId>,
}

impl Record {
    /// Nothing happened.
    pub fn new(ground: &'static Ground, bad: BTreeSet<NodeId>, equivocators: BTreeSet<NodeId>) -> Self {
        Self {
            ground,
            validators: BTreeMap::new(),
            decided: BTreeMap::new(),
            votes: BTreeMap::new(),
            own: BTreeMap::new(),
            bad,
            equivocators,
            accused: BTreeSet::new(),
        }
    }

    /// A height began.
    pub fn began(&mut self, height: Height, validators: &Arc<Validators>) {
        self.validators.entry(height).or_insert_with(|| Arc::clone(validators));
    }

    /// A bad validator signed a vote.
    pub fn signed_by_bad(&mut self, node: NodeId, vote: Vote) {
        self.votes.entry(vote).or_default().insert(node);
    }

    /// An honest validator asks its enclave for a signature under a vote.
    pub fn asked(&mut self, now: Duration, place: usize, vote: Vote, trace: &mut Trace) {
        let node = self.ground.seats[place].node;
        let before = self.own.entry((place, vote.height)).or_default();
        if before.contains(&vote) {
            return;
        }
        let same_place = |other: &&Vote| Vote { block: None, ..**other } == Vote { block: None, ..vote };
        if let Some(other) = before.iter().find(same_place) {
            trace.found(now, format!("v{place} contradicts itself: {other:?}, then {vote:?}"));
        }
        let locked = before.iter().filter(|other| other.step == Step::Precommit && other.block.is_some());
        let locked = locked.max_by_key(|other| other.round).copied();
        before.push(vote);
        self.votes.entry(vote).or_default().insert(node);
        let Some(block) = vote.block else { return };
        match vote.step {
            Step::Precommit => {
                trace.count("votes of the second step");
                if !self.has_polka(vote.height, vote.round, block) {
                    trace.found(now, format!("v{place} voted without two thirds: {vote:?}"));
                }
            }
            Step::Prevote => {
                let Some(lock) = locked.filter(|lock| lock.block != vote.block) else { return };
                let mut rounds = (lock.round.0..vote.round.0).map(Round);
                if rounds.any(|round| self.has_polka(vote.height, round, block)) {
                    trace.count("locks given up for a newer polka");
                } else {
                    trace.found(now, format!("v{place} voted against its lock {lock:?}: {vote:?}"));
                }
            }
        }
        if locked.is_some() {
            trace.count("votes with a lock");
        }
    }

    fn has_polka(&self, height: Height, round: Round, block: BlockHash) -> bool {
        let vote = Vote { height, round, step: Step::Prevote, block: Some(block) };
        let set = self.validators[&height].set();
        let voters = self.votes.get(&vote).into_iter().flatten();
        set.decides(voters.filter_map(|node| set.place(node)))
    }

    /// An honest validator knows a block to be final.
    pub fn decided(
        &mut self,
        now: Duration,
        place: usize,
        height: Height,
        block: BlockHash,
        trace: &mut Trace,
    ) {
        let known = *self.decided.entry(height).or_insert(block);
        if known != block {
            trace.found(now, format!("v{place} decided {block:?} at {height}, another {known:?}"));
        }
    }

    /// An honest validator says that a peer sent what no honest one sends.
    pub fn blame(&mut self, now: Duration, place: usize, peer: NodeId, trace: &mut Trace) {
        if !self.bad.contains(&peer) {
            trace.found(now, format!("v{place} blames {peer:?}, which is honest"));
        }
    }

    /// An honest validator accuses somebody.
    pub fn accuse(&mut self, now: Duration, place: usize, accuse: &Accuse, trace: &mut Trace) {
        trace.count("offences seen");
        let seat = self.ground.seats.iter().find(|seat| seat.node == accuse.node);
        let key = seat.and_then(|seat| seat.secret.public().admitted().ok());
        let signed = key.is_some_and(|key| accuse.offence.is_signed(&key, &self.ground.network));
        if signed && accuse.offence.is_one() && self.equivocators.contains(&accuse.node) {
            self.accused.insert(accuse.node);
        } else {
            trace.found(now, format!("v{place} accuses {:?}, which did nothing", accuse.node));
        }
    }
}
