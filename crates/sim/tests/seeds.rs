//! Two hundred networks of seven nodes, or as many as `SEEDS` says.
//!
//! `SEED=17 cargo test -p holdfast-sim one_seed -- --nocapture` reruns one of them with its event log.

use std::collections::BTreeMap;
use std::env;
use std::thread;

use holdfast_sim::run::Run;
use holdfast_sim::trace::Trace;
use holdfast_sim::verdict::Report;

mod network;
use network::network;

/// Networks, unless `SEEDS` says otherwise.
const SEEDS: u64 = 200;
/// The machines that run this have at least two cores.
const THREADS: u64 = 2;

/// Names the seed if its run panics.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("it was seed {} that panicked", self.0);
        }
    }
}

fn run(seed: u64, trace: Trace) -> Report {
    let _named = Named(seed);
    let mut run = Run::new(network(), seed, trace);
    run.work();
    run.judge()
}

/// A number that whoever runs this has set.
fn asked(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} must be a number, found {value}")))
}

fn check(report: &Report) {
    println!("{report}");
    assert!(report.findings.is_empty(), "seed {}: {:#?}", report.seed, report.findings);
    assert!(report.crashes() >= 3, "{report}");
    assert!(report.lost_frames >= 50, "{report}");
    assert!(report.counted("partitions") >= 1, "{report}");
    assert!(report.counted("acknowledged puts") >= 21, "{report}");
}

#[test]
fn what_was_acknowledged_holds_in_every_network() {
    let seeds = asked("SEEDS").unwrap_or(SEEDS);
    let work = move |thread: u64| {
        let own = (0..seeds).filter(move |seed| seed % THREADS == thread);
        move || own.map(|seed| run(seed, Trace::default())).collect()
    };
    let threads: Vec<thread::JoinHandle<Vec<Report>>> =
        (0..THREADS).map(|number| thread::spawn(work(number))).collect();
    let mut reports: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    reports.sort_by_key(|report| report.seed);
    reports.iter().for_each(check);

    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for (what, count) in reports.iter().flat_map(|report| &report.counts) {
        *sums.entry(what).or_default() += count;
    }
    let lost: u64 = reports.iter().map(|report| report.lost_frames).sum();
    println!("{} seeds: {lost} lost frames, {sums:?}", reports.len());
    for what in [
        "resumed puts",
        "late receipts",
        "departed slots given the certificate",
        "repairs",
        "links used again",
        "power cuts",
        "kills",
    ] {
        assert!(sums.contains_key(what), "no seed shows {what}");
    }
}

#[test]
fn the_same_seed_gives_the_same_event_log() {
    let digest = |seed| run(seed, Trace::default()).trace;
    let first: Vec<_> = (0..6).map(digest).collect();
    assert_eq!(first, (0..6).map(digest).collect::<Vec<_>>());
    assert_ne!(first[0], first[1]);
}

#[test]
fn one_seed() {
    let report = match asked("SEED") {
        Some(seed) => run(seed, Trace::printed()),
        None => run(17, Trace::default()),
    };
    println!("{:#?}", report.counts);
    check(&report);
}
