//! Votes of validators about a height, and the sum of enough of them: finality.
//!
//! A vote of the second step for a block is what finality consists of: all who cast it signed the same bytes, so their
//! signatures add up to one. Specification: docs/spec/ledger.md, "Finality".

use holdfast_core::bls::{self, BlsError, KeySum};
use holdfast_core::codec::{self, DecodeError};
use holdfast_core::id::NetworkId;
use holdfast_core::purpose::{Purpose, Signable};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::certificate::Signers;
use crate::header::{BlockHash, HEADER_BYTES_MAX, Header, Height, Round};
use crate::validators::{VALIDATORS_MAX, Validators};

/// Longest finality, in bytes.
pub const FINALITY_BYTES_MAX: usize = 128;

/// The two votes of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(into = "u8")]
#[repr(u8)]
pub enum Step {
    /// This block is valid, as far as I can see.
    Prevote = 1,
    /// More than two thirds saw that it is valid, so let it be decided.
    Precommit = 2,
}

impl From<Step> for u8 {
    fn from(step: Step) -> Self {
        step as u8
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            1 => Ok(Self::Prevote),
            2 => Ok(Self::Precommit),
            other => Err(de::Error::custom(format!("unknown step {other}"))),
        }
    }
}

/// What a validator signs. It never signs two that differ in the block alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize_tuple, Deserialize_tuple)]
pub struct Vote {
    /// About which height.
    pub height: Height,
    /// In which round.
    pub round: Round,
    /// Which of the two votes of the round.
    pub step: Step,
    /// For which block; null for none.
    pub block: Option<BlockHash>,
}

impl Signable for Vote {
    const PURPOSE: Purpose = Purpose::VOTE;
}

/// A decision: who voted for a block in the second step of a round, and the sum of their signatures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Finality {
    /// The round in which it was decided.
    pub round: Round,
    /// Bitmap of voters, in the order of the validators.
    #[serde(with = "crate::certificate::bitmap")]
    signers: Vec<u8>,
    /// Sum of their signatures.
    pub signature: bls::Signature,
}

/// Why a finality was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FinalityError {
    /// Not one.
    #[error("not a finality certificate")]
    Decode(#[from] DecodeError),
    /// The header names other validators than those it was checked against.
    #[error("block {height} is decided by other validators")]
    Validators {
        /// Which block.
        height: Height,
    },
    /// The header is longer than any can be.
    #[error("the header is too long")]
    Header,
    /// The bitmap has the wrong length or bits beyond the last validator.
    #[error("signer bitmap does not fit {validators} validators")]
    Bitmap {
        /// How many there are.
        validators: usize,
    },
    /// Decided before the round for which the block was made.
    #[error("decided in a round before the block's own")]
    Round,
    /// Not more than two thirds of all weight.
    #[error("the signers of block {height} have not more than two thirds of all weight")]
    Quorum {
        /// Which block.
        height: Height,
    },
    /// The signature does not verify.
    #[error(transparent)]
    Signature(#[from] BlsError),
}

impl Finality {
    /// Adds up votes for one block, each checked before: the place of the validator and its signature.
    ///
    /// # Errors
    /// If there are none, or one is no signature.
    ///
    /// # Panics
    /// If a place is not one of `validators`.
    pub fn of(
        round: Round,
        votes: &[(usize, bls::Signature)],
        validators: &Validators,
    ) -> Result<Self, BlsError> {
        let mut signers = Signers::none(count(validators));
        for (place, _) in votes {
            signers.add(u16::try_from(*place).expect("validators are bounded"));
        }
        let signature = bls::Signature::sum(votes.iter().map(|(_, signature)| signature))?;
        Ok(Self { round, signers: signers.into_bytes(), signature })
    }

    /// Reads a finality; [`Finality::verify`] checks it.
    ///
    /// # Errors
    /// If the bytes are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FinalityError> {
        Ok(codec::decode(bytes, FINALITY_BYTES_MAX)?)
    }

    /// The one encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Who voted, out of so many validators; `None` if the bitmap does not fit.
    pub fn signers(&self, validators: usize) -> Option<Signers> {
        Signers::from_bytes(&self.signers, u16::try_from(validators).ok()?)
    }

    /// Checks that these validators decided on the block with this header.
    ///
    /// # Errors
    /// See [`FinalityError`]. The cheap checks come first, the one pairing last.
    pub fn verify(
        &self,
        header: Header,
        network: &NetworkId,
        validators: &Validators,
    ) -> Result<FinalHeader, FinalityError> {
        let height = header.height;
        if header.validators != validators.id() {
            return Err(FinalityError::Validators { height });
        }
        if codec::encode(&header).len() > HEADER_BYTES_MAX {
            return Err(FinalityError::Header);
        }
        if self.round < header.round {
            return Err(FinalityError::Round);
        }
        let all = validators.set().validators.len();
        let signers = self.signers(all).ok_or(FinalityError::Bitmap { validators: all })?;
        if !validators.set().decides(signers.iter().map(usize::from)) {
            return Err(FinalityError::Quorum { height });
        }
        let block = header.hash();
        let vote = Vote { height, round: self.round, step: Step::Precommit, block: Some(block) };
        let keys = signers.iter().map(|place| validators.key(place.into()));
        KeySum::of(keys)?.verify(&vote.signing_input(network), &self.signature)?;
        Ok(FinalHeader { header, hash: block })
    }
}

fn count(validators: &Validators) -> u16 {
    const { assert!(VALIDATORS_MAX <= 255) };
    u16::try_from(validators.set().validators.len()).expect("validators are bounded")
}

/// A header that its validators decided on. There is no other way to make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinalHeader {
    header: Header,
    hash: BlockHash,
}

impl FinalHeader {
    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Its hash.
    pub fn hash(&self) -> BlockHash {
        self.hash
    }
}
