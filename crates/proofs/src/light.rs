//! Following a ledger by its headers alone.
//!
//! Whoever trusts a set of validators can believe every header they decided on, however far ahead. Only where the set
//! changes is a step needed: a header that the old set decided on and that names the new one. So from genesis to any header
//! there are as many steps as there were changes of validators, and not as many as there are blocks. Whoever has a
//! [`Checkpoint`] begins there instead.
//! Specification: docs/spec/ledger.md, "Light client".

use holdfast_core::id::NetworkId;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::checkpoint::Checkpoint;
use crate::genesis::{Genesis, GenesisProofs};
use crate::header::{Header, Height};
use crate::validators::{ValidatorSet, Validators, ValidatorsError};
use crate::vote::{FinalHeader, Finality, FinalityError};

/// A header and the decision on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct SignedHeader {
    /// The header.
    pub header: Header,
    /// The decision of the validators that it names.
    pub finality: Finality,
}

/// The last block of a set of validators, which names the next set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Handover {
    /// The last header that the old validators decided on.
    pub last: SignedHeader,
    /// The new validators, which that header names.
    pub next: ValidatorSet,
}

/// Why a header is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LightError {
    /// The decision.
    #[error("the header of block {height} is not final")]
    Finality {
        /// Which block.
        height: Height,
        /// Why.
        source: FinalityError,
    },
    /// The next validators.
    #[error("the validators after block {height} are refused")]
    Validators {
        /// Which block.
        height: Height,
        /// Why.
        source: ValidatorsError,
    },
    /// Older than one that is known, or another one at the same height.
    #[error("block {found} does not stand after block {known}")]
    Order {
        /// The newest that was known.
        known: Height,
        /// The one that was shown.
        found: Height,
    },
}

/// Who is trusted by now, and the newest header seen.
#[derive(Clone, Debug)]
pub struct LightClient {
    network: NetworkId,
    validators: Validators,
    newest: Option<FinalHeader>,
    /// Nothing is asked about blocks up to this one.
    floor: Option<Height>,
}

impl LightClient {
    /// Trusts genesis.
    ///
    /// # Errors
    /// If genesis or its possession proofs break a rule, or there is no ledger.
    pub fn of_genesis(genesis: &Genesis, proofs: &GenesisProofs) -> Result<Self, ValidatorsError> {
        let validators = Validators::of_genesis(genesis, proofs)?;
        Ok(Self { network: genesis.network(), validators, newest: None, floor: None })
    }

    /// Trusts the validators after a block, and nothing that was before.
    ///
    /// # Errors
    /// [`ValidatorsError::Other`] if the set is not the one that the checkpoint names.
    pub fn of_checkpoint(
        network: NetworkId,
        checkpoint: Checkpoint,
        set: ValidatorSet,
    ) -> Result<Self, ValidatorsError> {
        if set.id() != checkpoint.validators {
            return Err(ValidatorsError::Other);
        }
        let validators = Validators::admitted(set)?;
        Ok(Self { network, validators, newest: None, floor: Some(checkpoint.height) })
    }

    /// The validators of the next header.
    pub fn validators(&self) -> &Validators {
        &self.validators
    }

    /// The newest header that was believed.
    pub fn newest(&self) -> Option<&FinalHeader> {
        self.newest.as_ref()
    }

    /// Checks a header that today's validators decided on, at any height, and keeps it if it is the newest.
    ///
    /// # Errors
    /// See [`LightError`].
    pub fn check(&mut self, signed: SignedHeader) -> Result<FinalHeader, LightError> {
        let height = signed.header.height;
        if let Some(known) = self.floor.filter(|floor| height <= *floor) {
            return Err(LightError::Order { known, found: height });
        }
        let verified = signed.finality.verify(signed.header, &self.network, &self.validators);
        let header = verified.map_err(|source| LightError::Finality { height, source })?;
        if self.newest.as_ref().is_none_or(|newest| newest.header().height < height) {
            self.newest = Some(header.clone());
        }
        Ok(header)
    }

    /// Follows a change of validators.
    ///
    /// # Errors
    /// See [`LightError`]; then nothing has changed.
    pub fn hand_over(&mut self, handover: Handover) -> Result<(), LightError> {
        let height = handover.last.header.height;
        // Whoever saw the last header of a set may be shown it again, with the set that it names.
        if let Some(newest) = self.newest.as_ref().map(FinalHeader::header)
            && height <= newest.height
            && *newest != handover.last.header
        {
            return Err(LightError::Order { known: newest.height, found: height });
        }
        let next = if handover.next.id() == handover.last.header.next_validators {
            Validators::admitted(handover.next)
        } else {
            Err(ValidatorsError::Other)
        };
        let next = next.map_err(|source| LightError::Validators { height, source })?;
        self.check(handover.last)?;
        self.validators = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
