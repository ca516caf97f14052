//! Validators that break the rules. Each runs the same engine as the others, so that it keeps up, and twists what comes out of it.

use std::rc::Rc;

use holdfast_consensus::engine::ToSign;
use holdfast_consensus::message::{Decided, Message, SignedVote};
use holdfast_consensus::proposal::{Proposal, SignedProposal};
use holdfast_core::bls::Signature;
use holdfast_core::codec::{self, Bounded};
use holdfast_core::id::NodeId;
use holdfast_ledger::block::Block;
use holdfast_ledger::execute;
use holdfast_proofs::header::{BlockHash, BlockTime, Header, Height, Round, StateRoot};
use holdfast_proofs::validators::ValidatorsId;
use holdfast_proofs::vote::{Step, Vote};

use super::air::Packet;
use super::host::{Host, Shared};

/// What a validator is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It keeps the rules.
    Honest,
    /// It proposes two blocks, and votes for both.
    Equivocator,
    /// It shows its blocks to some and gives them to few, and keeps votes to itself.
    Withholder,
    /// It makes blocks that nobody may vote for.
    Spoiler,
    /// It speaks in the name of others, of rounds and heights far away, and of votes that nobody cast.
    Forger,
}

impl Kind {
    /// Those that are not honest.
    pub const BAD: [Self; 4] = [Self::Equivocator, Self::Withholder, Self::Spoiler, Self::Forger];

    /// Whether it keeps the rules.
    pub fn is_honest(self) -> bool {
        self == Self::Honest
    }
}

impl Host {
    /// Signs without asking the guard.
    pub(super) fn sign_badly(&mut self, what: &ToSign, shared: &mut Shared) -> Signature {
        match what {
            ToSign::Vote(vote) => {
                shared.record.signed_by_bad(self.node, *vote);
                if self.kind == Kind::Equivocator {
                    self.vote_twice(vote, shared);
                }
                self.enclave.sign_anything(vote)
            }
            ToSign::Proposal(head) => self.enclave.sign_anything(head),
        }
    }

    /// Tells some that it votes for something else.
    fn vote_twice(&mut self, vote: &Vote, shared: &mut Shared) {
        let mut known: Vec<_> = self.disk.bodies.keys().copied().map(Some).chain([None]).collect();
        known.retain(|block| *block != vote.block);
        let Some(block) = (!known.is_empty()).then(|| shared.chance.take(&mut known)) else { return };
        self.cast(Vote { block, ..*vote }, shared);
    }

    /// Sends a vote of its own to some.
    fn cast(&mut self, vote: Vote, shared: &mut Shared) {
        shared.record.signed_by_bad(self.node, vote);
        let signature = self.enclave.sign_anything(&vote);
        self.send_some(&Message::Vote(SignedVote { node: self.node, vote, signature }), shared);
    }

    fn send_some(&mut self, message: &Message, shared: &mut Shared) {
        let packet = Packet::Engine(Rc::from(message.to_bytes()));
        for to in self.others() {
            if shared.chance.one_in(2) {
                self.send(to, packet.clone(), shared);
            }
        }
    }

    /// Sends what the engine wants to send to all, or something else.
    pub(super) fn broadcast_badly(&mut self, message: &Message, packet: &Packet, shared: &mut Shared) {
        let own = |signed: &SignedProposal| {
            signed.proposal.pol_round.is_none() && signed.proposal.header.proposer == self.node
        };
        match (self.kind, message) {
            (Kind::Equivocator, Message::Proposal(signed)) if own(signed) => {
                let other = self.second_block(signed, shared);
                for to in self.others() {
                    let one = if to % 2 == 0 { Some(packet) } else { other.as_ref() };
                    if let Some(packet) = one {
                        self.send(to, packet.clone(), shared);
                    }
                }
            }
            // Its vote completes a polka that one validator alone sees, and locks it on a block of which nobody else knows.
            (Kind::Equivocator, Message::Vote(_)) if shared.chance.one_in(2) => {
                let mut others: Vec<_> = self.others().collect();
                let lucky = shared.chance.take(&mut others);
                self.send(lucky, packet.clone(), shared);
            }
            (Kind::Withholder, _) => {
                for to in self.others() {
                    if shared.chance.one_in(3) {
                        self.send(to, packet.clone(), shared);
                    }
                }
            }
            _ => self.send_all(packet, shared),
        }
    }

    /// Another block for the same round, and a vote for it.
    fn second_block(&mut self, signed: &SignedProposal, shared: &mut Shared) -> Option<Packet> {
        let Proposal { height, round, ref header, .. } = signed.proposal;
        let draft = self.draft(round, BlockTime(header.time.0 + 1));
        let executed = execute::propose(self.disk.ledger.parent(), draft, Vec::new()).ok()?;
        let header = self.keep(executed);
        self.cast(Vote { height, round, step: Step::Prevote, block: Some(header.hash()) }, shared);
        shared.trace.count("second blocks");
        let proposal = Proposal { height, round, pol_round: None, header };
        let signature = self.enclave.sign_anything(&proposal.head());
        let message = Message::Proposal(Box::new(SignedProposal { proposal, signature }));
        Some(Packet::Engine(Rc::from(message.to_bytes())))
    }

