//! Numbers that governance may change.

use holdfast_core::codec::Bounded;
use holdfast_core::id::Amount;
use holdfast_proofs::genesis::PROFILES_MAX;
use holdfast_proofs::profile::Profile;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::state::{Row, RowsError, State, Table};
use crate::units::FFG;

/// The parameters in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Params {
    /// What every transaction costs.
    pub fee_flat: Amount,
    /// What each of its bytes costs on top.
    pub fee_byte: Amount,
    /// What it costs to keep one byte on one provider for one epoch.
    pub price_byte_epoch: Amount,
    /// Bond that a node needs for each unit of its weight, to be a member of a committee.
    pub bond_min: Amount,
    /// Epochs from the wish to take bond back until it can be taken.
    pub unbond_epochs: u64,
    /// Epochs for which an offence can be shown; fewer than `unbond_epochs`.
    pub evidence_epochs: u64,
    /// Hundredths of its bond that an offender loses.
    pub slash_percent: u8,
    /// Profiles that clients may ask for in the next epochs; the first is the default.
    pub profiles: Bounded<Profile, PROFILES_MAX>,
}

/// Why numbers cannot be parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// An offender could take its bond away before the offence is shown.
    #[error("bond must be locked for longer than offences can be shown")]
    Unbond,
    /// More than all of it.
    #[error("no more than 100 % of a bond can be lost")]
    Slash,
    /// None, or one that breaks a rule.
    #[error("there must be profiles, and each must keep its rules")]
    Profiles,
    /// Sums that no account can hold.
    #[error("a price or bond is larger than all money")]
    Sums,
}

impl Default for Params {
    /// Fees that make flooding dear and transfers cheap: about a thousandth of an FFG for a transfer. A mebibyte kept on one
    /// provider for a day costs about a thousandth as well.
    fn default() -> Self {
        Self {
            fee_flat: Amount(FFG.0 / 2000),
            fee_byte: Amount(FFG.0 / 500_000),
            price_byte_epoch: Amount(FFG.0 / 1_000_000_000),
            bond_min: Amount::ZERO,
            unbond_epochs: 21,
            evidence_epochs: 14,
            slash_percent: 50,
            profiles: Bounded::new(vec![Profile::COPY4]).expect("one profile"),
        }
    }
}

impl Row for Params {
    const TABLE: Table = Table::PARAMS;
    const BYTES_MAX: usize = 320;
}

impl Params {
    /// The row, which genesis writes.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn of(state: &State<'_>) -> Result<Self, RowsError> {
        state.get(&[])?.ok_or_else(|| RowsError::new("the ledger has no parameters"))
    }

    /// Checks the rules of the numbers.
    ///
    /// # Errors
    /// The first rule broken.
    pub fn validate(&self) -> Result<(), ParamsError> {
        let sums = [self.fee_flat, self.fee_byte, self.price_byte_epoch, self.bond_min];
        if self.unbond_epochs <= self.evidence_epochs {
            return Err(ParamsError::Unbond);
        }
        if self.slash_percent > 100 {
            return Err(ParamsError::Slash);
        }
        if self.profiles.is_empty() || self.profiles.iter().any(|profile| profile.validate().is_err()) {
            return Err(ParamsError::Profiles);
        }
        if sums.iter().any(|sum| *sum > crate::supply::CAP) {
            return Err(ParamsError::Sums);
        }
        Ok(())
    }

    /// The least fee for a transaction of so many bytes, or `None` if nobody could pay it.
    pub fn fee(&self, bytes: usize) -> Option<Amount> {
        let bytes = u64::try_from(bytes).ok()?;
        self.fee_flat.plus(self.fee_byte.times(bytes)?)
    }
}
