//! `bench [NAME…]`: each operation on this machine against the unavoidable work, and whether the bounds hold.

use std::path::Path;

use holdfast_bench::figure::{Figure, number, table};
use holdfast_bench::figures::{Operation, Sizes, measure};
use holdfast_bench::floor::{Answer, Job, Part};
use holdfast_bench::ground::{BenchError, Ground, Networks, Running};
use serde_json::json;

use super::{net, scratch};
use crate::args::{BenchArgs, Common};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::supervisor::{self, Lifetime, NodeProcess, Stopping};

/// Providers: one slot each of the default profile.
const NODES: u16 = 4;
/// What each may hold: the disk is the limit.
const QUOTA: u64 = 1 << 40;

pub(super) async fn run(args: &BenchArgs, common: &Common, output: &Output) -> Result<(), Failure> {
    let names = if args.names.is_empty() { &Operation::ALL } else { args.names.as_slice() };
    let sizes = Sizes {
        file_bytes: args.size.unwrap_or(Sizes::STANDARD.file_bytes),
        memory_bytes: args.size.unwrap_or(Sizes::STANDARD.memory_bytes),
        pieces: args.pieces.map_or(Sizes::STANDARD.pieces, usize::from),
        accounts: args.accounts.map_or(Sizes::STANDARD.accounts, |accounts| accounts as usize),
    };
    if common.dry_run {
        let words: Vec<_> = names.iter().map(|name| name.name()).collect();
        let text = format!("would measure {}", words.join(", "));
        output.result(&text, "bench-plan", json!({"names": words, "runs": args.runs}));
        return Ok(());
    }
    if cfg!(debug_assertions) {
        output.note("this program was built without optimisation: what follows says little");
    }
    let failed = |error: std::io::Error| Failure::local("could not prepare", &error);
    let program = std::env::current_exe().map_err(failed)?;
    // Removed when this function ends, however it ends; processes are stopped before that.
    let within = args.dir.clone().unwrap_or_else(scratch);
    let folder = tempfile::Builder::new().prefix("holdfast-bench-").tempdir_in(&within).map_err(|error| {
        let message = format!("could not make a folder in {}: {error}", within.display());
        Failure::new(Exit::of_file(&error), "file.write", message)
    })?;
    let path = folder.path().canonicalize().map_err(failed)?;
    let ground = Ground { program, folder: path, runs: args.runs.into() };

    let mut figures = Vec::new();
    for name in names {
        output.note(&format!("measuring {}", name.name()));
        figures.extend(measure(*name, &sizes, &ground, &Local).await?);
    }
    figures.sort_by(|left, right| left.name.cmp(&right.name));
    let mut text = table(&figures);
    if names.iter().any(|name| *name != Operation::Memory) {
        output.note("measuring each part of the floors alone");
        if let Answer::Parts(parts) = ground.floor(&Job::Parts { folder: ground.folder.clone() }).await? {
            match common.json {
                true => output.result_aside("", "bench-parts", json!({"parts": parts})),
                false => text.push_str(&describe(&parts)),
            }
        }
    }
    folder.close().map_err(|error| Failure::local("could not remove the temporary folder", &error))?;
    output.result(&text, "bench", &figures);
    judge(&figures)
}

/// The parts of the floors, one line each.
fn describe(parts: &[Part]) -> String {
    let width = parts.iter().map(|part| part.name.len()).max().unwrap_or(0);
    let lines =
        parts.iter().map(|part| format!("\n  {:width$} {:>8} {}", part.name, number(part.value), part.unit));
    format!("\n\nthe parts of the floors, each alone, by one thread:{}", lines.collect::<String>())
}

/// A bound that is missed is the command's failure, after everything was measured and printed.
fn judge(figures: &[Figure]) -> Result<(), Failure> {
    let missed: Vec<_> = figures.iter().filter(|figure| !figure.held()).map(|figure| &*figure.name).collect();
    if missed.is_empty() {
        return Ok(());
    }
    let message = format!("{} of {} bounds are missed: {}", missed.len(), figures.len(), missed.join("; "));
    Err(Failure::new(Exit::Partial, "bench.bound", message))
}

/// Networks of this program's own node processes.
struct Local;

struct Nodes(Stopping);

impl Networks for Local {
    type Running = Nodes;

    async fn start(&self, folder: &Path) -> Result<Nodes, BenchError> {
        let failed = |failure: Failure| BenchError::Network(failure.message);
        net::make_local(NODES, folder, QUOTA, net::Speed::default()).map_err(failed)?;
        let nodes = Stopping(supervisor::start_all(folder, Lifetime::Bound).map_err(failed)?);
        net::check_serving(folder).await.map_err(failed)?;
        Ok(Nodes(nodes))
    }
}

impl Running for Nodes {
    fn hosts(&self) -> Vec<u32> {
        self.0.0.iter().map(NodeProcess::pid).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_bench::figure::{Bound, Unit};

    fn figure(name: &str, value: f64) -> Figure {
        Figure { name: name.into(), value, unit: Unit::Seconds, floor: None, bound: Bound::ValueMax(1.0) }
    }

    #[test]
    fn one_missed_bound_fails_the_command_by_name() {
        assert!(judge(&[figure("a", 1.0), figure("b", 0.5)]).is_ok());
        let failure = judge(&[figure("a", 1.0), figure("b", 1.5), figure("c", f64::NAN)]).unwrap_err();
        assert_eq!((failure.exit, &*failure.reason), (Exit::Partial, "bench.bound"));
        assert_eq!(failure.message, "2 of 3 bounds are missed: b; c");
    }
}