    /// Makes something else of a block of its own.
    pub(super) fn spoil(&mut self, good: Header, shared: &mut Shared) -> Header {
        if self.kind != Kind::Spoiler {
            return good;
        }
        shared.trace.count("spoilt blocks");
        let hash = good.hash();
        let transactions = self.executed[&hash].block().to_block().transactions;
        let mut bad = good;
        match shared.chance.below(6) {
            0 => bad.state = StateRoot::new([0xbd; 32]),
            1 => {
                let vote = Vote { height: bad.height, round: bad.round, step: Step::Prevote, block: None };
                bad.seal = self.enclave.sign_anything(&vote);
            }
            2 => bad.next_validators = ValidatorsId::new([0xbd; 32]),
            3 => bad.parent = BlockHash::new([0xbd; 32]),
            other => {
                // A block that executes, at a wrong time.
                let ahead = if other == 4 { 30_000 } else { -30_000 };
                let time = bad.time.0.saturating_add_signed(ahead);
                let time = BlockTime(time.max(self.disk.ledger.header().time.0 + 1));
                let draft = self.draft(bad.round, time);
                let executed = execute::propose(self.disk.ledger.parent(), draft, Vec::new());
                return executed.map_or(bad, |executed| self.keep(executed));
            }
        }
        let block = Block { header: bad.clone(), transactions };
        self.disk.bodies.insert(bad.hash(), block.to_bytes().into());
        bad
    }

    /// Whether it gives somebody a block that it has.
    pub(super) fn gives(&self, block: &BlockHash, shared: &mut Shared) -> bool {
        let own =
            self.executed.get(block).is_some_and(|executed| executed.block().header.proposer == self.node);
        self.kind != Kind::Withholder || !own || shared.chance.one_in(4)
    }

    /// Does something that nobody asked for.
    pub(super) fn misbehave(&mut self, shared: &mut Shared) {
        if self.kind != Kind::Forger {
            return;
        }
        shared.trace.count("forgeries");
        let height = Height(self.height().0 + 1 + shared.chance.below(2));
        let round = Round(u32::try_from(shared.chance.below(4)).expect("small"));
        let step = if shared.chance.one_in(2) { Step::Prevote } else { Step::Precommit };
        let mut known: Vec<_> = self.disk.bodies.keys().copied().map(Some).chain([None]).collect();
        let block = shared.chance.take(&mut known);
        let vote = Vote { height, round, step, block };
        match shared.chance.below(6) {
            0 => {
                let garbage = shared.chance.bytes(40);
                self.send_all(&Packet::Engine(garbage.into()), shared);
            }
            1 => self.send_some(&Message::Decided(Decided { height: Height(u64::MAX) }), shared),
            2 => self.cast(Vote { round: Round(1000), ..vote }, shared),
            3 => {
                let all = self.forged(&vote).collect();
                self.send_some(&Message::Votes(Bounded::new(all).expect("few")), shared);
            }
            4 => self.send_false_polka(&vote, shared),
            _ => {
                for forged in self.forged(&vote).collect::<Vec<_>>() {
                    self.send_some(&Message::Vote(forged), shared);
                }
            }
        }
    }

    /// The same vote in the names of all others, and of one that does not exist.
    fn forged(&self, vote: &Vote) -> impl Iterator<Item = SignedVote> + use<> {
        let signature = self.enclave.sign_anything(vote);
        let vote = *vote;
        let names: Vec<_> = self.others().map(|other| self.ground.seats[other].node).collect();
        let names = names.into_iter().chain([NodeId::new([0xbd; 32])]);
        names.map(move |node| SignedVote { node, vote, signature })
    }

    /// Votes of all in its own signature.
    fn send_false_polka(&mut self, vote: &Vote, shared: &mut Shared) {
        let block = vote.block.unwrap_or(BlockHash::new([0xbd; 32]));
        let vote = Vote { step: Step::Prevote, block: Some(block), ..*vote };
        let signature = self.enclave.sign_anything(&vote);
        let all = u8::try_from((1_u16 << self.ground.seats.len()) - 1).expect("at most seven");
        // 0x85: a list of five, as docs/spec/consensus.md draws a polka.
        let mut bytes = vec![0x85];
        bytes.extend(codec::encode(&vote.height));
        bytes.extend(codec::encode(&vote.round));
        bytes.extend(codec::encode(&block));
        bytes.extend([0x41, all]);
        bytes.extend(codec::encode(&signature));
        let polka = codec::decode(&bytes, bytes.len()).expect("the encoding of a polka");
        self.send_some(&Message::Polka(polka), shared);
    }
}
