//! Coding profiles: how a piece is spread over its slots, and how many receipts make a certificate.

use serde_tuple::{Deserialize_tuple, Serialize_tuple};

/// `k` of `n` slots rebuild the piece; `q` receipts make a certificate.
///
/// With f = n − q faulty slots, q − f ≥ k honest ones remain, so a certified piece can be rebuilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize_tuple, Deserialize_tuple)]
pub struct Profile {
    /// Slots that suffice to rebuild. Only 1 (copies) exists so far.
    pub k: u16,
    /// Slots.
    pub n: u16,
    /// Receipts for a certificate.
    pub q: u16,
}

/// Why numbers are no profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// Only copies exist so far.
    #[error("k must be 1, found {k}")]
    Coding {
        /// The value found.
        k: u16,
    },
    /// More slots than a certificate can name.
    #[error("n must be between 1 and {max}, found {n}", max = Profile::SLOTS_MAX)]
    Slots {
        /// The value found.
        n: u16,
    },
    /// Too few receipts, or more than slots.
    #[error("q must satisfy 3q > 2n and q <= n, found q = {q} of n = {n}")]
    Quorum {
        /// Slots.
        n: u16,
        /// Receipts.
        q: u16,
    },
}

impl Profile {
    /// Most slots of a profile: enough for every committee whose keys fit in one bundle.
    pub const SLOTS_MAX: u16 = 255;

    /// The default: four copies, of which one may be faulty.
    pub const COPY4: Self = Self { k: 1, n: 4, q: 3 };

    /// `n` copies, of which ⌊(n − 1) / 3⌋ may be faulty, or `None` outside 1..=[`Profile::SLOTS_MAX`].
    pub fn copies(n: u16) -> Option<Self> {
        (1..=Self::SLOTS_MAX).contains(&n).then(|| Self { k: 1, n, q: n - (n - 1) / 3 })
    }

    /// Checks the rules of the numbers.
    ///
    /// # Errors
    /// The first rule broken.
    pub fn validate(&self) -> Result<(), ProfileError> {
        let Self { k, n, q } = *self;
        if k != 1 {
            return Err(ProfileError::Coding { k });
        }
        if !(1..=Self::SLOTS_MAX).contains(&n) {
            return Err(ProfileError::Slots { n });
        }
        if q > n || !exceeds_two_thirds(q.into(), n.into()) {
            return Err(ProfileError::Quorum { n, q });
        }
        Ok(())
    }

    /// The name people use: `copy4`.
    pub fn name(&self) -> String {
        format!("copy{}", self.n)
    }
}

/// The one threshold of Holdfast: 3·part > 2·whole.
pub fn exceeds_two_thirds(part: u64, whole: u64) -> bool {
    u128::from(part) * 3 > u128::from(whole) * 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_tolerate_a_third_less_one() {
        for (n, q) in [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (6, 5), (7, 5), (10, 7), (255, 171)] {
            let profile = Profile::copies(n).unwrap();
            assert_eq!((profile.q, profile.validate()), (q, Ok(())), "copy{n}");
        }
        assert_eq!(Profile::copies(4), Some(Profile::COPY4));
        assert_eq!((Profile::copies(0), Profile::copies(256)), (None, None));
    }

    #[test]
    fn weak_or_impossible_numbers_are_refused() {
        let check = |k, n, q| Profile { k, n, q }.validate();
        assert_eq!(check(2, 7, 5), Err(ProfileError::Coding { k: 2 }));
        assert_eq!(check(1, 0, 0), Err(ProfileError::Slots { n: 0 }));
        assert_eq!(check(1, 3, 2), Err(ProfileError::Quorum { n: 3, q: 2 }));
        assert_eq!(check(1, 4, 5), Err(ProfileError::Quorum { n: 4, q: 5 }));
    }
}
