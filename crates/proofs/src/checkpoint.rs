//! A word from elsewhere about who decided after a block. Who has one need not trust that no old validators, long gone, were
//! bought or robbed and decided on another past.
//!
//! As text: `HEIGHT:VALIDATORS`, the height in decimal and the validators' id in hex.
//! Specification: docs/spec/ledger.md, "Light client".

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use crate::header::{Header, Height};
use crate::validators::ValidatorsId;

/// Whom somebody trusts to decide after a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The block.
    pub height: Height,
    /// Who decides about the next one.
    pub validators: ValidatorsId,
}

impl Checkpoint {
    /// The checkpoint that a header makes for whoever believes it.
    pub fn after(header: &Header) -> Self {
        Self { height: header.height, validators: header.next_validators }
    }

    /// Whether a header contradicts it: it is of the next block, and others decided.
    pub fn is_broken_by(&self, header: &Header) -> bool {
        Some(header.height) == self.height.next() && header.validators != self.validators
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.height, self.validators)
    }
}

/// Why a text is no checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// There is no colon.
    #[error("a checkpoint is HEIGHT:VALIDATORS, as `chain light` prints it")]
    Form,
    /// Its height is no number.
    #[error("the height of a checkpoint")]
    Height(#[from] ParseIntError),
    /// Its validators are no id.
    #[error("the validators of a checkpoint: 64 digits of hex")]
    Validators,
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let (height, validators) = text.trim().split_once(':').ok_or(CheckpointError::Form)?;
        let validators = validators.parse().map_err(|_| CheckpointError::Validators)?;
        Ok(Self { height: Height(height.parse()?), validators })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_read_as_it_is_written() {
        let checkpoint = Checkpoint { height: Height(120), validators: ValidatorsId::new([0xab; 32]) };
        assert_eq!(checkpoint.to_string(), format!("120:{}", "ab".repeat(32)));
        assert_eq!(checkpoint.to_string().parse(), Ok(checkpoint));
        for bad in ["", "120", ":", "120:", "x:ab", &format!("120:{}", "ab".repeat(31)), &"ab".repeat(32)] {
            assert!(bad.parse::<Checkpoint>().is_err(), "{bad}");
        }
    }
}
