//! Validators around a table: everything that is said is heard at once, unless a test takes it away.

use std::collections::VecDeque;
use std::sync::Arc;

use holdfast_core::bls::Signature;
use holdfast_core::purpose::Signable;
use holdfast_ledger::evidence::Accuse;
use holdfast_proofs::genesis::ContentsHash;
use holdfast_proofs::header::{BlockHash, Header, Round, StateRoot};
use holdfast_proofs::list::ListRoot;
use holdfast_proofs::testing::TestNetwork;
use holdfast_proofs::vote::{Finality, Step, Vote};

use super::super::*;
use crate::engine::{Ask, ToSign};
use crate::guard::{Guard, Refusal};
use crate::message::SignedVote;
use crate::proposal::{Proposal, SignedProposal};
use crate::record::RECORDS_MAX;

pub(super) const HEIGHT: Height = Height(1);
pub(super) const PARENT: BlockTime = BlockTime(1_000_000);
pub(super) const CONFIG: Config = Config {
    block_ms: 1000,
    propose_ms: 3000,
    prevote_ms: 1000,
    precommit_ms: 1000,
    step_ms: 500,
    timeout_ms_max: 20_000,
    repeat_ms: 1000,
    repeat_ms_max: 8000,
};

type Lost = Box<dyn FnMut(usize, usize, &Message) -> bool>;
type Verdict = Box<dyn Fn(usize, &Header) -> Option<bool>>;

pub(super) struct Seat {
    pub(super) engine: Authority,
    pub(super) log: Vec<Record>,
    pub(super) guard: Guard,
    pub(super) signed: Vec<ToSign>,
    pub(super) decided: Option<(Header, Finality)>,
    pub(super) offences: Vec<Accuse>,
    pub(super) effects: Vec<Effect>,
    wake: Option<BlockTime>,
    /// Effects that are still performed before it is killed.
    pub(super) life: usize,
}

pub(super) struct Table {
    pub(super) network: TestNetwork,
    pub(super) validators: Arc<Validators>,
    pub(super) seats: Vec<Seat>,
    pub(super) now: BlockTime,
    /// Who says what to whom.
    pub(super) air: VecDeque<(usize, usize, Message)>,
    inputs: VecDeque<(usize, Input)>,
    /// What does not arrive.
    pub(super) lost: Lost,
    /// Whether blocks are found to be valid; `None` if nobody has them.
    pub(super) verdict: Verdict,
    pub(super) refuses: Vec<usize>,
}

impl Table {
    pub(super) fn new(size: u8) -> Self {
        let network = TestNetwork::with_ledger(size, ContentsHash::new([7; 32]));
        let validators = Arc::new(Validators::of_genesis(&network.genesis, &network.proofs).unwrap());
        let nodes: Vec<_> = validators.set().validators.iter().map(|validator| validator.node).collect();
        let seat = |node: &NodeId| Seat {
            engine: Authority::resume(
                CONFIG,
                Identity { node: *node, network: network.genesis.network() },
                [],
            ),
            log: Vec::new(),
            guard: Guard::default(),
            signed: Vec::new(),
            decided: None,
            offences: Vec::new(),
            effects: Vec::new(),
            wake: None,
            life: usize::MAX,
        };
        let seats = nodes.iter().map(seat).collect();
        Self {
            network,
            validators,
            seats,
            now: PARENT,
            air: VecDeque::new(),
            inputs: VecDeque::new(),
            lost: Box::new(|_, _, _| false),
            verdict: Box::new(|_, _| Some(true)),
            refuses: Vec::new(),
        }
    }

    pub(super) fn node(&self, seat: usize) -> NodeId {
        self.validators.set().validators[seat].node
    }

    /// The seat whose turn it is.
    pub(super) fn proposer(&self, round: u32) -> usize {
        let node = self.validators.set().proposer(HEIGHT, Round(round)).node;
        self.validators.set().place(&node).unwrap()
    }

    pub(super) fn start(&mut self) {
        for seat in 0..self.seats.len() {
            self.give_start(seat);
        }
    }

    pub(super) fn give_start(&mut self, seat: usize) {
        let input = Input::Start { height: HEIGHT, parent: PARENT, validators: self.validators.clone() };
        self.give(seat, input);
    }

    pub(super) fn header(&self, round: u32, tag: u8) -> Header {
        let id = self.validators.id();
        Header {
            height: HEIGHT,
            parent: BlockHash::new([0; 32]),
            time: self.now,
            round: Round(round),
            proposer: self.node(self.proposer(round)),
            seal: Signature::new([0; 48]),
            validators: id,
            next_validators: id,
            transactions: ListRoot::of([]),
            receipts: ListRoot::of([]),
            state: StateRoot::new([tag; 32]),
        }
    }

    fn sign_any<T: Signable>(&self, seat: usize, object: &T) -> Signature {
        self.network.secrets[seat].sign(&object.signing_input(&self.network.genesis.network()))
    }

    pub(super) fn proposal(&self, round: u32, pol_round: Option<u32>, header: Header) -> Message {
        let pol_round = pol_round.map(Round);
        let proposal = Proposal { height: HEIGHT, round: Round(round), pol_round, header };
        let signature = self.sign_any(self.proposer(round), &proposal.head());
        Message::Proposal(Box::new(SignedProposal { proposal, signature }))
    }

    pub(super) fn signed_vote(
        &self,
        seat: usize,
        round: u32,
        step: Step,
        block: Option<BlockHash>,
    ) -> SignedVote {
        let vote = Vote { height: HEIGHT, round: Round(round), step, block };
        SignedVote { node: self.node(seat), vote, signature: self.sign_any(seat, &vote) }
    }

