//! The simulator finds bugs of validators: each of these is planted while a run works.

use holdfast_core::planted::{Bug, plant};
use holdfast_sim::trace::Trace;
use holdfast_sim::validators::run::Run;

mod ground;
use ground::of_seed;

const SEEDS: u64 = 300;

/// Runs seeds with a bug until one breaks the rule that the bug is about.
fn find(bug: Bug, rules: &[&str]) {
    for seed in 0..SEEDS {
        plant(Some(bug));
        let report = Run::drawn(of_seed(seed), seed, Trace::default()).finish();
        plant(None);
        let breaks = |finding: &&String| rules.iter().any(|rule| finding.contains(rule));
        if let Some(finding) = report.findings.iter().find(breaks) {
            let more = report.findings.len() - 1;
            for other in report.findings.iter().filter(|other| *other != finding) {
                println!("  {other}");
            }
            return println!("{bug:?} is found by seed {seed}: {finding} (and {more} more)");
        }
    }
    panic!("no seed below {SEEDS} finds {bug:?}");
}

#[test]
fn a_lock_that_is_forgotten_is_found() {
    find(Bug::ForgetLock, &["voted against its lock"]);
}

#[test]
fn a_vote_that_is_forgotten_is_found() {
    find(Bug::ForgetVote, &["contradicts itself"]);
}

#[test]
fn votes_that_nobody_checks_are_found() {
    find(Bug::SkipVoteCheck, &["voted without two thirds", "which did nothing"]);
}

#[test]
fn a_third_that_counts_as_two_is_found() {
    find(Bug::CountToOneThird, &["voted without two thirds"]);
}
