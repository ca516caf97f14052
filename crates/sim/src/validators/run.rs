//! A whole run, drawn from its seed: who takes part, which faults fall when, and whether everybody goes on afterwards.
//!
//! 1. For [`WORK`], validators decide on blocks, one or two of them break the rules, and faults fall.
//! 2. Faults end. Within [`LIMIT`], every honest validator must be [`MORE`] heights beyond the furthest of that moment, and whoever was
//!    seen to vote twice must be expelled.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use holdfast_ledger::state::{RowKey, Rows, Table};
use holdfast_proofs::header::Height;

use super::Ground;
use super::adversary::Kind;
use super::air::Air;
use super::host::{Event, Fuse, Host, Shared};
use super::record::Record;
use super::verified::Verified;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::disks::Crash;
use crate::trace::Trace;

/// How long faults fall.
pub const WORK: Duration = Duration::from_secs(14);
/// How long everybody may take to go on after that: some rounds of which each takes a few seconds, and pauses of up to eight seconds
/// before what was lost is sent again.
pub const LIMIT: Duration = Duration::from_secs(100);
/// Heights that must follow.
pub const MORE: u64 = 3;

/// More events than any honest run has.
const EVENTS_MAX: u64 = 400_000;
/// When the epoch of the first validators ends, in milliseconds since 1970.
const EPOCH_ENDS_MS: u64 = 2_000_000;
/// How soon everybody is back once faults have ended.
const RETURN_WINDOW: Duration = Duration::from_secs(2);

/// A fault.
#[derive(Clone, Debug)]
pub enum Fault {
    /// A validator is killed when its fuse has burnt down.
    Kill(usize, Fuse),
    /// All are killed at this moment.
    KillAll(Crash, Duration),
    /// Nothing passes between those marked and the others.
    Part(Vec<bool>),
    /// Those marked hear nothing, and are heard.
    Deafen(Vec<bool>),
    /// Everybody can hear everybody again.
    Join,
    /// One message in so many is lost from now on.
    Lose(Option<u64>),
    /// Proposals above all are lost from now on, or no longer.
    Muddle(bool),
    /// A clock jumps to be so many milliseconds ahead.
    Jump(usize, i64),
    /// All faults end.
    Calm,
}

/// What happens in a run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Those that break the rules.
    pub bad: BTreeMap<usize, Kind>,
    /// Faults.
    pub faults: Vec<(Duration, Fault)>,
    /// Whether messages are doubled, and some take seconds.
    pub wild: bool,
    /// How far the clock is from the end of the epoch when the run begins, in milliseconds.
    pub before_epoch_ends_ms: u64,
}

impl Plan {
    /// Nothing goes wrong.
    pub fn smooth() -> Self {
        Self {
            bad: BTreeMap::new(),
            faults: vec![(WORK, Fault::Calm)],
            wild: false,
            before_epoch_ends_ms: 500_000,
        }
    }

    /// The same with one more fault.
    #[must_use]
    pub fn with(mut self, at: Duration, fault: Fault) -> Self {
        self.faults.push((at, fault));
        self
    }

    /// The same with a validator that breaks the rules.
    #[must_use]
    pub fn with_bad(mut self, place: usize, kind: Kind) -> Self {
        self.bad.insert(place, kind);
        self
    }

    /// Whatever a seed says, among so many validators.
    pub fn draw(chance: &mut Chance, size: usize) -> Self {
        let mut plan = Self { wild: true, ..Self::smooth() };
        plan.before_epoch_ends_ms = 2000 + chance.below(24_000);
        let mut places: Vec<_> = (0..size).collect();
        let most = (size - 1) / 3;
        for _ in 0..chance.below(most as u64 + 1).max(u64::from(!chance.one_in(4))) {
            plan.bad.insert(chance.take(&mut places), Kind::BAD[chance.index(Kind::BAD.len())]);
        }
        let at = |chance: &mut Chance| chance.time(Duration::from_millis(500)..=WORK * 9 / 10);
        let how = |chance: &mut Chance| if chance.one_in(2) { Crash::Kill } else { Crash::PowerCut };
        let away = |chance: &mut Chance| chance.time(Duration::from_millis(200)..=Duration::from_secs(6));
        for _ in 0..1 + chance.below(4) {
            let effects = if chance.one_in(2) { None } else { Some(chance.below(30)) };
            let fuse = Fuse { effects, how: how(chance), away: away(chance) };
            plan.faults.push((at(chance), Fault::Kill(chance.index(size), fuse)));
        }
        if chance.one_in(3) {
            plan.faults.push((at(chance), Fault::KillAll(how(chance), away(chance))));
        }
        for _ in 0..chance.below(4) {
            let begins = at(chance);
            let marked = (0..size).map(|_| chance.one_in(2)).collect();
            let fault = if chance.one_in(2) { Fault::Part(marked) } else { Fault::Deafen(marked) };
            plan.faults.push((begins, fault));
            plan.faults
                .push((begins + chance.time(Duration::from_secs(1)..=Duration::from_secs(6)), Fault::Join));
        }
        plan.faults.push((Duration::ZERO, Fault::Lose(Some(5 + chance.below(40)))));
        for _ in 0..1 + chance.below(2) {
            let begins = at(chance);
            plan.faults.push((begins, Fault::Lose(Some(2 + chance.below(2)))));
            plan.faults.push((begins + Duration::from_secs(3), Fault::Lose(Some(20))));
        }
        for _ in 0..chance.below(3) {
            let begins = at(chance);
            plan.faults.push((begins, Fault::Muddle(true)));
            plan.faults.push((begins + Duration::from_secs(5), Fault::Muddle(false)));
        }
        for place in 0..size {
            let skew = i64::try_from(chance.below(800)).expect("small") - 400;
            plan.faults.push((Duration::ZERO, Fault::Jump(place, skew)));
        }
        for _ in 0..chance.below(4) {
            let jump = [3000, 15_000, 3_600_000, 10_800_000][chance.index(4)];
            let jump = if chance.one_in(2) { jump } else { -jump };
            let (place, begins) = (chance.index(size), at(chance));
            plan.faults.push((begins, Fault::Jump(place, jump)));
            plan.faults.push((begins + away(chance), Fault::Jump(place, 0)));
        }
        plan.faults.retain(|(at, fault)| *at < WORK || matches!(fault, Fault::Calm));
        plan
    }
}

