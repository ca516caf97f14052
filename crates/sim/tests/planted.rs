//! The simulator finds bugs: each of these is planted while a run works, and taken out before its end is judged.

use holdfast_core::planted::{Bug, plant};
use holdfast_sim::run::Run;
use holdfast_sim::trace::Trace;

mod network;
use network::network;

const SEEDS: u64 = 200;

/// Runs seeds with a bug until one breaks the rule that the bug is about.
fn find(bug: Bug, rule: &str) {
    for seed in 0..SEEDS {
        plant(Some(bug));
        let mut run = Run::new(network(), seed, Trace::default());
        run.work();
        plant(None);
        let report = run.judge();
        if let Some(finding) = report.findings.iter().find(|finding| finding.contains(rule)) {
            let more = report.findings.len() - 1;
            return println!("{bug:?} is found by seed {seed}: {finding} (and {more} more)");
        }
    }
    panic!("no seed below {SEEDS} finds {bug:?}");
}

#[test]
fn signing_before_the_sync_is_found() {
    find(Bug::SignBeforeSync, "is in the certificate of");
}

#[test]
fn blocks_that_nobody_checks_are_found() {
    find(Bug::SkipBlockCheck, "an honest member signed for lying_client: a bad block");
}

#[test]
fn names_that_are_not_synced_are_found() {
    find(Bug::DropFolderSync, "and does not hold it");
}

#[test]
fn a_signer_that_counts_twice_is_found() {
    find(Bug::AcceptDuplicateSigner, "2 of 3 needed signatures");
}

#[test]
fn forgotten_promises_are_found() {
    find(Bug::ForgetReceipt, "and does not hold it");
}
