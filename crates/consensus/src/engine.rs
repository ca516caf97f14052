//! What an engine is told, and what it asks for: the one boundary between deciding about blocks and everything else.
//!
//! Effects are performed in their order. A [`Record`] is on stable storage before any effect that comes later is performed, of
//! the same step or of a later one; several in a row may share a sync.

use std::sync::Arc;

use holdfast_core::bls;
use holdfast_core::id::NodeId;
use holdfast_ledger::evidence::Accuse;
use holdfast_proofs::header::{BlockHash, BlockTime, Header, Height, Round};
use holdfast_proofs::validators::Validators;
use holdfast_proofs::vote::{Finality, Vote};

use crate::message::Message;
use crate::proposal::ProposalHead;
use crate::record::Record;

/// Decides which block stands at each height.
pub trait Engine {
    /// Takes one input and appends what to do. `now` is this node's clock, which may be wrong and may jump.
    fn step(&mut self, now: BlockTime, input: Input, out: &mut Vec<Effect>);
}

/// Names a question, so that its answer finds back. Numbers begin anew with the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ask(pub u64);

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// The block before is committed, so this height begins.
    Start {
        /// The height to decide about.
        height: Height,
        /// When the block before was proposed.
        parent: BlockTime,
        /// Who decides.
        validators: Arc<Validators>,
    },
    /// A peer sent something. Nothing of it is trusted but who sent it.
    Message {
        /// The node at the other end of the link.
        from: NodeId,
        /// What it sent.
        message: Message,
    },
    /// Time went by.
    Tick,
    /// The block that was asked for is made, executed and on stable storage; or none could be made.
    Built {
        /// The question.
        ask: Ask,
        /// The block's header.
        header: Option<Header>,
    },
    /// The block under a header was looked at.
    Checked {
        /// Which.
        block: BlockHash,
        /// It follows the block before, it was executed, and it is on stable storage. Not valid is only what can never be.
        valid: bool,
    },
    /// The enclave signed, or refused to.
    Signed {
        /// The question.
        ask: Ask,
        /// The signature.
        signature: Option<bls::Signature>,
    },
}

/// What shall be signed with the node's BLS key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToSign {
    /// A vote.
    Vote(Vote),
    /// A proposal.
    Proposal(ProposalHead),
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Append to the log. It is read back with [`crate::authority::Authority::resume`].
    Persist(Record),
    /// Have something signed. Answer with `Signed`.
    Sign {
        /// The question.
        ask: Ask,
        /// What.
        what: ToSign,
    },
    /// Make a block and keep it. Answer with `Built`.
    Build {
        /// The question.
        ask: Ask,
        /// Its height.
        height: Height,
        /// Its round.
        round: Round,
    },
    /// Get the block under this header, execute it and keep it. Answer with `Checked` once that is known; a block that nobody
    /// gives needs no answer. It is asked again, naming whoever is likely to have the block: a host that is at it
    /// already takes it as a hint.
    Check {
        /// The header.
        header: Header,
        /// Somebody who should have the block.
        from: NodeId,
    },
    /// Send to all other validators. Nobody relies on its arrival.
    Broadcast(Message),
    /// Send to one node.
    Send {
        /// To whom.
        to: NodeId,
        /// What.
        message: Message,
    },
    /// Give a `Tick` when the clock shows this time, or after as long as it is until then by the clock of now, whichever is
    /// earlier. It replaces the last one.
    WakeAt(BlockTime),
    /// This block is final: commit it, then `Start` the next height.
    Decide {
        /// Its header. The block was checked.
        header: Header,
        /// Why everybody may believe it.
        finality: Finality,
    },
    /// Somebody broke a rule, and this proves it to the ledger.
    Offence(Accuse),
    /// Others seem to be ahead: get final blocks from one of them.
    Behind {
        /// The last height that is decided there, as it says.
        height: Height,
        /// Who says so.
        peer: NodeId,
    },
    /// A peer sent something that no honest node sends.
    Misbehaved {
        /// Who.
        peer: NodeId,
    },
}
