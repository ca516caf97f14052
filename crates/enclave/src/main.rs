//! The enclave as a program of its own: `holdfast-enclave FOLDER`, with the host's socket as standard input.
#![allow(clippy::print_stderr)]

fn main() -> std::process::ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("usage: holdfast-enclave FOLDER (the host's socket is standard input)");
        return std::process::ExitCode::from(2);
    };
    holdfast_enclave::service::main(folder.as_ref())
}
