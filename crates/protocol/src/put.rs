//! Storing a piece: one conversation between the client and each slot, on a link that nothing else uses meanwhile.
//!
//! 1. client → `Open`: everything of the statement but the piece root, which nobody knows yet.
//! 2. provider → `Accept { from }`: send the piece's bytes from there; more than 0 if an earlier put was interrupted. A
//!    provider that holds the piece answers with its whole length. For a piece of up to [`EAGER_BYTES`] the client does
//!    not wait for this: it sends all of it at once, which a provider that holds the piece passes by.
//! 3. client → data frames, none of them empty, exactly up to the length announced, then `Seal` with the piece root it computed.
//! 4. provider verifies, persists, signs → `Receipt`.
//! 5. client → `Keep` with the certificate, when it has one. The link may now carry another conversation.
//!
//! Instead of any answer the provider may `Refuse`, also while data still flows, and then closes the link. The whole
//! blocks that a client has sent of a large piece when the link breaks are kept for ten minutes.

use holdfast_core::block::BlockId;
use holdfast_core::bls;
use holdfast_core::codec::Text;
use holdfast_core::id::{Amount, CommitteeId, Epoch, OrderId, PieceRoot};
use holdfast_core::tagged_enum;
use holdfast_proofs::certificate::Certificate;
use holdfast_proofs::committee::Committee;
use holdfast_proofs::profile::Profile;
use holdfast_proofs::statement::{Coding, Durability, Statement};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

/// Bytes of a data frame of a put: large enough that frames cost nothing, small enough that four copies of
/// them are no memory.
pub const PUT_FRAME_BYTES: usize = 256 << 10;

/// A piece of up to so many bytes is sent without waiting for `Accept`: what that may cost in vain is less than the
/// round trip.
pub const EAGER_BYTES: u64 = PUT_FRAME_BYTES as u64;

/// What the client wants every slot to state, but for the piece root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Offer {
    /// Running epoch.
    pub epoch: Epoch,
    /// Its committee.
    pub committee: CommitteeId,
    /// Root of the DAG.
    pub cid: BlockId,
    /// Length of the piece.
    pub piece_bytes: u64,
    /// How it is spread.
    pub coding: Coding,
    /// Until when.
    pub retain_until: Epoch,
    /// Highest read price.
    pub read_price_max: Amount,
    /// The order that pays.
    pub order: Option<OrderId>,
}

/// For how long a piece is to be kept, and who pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The first epoch for which nothing is promised.
    pub retain_until: Epoch,
    /// The order that pays; none if nobody does.
    pub order: Option<OrderId>,
}

impl Terms {
    /// Those of a network without a ledger: free, until the end of its only epoch.
    pub fn without_ledger(committee: &Committee) -> Self {
        Self::unpaid(committee, 1)
    }

    /// Free, for so many epochs, the running one included. Whether nodes keep a piece for nothing is for them to say.
    pub fn unpaid(committee: &Committee, epochs: u64) -> Self {
        let retain_until = Epoch(committee.record().epoch.0.saturating_add(epochs));
        Self { retain_until, order: None }
    }
}

impl Offer {
    /// The offer of a piece to a committee. Reading it is free.
    pub fn new(
        committee: &Committee,
        profile: Profile,
        cid: BlockId,
        piece_bytes: u64,
        Terms { retain_until, order }: Terms,
    ) -> Self {
        Self {
            epoch: committee.record().epoch,
            committee: committee.id(),
            cid,
            piece_bytes,
            coding: Coding::copies(profile),
            retain_until,
            read_price_max: Amount::ZERO,
            order,
        }
    }

    /// The offer of a network without a ledger.
    pub fn without_ledger(committee: &Committee, profile: Profile, cid: BlockId, piece_bytes: u64) -> Self {
        Self::new(committee, profile, cid, piece_bytes, Terms::without_ledger(committee))
    }

    /// The statement that this offer becomes for a piece with this root.
    pub fn statement(&self, piece_root: PieceRoot) -> Statement {
        Statement {
            epoch: self.epoch,
            committee: self.committee,
            cid: self.cid,
            piece_root,
            piece_bytes: self.piece_bytes,
            coding: self.coding.clone(),
            retain_until: self.retain_until,
            durability: Durability::SYNCED,
            read_price_max: self.read_price_max,
            order: self.order,
        }
    }
}

tagged_enum! {
    /// From client to provider.
    pub enum PutRequest {
        /// Starts.
        1 => Open(Offer),
        /// All bytes are sent; this is the root that the client computed.
        2 => Seal(PieceRoot),
        /// The certificate that came of it.
        3 => Keep(Box<Certificate>),
    }
}

tagged_enum! {
    /// From provider to client.
    pub enum PutReply {
        /// Send the piece's bytes from this offset.
        1 => Accept(u64),
        /// Verified, synced and signed.
        2 => Receipt(bls::Signature),
        /// No, and why.
        3 => Refuse(Refusal),
    }
}

/// Why a provider refuses a put.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Refusal {
    /// The rule.
    pub reason: Reason,
    /// What exactly, for people: it names both numbers where two disagree.
    pub detail: Text<200>,
}

impl Refusal {
    /// A refusal with an explanation, which is cut if it is long.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        let detail = Text::cut(&detail.into());
        Self { reason, detail }
    }
}

/// The rule behind a refusal. The numbers are part of the wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// Another network, epoch or committee.
    Committee = 1,
    /// The provider owns no slot of this piece.
    Slot = 2,
    /// Coding, retention, price or order are not acceptable.
    Terms = 3,
    /// No room.
    Quota = 4,
    /// The bytes are not the canonical piece of this CID.
    Piece = 5,
    /// More or fewer bytes than announced.
    Length = 6,
    /// The client computed another piece root.
    Root = 7,
    /// A message out of place.
    Protocol = 8,
    /// The provider failed; its log says how.
    Internal = 9,
    /// Too slow.
    Pace = 10,
}

impl Reason {
    const ALL: [Self; 10] = [
        Self::Committee,
        Self::Slot,
        Self::Terms,
        Self::Quota,
        Self::Piece,
        Self::Length,
        Self::Root,
        Self::Protocol,
        Self::Internal,
        Self::Pace,
    ];

    /// The stable dotted form.
    pub fn name(self) -> &'static str {
        match self {
            Self::Committee => "put.committee",
            Self::Slot => "put.slot",
            Self::Terms => "put.terms",
            Self::Quota => "put.quota",
            Self::Piece => "put.piece",
            Self::Length => "put.length",
            Self::Root => "put.root",
            Self::Protocol => "put.protocol",
            Self::Internal => "put.internal",
            Self::Pace => "put.pace",
        }
    }
}

impl serde::Serialize for Reason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(*self as u8)
    }
}

impl<'de> serde::Deserialize<'de> for Reason {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u8::deserialize(deserializer)?;
        Self::ALL
            .into_iter()
            .find(|reason| *reason as u8 == number)
            .ok_or_else(|| serde::de::Error::custom(format!("unknown refusal reason {number}")))
    }
}

#[cfg(test)]
mod tests;
