//! What was done, what was acknowledged, and what should not have happened.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Events that are told after a failure, the last ones.
const STORY: usize = 60;

/// A piece for which a put ended with 0.
#[derive(Clone, Debug)]
pub(super) struct Acknowledged {
    pub(super) cid: String,
    /// What its content is made from.
    pub(super) seed: u64,
    pub(super) bytes: u64,
    pub(super) proof: PathBuf,
}

/// Kept by all threads together.
pub(super) struct Record {
    started: Instant,
    stopped: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    acknowledged: Vec<Acknowledged>,
    acknowledged_bytes: u64,
    counts: BTreeMap<String, u64>,
    story: Vec<(Duration, String)>,
}

impl Record {
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), stopped: AtomicBool::new(false), state: Mutex::default() }
    }

    /// Tells everybody that it is over.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed) || crate::interrupt::requested()
    }

    /// One more of these.
    pub(super) fn count(&self, what: &str) {
        *self.state().counts.entry(what.to_owned()).or_default() += 1;
    }

    /// Something that may explain a failure later.
    pub(super) fn tell(&self, what: String) {
        let at = self.started.elapsed();
        self.state().story.push((at, what));
    }

    pub(super) fn acknowledge(&self, piece: Acknowledged) {
        let mut state = self.state();
        state.acknowledged_bytes += piece.bytes;
        state.acknowledged.push(piece);
    }

    /// The acknowledged piece of this number, counted around.
    pub(super) fn pick(&self, number: u64) -> Option<Acknowledged> {
        let state = self.state();
        let count = state.acknowledged.len();
        let place = usize::try_from(number).unwrap_or(0).checked_rem(count)?;
        state.acknowledged.get(place).cloned()
    }

    pub(super) fn acknowledged(&self) -> Vec<Acknowledged> {
        self.state().acknowledged.clone()
    }

    /// Bytes of content acknowledged, the same content counted again.
    pub(super) fn acknowledged_bytes(&self) -> u64 {
        self.state().acknowledged_bytes
    }

    /// The last events, oldest first.
    pub(super) fn story(&self) -> String {
        let state = self.state();
        let from = state.story.len().saturating_sub(STORY);
        let lines =
            state.story[from..].iter().map(|(at, what)| format!("{:8.1} s  {what}", at.as_secs_f64()));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All counts, a line each.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        writeln!(
            f,
            "    {:>7} pieces acknowledged, {} MiB",
            state.acknowledged.len(),
            state.acknowledged_bytes >> 20
        )?;
        state.counts.iter().try_for_each(|(what, count)| writeln!(f, "    {count:>7} {what}"))
    }
}
