//! What is written down of a run: a line for everything that happens, the faults that fired, and what was found wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// The event log of a run. It is hashed, and printed if somebody wants to read it.
#[derive(Default)]
pub struct Trace {
    hasher: blake3::Hasher,
    print: bool,
    lines: u64,
    counts: BTreeMap<&'static str, u64>,
    findings: Vec<String>,
}

impl Trace {
    /// A log that is also printed.
    #[must_use]
    pub fn printed() -> Self {
        Self { print: true, ..Self::default() }
    }

    /// Writes a line.
    pub fn line(&mut self, now: Duration, line: fmt::Arguments<'_>) {
        let text = format!("{:>11.6} {line}\n", now.as_secs_f64());
        self.hasher.update(text.as_bytes());
        self.lines += 1;
        if self.print {
            print!("{text}");
        }
    }

    /// Counts something that happened.
    pub fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Writes down that a rule was broken.
    pub fn found(&mut self, now: Duration, finding: String) {
        self.line(now, format_args!("FOUND {finding}"));
        self.findings.push(finding);
    }

    /// How often something happened.
    pub fn counted(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    /// Everything that was counted.
    pub fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }

    /// Rules that were broken.
    pub fn findings(&self) -> &[String] {
        &self.findings
    }

    /// Lines, and their hash.
    pub fn digest(&self) -> (u64, blake3::Hash) {
        (self.lines, self.hasher.finalize())
    }
}
