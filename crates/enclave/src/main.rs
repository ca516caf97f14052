//! The enclave as a program of its own: `holdfast-enclave FOLDER`, with the host's socket as standard input.
#![allow(clippy::print_stderr)]

use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("usage: holdfast-enclave FOLDER (the host's socket is standard input)");
        return ExitCode::from(2);
    };
    match holdfast_enclave::service::run(folder.as_ref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("holdfast-enclave: {}", holdfast_core::explain(&error));
            ExitCode::FAILURE
        }
    }
}
