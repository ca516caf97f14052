//! Numbers that governance may change.

use holdfast_core::id::Amount;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::state::{Row, RowsError, State, Table};

/// The parameters in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Params {
    /// What every transaction costs.
    pub fee_flat: Amount,
    /// What each of its bytes costs on top.
    pub fee_byte: Amount,
}

impl Row for Params {
    const TABLE: Table = Table::PARAMS;
    const BYTES_MAX: usize = 64;
}

impl Params {
    /// The row, which genesis writes.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn of(state: &State<'_>) -> Result<Self, RowsError> {
        Ok(state.get(&[])?.unwrap_or_default())
    }

    /// The least fee for a transaction of so many bytes, or `None` if nobody could pay it.
    pub fn fee(&self, bytes: usize) -> Option<Amount> {
        let bytes = u64::try_from(bytes).ok()?;
        self.fee_flat.plus(self.fee_byte.times(bytes)?)
    }
}
