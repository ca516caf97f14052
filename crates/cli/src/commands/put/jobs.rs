//! What there is to store, and where its proof and key go.

use std::path::{Path, PathBuf};

use super::{key, target};
use crate::args::PutArgs;
use crate::failure::{Exit, Failure};

/// One thing to store, and where its proof goes.
pub(super) struct Job {
    pub(super) source: PathBuf,
    pub(super) is_car: bool,
    pub(super) bundle: PathBuf,
    /// Where the key goes, if it shall be private.
    pub(super) key: Option<PathBuf>,
}

impl Job {
    pub(super) fn is_stdin(&self) -> bool {
        self.source == Path::new("-")
    }
}

pub(super) fn jobs(args: &PutArgs) -> Result<Vec<Job>, Failure> {
    let (sources, is_car) = match &args.car {
        Some(car) => (vec![car.clone()], true),
        None => (args.files.clone(), false),
    };
    let several = sources.len() > 1;
    let mut jobs = Vec::new();
    for source in sources {
        let bundle = PROOF.place(args.bundle.as_deref(), &source, several)?;
        let key = match args.encrypt {
            true => Some(KEY.place(args.key_file.as_deref(), &source, several)?),
            false => None,
        };
        if let Some(key) = &key {
            key::check(key, &bundle)?;
        }
        jobs.push(Job { source, is_car, bundle, key });
    }
    target::check_outside(&jobs)?;
    Ok(jobs)
}

/// A file that is written for every source.
pub(super) struct Companion {
    what: &'static str,
    /// The option that says where it goes.
    pub(super) option: &'static str,
    /// What its name adds to that of the source.
    suffix: &'static str,
    /// Name of failures about its place.
    pub(super) reason: &'static str,
}

pub(super) const PROOF: Companion =
    Companion { what: "proof", option: "--bundle", suffix: ".proof", reason: "put.bundle" };
pub(super) const KEY: Companion =
    Companion { what: "key", option: "--key-file", suffix: ".key", reason: "put.key_file" };

impl Companion {
    /// Where it goes: as the option says, or beside the source.
    fn place(&self, named: Option<&Path>, source: &Path, several: bool) -> Result<PathBuf, Failure> {
        let Self { what, option, suffix, reason } = *self;
        let usage = |message: String| Failure::new(Exit::Usage, reason, message);
        match named {
            Some(_) if several => Err(usage(format!(
                "{option} names one {what}, but there are several files; leave it out to get FILE{suffix} for each"
            ))),
            Some(path) => Ok(path.to_owned()),
            None if source == Path::new("-") => {
                Err(usage(format!("standard input has no name: say where the {what} goes with {option} OUT")))
            }
            None => beside(source, suffix)?.ok_or_else(|| {
                usage(format!(
                    "{} has no name: say where the {what} goes with {option} OUT",
                    source.display()
                ))
            }),
        }
    }
}

/// `FILE.proof` or `FILE.key`, beside the file, also for a folder that is named as `.` or `..`; none for `/`.
fn beside(source: &Path, suffix: &str) -> Result<Option<PathBuf>, Failure> {
    let named = if source.file_name().is_some() {
        source.to_owned()
    } else {
        std::fs::canonicalize(source).map_err(|error| {
            let message = format!("could not read {}: {error}", source.display());
            Failure::new(Exit::of_file(&error), "file.missing", message)
        })?
    };
    Ok(named.file_name().map(|name| {
        let mut name = name.to_owned();
        name.push(suffix);
        named.with_file_name(name)
    }))
}
