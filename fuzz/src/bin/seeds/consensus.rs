//! Scripts for the target `consensus`, and the wire types of validators.

use holdfast_consensus::guard::Guard;
use holdfast_consensus::message::{Decided, Message, SignedVote};
use holdfast_consensus::record::{Begin, Record};
use holdfast_core::bls::Signature;
use holdfast_core::codec::Bounded;
use holdfast_core::id::NodeId;
use holdfast_fuzz::wire::seed;
use holdfast_proofs::header::{BlockHash, Height, Round};
use holdfast_proofs::vote::{Step, Vote};

fn signed_vote() -> SignedVote {
    let block = Some(BlockHash::new([1; 32]));
    let vote = Vote { height: Height(7), round: Round(1), step: Step::Prevote, block };
    SignedVote { node: NodeId::new([2; 32]), vote, signature: Signature::new([3; 48]) }
}

/// Values of each type.
pub(crate) fn values() -> Vec<Vec<u8>> {
    let vote = signed_vote();
    let why = Bounded::new(vec![vote]).expect("one");
    let begin = Begin { height: Height(7), round: Round(1), locked: None, valid: None, why: why.clone() };
    let guard = Guard { height: Height(7), round: Round(1), step: 2, block: vote.vote.block };
    vec![
        seed(&Message::Vote(vote)),
        seed(&Message::Votes(why)),
        seed(&Message::Decided(Decided { height: Height(300) })),
        seed(&Record::Begin(Box::new(begin))),
        seed(&Record::Vote(vote.vote)),
        seed(&Record::Cast(vote)),
        seed(&guard),
    ]
}

/// A proposal is heard, checked and voted for in both steps; the same with restarts; a round without a proposal; raw bytes.
pub(crate) fn scripts() -> Vec<Vec<u8>> {
    // Numbers are those of the target's steps, zeros what it reads of them.
    let vote = |seat: u8, step: u8| vec![1, seat, step, 5, 3, 0, 0, 1];
    let mut steps = vec![vec![4, 5, 3, 0, 9, 2, 0, 9], vec![10, 0, 1]];
    for step in 0..2 {
        steps.push(vec![8, 0, 1]);
        steps.extend((0..3).map(|seat| vote(seat, step)));
    }
    let smooth = [&[3], &steps.concat()[..]].concat();
    let restarted = [&[3], &steps.join(&13)[..]].concat();
    let idle = vec![0, 6, 0x20, 0, 8, 0, 1, 6, 0x20, 0, 8, 0, 1, 13, 6, 0x20, 0];
    let raw = Message::Vote(signed_vote()).to_bytes();
    let length = u16::try_from(raw.len()).expect("short").to_be_bytes();
    let raw = [&[0, 0][..], &length, &raw].concat();
    vec![smooth, restarted, idle, raw]
}
