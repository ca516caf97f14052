//! Chance: everything that is left open in a run is drawn from one seed.

use std::ops::RangeInclusive;
use std::time::Duration;

/// A seeded generator. The same seed gives the same draws.
#[derive(Clone, Debug)]
pub struct Chance(fastrand::Rng);

impl Chance {
    /// The generator of a seed.
    pub fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// A generator of its own, so that more draws in one place change nothing in another.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self(self.0.fork())
    }

    /// A number below `n`.
    ///
    /// # Panics
    /// If `n` is zero.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0.u64(..n)
    }

    /// An index into something of this length.
    ///
    /// # Panics
    /// If it is empty.
    pub fn index(&mut self, length: usize) -> usize {
        self.0.usize(..length)
    }

    /// True once in `n` times.
    ///
    /// # Panics
    /// If `n` is zero.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// A time between two.
    pub fn time(&mut self, range: RangeInclusive<Duration>) -> Duration {
        let micros = |time: &Duration| u64::try_from(time.as_micros()).expect("runs last minutes");
        Duration::from_micros(self.0.u64(micros(range.start())..=micros(range.end())))
    }

    /// Takes something out of a list at random.
    ///
    /// # Panics
    /// If the list is empty.
    pub fn take<T>(&mut self, from: &mut Vec<T>) -> T {
        let at = self.index(from.len());
        from.swap_remove(at)
    }

    /// Bytes of any value.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.fill(&mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_says_it_all() {
        let draw = |seed| {
            let mut chance = Chance::new(seed);
            let fork = chance.fork().bytes(9);
            (chance.below(1000), chance.time(Duration::ZERO..=Duration::from_secs(9)), fork)
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
