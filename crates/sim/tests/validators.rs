//! Three hundred networks of four or seven validators, or as many as `SEEDS` says.
//!
//! `SEED=17 cargo test -p holdfast-sim --test validators one_seed -- --nocapture` reruns one of them with its event log.

use std::collections::BTreeMap;
use std::env;
use std::thread;
use std::time::Duration;

use holdfast_sim::disks::Crash;
use holdfast_sim::trace::Trace;
use holdfast_sim::validators::adversary::Kind;
use holdfast_sim::validators::host::Fuse;
use holdfast_sim::validators::run::{Fault, Plan, Report, Run, WORK};

mod ground;
use ground::{ground, of_seed};

/// Networks, unless `SEEDS` says otherwise.
const SEEDS: u64 = 300;
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
    Run::drawn(of_seed(seed), seed, trace).finish()
}

/// A number that whoever runs this has set.
fn asked(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} must be a number, found {value}")))
}

fn check(report: &Report) {
    println!("{report}");
    assert!(report.findings.is_empty(), "seed {}: {:#?}", report.seed, report.findings);
}

#[test]
fn validators_agree_and_go_on_in_every_network() {
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
    let slowest = reports.iter().map(|report| report.took).max().unwrap();
    println!("{} seeds, the slowest in {slowest:?}: {sums:?}", reports.len());
    for what in [
        "blocks committed in later rounds",
        "blocks synced",
        "bad blocks found",
        "second blocks",
        "offences seen",
        "misbehaviour seen",
        "votes with a lock",
        "times that all were killed",
        "clocks that jumped",
        "partitions",
        "partitions in one direction",
        "power cuts",
        "kills",
        "enclaves that failed",
    ] {
        assert!(sums.contains_key(what), "no seed shows {what}");
    }
}

#[test]
fn the_same_seed_gives_the_same_event_log() {
    let digest = |seed| run(seed, Trace::default()).trace;
    let first: Vec<_> = (0..4).map(digest).collect();
    assert_eq!(first, (0..4).map(digest).collect::<Vec<_>>());
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

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Runs a plan under a few seeds, and answers the reports.
fn play(size: u8, plan: &Plan) -> Vec<Report> {
    let reports = (0..3).map(|seed| Run::new(ground(size), seed, plan.clone(), Trace::default()).finish());
    let reports: Vec<_> = reports.collect();
    reports.iter().for_each(check);
    reports
}

fn counted(report: &Report, what: &str) -> u64 {
    report.counts.get(what).copied().unwrap_or(0)
}

#[test]
fn without_faults_blocks_come_at_their_pace_in_their_first_rounds() {
    for report in play(4, &Plan::smooth()) {
        // The first at once, for genesis is long ago; then every two seconds, and a little more.
        assert!((6..=8 + 3).contains(&report.height.0), "{report}");
        assert_eq!(counted(&report, "blocks committed in later rounds"), 0, "{report}");
        assert_eq!(counted(&report, "questions for blocks"), 0, "{report}");
    }
}

#[test]
fn one_of_four_may_be_down() {
    let fuse = Fuse { effects: Some(0), how: Crash::PowerCut, away: seconds(1000) };
    for report in play(4, &Plan::smooth().with(seconds(1), Fault::Kill(2, fuse))) {
        // It comes back when all faults end, and gets what it missed.
        assert!(counted(&report, "blocks synced") >= 1, "{report}");
        assert!(report.height.0 >= 4, "{report}");
    }
}

#[test]
fn an_equivocator_is_seen_and_expelled() {
    let plan = Plan { before_epoch_ends_ms: 7000, ..Plan::smooth() };
    for report in play(4, &plan.with_bad(1, Kind::Equivocator)) {
        assert!(counted(&report, "offences seen") >= 1, "{report}");
    }
}

#[test]
fn a_withholder_stops_nobody() {
    for report in play(4, &Plan::smooth().with_bad(3, Kind::Withholder)) {
        assert!(report.height.0 >= 4, "{report}");
    }
}

#[test]
fn blocks_that_are_invalid_cost_a_round_each() {
    for report in play(7, &Plan::smooth().with_bad(0, Kind::Spoiler).with_bad(4, Kind::Spoiler)) {
        assert!(counted(&report, "spoilt blocks") >= 1, "{report}");
        assert!(counted(&report, "blocks committed in later rounds") >= 1, "{report}");
    }
}

#[test]
fn forged_messages_change_nothing() {
    for report in play(4, &Plan::smooth().with_bad(2, Kind::Forger)) {
        assert!(counted(&report, "misbehaviour seen") >= 1, "{report}");
        assert!(report.height.0 >= 4, "{report}");
    }
}

#[test]
fn a_partition_stops_everybody_until_it_heals() {
    let plan = Plan::smooth()
        .with(seconds(3), Fault::Part(vec![true, true, false, false]))
        .with(seconds(9), Fault::Join);
    for report in play(4, &plan) {
        assert!(
            counted(&report, "blocks committed in later rounds") <= counted(&report, "blocks committed") / 2
        );
    }
    // One that is cut off gets what it missed.
    let plan = Plan::smooth()
        .with(seconds(3), Fault::Part(vec![true, false, false, false]))
        .with(seconds(9), Fault::Join);
    for report in play(4, &plan) {
        assert!(counted(&report, "blocks synced") >= 1, "{report}");
    }
}

#[test]
fn a_clock_that_jumps_stops_nobody_else() {
    for ahead in [3_600_000, -3_600_000, 5000, -15_000] {
        let plan =
            Plan::smooth().with(seconds(2), Fault::Jump(1, ahead)).with(seconds(10), Fault::Jump(1, 0));
        for report in play(4, &plan) {
            assert!(report.height.0 >= 5, "{ahead}: {report}");
        }
    }
}

#[test]
fn all_that_are_killed_at_once_go_on_together() {
    for how in [Crash::Kill, Crash::PowerCut] {
        for after in [2000, 2040, 2080, 2120, 2160, 2200, 4170] {
            let plan = Plan::smooth().with(Duration::from_millis(after), Fault::KillAll(how, seconds(3)));
            for report in play(4, &plan) {
                assert!(report.took < WORK + seconds(20), "{after}: {report}");
            }
        }
    }
}
