//! Holdfast's types as malachite wants to see them.
//!
//! A value is a block's header, known by its hash. Bodies never get here. What the driver never asks for (parts of proposals,
//! extensions of votes, private keys) is empty.

use std::fmt;
use std::sync::Arc;

use holdfast_core::bls;
use holdfast_core::id::NodeId;
use holdfast_proofs::header::{self, BlockHash, Header};
use holdfast_proofs::validators::Validators;
use holdfast_proofs::vote;
use malachite_types as malachite;
use malachite_types::{NilOrVal, Round, SignedExtension, VoteType};

use crate::message::SignedVote;
use crate::proposal::{Proposal, SignedProposal};

/// The choice of types.
#[derive(Clone, Debug)]
pub(super) struct Ledger;

pub(super) type Driver = malachite_driver::Driver<Ledger>;
pub(super) type Input = malachite_driver::Input<Ledger>;
pub(super) type Output = malachite_driver::Output<Ledger>;

/// A validator's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Node(pub(super) NodeId);

/// A height.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct At(pub(super) header::Height);

/// A block that may be decided on. Its hash tells it from others.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) hash: BlockHash,
    pub(super) header: Arc<Header>,
}

/// A validator and what its vote counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Weighted {
    node: Node,
    key: bls::PublicKeyBytes,
    weight: u64,
}

/// Validators of one height, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Set {
    all: Arc<Vec<Weighted>>,
    weight: u64,
}

/// A vote and who cast it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ballot {
    pub(super) node: Node,
    pub(super) vote: vote::Vote,
    value: NilOrVal<BlockHash>,
}

/// A proposal and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    height: At,
    round: Round,
    pol_round: Round,
    candidate: Candidate,
    proposer: Node,
}

/// There are no parts of proposals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Never {}

/// The scheme, as far as its types go: nothing is signed or checked through it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bls;

/// A round of ours as one of malachite's.
pub(super) fn round(round: header::Round) -> Round {
    Round::new(round.0)
}

/// A round of malachite's as one of ours; that before the first counts as the first.
pub(super) fn round_of(round: Round) -> header::Round {
    header::Round(round.as_u32().unwrap_or(0))
}

impl Set {
    pub(super) fn of(validators: &Validators) -> Self {
        let set = validators.set();
        let all = set.validators.iter().map(|validator| Weighted {
            node: Node(validator.node),
            key: validator.bls,
            weight: validator.weight.get().into(),
        });
        Self { all: Arc::new(all.collect()), weight: set.weight() }
    }
}

impl Ballot {
    pub(super) fn of(node: NodeId, vote: vote::Vote) -> Self {
        let value = vote.block.map_or(NilOrVal::Nil, NilOrVal::Val);
        Self { node: Node(node), vote, value }
    }

    /// As the driver takes it.
    pub(super) fn signed(signed: &SignedVote) -> malachite::SignedVote<Ledger> {
        malachite::SignedVote::new(Self::of(signed.node, signed.vote), signed.signature)
    }

    /// As it travels.
    pub(super) fn to_signed(signed: &malachite::SignedVote<Ledger>) -> SignedVote {
        SignedVote { node: signed.message.node.0, vote: signed.message.vote, signature: signed.signature }
    }
}

impl Offer {
    /// As the driver takes it. `proposer` is the one of its round.
    pub(super) fn signed(signed: &SignedProposal, proposer: NodeId) -> malachite::SignedProposal<Ledger> {
        let Proposal { height, round: in_round, pol_round, header } = &signed.proposal;
        let offer = Self {
            height: At(*height),
            round: round(*in_round),
            pol_round: pol_round.map_or(Round::Nil, round),
            candidate: Candidate { hash: header.hash(), header: Arc::new(header.clone()) },
            proposer: Node(proposer),
        };
        malachite::SignedProposal::new(offer, signed.signature)
    }

    /// As it travels, but for the signature.
    pub(super) fn to_proposal(&self) -> Proposal {
        Proposal {
            height: self.height.0,
            round: round_of(self.round),
            pol_round: self.pol_round.as_u32().map(header::Round),
            header: Header::clone(&self.candidate.header),
        }
    }

    pub(super) fn candidate(&self) -> &Candidate {
        &self.candidate
    }

    pub(super) fn round(&self) -> header::Round {
        round_of(self.round)
    }
}

impl malachite::Context for Ledger {
    type Address = Node;
    type Height = At;
    type ProposalPart = Never;
    type Proposal = Offer;
    type Validator = Weighted;
    type ValidatorSet = Set;
    type Timeouts = malachite::LinearTimeouts;
    type Value = Candidate;
    type Vote = Ballot;
    type Extension = ();
    type SigningScheme = Bls;

