//! Which members keep a piece.
//!
//! Nothing is shipped and nobody decides: a CID falls into one of 4,096 buckets, and every bucket orders the
//! members by integer rendezvous hashing. Anyone can recompute it, and a leaver moves only its own slots.
//! Specification with golden vectors: docs/spec/slots.md.

use std::collections::BTreeSet;

use holdfast_core::block::BlockId;
use holdfast_core::id::NodeId;

use crate::genesis::Member;

/// Names this hash, so that no other use of BLAKE3 can collide with it.
const CONTEXT: &[u8] = b"holdfast/slot/1";

/// One of 4,096 classes of CIDs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bucket(u16);

impl Bucket {
    /// How many buckets there are.
    pub const COUNT: u16 = 4096;

    /// The bucket of a CID: the first 12 bits, big-endian, of BLAKE3 over the CID's bytes.
    pub fn of(cid: &BlockId) -> Self {
        let hash = blake3::hash(&cid.to_cid().to_bytes());
        let [first, second, ..] = *hash.as_bytes();
        Self(u16::from_be_bytes([first, second]) >> 4)
    }

    /// The bucket with this number, or `None` from 4,096 up.
    pub fn new(number: u16) -> Option<Self> {
        (number < Self::COUNT).then_some(Self(number))
    }

    /// Its number.
    pub fn number(self) -> u16 {
        self.0
    }
}

/// Places of all members in a bucket's order, best first. The first `n` are the slots of a profile with `n`
/// slots.
///
/// After sorting by score, one pass puts off a member whose operator has been taken already, and one whose
/// failure domain has been taken already; those put off for the domain come next, for the operator last.
pub fn order(bucket: Bucket, members: &[Member]) -> Vec<usize> {
    let mut scored: Vec<(u64, NodeId, usize)> = members
        .iter()
        .enumerate()
        .map(|(place, member)| (score(bucket, member), member.node, place))
        .collect();
    scored.sort_unstable();

    let (mut operators, mut domains) = (BTreeSet::new(), BTreeSet::new());
    let (mut taken, mut same_domain, mut same_operator) = (Vec::new(), Vec::new(), Vec::new());
    for (_, _, place) in scored {
        let member = &members[place];
        if operators.contains(&member.operator) {
            same_operator.push(place);
        } else if domains.contains(&member.failure_domain) {
            same_domain.push(place);
        } else {
            operators.insert(&member.operator);
            domains.insert(&member.failure_domain);
            taken.push(place);
        }
    }
    taken.extend(same_domain);
    taken.extend(same_operator);
    taken
}

/// A member's score in a bucket: the smallest over its tickets, of which it has one per unit of weight.
fn score(bucket: Bucket, member: &Member) -> u64 {
    let ticket = |ticket: u16| {
        let mut hasher = blake3::Hasher::new();
        hasher.update(CONTEXT);
        hasher.update(&bucket.0.to_be_bytes());
        hasher.update(member.salt.as_bytes());
        hasher.update(member.node.as_bytes());
        hasher.update(&ticket.to_be_bytes());
        let hash = hasher.finalize();
        let (first, _) = hash.as_bytes().split_first_chunk().expect("32 bytes hold 8");
        u64::from_be_bytes(*first)
    };
    (0..u16::from(member.weight.get())).map(ticket).min().expect("weight is at least 1")
}

#[cfg(test)]
mod tests;
