//! What a provider signs: that it holds a piece, and until when.

use holdfast_core::block::BlockId;
use holdfast_core::id::{Amount, CommitteeId, Epoch, OrderId, PieceRoot};
use holdfast_core::purpose::{Purpose, Signable};
use serde::{Deserialize, Serialize};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::committee::Committee;
use crate::profile::Profile;

/// How data and index were stored before signing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Durability(u8);

impl Durability {
    /// Data and index were synced to stable storage before signing. The only class there is.
    pub const SYNCED: Self = Self(1);

    /// The number on the wire.
    pub fn number(self) -> u8 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Durability {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            1 => Ok(Self::SYNCED),
            other => Err(serde::de::Error::custom(format!("unknown durability class {other}"))),
        }
    }
}

/// How the piece is spread over the slots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Coding {
    /// 0: every slot holds the whole piece. Nothing else exists so far.
    pub kind: u8,
    /// Slots that suffice to rebuild.
    pub k: u16,
    /// Slots.
    pub n: u16,
    /// Receipts for a certificate.
    pub q: u16,
    /// Bytes of a symbol; 0 for whole copies.
    pub symbol_bytes: u32,
    /// Root over coded symbols; none for whole copies.
    pub coding_root: Option<PieceRoot>,
}

impl Coding {
    /// Whole copies under a profile.
    pub fn copies(profile: Profile) -> Self {
        let Profile { k, n, q } = profile;
        Self { kind: 0, k, n, q, symbol_bytes: 0, coding_root: None }
    }

    /// The profile, or `None` if this is not a coding that exists.
    pub fn profile(&self) -> Option<Profile> {
        let profile = Profile { k: self.k, n: self.n, q: self.q };
        (*self == Self::copies(profile) && profile.validate().is_ok()).then_some(profile)
    }
}

/// *I hold, verified and synced to stable storage, everything of my slot, and will serve it to anyone at no
/// more than that price until then.* Identical bytes for all signers, hence one aggregate signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Statement {
    /// The epoch in which it is said.
    pub epoch: Epoch,
    /// The committee of that epoch.
    pub committee: CommitteeId,
    /// The DAG's root.
    pub cid: BlockId,
    /// BLAKE3 of the piece.
    pub piece_root: PieceRoot,
    /// Length of the piece in bytes.
    pub piece_bytes: u64,
    /// How it is spread.
    pub coding: Coding,
    /// First epoch in which the promise no longer holds.
    pub retain_until: Epoch,
    /// How it is stored.
    pub durability: Durability,
    /// Highest price for reading it.
    pub read_price_max: Amount,
    /// The order that pays for it.
    pub order: Option<OrderId>,
}

impl Signable for Statement {
    const PURPOSE: Purpose = Purpose::AVAILABILITY;
}

/// Why a statement cannot be made or believed, before any signature is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// It names another committee or epoch.
    #[error("statement belongs to another committee")]
    Committee,
    /// Its coding is unknown or not allowed in this network.
    #[error("coding is not a profile of this network")]
    Coding,
    /// It promises nothing, or longer than this committee can promise.
    #[error("retain-until epoch is outside what this committee can promise")]
    RetainUntil,
    /// Networks without a ledger have neither prices nor orders.
    #[error("this network has no ledger, so read price must be 0 and order null")]
    Ledger,
}

impl Statement {
    /// Checks a statement against the committee that it names, and answers its profile.
    ///
    /// # Errors
    /// The first rule broken.
    pub fn validate(&self, committee: &Committee) -> Result<Profile, StatementError> {
        if self.committee != committee.id() || self.epoch != committee.record().epoch {
            return Err(StatementError::Committee);
        }
        let profile = self.coding.profile().ok_or(StatementError::Coding)?;
        if !committee.allows(&profile) {
            return Err(StatementError::Coding);
        }
        if committee.end_of(self.retain_until).is_none() {
            return Err(StatementError::RetainUntil);
        }
        if !committee.has_ledger() && (self.read_price_max != Amount::ZERO || self.order.is_some()) {
            return Err(StatementError::Ledger);
        }
        Ok(profile)
    }
}
