//! `holdfast`: store a file, hold a certificate, verify it offline, fetch it back.
//!
//! - [`args`]: the grammar. [`settings`]: configuration file, environment, choice of network.
//! - [`commands`]: one file per command. [`supervisor`]: node processes on this machine.
//! - [`failure`]: exit codes and reasons, in one place. [`output`]: results, progress, JSON.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

mod args;
mod commands;
mod failure;
mod output;
mod settings;
mod supervisor;

fn main() -> ExitCode {
    let limited = survive_file_limits();
    // In software mode the enclave is this very program under a hidden name, and links nothing else into
    // its life: no runtime, no configuration.
    // A floor of `bench` is the same, under another.
    let mut words = std::env::args_os().skip(1);
    let (first, second): (OsString, OsString) =
        (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if first == holdfast_node::trusted::SUBCOMMAND {
        log("warn", false);
        return match holdfast_enclave::service::run(second.as_ref()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the enclave stopped");
                ExitCode::FAILURE
            }
        };
    }
    if first == holdfast_bench::floor::SUBCOMMAND {
        return holdfast_bench::floor::main(&second);
    }
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(error) => return usage(&error),
    };
    log(if args.command.is_node_run() { "info" } else { "error" }, args.common.json);
    if let Err(error) = limited {
        tracing::warn!(%error, "a file that reaches its limit will end this program");
    }
    let output = output::Output::new(&args.common);
    match commands::run(args.command, &args.common, &output).and_then(|()| output.finish()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// A write beyond the limit of a file's length raises a signal that ends a program. With a handler it is an error
/// like any other, as on a full disk: a node that can hold nothing more still serves what it has.
fn survive_file_limits() -> std::io::Result<()> {
    let seen = std::sync::Arc::default();
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, seen).map(drop)
}

/// What the grammar refuses, and what it answers itself: help and version.
fn usage(error: &clap::Error) -> ExitCode {
    let wants_json = std::env::args_os().any(|word| word == "--json");
    if wants_json && error.use_stderr() {
        let text = error.render().to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let failure = failure::Failure::new(failure::Exit::Usage, "usage", message);
        output::Output::json().failure(&failure);
    } else if let Err(error) = error.print() {
        tracing::debug!(%error, "nobody reads the help");
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Logs go to standard error; `HOLDFAST_LOG` overrides what is logged.
fn log(default: &str, json: bool) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("HOLDFAST_LOG")
        .unwrap_or_else(|_| format!("{default},libp2p=error").parse().expect("a valid filter"));
    // A log that takes no more, on a full disk or after its reader has gone, is no reason to stop serving; by default it
    // would end the process.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    if json {
        builder.json().init();
    } else {
        builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).with_target(false).init();
    }
}
