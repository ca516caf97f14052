//! What is due when, by a clock that may jump.
//!
//! A clock that goes back takes all deadlines with it: nobody waits an hour because the clock was an hour ahead. One that
//! goes forward cannot be told from a long sleep, and everything that is due is due.

use std::collections::BTreeMap;

use holdfast_proofs::header::BlockTime;

use crate::engine::Effect;

/// What to do then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// Answer messages about the height before: until then they may just be late.
    Answer,
    /// Begin the height.
    Begin,
    /// Stop waiting for a proposal.
    Propose,
    /// Stop waiting for votes of the first step.
    Prevote,
    /// Stop waiting for votes of the second step.
    Precommit,
    /// Send own messages again.
    Repeat,
}

/// Deadlines; one of each kind.
#[derive(Debug, Default)]
pub(super) struct Timers {
    due: BTreeMap<Timer, BlockTime>,
    /// What the clock showed last.
    seen: BlockTime,
    /// What the host was asked for last.
    asked: Option<BlockTime>,
}

impl Timers {
    /// Takes note of the clock.
    pub(super) fn observe(&mut self, now: BlockTime) {
        let back = self.seen.0.saturating_sub(now.0);
        if back > 0 {
            for due in self.due.values_mut() {
                due.0 = due.0.saturating_sub(back);
            }
            self.asked = None;
        }
        self.seen = now;
    }

    /// Lets something be due after a while; never, by a clock that cannot show that time. So what is set is never due at once.
    pub(super) fn set(&mut self, timer: Timer, after_ms: u64) {
        match self.seen.0.checked_add(after_ms.max(1)) {
            Some(due) => drop(self.due.insert(timer, BlockTime(due))),
            None => drop(self.due.remove(&timer)),
        }
    }

    /// Whether nothing is due at any time.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.due.is_empty()
    }

    /// Whether something will be due.
    pub(super) fn waits_for(&self, timer: Timer) -> bool {
        self.due.contains_key(&timer)
    }

    /// Forgets what belongs to a round.
    pub(super) fn clear(&mut self) {
        self.due.retain(|timer, _| *timer == Timer::Answer);
    }

    /// Takes what is due now, one at a time: the earliest first.
    pub(super) fn take(&mut self) -> Option<Timer> {
        let (timer, due) = self.due.iter().min_by_key(|(_, due)| **due)?;
        let (timer, due) = (*timer, *due);
        (due <= self.seen).then(|| {
            self.due.remove(&timer);
            timer
        })
    }

    /// The host was woken, so that it must be asked again.
    pub(super) fn woken(&mut self) {
        self.asked = None;
    }

    /// Asks the host for the next tick, if it was not asked for this one already.
    pub(super) fn ask(&mut self, out: &mut Vec<Effect>) {
        let next = self.due.values().min().copied();
        if next != self.asked {
            self.asked = next;
            out.extend(next.map(Effect::WakeAt));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_goes_back_takes_deadlines_along() {
        let mut timers = Timers::default();
        let hour = 3_600_000;
        timers.observe(BlockTime(2 * hour));
        timers.set(Timer::Propose, 3000);
        timers.set(Timer::Repeat, 9000);
        let mut out = Vec::new();
        timers.ask(&mut out);
        timers.ask(&mut out);
        assert_eq!(out, [Effect::WakeAt(BlockTime(2 * hour + 3000))]);
        timers.observe(BlockTime(hour));
        timers.ask(&mut out);
        assert_eq!(out[1..], [Effect::WakeAt(BlockTime(hour + 3000))]);
        assert_eq!(timers.take(), None);
        timers.observe(BlockTime(hour + 3000));
        assert_eq!((timers.take(), timers.take()), (Some(Timer::Propose), None));
        timers.observe(BlockTime(9 * hour));
        assert_eq!((timers.take(), timers.take()), (Some(Timer::Repeat), None));
        assert!(timers.is_empty());
    }

    #[test]
    fn a_clock_at_the_end_of_time_does_not_keep_anybody_busy() {
        let mut timers = Timers::default();
        timers.observe(BlockTime(u64::MAX - 100));
        timers.set(Timer::Repeat, 1000);
        timers.set(Timer::Propose, 100);
        timers.observe(BlockTime(u64::MAX));
        assert_eq!(timers.take(), Some(Timer::Propose));
        timers.set(Timer::Propose, 0);
        assert_eq!(timers.take(), None);
        assert!(timers.is_empty());
    }
}
