//! How long a validator waits, and for what.

use holdfast_proofs::header::Round;
use malachite_types::TimeoutKind;

/// Least base of timeouts: a block of 4 MiB crosses the network within a second, and is executed within one.
const BASE_MS_MIN: u64 = 1000;
/// Greatest base: whoever waits longer for each of several crashed proposers in a row looks dead.
const BASE_MS_MAX: u64 = 5000;
/// The base as a part of the time between blocks: one in so many.
const BASE_SHARE: u64 = 4;

/// Times in milliseconds. All validators of a network should have the same ones, but nothing breaks if they do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// From one block's time to the beginning of the next height.
    pub block_ms: u64,
    /// How long a proposal and its block may take in the first round.
    pub propose_ms: u64,
    /// How long, after two thirds voted in the first step and did not agree, others may take.
    pub prevote_ms: u64,
    /// The same for the second step.
    pub precommit_ms: u64,
    /// How much longer each of these is in each next round: sooner or later longer than messages take.
    pub step_ms: u64,
    /// The longest of them.
    pub timeout_ms_max: u64,
    /// Until own messages are sent again for the first time in a round; then twice as long each time.
    pub repeat_ms: u64,
    /// The longest pause before they are sent again.
    pub repeat_ms_max: u64,
}

impl Config {
    /// Times that suit blocks at this pace: a base of a quarter of it, between one second and five; three bases for a
    /// proposal, one for the votes of each step, half a base more in each round, twenty at most.
    pub fn of(block_ms: u64) -> Self {
        let base = (block_ms / BASE_SHARE).clamp(BASE_MS_MIN, BASE_MS_MAX);
        Self {
            block_ms,
            propose_ms: 3 * base,
            prevote_ms: base,
            precommit_ms: base,
            step_ms: base / 2,
            timeout_ms_max: 20 * base,
            repeat_ms: base,
            repeat_ms_max: 8 * base,
        }
    }

    /// How long to wait in a round.
    pub(super) fn timeout_ms(&self, kind: TimeoutKind, round: Round) -> u64 {
        let first = match kind {
            TimeoutKind::Propose => self.propose_ms,
            TimeoutKind::Prevote => self.prevote_ms,
            _ => self.precommit_ms,
        };
        first.saturating_add(self.step_ms.saturating_mul(round.0.into())).min(self.timeout_ms_max)
    }

    /// The pause before own messages are sent again, after so many times in this round.
    pub(super) fn pause_ms(&self, repeats: u32) -> u64 {
        let doubled = self.repeat_ms.checked_shl(repeats.min(32)).unwrap_or(u64::MAX);
        doubled.min(self.repeat_ms_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_grow_and_are_bounded() {
        for block_ms in [1, 1000, 10_000, 3_600_000] {
            let config = Config::of(block_ms);
            let times = |kind| (0..200).map(move |round| config.timeout_ms(kind, Round(round)));
            for kind in [TimeoutKind::Propose, TimeoutKind::Prevote, TimeoutKind::Precommit] {
                assert!(times(kind).zip(times(kind).skip(1)).all(|(one, next)| one <= next));
                assert_eq!(config.timeout_ms(kind, Round(u32::MAX)), config.timeout_ms_max);
            }
            assert!(config.propose_ms > config.prevote_ms);
            let pauses = (0..99).map(|repeats| config.pause_ms(repeats));
            assert!(pauses.clone().zip(pauses.skip(1)).all(|(one, next)| one <= next));
            assert_eq!(config.pause_ms(u32::MAX), config.repeat_ms_max);
        }
        assert_eq!((Config::of(1000).propose_ms, Config::of(10_000).propose_ms), (3000, 7500));
    }
}
