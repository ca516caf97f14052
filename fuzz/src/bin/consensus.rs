//! The engine of authorities, told whatever the script says: signed and unsigned messages of the other three validators, raw bytes,
//! answers right and wrong, clocks that jump, restarts at any moment.
//!
//! It never asks for two signatures that contradict each other, its log is short and reads back as it was written, and what it
//! decides everybody can check.

#![no_main]
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, LazyLock};

use holdfast_consensus::authority::{Authority, Config, Identity};
use holdfast_consensus::engine::{Ask, Effect, Engine, Input, ToSign};
use holdfast_consensus::guard::{Guard, Refusal};
use holdfast_consensus::message::{MESSAGE_BYTES_MAX, Message, SignedVote, VOTES_MAX};
use holdfast_consensus::polka::Polka;
use holdfast_consensus::proposal::{Proposal, SignedProposal};
use holdfast_consensus::record::{RECORDS_MAX, Record};
use holdfast_core::bls::Signature;
use holdfast_core::codec::Bounded;
use holdfast_core::purpose::Signable;
use holdfast_fuzz::bounded;
use holdfast_fuzz::script::Script;
use holdfast_proofs::genesis::ContentsHash;
use holdfast_proofs::header::{BlockHash, BlockTime, Header, Height, Round, StateRoot};
use holdfast_proofs::list::ListRoot;
use holdfast_proofs::testing::TestNetwork;
use holdfast_proofs::validators::Validators;
use holdfast_proofs::vote::{Step, Vote};
use libfuzzer_sys::fuzz_target;

/// Steps of a script: each costs a signature or two.
const STEPS_MAX: usize = 96;

const PARENT: BlockTime = BlockTime(1_000_000);

static NETWORK: LazyLock<(TestNetwork, Arc<Validators>)> = LazyLock::new(|| {
    let network = TestNetwork::with_ledger(4, ContentsHash::new([7; 32]));
    let validators = Validators::of_genesis(&network.genesis, &network.proofs).expect("a good network");
    (network, Arc::new(validators))
});

fuzz_target!(|data: &[u8]| {
    LazyLock::force(&NETWORK);
    bounded(data, judge);
});

fn judge(data: &[u8]) {
    let mut script = Script::new(data);
    let mut world = World::new(usize::from(script.below(4)));
    world.restart();
    for _ in 0..STEPS_MAX {
        if script.is_over() {
            return;
        }
        world.act(&mut script);
    }
}

/// One validator, and all that is around it.
struct World {
    me: usize,
    engine: Authority,
    height: Height,
    parent: BlockTime,
    now: BlockTime,
    log: Vec<Record>,
    guard: Guard,
    asked: VecDeque<(Ask, Option<ToSign>, Round)>,
    blocks: BTreeMap<BlockHash, Header>,
    decided: bool,
}

impl World {
    fn new(me: usize) -> Self {
        let (height, now) = (Height(1), BlockTime(PARENT.0 + 5000));
        let engine = Authority::resume(Config::of(1000), identity(me), []);
        Self {
            me,
            engine,
            height,
            parent: PARENT,
            now,
            log: Vec::new(),
            guard: Guard::default(),
            asked: VecDeque::new(),
            blocks: BTreeMap::new(),
            decided: false,
        }
    }

    fn restart(&mut self) {
        self.engine = Authority::resume(Config::of(1000), identity(self.me), self.log.clone());
        self.asked.clear();
        let (height, parent) = (self.height, self.parent);
        self.tell(Input::Start { height, parent, validators: NETWORK.1.clone() });
    }

    fn act(&mut self, script: &mut Script<'_>) {
        match script.below(14) {
            0 => {
                if let Ok(message) = Message::from_bytes(script.part()) {
                    self.hear(message);
                }
            }
            1..4 => {
                let message = Message::Vote(self.vote(script));
                self.hear(message);
            }
            4 | 5 => self.proposal(script),
            6 => {
                self.now = BlockTime(self.now.0.saturating_add(u64::from(script.short())));
                self.tell(Input::Tick);
            }
            7 => {
                self.now = BlockTime(script.long() >> script.below(64));
                self.tell(Input::Tick);
            }
            8 | 9 => self.answer(script),
            10 => {
                let place = usize::from(script.byte()) % self.blocks.len().max(1);
                if let Some(block) = self.blocks.keys().nth(place).copied() {
                    self.tell(Input::Checked { block, valid: script.below(4) > 0 });
                }
            }
            11 => self.polka(script),
            12 => {
                let votes = (0..script.below(5)).map(|_| self.vote(script)).collect();
                self.hear(Message::Votes(Bounded::new(votes).expect("few")));
                const { assert!(VOTES_MAX > 5) };
            }
            _ if self.decided => {
                self.height = Height(self.height.0 + 1);
                (self.parent, self.decided) = (self.now, false);
                self.blocks.clear();
                let (height, parent) = (self.height, self.parent);
                self.tell(Input::Start { height, parent, validators: NETWORK.1.clone() });
            }
            _ => self.restart(),
        }
    }

    fn hear(&mut self, message: Message) {
        assert!(message.to_bytes().len() <= MESSAGE_BYTES_MAX);
        let from = NETWORK.1.set().validators[(self.me + 1) % 4].node;
        self.tell(Input::Message { from, message });
    }

    /// Somebody else than this validator.
    fn other(&self, script: &mut Script<'_>) -> usize {
        (self.me + 1 + usize::from(script.below(3))) % 4
    }

    fn height_near(&self, script: &mut Script<'_>) -> Height {
        match script.below(8) {
            0 => Height(self.height.0 + u64::from(script.below(4))),
            1 => Height(u64::from(script.below(3))),
            2 => Height(script.long()),
            _ => self.height,
        }
    }

