//! What a signature is for.
//!
//! The bytes that are signed are `tag ‖ 0x00 ‖ network id (32) ‖ BLAKE3(DAG-CBOR of the object) (32)`. The tag
//! names the purpose and its version, so a signature made for one purpose, version or network is worthless
//! for every other. Specification: docs/spec/encoding.md.

use serde::Serialize;

use crate::codec;
use crate::id::NetworkId;

/// A purpose and its version, such as `holdfast/availability/1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purpose(&'static str);

impl Purpose {
    /// A provider says that it holds a piece and will serve it.
    pub const AVAILABILITY: Self = Self("holdfast/availability/1");
    /// The holder of a BLS key shows that it knows the secret half.
    pub const POSSESSION: Self = Self("holdfast/pop/1");

    /// An account asks the ledger to do something.
    pub const TRANSACTION: Self = Self("holdfast/transaction/1");
    /// A node agrees to be registered by an account.
    pub const REGISTRATION: Self = Self("holdfast/registration/1");
    /// A validator votes about a block.
    pub const VOTE: Self = Self("holdfast/vote/1");
    /// A proposer shows the block that it made.
    pub const PROPOSAL: Self = Self("holdfast/proposal/1");
    /// A proposer adds to the beacon.
    pub const SEAL: Self = Self("holdfast/seal/1");

    /// The tag as it enters the signed bytes.
    pub fn tag(self) -> &'static str {
        self.0
    }
}

/// An object that is signed for one purpose and no other.
pub trait Signable: Serialize + Sized {
    /// The purpose of every signature over this type.
    const PURPOSE: Purpose;

    /// The bytes to sign, or to check a signature against.
    fn signing_input(&self, network: &NetworkId) -> Vec<u8> {
        let tag = Self::PURPOSE.tag().as_bytes();
        let mut input = Vec::with_capacity(tag.len() + 1 + 32 + 32);
        input.extend_from_slice(tag);
        input.push(0);
        input.extend_from_slice(network.as_bytes());
        input.extend_from_slice(&codec::digest(self));
        input
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Note(u8);

    impl Signable for Note {
        const PURPOSE: Purpose = Purpose::POSSESSION;
    }

    #[test]
    fn the_input_is_tag_zero_network_digest() {
        let input = Note(3).signing_input(&NetworkId::new([7; 32]));
        let mut expected = b"holdfast/pop/1\0".to_vec();
        expected.extend([7; 32]);
        expected.extend(blake3::hash(&[0x03]).as_bytes());
        assert_eq!(input, expected);
    }
}
