//! Single questions: one request, one reply, one short stream.

use holdfast_core::block::BlockId;
use holdfast_core::bls;
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
    }
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
