//! Virtual time: a queue of events in the order in which they happen.
//!
//! Time stands still while an event is handled and then jumps to the next. Events of the same time happen in the order
//! in which they were put in.

use std::collections::BTreeMap;
use std::time::Duration;

/// What will happen, in order.
#[derive(Debug)]
pub struct Clock<E> {
    now: Duration,
    number: u64,
    waiting: BTreeMap<(Duration, u64), E>,
}

impl<E> Default for Clock<E> {
    fn default() -> Self {
        Self { now: Duration::ZERO, number: 0, waiting: BTreeMap::new() }
    }
}

impl<E> Clock<E> {
    /// Time since the run began.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Lets something happen at a time; now if that has gone by.
    pub fn at(&mut self, time: Duration, event: E) {
        self.number += 1;
        self.waiting.insert((time.max(self.now), self.number), event);
    }

    /// Lets something happen after a while.
    pub fn after(&mut self, delay: Duration, event: E) {
        self.at(self.now + delay, event);
    }

    /// Goes on to the next event up to `end`; to `end` if there is none.
    pub fn next(&mut self, end: Duration) -> Option<E> {
        match self.waiting.first_entry() {
            Some(first) if first.key().0 <= end => {
                self.now = first.key().0;
                Some(first.remove())
            }
            _ => {
                self.now = self.now.max(end);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_happen_in_order_of_time_and_then_of_arrival() {
        let second = Duration::from_secs;
        let mut clock = Clock::default();
        for (time, event) in [(5, 'c'), (1, 'a'), (5, 'd'), (9, 'e'), (2, 'b')] {
            clock.at(second(time), event);
        }
        let mut seen = String::new();
        while let Some(event) = clock.next(second(6)) {
            seen.push(event);
        }
        assert_eq!((seen.as_str(), clock.now()), ("abcd", second(6)));
        clock.at(second(3), 'f'); // has gone by
        assert_eq!((clock.next(second(100)), clock.now()), (Some('f'), second(6)));
    }
}
