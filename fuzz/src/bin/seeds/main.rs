//! Writes what each target starts from: `seeds FOLDER` fills `FOLDER/TARGET` for every target.
//!
//! Bytes come from the golden vectors of the repository and, where those are in tests, from values encoded
//! here. Files are named for their content, so that writing them again changes nothing.

#![forbid(unsafe_code)]

mod consensus;
mod content;
mod golden;
mod ledger;
mod machines;
mod proofs;
mod storage;
mod wire;

use std::path::{Path, PathBuf};
use std::{env, fs, io, process};

// Coverage is recorded there, in this program as well.
use libfuzzer_sys as _;

/// Inputs for one target.
type Seeds = (&'static str, Vec<Vec<u8>>);

fn main() {
    let Some(folder) = env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: seeds FOLDER");
        process::exit(2);
    };
    if let Err(error) = write(&folder) {
        eprintln!("error: could not write seeds to {}: {error}", folder.display());
        process::exit(1);
    }
}

fn all() -> [Seeds; 19] {
    [
        ("bundle", proofs::bundles()),
        ("car", content::cars()),
        ("certificate", proofs::certificates()),
        ("chunk_proof", content::chunk_proofs()),
        ("cid", wire::cids()),
        ("codec", [wire::values(), ledger::values(), consensus::values()].concat()),
        ("consensus", consensus::scripts()),
        ("dagpb", content::blocks()),
        ("execute", ledger::lives()),
        ("export", content::trees()),
        ("foreign", content::foreign_cars()),
        ("frame", wire::frames()),
        ("genesis", proofs::genesis()),
        ("ledger", ledger::proofs()),
        ("log", storage::logs()),
        ("machines", machines::scripts()),
        ("private", storage::private()),
        ("readers", content::read()),
        ("store", storage::stores()),
    ]
}

fn write(folder: &Path) -> io::Result<()> {
    for (target, seeds) in all() {
        let folder = folder.join(target);
        fs::create_dir_all(&folder)?;
        for seed in seeds {
            fs::write(folder.join(&blake3::hash(&seed).to_hex()[..16]), seed)?;
        }
    }
    Ok(())
}
