//! How much money there is: what genesis allots, and a reward for each block until the cap is reached.
//!
//! 40 FFG a block, halved every 6,307,200 blocks (24 months of 10 s), counted in blocks and never by a clock. The plain
//! sum of these would be 504.576 M; the cap of 500 M, allotments of genesis included, cuts it off, exact to the last unit.

use holdfast_core::id::Amount;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::block::Height;
use crate::state::{Row, RowsError, State, Table};
use crate::units::FFG;

/// What the first blocks pay.
pub const REWARD: Amount = Amount(40 * FFG.0);
/// Blocks after which the reward is halved.
pub const HALVING_BLOCKS: u64 = 6_307_200;
/// All that there will ever be.
pub const CAP: Amount = Amount(500_000_000 * FFG.0);

/// Money that was made and destroyed so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Supply {
    /// By genesis and rewards.
    pub issued: Amount,
    /// By penalties.
    pub burned: Amount,
}

impl Row for Supply {
    const TABLE: Table = Table::SUPPLY;
    const BYTES_MAX: usize = 40;
}

impl Supply {
    /// The row, which genesis writes.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn of(state: &State<'_>) -> Result<Self, RowsError> {
        Ok(state.get(&[])?.unwrap_or_default())
    }

    /// What may still be issued.
    pub fn left(&self) -> Amount {
        CAP.minus(self.issued).unwrap_or_default()
    }

    /// What is there now.
    pub fn total(&self) -> Amount {
        self.issued.minus(self.burned).unwrap_or_default()
    }
}

/// What a block pays, if there is enough left. Genesis, at height 0, pays nothing.
pub fn reward(height: Height) -> Amount {
    let Some(before) = height.0.checked_sub(1) else { return Amount::ZERO };
    let halvings = u32::try_from(before / HALVING_BLOCKS).unwrap_or(u32::MAX);
    Amount(REWARD.0.checked_shr(halvings).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reward_is_halved_by_height_alone() {
        let at = |height| reward(Height(height)).0;
        assert_eq!([at(0), at(1), at(HALVING_BLOCKS)], [0, REWARD.0, REWARD.0]);
        assert_eq!([at(HALVING_BLOCKS + 1), at(2 * HALVING_BLOCKS + 1)], [REWARD.0 / 2, REWARD.0 / 4]);
        assert_eq!(at(u64::MAX), 0);
    }

    /// Era by era, for era pays the same for each of its blocks.
    #[test]
    fn the_plain_sum_passes_the_cap() {
        let mut sum = 0;
        for era in 0..200 {
            sum += reward(Height(era * HALVING_BLOCKS + 1)).0 * u128::from(HALVING_BLOCKS);
        }
        // 504.576 M, less what is lost when odd numbers are halved.
        assert!(sum > CAP.0 && 504_576_000 * FFG.0 - sum < FFG.0, "{sum}");
    }
}
