//! The calls between host and enclave, and their frames.
//!
//! A frame is four bytes of length, big-endian, and one message in DAG-CBOR, as on the network. The first call is
//! `Hello`, which names the version of this interface. Specification: docs/spec/enclave.md.

use std::io::{self, Read, Write};

use holdfast_consensus::proposal::ProposalHead;
use holdfast_core::bls;
use holdfast_core::codec::{self, Bounded, Text};
use holdfast_core::ed25519;
use holdfast_core::frame::{self, HEAD_BYTES, Head, MESSAGE_BYTES_MAX};
use holdfast_core::id::{BoxKey, NetworkId, NodeId};
use holdfast_core::tagged_enum;
use holdfast_ledger::registry::Registration;
use holdfast_proofs::header::Seal;
use holdfast_proofs::statement::Statement;
use holdfast_proofs::vote::Vote;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

/// Version of this interface.
pub const VERSION: u8 = 3;

tagged_enum! {
    /// From host to enclave.
    pub enum Call {
        /// Opens the conversation with the interface version.
        1 => Hello(u8),
        /// Show possession of the BLS key to a network.
        2 => Possession(NetworkId),
        /// State that the node holds pieces. Answered by [`Answer::Signatures`].
        3 => Availability(Availability),
        /// Agree to be registered. Answered by [`Answer::Consent`].
        4 => Consent(Consent),
        /// Vote about a block.
        5 => Vote(CastVote),
        /// Propose a block.
        6 => Propose(Propose),
        /// Add to the beacon.
        7 => Seal(AddSeal),
    }
}

/// What a node agrees to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Consent {
    /// The network in which it will be registered.
    pub network: NetworkId,
    /// By whom, and as what. The keys are the enclave's own.
    pub registration: Registration,
}

/// A vote to be cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct CastVote {
    /// The network whose block it is.
    pub network: NetworkId,
    /// The vote.
    pub vote: Vote,
}

/// A proposal to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Propose {
    /// The network whose block it is.
    pub network: NetworkId,
    /// What is signed of the proposal.
    pub head: ProposalHead,
}

/// A contribution to the beacon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct AddSeal {
    /// The network whose beacon it is.
    pub network: NetworkId,
    /// The last beacon, and the height.
    pub seal: Seal,
}

/// Statements in one call: as many of the longest as a message holds, and as many as are ever worth one sync.
pub const STATEMENTS_MAX: usize = 32;

/// What availability signatures are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Availability {
    /// The network in which it is said.
    pub network: NetworkId,
    /// The statements, field by field; the enclave builds the signed bytes.
    pub statements: Bounded<Statement, STATEMENTS_MAX>,
}

tagged_enum! {
    /// What became of one statement.
    pub enum Signed {
        /// Its signature.
        1 => Signature(bls::Signature),
        /// It breaks a rule.
        2 => Refused(Text<200>),
    }
}

tagged_enum! {
    /// From enclave to host.
    pub enum Answer {
        /// Who the enclave is.
        1 => Identity(Identity),
        /// A possession proof, or a signature over a vote, a proposal or a seal.
        2 => Signature(bls::Signature),
        /// The call breaks a rule.
        3 => Refused(Text<200>),
        /// The enclave could not do it.
        4 => Failed(Text<200>),
        /// What became of each statement, in the order in which they were given.
        5 => Signatures(Bounded<Signed, STATEMENTS_MAX>),
        /// The node key's signature over a registration.
        6 => Consent(ed25519::Signature),
    }
}

/// The public halves of the enclave's keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Identity {
    /// BLAKE3 of the Ed25519 key.
    pub node: NodeId,
    /// Ed25519 key.
    pub ed25519: ed25519::PublicKey,
    /// BLS key.
    pub bls: bls::PublicKeyBytes,
    /// X25519 key.
    pub box_key: BoxKey,
}

/// Writes one message.
///
/// # Errors
/// If the socket fails.
pub fn write<T: Serialize>(socket: &mut impl Write, message: &T) -> io::Result<()> {
    socket.write_all(&frame::message(message))
}

/// Reads one message, or `None` if the other side has gone.
///
/// # Errors
/// If the socket fails, or the other side sends anything but a message.
pub fn read<T: DeserializeOwned + Serialize>(socket: &mut impl Read) -> io::Result<Option<T>> {
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let mut head = [0; HEAD_BYTES];
    match socket.read_exact(&mut head) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
        Err(error) => return Err(error),
    }
    let Ok(Head::Message(length)) = Head::decode(head) else {
        return Err(invalid("not the head of a message".into()));
    };
    let mut body = vec![0; length];
    socket.read_exact(&mut body)?;
    codec::decode(&body, MESSAGE_BYTES_MAX).map(Some).map_err(|error| invalid(error.to_string()))
}