    fn round_near(script: &mut Script<'_>) -> Round {
        match script.below(12) {
            0 => Round(u32::try_from(script.long() >> 32).expect("32 bits")),
            1 => Round(u32::from(script.byte())),
            _ => Round(u32::from(script.below(3))),
        }
    }

    fn block(&self, script: &mut Script<'_>) -> Option<BlockHash> {
        let place = usize::from(script.below(6));
        self.blocks.keys().nth(place).copied()
    }

    fn vote(&self, script: &mut Script<'_>) -> SignedVote {
        let seat = self.other(script);
        let step = if script.below(2) == 0 { Step::Prevote } else { Step::Precommit };
        let (height, round) = (self.height_near(script), Self::round_near(script));
        let vote = Vote { height, round, step, block: self.block(script) };
        let signer = if script.below(16) == 0 { (seat + 1) % 4 } else { seat };
        SignedVote { node: NETWORK.1.set().validators[seat].node, vote, signature: sign(signer, &vote) }
    }

    fn header(&mut self, round: Round, script: &mut Script<'_>) -> Header {
        let id = NETWORK.1.id();
        let mut header = Header {
            height: self.height,
            parent: BlockHash::new([0; 32]),
            time: self.now,
            round,
            proposer: NETWORK.1.set().proposer(self.height, round).node,
            seal: Signature::new([0; 48]),
            validators: id,
            next_validators: id,
            transactions: ListRoot::of([]),
            receipts: ListRoot::of([]),
            state: StateRoot::new([script.below(3); 32]),
        };
        match script.below(12) {
            0 => header.time = BlockTime(script.long()),
            1 => header.round = Self::round_near(script),
            2 => header.height = self.height_near(script),
            _ => {}
        }
        self.blocks.insert(header.hash(), header.clone());
        header
    }

    fn proposal(&mut self, script: &mut Script<'_>) {
        let (height, round) = (self.height_near(script), Self::round_near(script));
        let proposer = NETWORK.1.set().proposer(self.height, round).node;
        let seat = NETWORK.1.set().place(&proposer).expect("a validator");
        if seat == self.me {
            return;
        }
        let known = self.block(script).and_then(|block| self.blocks.get(&block).cloned());
        let (pol_round, header) = match (script.below(3), known) {
            (0, Some(header)) => (Some(Self::round_near(script)), header),
            _ => (None, self.header(round, script)),
        };
        let proposal = Proposal { height, round, pol_round, header };
        let signature = sign(seat, &proposal.head());
        self.hear(Message::Proposal(Box::new(SignedProposal { proposal, signature })));
    }

    fn polka(&mut self, script: &mut Script<'_>) {
        let Some(block) = self.block(script) else { return };
        let (height, round) = (self.height_near(script), Self::round_near(script));
        let vote = Vote { height, round, step: Step::Prevote, block: Some(block) };
        let others = (0..4).filter(|seat| *seat != self.me);
        let votes: Vec<_> = others.map(|seat| (seat, sign(seat, &vote))).collect();
        let polka = Polka::of(&vote, block, &votes, &NETWORK.1).expect("three of four");
        self.hear(Message::Polka(polka));
    }

    /// Answers the oldest or newest question.
    fn answer(&mut self, script: &mut Script<'_>) {
        let asked = if script.below(2) == 0 { self.asked.pop_front() } else { self.asked.pop_back() };
        let Some((ask, what, round)) = asked else { return };
        let input = match what {
            None => {
                let header = (script.below(8) > 0).then(|| self.header(round, script));
                Input::Built { ask, header }
            }
            Some(what) => {
                let allowed = self.guard.allow_any(&what);
                let contradiction = matches!(allowed, Err(Refusal::Contradiction { .. }));
                assert!(!contradiction, "{what:?} contradicts what was signed");
                let signs = allowed.is_ok() && script.below(8) > 0;
                let signature = signs.then(|| match &what {
                    ToSign::Vote(vote) => sign(self.me, vote),
                    ToSign::Proposal(head) => sign(self.me, head),
                });
                Input::Signed { ask, signature }
            }
        };
        self.tell(input);
    }

    fn tell(&mut self, input: Input) {
        let mut out = Vec::new();
        self.engine.step(self.now, input, &mut out);
        for effect in out {
            match effect {
                Effect::Persist(record) => {
                    assert_eq!(Record::from_bytes(&record.to_bytes()).as_ref(), Ok(&record));
                    if matches!(record, Record::Begin(_)) {
                        self.log.clear();
                    }
                    self.log.push(record);
                    assert!(self.log.len() <= RECORDS_MAX, "{:?}", self.log);
                }
                Effect::Sign { ask, what } => self.asked.push_back((ask, Some(what), Round(0))),
                Effect::Build { ask, round, .. } => self.asked.push_back((ask, None, round)),
                Effect::Broadcast(message) | Effect::Send { message, .. } => {
                    assert_eq!(Message::from_bytes(&message.to_bytes()), Ok(message));
                }
                Effect::Decide { header, finality } => {
                    assert!(!self.decided, "a height was decided twice");
                    self.decided = true;
                    assert_eq!(header.height, self.height);
                    let network = NETWORK.0.genesis.network();
                    assert!(finality.verify(header, &network, &NETWORK.1).is_ok());
                }
                _ => {}
            }
        }
    }
}

fn identity(me: usize) -> Identity {
    let node = NETWORK.1.set().validators[me].node;
    Identity { node, network: NETWORK.0.genesis.network() }
}

fn sign<T: Signable>(seat: usize, object: &T) -> Signature {
    NETWORK.0.secrets[seat].sign(&object.signing_input(&NETWORK.0.genesis.network()))
}
