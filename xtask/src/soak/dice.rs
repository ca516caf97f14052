//! Everything that is drawn, from one seed.

/// A generator (splitmix64): small, the same everywhere, and good enough to choose troubles.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Dice of its own for somebody else.
    pub(super) fn fork(&self, number: u64) -> Self {
        let mut dice = Self(self.0 ^ (number + 1).wrapping_mul(0xd6e8_feb8_6659_fd93));
        dice.next();
        dice
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    /// One of `low..=high`.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// Whether something happens that does so `times` in a hundred.
    pub(super) fn percent(&mut self, times: u64) -> bool {
        self.between(1, 100) <= times
    }
}

/// Content that is the same for the same seed and length.
pub(super) fn content(seed: u64, bytes: u64) -> Vec<u8> {
    let mut dice = Dice(seed);
    let bytes = usize::try_from(bytes).expect("sizes are small");
    let mut content = Vec::with_capacity(bytes + 8);
    while content.len() < bytes {
        content.extend(dice.next().to_le_bytes());
    }
    content.truncate(bytes);
    content
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_draws_one_story() {
        let story = |seed| {
            let mut dice = Dice::new(seed);
            (0..50).map(|_| dice.between(3, 9)).collect::<Vec<_>>()
        };
        assert_eq!(story(1), story(1));
        assert_ne!(story(1), story(2));
        assert!(story(1).iter().all(|drawn| (3..=9).contains(drawn)));
        assert_ne!(Dice::new(1).fork(0).next(), Dice::new(1).fork(1).next());
        assert_eq!(content(7, 1001), content(7, 1001));
        assert_eq!((content(7, 0).len(), content(7, 1001).len()), (0, 1001));
    }
}