/// What came of a run.
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// Rules that were broken.
    pub findings: Vec<String>,
    /// What happened, and how often.
    pub counts: BTreeMap<&'static str, u64>,
    /// The highest final block.
    pub height: Height,
    /// How long it took until everybody had gone on.
    pub took: Duration,
    /// Lines of the event log, and their hash.
    pub trace: (u64, blake3::Hash),
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, height, took, counts, .. } = self;
        write!(f, "seed {seed}: {height} blocks in {took:.1?}, {counts:?}")
    }
}

/// One run.
pub struct Run {
    seed: u64,
    hosts: Vec<Host>,
    shared: Shared,
}

impl Run {
    /// The run of a seed, in which happens what the seed says.
    pub fn drawn(ground: &'static Ground, seed: u64, trace: Trace) -> Self {
        let plan = Plan::draw(&mut Chance::new(seed), ground.seats.len());
        Self::new(ground, seed, plan, trace)
    }

    /// A run in which happens what a plan says; the rest is drawn from the seed.
    pub fn new(ground: &'static Ground, seed: u64, plan: Plan, trace: Trace) -> Self {
        let kind = |place: usize| plan.bad.get(&place).copied().unwrap_or(Kind::Honest);
        let node = |place: &usize| ground.seats[*place].node;
        let bad: BTreeSet<_> = plan.bad.keys().map(node).collect();
        let twice = plan.bad.iter().filter(|(_, kind)| **kind == Kind::Equivocator);
        let equivocators = twice.map(|(place, _)| node(place)).collect();
        let mut clock = Clock::default();
        for (at, fault) in plan.faults {
            clock.at(at, Event::Fault(fault));
        }
        let shared = Shared {
            clock,
            air: Air { wild: plan.wild, ..Air::default() },
            chance: Chance::new(seed ^ 0x5eed),
            trace,
            record: Record::new(ground, bad, equivocators),
            verified: Verified::default(),
            start_ms: EPOCH_ENDS_MS - plan.before_epoch_ends_ms,
        };
        let hosts = (0..ground.seats.len()).map(|place| Host::new(ground, place, kind(place))).collect();
        Self { seed, hosts, shared }
    }

    /// Runs to the end.
    pub fn finish(mut self) -> Report {
        for place in 0..self.hosts.len() {
            self.with(place, Host::start);
        }
        self.until(WORK);
        let goal = self.honest().map(|host| host.height().0).max().expect("somebody is honest") + MORE;
        while !self.went_on(goal) && self.now() < WORK + LIMIT {
            self.until(self.now() + Duration::from_millis(250));
        }
        self.judge(goal)
    }

    fn now(&self) -> Duration {
        self.shared.clock.now()
    }

    fn honest(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter().filter(|host| host.kind.is_honest())
    }

    fn went_on(&self, goal: u64) -> bool {
        let expelled = |host: &Host| self.shared.record.accused.iter().all(|node| host.is_expelled(node));
        self.honest().all(|host| host.height().0 >= goal && expelled(host))
    }

