//! `cargo xtask soak`: a network under load and trouble, until the time is over; then everything that was acknowledged
//! must be there.
//!
//! 1. Several clients put and get at once, and are killed now and then ([`clients`]).
//! 2. Meanwhile nodes and enclaves are killed, frozen, restarted and run out of disk ([`trouble`]).
//! 3. At the end the network is started once more: every acknowledged piece must come back byte for byte, every
//!    proof must hold, every store must be sound ([`judge`]), and all nodes must tell of one ledger that goes on ([`chains`]).
//!
//! One seed draws what happens, though not when: processes take the time they take.

mod chains;
mod clients;
mod dice;
mod field;
mod judge;
mod record;
mod trouble;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use self::dice::Dice;
use self::field::Field;
use self::record::Record;
use crate::interrupt;
use crate::sandbox::Sandbox;
use crate::steps::seconds;
use crate::workspace::Workspace;

/// Clients at once: enough to meet each other, few enough for two processors.
const CLIENTS: u64 = 4;

/// A cold release build.
const BUILD_LIMIT: Duration = Duration::from_secs(3600);

/// What to do.
pub(crate) struct Plan {
    /// How long there is load and trouble.
    pub(crate) duration: Duration,
    /// What draws them.
    pub(crate) seed: u64,
}

/// A seed that nobody has chosen.
pub(crate) fn any_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(1, |now| now.as_secs() % 1_000_000)
}

/// Builds the release binary and soaks it.
pub(crate) fn build_and_run(workspace: &Workspace, plan: &Plan) -> Result<()> {
    workspace
        .cargo(&["build", "--release", "--workspace", "--exclude", "xtask", "--locked"], BUILD_LIMIT)
        .run()?;
    run(workspace, plan)
}

/// Soaks the release binary that is there.
///
/// # Errors
/// With the story, if anything was lost or happened that may not.
pub(crate) fn run(workspace: &Workspace, plan: &Plan) -> Result<()> {
    let sandbox = Sandbox::new(workspace.binary()?)?;
    let record = Record::new();
    let mut dice = Dice::new(plan.seed);
    let nodes = dice.between(5, 7);
    eprintln!("    seed {}, {nodes} nodes, {CLIENTS} clients, {}", plan.seed, seconds(plan.duration));
    let mut field = Field::up(&sandbox, nodes)?;
    let end = Instant::now() + plan.duration;
    let soaked = std::thread::scope(|scope| {
        let running: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (dice, record, network) = (dice.fork(number), &record, field.folder().to_owned());
                let sandbox = &sandbox;
                scope.spawn(move || clients::run(number, dice, sandbox, &network, record, end))
            })
            .collect();
        let troubled = trouble::run(&mut dice, &mut field, &record, end);
        record.stop();
        let clients = running.into_iter().map(|client| client.join().expect("clients do not panic"));
        clients.fold(troubled, Result::and)
    });
    if interrupt::requested() {
        bail!("interrupted");
    }
    let judged = soaked.and_then(|()| judge::run(&mut field, &sandbox, &record));
    eprintln!("{record}");
    if let Err(error) = &judged {
        let kept = field.keep_logs(workspace)?;
        bail!("seed {}: {error:#}\n{}\nlogs of the nodes: {}", plan.seed, record.story(), kept.display());
    }
    Ok(())
}
