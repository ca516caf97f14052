//! Single questions: one request, one reply, one short stream.

use holdfast_core::block::BlockId;
use holdfast_core::bls;
use holdfast_core::codec::{Bounded, Text};
use holdfast_core::id::{NodeId, PieceRoot};
use holdfast_core::tagged_enum;
use holdfast_proofs::certificate::Certificate;
use holdfast_proofs::statement::Statement;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

/// Protocol name, for stream negotiation.
pub const PROTOCOL: &str = "/holdfast/ask/1";

tagged_enum! {
    /// A question, or a certificate to keep. A slot that lacks the piece of a certificate fetches it.
    pub enum AskRequest {
        /// Do you hold this piece?
        1 => Piece(BlockId),
        /// Who are you, and how full?
        2 => Node(()),
        /// Keep this certificate of a piece of which you own a slot.
        3 => Keep(Certificate),
        /// Sign again what you have promised.
        4 => Receipt(Statement),
        /// Where do others listen? And this is where I do.
        5 => Peers(PeersQuery),
    }
}

/// Addresses of one node that are told.
pub const ADDRESSES_MAX: usize = 4;
/// Nodes whose addresses are told at once, so that they fit into one message.
pub const HINTS_MAX: usize = 24;

/// An address in its text form. Who cannot read it passes it over.
pub type AddressText = Text<100>;

/// Whose addresses the asker lacks, and its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct PeersQuery {
    /// Where the asker listens; nowhere if it is a client. It is believed of a registered node, whose host the stream shows.
    pub listening: Bounded<AddressText, ADDRESSES_MAX>,
    /// Whose addresses are asked for; whichever the other likes to tell if none are named.
    pub wanted: Bounded<NodeId, HINTS_MAX>,
}

/// Where a node listens, as another one says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct PeerHint {
    /// The node.
    pub node: NodeId,
    /// Its host's libp2p peer id.
    pub peer: Text<64>,
    /// Its addresses.
    pub addresses: Bounded<AddressText, ADDRESSES_MAX>,
}

tagged_enum! {
    /// The answer.
    pub enum AskReply {
        /// What is known of the piece; null if it is not held.
        1 => Piece(Option<PieceInfo>),
        /// The node.
        2 => Node(NodeInfo),
        /// Whether the certificate was valid, and about a piece of which a slot is here.
        3 => Kept(bool),
        /// The node failed; its log says how.
        4 => Failed(()),
        /// The signature; null if nothing like it was promised.
        5 => Receipt(Option<bls::Signature>),
        /// Where nodes listen.
        6 => Peers(Bounded<PeerHint, HINTS_MAX>),
    }
}

/// What a provider says of a piece that it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct PieceInfo {
    /// BLAKE3 of the piece.
    pub root: PieceRoot,
    /// Its length.
    pub bytes: u64,
    /// Its number of blocks.
    pub blocks: u32,
    /// The largest certificate it was given.
    pub certificate: Option<Certificate>,
}

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct NodeInfo {
    /// Its id.
    pub node: NodeId,
    /// Pieces held.
    pub pieces: u64,
    /// Bytes held and reserved.
    pub bytes: u64,
    /// Bytes it may hold.
    pub quota: u64,
}
