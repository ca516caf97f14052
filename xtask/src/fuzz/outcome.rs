//! What libFuzzer printed.

use std::fmt;

/// Lines of a report that are shown.
const REPORT_LINES: usize = 8;

/// How a run of one target ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Its time was over.
    Passed(Figures),
    /// An input broke a rule.
    Finding {
        /// The file with that input.
        artifact: String,
        /// What the target said about it.
        report: String,
    },
    /// Neither.
    Broken,
}

/// What a run did.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Figures {
    executions: u64,
    executions_per_second: u64,
    /// Places of the code that were reached.
    places: u64,
    /// Places, told apart by how often they were reached and by the values compared there.
    features: u64,
    /// Inputs in the corpus that are worth keeping.
    inputs: u64,
}

impl Outcome {
    /// Reads what a run printed.
    pub(super) fn of(printed: &str, success: bool) -> Self {
        let artifact = printed.lines().find_map(|line| line.split_once("Test unit written to "));
        match (success, artifact) {
            (false, Some((_, artifact))) => {
                Self::Finding { artifact: artifact.trim().to_owned(), report: report(printed) }
            }
            (true, None) => printed.lines().rev().find_map(Figures::of).map_or(Self::Broken, Self::Passed),
            _ => Self::Broken,
        }
    }
}

/// From where something went wrong.
fn report(printed: &str) -> String {
    let tells = |line: &&str| {
        ["panicked at", "ERROR:", "memory allocation of"].iter().any(|sign| line.contains(sign))
    };
    let lines: Vec<_> = printed.lines().skip_while(|line| !tells(line)).take(REPORT_LINES).collect();
    lines.join("\n")
}

impl Figures {
    /// Reads a line such as `#2048  DONE   cov: 10 ft: 20 corp: 3/21Kb lim: 83 exec/s: 4493 rss: 33Mb`.
    fn of(line: &str) -> Option<Self> {
        let words: Vec<_> = line.split_whitespace().collect();
        let [number, "DONE", ..] = words[..] else { return None };
        let after = |label: &str| {
            let place = words.iter().position(|word| *word == label)?;
            words.get(place + 1)?.split('/').next()?.parse().ok()
        };
        Some(Self {
            executions: number.strip_prefix('#')?.parse().ok()?,
            executions_per_second: after("exec/s:")?,
            places: after("cov:")?,
            features: after("ft:")?,
            inputs: after("corp:")?,
        })
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { executions, executions_per_second, places, features, inputs } = self;
        write!(f, "{executions:>9} executions, {executions_per_second:>6}/s, ")?;
        write!(f, "cov {places:>5}, ft {features:>6}, corpus {inputs:>5}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_gives_the_figures() {
        let printed = "\
            INFO: Seed: 1\n\
            #16\tINITED cov: 9 ft: 9 corp: 2/9b exec/s: 0 rss: 30Mb\n\
            #71889\tDONE   cov: 2412 ft: 9022 corp: 646/21Kb lim: 83 exec/s: 4493 rss: 33Mb\n\
            Done 71889 runs in 16 second(s)\n";
        let figures = Figures {
            executions: 71_889,
            executions_per_second: 4493,
            places: 2412,
            features: 9022,
            inputs: 646,
        };
        assert_eq!(figures.to_string(), "    71889 executions,   4493/s, cov  2412, ft   9022, corpus   646");
        assert_eq!(Outcome::of(printed, true), Outcome::Passed(figures));
        assert_eq!(Outcome::of(printed, false), Outcome::Broken);
        assert_eq!(Outcome::of("", true), Outcome::Broken, "a run that did nothing did not pass");
    }

    #[test]
    fn a_finding_names_its_input_and_says_what_broke() {
        let printed = "\
            #398\tNEW    cov: 9 ft: 9 corp: 2/9b lim: 4 exec/s: 0 rss: 30Mb\n\
            thread '<unnamed>' panicked at src/bin/car.rs:55:5:\n\
            a second CAR\n\
            artifact_prefix='artifacts/car/'; Test unit written to artifacts/car/crash-75d7\n";
        let Outcome::Finding { artifact, report } = Outcome::of(printed, false) else { panic!("a finding") };
        assert_eq!(artifact, "artifacts/car/crash-75d7");
        assert!(report.starts_with("thread") && report.contains("a second CAR"), "{report}");
    }
}