    fn select_proposer<'a>(&self, set: &'a Set, _: At, _: Round) -> &'a Weighted {
        // The engine names the proposer of each round by itself.
        set.all.first().expect("a set has a validator")
    }

    fn new_proposal(&self, height: At, round: Round, value: Candidate, pol_round: Round, by: Node) -> Offer {
        Offer { height, round, pol_round, candidate: value, proposer: by }
    }

    fn new_prevote(&self, height: At, round: Round, value: NilOrVal<BlockHash>, by: Node) -> Ballot {
        ballot(height, round, vote::Step::Prevote, value, by)
    }

    fn new_precommit(&self, height: At, round: Round, value: NilOrVal<BlockHash>, by: Node) -> Ballot {
        ballot(height, round, vote::Step::Precommit, value, by)
    }
}

fn ballot(height: At, round: Round, step: vote::Step, value: NilOrVal<BlockHash>, node: Node) -> Ballot {
    let block = match value {
        NilOrVal::Nil => None,
        NilOrVal::Val(block) => Some(block),
    };
    let vote = vote::Vote { height: height.0, round: round_of(round), step, block };
    Ballot { node, vote, value }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl malachite::Address for Node {}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl malachite::Height for At {
    const ZERO: Self = Self(header::Height(0));
    const INITIAL: Self = Self(header::Height(1));

    fn increment_by(&self, n: u64) -> Self {
        Self(header::Height(self.0.0.saturating_add(n)))
    }

    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.0.checked_sub(n).map(|height| Self(header::Height(height)))
    }

    fn as_u64(&self) -> u64 {
        self.0.0
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

impl Eq for Candidate {}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.hash.cmp(&other.hash)
    }
}

impl malachite::Value for Candidate {
    type Id = BlockHash;

    fn id(&self) -> BlockHash {
        self.hash
    }
}

impl malachite::Validator<Ledger> for Weighted {
    fn address(&self) -> &Node {
        &self.node
    }

    fn public_key(&self) -> &bls::PublicKeyBytes {
        &self.key
    }

    fn voting_power(&self) -> u64 {
        self.weight
    }
}

impl malachite::ValidatorSet<Ledger> for Set {
    fn count(&self) -> usize {
        self.all.len()
    }

    fn total_voting_power(&self) -> u64 {
        self.weight
    }

    fn get_by_address(&self, address: &Node) -> Option<&Weighted> {
        let place = self.all.binary_search_by_key(address, |validator| validator.node).ok()?;
        self.all.get(place)
    }

    fn get_by_index(&self, index: usize) -> Option<&Weighted> {
        self.all.get(index)
    }
}

impl malachite::Vote<Ledger> for Ballot {
    fn height(&self) -> At {
        At(self.vote.height)
    }

    fn round(&self) -> Round {
        round(self.vote.round)
    }

    fn value(&self) -> &NilOrVal<BlockHash> {
        &self.value
    }

    fn take_value(self) -> NilOrVal<BlockHash> {
        self.value
    }

    fn vote_type(&self) -> VoteType {
        match self.vote.step {
            vote::Step::Prevote => VoteType::Prevote,
            vote::Step::Precommit => VoteType::Precommit,
        }
    }

    fn validator_address(&self) -> &Node {
        &self.node
    }

    fn extension(&self) -> Option<&SignedExtension<Ledger>> {
        None
    }

    fn take_extension(&mut self) -> Option<SignedExtension<Ledger>> {
        None
    }

    fn extend(self, _: SignedExtension<Ledger>) -> Self {
        self
    }
}

impl malachite::Proposal<Ledger> for Offer {
    fn height(&self) -> At {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &Candidate {
        &self.candidate
    }

    fn take_value(self) -> Candidate {
        self.candidate
    }

    fn pol_round(&self) -> Round {
        self.pol_round
    }

    fn validator_address(&self) -> &Node {
        &self.proposer
    }
}

impl malachite::ProposalPart<Ledger> for Never {
    fn is_first(&self) -> bool {
        match *self {}
    }

    fn is_last(&self) -> bool {
        match *self {}
    }
}

impl malachite::SigningScheme for Bls {
    type DecodingError = &'static str;
    type Signature = bls::Signature;
    type PublicKey = bls::PublicKeyBytes;
    type PrivateKey = ();

    fn decode_signature(bytes: &[u8]) -> Result<bls::Signature, &'static str> {
        bytes.try_into().map(bls::Signature::new).map_err(|_| "a signature has 48 bytes")
    }

    fn encode_signature(signature: &bls::Signature) -> Vec<u8> {
        signature.as_bytes().to_vec()
    }

    fn decode_public_key(bytes: &[u8]) -> Result<bls::PublicKeyBytes, &'static str> {
        bytes.try_into().map(bls::PublicKeyBytes::new).map_err(|_| "a public key has 96 bytes")
    }

    fn encode_public_key(key: &bls::PublicKeyBytes) -> Vec<u8> {
        key.as_bytes().to_vec()
    }
}