    pub(super) fn vote(&self, seat: usize, round: u32, step: Step, block: Option<BlockHash>) -> Message {
        Message::Vote(self.signed_vote(seat, round, step, block))
    }

    /// Gives one input to one engine, and performs what it wants.
    pub(super) fn give(&mut self, seat: usize, input: Input) {
        let mut out = Vec::new();
        self.seats[seat].engine.step(self.now, input, &mut out);
        for effect in out {
            if self.seats[seat].life == 0 {
                return;
            }
            self.seats[seat].life -= 1;
            self.perform(seat, effect);
        }
    }

    fn perform(&mut self, at: usize, effect: Effect) {
        let me = &mut self.seats[at];
        me.effects.push(effect.clone());
        match effect {
            Effect::Persist(record) => {
                if matches!(record, Record::Begin(_)) {
                    me.log.clear();
                }
                me.log.push(Record::from_bytes(&record.to_bytes()).unwrap());
                assert!(me.log.len() <= RECORDS_MAX, "{:?}", me.log);
            }
            Effect::Sign { ask, what } => {
                let allowed = me.guard.allow_any(&what);
                let contradiction = matches!(allowed, Err(Refusal::Contradiction { .. }));
                assert!(!contradiction, "{what:?} contradicts what was signed");
                let refuses = allowed.is_err() || self.refuses.contains(&at);
                if !refuses {
                    me.signed.push(what);
                }
                let signature = (!refuses).then(|| match &what {
                    ToSign::Vote(vote) => self.sign_any(at, vote),
                    ToSign::Proposal(head) => self.sign_any(at, head),
                });
                self.inputs.push_back((at, Input::Signed { ask, signature }));
            }
            Effect::Build { ask, round, .. } => self.build(at, ask, round),
            Effect::Check { header, .. } => {
                if let Some(valid) = (self.verdict)(at, &header) {
                    self.inputs.push_back((at, Input::Checked { block: header.hash(), valid }));
                }
            }
            Effect::Broadcast(message) => {
                let others = (0..self.seats.len()).filter(|to| *to != at);
                self.air.extend(others.map(|to| (at, to, message.clone())));
            }
            Effect::Send { to, message } => {
                let to = self.validators.set().place(&to).unwrap();
                self.air.push_back((at, to, message));
            }
            Effect::WakeAt(at) => me.wake = Some(at),
            Effect::Decide { header, finality } => me.decided = Some((header, finality)),
            Effect::Offence(accuse) => me.offences.push(accuse),
            Effect::Behind { .. } | Effect::Misbehaved { .. } => {}
        }
    }

    fn build(&mut self, seat: usize, ask: Ask, round: Round) {
        let header = Some(self.header(round.0, u8::try_from(seat).unwrap()));
        self.inputs.push_back((seat, Input::Built { ask, header }));
    }

    /// Lets everything be heard and answered that is said at this moment.
    pub(super) fn settle(&mut self) {
        loop {
            if let Some((seat, input)) = self.inputs.pop_front() {
                if self.seats[seat].life > 0 {
                    self.give(seat, input);
                }
            } else if let Some((from, to, message)) = self.air.pop_front() {
                if self.seats[to].life > 0 && !(self.lost)(from, to, &message) {
                    let message = Message::from_bytes(&message.to_bytes()).unwrap();
                    self.give(to, Input::Message { from: self.node(from), message });
                }
            } else {
                return;
            }
        }
    }

    /// Lets time pass until somebody waits for nothing, or all who live have decided.
    pub(super) fn run(&mut self, until: u64) {
        self.settle();
        let end = self.now.0 + until;
        while self.now.0 < end && !self.live().all(|seat| seat.decided.is_some()) {
            let wakes = self.seats.iter().filter(|seat| seat.life > 0).filter_map(|seat| seat.wake);
            let Some(next) = wakes.min() else { return };
            self.now = BlockTime(next.0.max(self.now.0));
            for seat in 0..self.seats.len() {
                if self.seats[seat].life > 0 && self.seats[seat].wake.is_some_and(|wake| wake <= self.now) {
                    self.seats[seat].wake = None;
                    self.give(seat, Input::Tick);
                }
            }
            self.settle();
        }
    }

    pub(super) fn live(&self) -> impl Iterator<Item = &Seat> {
        self.seats.iter().filter(|seat| seat.life > 0)
    }

    /// A killed validator is started again with what it wrote down.
    pub(super) fn restart(&mut self, seat: usize) {
        let records = self.seats[seat].log.clone();
        let identity = Identity { node: self.node(seat), network: self.network.genesis.network() };
        let me = &mut self.seats[seat];
        me.engine = Authority::resume(CONFIG, identity, records);
        (me.life, me.wake) = (usize::MAX, None);
        self.inputs.retain(|(at, _)| *at != seat);
        if self.seats[seat].decided.is_none() {
            self.give_start(seat);
        }
    }

    /// All who decided decided the same, and everybody can check it.
    pub(super) fn agreed(&self) -> Option<BlockHash> {
        let mut hash = None;
        for (header, finality) in self.seats.iter().filter_map(|seat| seat.decided.clone()) {
            let network = self.network.genesis.network();
            let block = finality.verify(header, &network, &self.validators).unwrap().hash();
            assert_eq!(*hash.get_or_insert(block), block, "two blocks were decided");
        }
        hash
    }

    /// The running round of a seat, and where it stands.
    pub(super) fn undecided(&self, seat: usize) -> &Undecided {
        match &self.seats[seat].engine.state {
            State::Undecided(undecided) => undecided,
            _ => panic!("seat {seat} has nothing undecided"),
        }
    }
}
