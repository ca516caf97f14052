//! A polka: the sum of votes of more than two thirds of all weight, in the first step of a round, for one block.
//!
//! It justifies proposing the block again and voting for it against an older lock. As one object it also counts votes of
//! validators who told others something else.
//! Specification: docs/spec/consensus.md, "Messages".

use holdfast_core::bls::{self, BlsError};
use holdfast_core::id::NetworkId;
use holdfast_core::planted::{self, Bug};
use holdfast_core::purpose::Signable;
use holdfast_proofs::certificate::Signers;
use holdfast_proofs::header::{BlockHash, Height, Round};
use holdfast_proofs::validators::{VALIDATORS_MAX, Validators};
use holdfast_proofs::vote::{Step, Vote};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::authority::Verify;

/// Votes of more than two thirds of all weight for one block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Polka {
    /// At which height.
    pub height: Height,
    /// In which round.
    pub round: Round,
    /// For which block.
    pub block: BlockHash,
    /// Bitmap of voters, in the order of the validators.
    #[serde(with = "holdfast_proofs::certificate::bitmap")]
    signers: Vec<u8>,
    /// Sum of their signatures.
    pub signature: bls::Signature,
}

/// Why a polka was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolkaError {
    /// The bitmap has the wrong length or bits beyond the last validator.
    #[error("the bitmap does not fit {validators} validators")]
    Bitmap {
        /// How many there are.
        validators: usize,
    },
    /// Not more than two thirds of all weight.
    #[error("the voters have not more than two thirds of all weight")]
    Quorum,
    /// The signature does not verify.
    #[error(transparent)]
    Signature(#[from] BlsError),
}

impl Polka {
    /// Adds up votes of the first step, each checked before: the place of the validator and its signature.
    ///
    /// # Errors
    /// If they are not enough, or one is no signature.
    pub fn of(
        vote: &Vote,
        block: BlockHash,
        votes: &[(usize, bls::Signature)],
        validators: &Validators,
    ) -> Result<Self, PolkaError> {
        if !suffice(votes.iter().map(|(place, _)| *place), validators) {
            return Err(PolkaError::Quorum);
        }
        let mut signers = Signers::none(count(validators));
        for (place, _) in votes {
            signers.add(u16::try_from(*place).expect("validators are bounded"));
        }
        let signature = bls::Signature::sum(votes.iter().map(|(_, signature)| signature))?;
        let Vote { height, round, .. } = *vote;
        Ok(Self { height, round, block, signers: signers.into_bytes(), signature })
    }

    /// Checks that these validators voted so. The one pairing comes last.
    ///
    /// # Errors
    /// See [`PolkaError`].
    pub fn verify(
        &self,
        network: &NetworkId,
        validators: &Validators,
        check: &dyn Verify,
    ) -> Result<(), PolkaError> {
        let signers = Signers::from_bytes(&self.signers, count(validators));
        let all = validators.set().validators.len();
        let signers = signers.ok_or(PolkaError::Bitmap { validators: all })?;
        let places: Vec<_> = signers.iter().map(usize::from).collect();
        if !suffice(places.iter().copied(), validators) {
            return Err(PolkaError::Quorum);
        }
        let Self { height, round, block, .. } = *self;
        let vote = Vote { height, round, step: Step::Prevote, block: Some(block) };
        Ok(check.verify(validators, &places, &vote.signing_input(network), &self.signature)?)
    }
}

fn suffice(places: impl Iterator<Item = usize>, validators: &Validators) -> bool {
    if planted::is(Bug::CountToOneThird) {
        return 3 * places.count() > validators.set().validators.len();
    }
    validators.set().decides(places)
}

fn count(validators: &Validators) -> u16 {
    const { assert!(VALIDATORS_MAX <= 255) };
    u16::try_from(validators.set().validators.len()).expect("validators are bounded")
}