    fn until(&mut self, end: Duration) {
        let mut events = 0;
        while let Some(event) = self.shared.clock.next(end) {
            events += 1;
            if events > EVENTS_MAX {
                let now = self.now();
                return self.shared.trace.found(now, "somebody is busy for ever".into());
            }
            match event {
                Event::Arrival { from, to, packet } => {
                    self.line(format_args!("v{to} hears v{from}"));
                    self.with(to, |host, shared| host.arrived(from, packet, shared));
                }
                Event::Answer { place, life, input } if self.hosts[place].life == life => {
                    self.with(place, |host, shared| host.tell(*input, shared));
                }
                Event::Wake { place, life, number } if self.hosts[place].life == life => {
                    self.with(place, |host, shared| host.woken(number, shared));
                }
                Event::Restart { place, life } if self.hosts[place].life == life && !self.hosts[place].up => {
                    self.line(format_args!("v{place} starts again"));
                    self.hosts[place].start(&mut self.shared);
                    self.bury(place);
                }
                Event::Answer { .. } | Event::Wake { .. } | Event::Restart { .. } => {}
                Event::Fault(fault) => self.befall(fault),
            }
        }
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        let now = self.now();
        self.shared.trace.line(now, line);
    }

    /// Does something with a host that is up, or is started, and buries it if it was killed by that.
    fn with(&mut self, place: usize, act: impl FnOnce(&mut Host, &mut Shared)) {
        let host = &mut self.hosts[place];
        if host.up || host.life == 0 {
            act(host, &mut self.shared);
            self.bury(place);
        }
    }

    fn bury(&mut self, place: usize) {
        if self.hosts[place].is_burnt()
            && let Some(Fuse { how, away, .. }) = self.hosts[place].fuse.clone()
        {
            self.kill(place, how, away);
        }
    }

    fn kill(&mut self, place: usize, how: Crash, away: Duration) {
        self.line(format_args!("v{place} {how:?}"));
        self.shared.trace.count(match how {
            Crash::Kill => "kills",
            Crash::PowerCut => "power cuts",
        });
        let host = &mut self.hosts[place];
        host.end(how, &mut self.shared);
        let event = Event::Restart { place, life: host.life };
        self.shared.clock.after(away, event);
    }

    fn befall(&mut self, fault: Fault) {
        self.line(format_args!("fault {fault:?}"));
        match fault {
            Fault::Kill(place, fuse) => self.hosts[place].fuse = Some(fuse),
            Fault::KillAll(how, away) => {
                self.shared.trace.count("times that all were killed");
                for place in 0..self.hosts.len() {
                    if self.hosts[place].up {
                        let away = self.shared.chance.time(Duration::from_millis(100)..=away);
                        self.kill(place, how, away);
                    }
                }
            }
            Fault::Part(far) => {
                self.shared.trace.count("partitions");
                self.shared.air.far = Some(far);
            }
            Fault::Deafen(deaf) => {
                self.shared.trace.count("partitions in one direction");
                self.shared.air.deaf = Some(deaf);
            }
            Fault::Join => (self.shared.air.far, self.shared.air.deaf) = (None, None),
            Fault::Muddle(muddled) => self.shared.air.muddled = muddled,
            Fault::Lose(loss) => self.shared.air.loss = loss,
            Fault::Jump(place, ahead_ms) => {
                if ahead_ms.abs() > 1000 {
                    self.shared.trace.count("clocks that jumped");
                }
                self.hosts[place].skew_ms = ahead_ms;
            }
            Fault::Calm => {
                self.shared.air = Air::default();
                for place in 0..self.hosts.len() {
                    let host = &mut self.hosts[place];
                    host.fuse = None;
                    host.skew_ms %= 1000;
                    if !host.up {
                        let event = Event::Restart { place, life: host.life };
                        self.shared.clock.after(RETURN_WINDOW, event);
                    }
                }
            }
        }
    }

    /// What the end of a run shows.
    fn judge(mut self, goal: u64) -> Report {
        let now = self.now();
        let mut findings = Vec::new();
        for host in self.honest() {
            if host.height().0 < goal {
                findings.push(format!("v{} stands at {} and not at {goal}", host.place, host.height()));
            }
            for node in &self.shared.record.accused {
                if !host.is_expelled(node) {
                    findings.push(format!("v{} does not know that {node:?} is expelled", host.place));
                }
            }
        }
        let mut rows = BTreeMap::new();
        for host in self.honest() {
            let found = (host.disk.ledger.header().state, all_rows(host));
            if *rows.entry(host.height()).or_insert(found) != found {
                findings.push(format!("v{} has other rows at {}", host.place, host.height()));
            }
        }
        for finding in findings {
            self.shared.trace.found(now, finding);
        }
        let height = self.honest().map(Host::height).max().expect("somebody is honest");
        let trace = &self.shared.trace;
        Report {
            seed: self.seed,
            findings: trace.findings().to_vec(),
            counts: trace.counts().clone(),
            height,
            took: now,
            trace: trace.digest(),
        }
    }
}

/// The hash of all rows of a host's ledger.
fn all_rows(host: &Host) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    let mut key = RowKey::new(Table::ACCOUNTS, &[]);
    while let Some((next, row)) = host.disk.ledger.after(&key).expect("in memory") {
        hasher.update(next.key()).update(&row);
        key = next;
    }
    hasher.finalize()
}
