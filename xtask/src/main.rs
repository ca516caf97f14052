//! `cargo xtask`: what a developer runs before a commit, and what CI runs.
//!
//! - `cargo xtask quick` looks at format, lints and unit tests: minutes.
//! - `cargo xtask ci` does everything, down to a demo of the release binary.
//! - `cargo xtask soak` loads a network, breaks what it can, and looks whether anything was lost.
//! - `cargo xtask fuzz` gives hostile bytes to everything that reads them, for as long as you like.
//!
//! Every child process has a time limit ([`child`]). Whatever runs our own binary does so in a [`sandbox`]
//! that leaves neither processes nor files behind, also after Ctrl-C ([`interrupt`]).

mod child;
mod ci;
mod fuzz;
mod interrupt;
mod quick;
mod sandbox;
mod soak;
mod steps;
mod workspace;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Checks of the Holdfast workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Format, lints and unit tests.
    Quick,
    /// Everything: tools, format, lints, documentation, licences, tests, fuzzing, release build, interop, offline,
    /// demo, soak.
    Ci {
        /// Run this step alone; may be given several times.
        #[arg(long, value_name = "STEP", value_parser = ci::NAMES)]
        only: Vec<String>,
    },
    /// A network under load while nodes are killed, frozen and run out of disk (docs/failures.md).
    Soak {
        /// Minutes of load and trouble; the judgement comes on top.
        #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
        minutes: u64,
        /// Seed of what happens [default: drawn and printed].
        #[arg(long, value_name = "S")]
        seed: Option<u64>,
    },
    /// Fuzz targets, one after another (docs/fuzzing.md).
    Fuzz {
        /// Seconds that each target runs.
        #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
        seconds: u64,
        /// Targets to run; all if none is named.
        #[arg(value_name = "TARGET")]
        targets: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) if interrupt::requested() => ExitCode::from(130),
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every step passed.
fn run(arguments: &Arguments) -> Result<bool> {
    interrupt::listen()?;
    let workspace = Workspace::find()?;
    Ok(match &arguments.command {
        Command::Quick => quick::run(&workspace),
        Command::Ci { only } => ci::run(&workspace, only),
        Command::Soak { minutes, seed } => {
            let duration = Duration::from_secs(minutes * 60);
            let seed = seed.unwrap_or_else(soak::any_seed);
            soak::build_and_run(&workspace, &soak::Plan { duration, seed })?;
            true
        }
        Command::Fuzz { seconds, targets } => {
            fuzz::run(&workspace, &fuzz::Plan { seconds: *seconds, targets, locked: false })?;
            true
        }
    })
}
