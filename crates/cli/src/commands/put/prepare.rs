//! From what the user named to a planned piece, encrypted on the way if it shall be private.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use holdfast_client::private::{PieceKey, encrypt};
use holdfast_store::foreign;
use holdfast_store::import::{ImportError, ImportProfile, import};
use holdfast_store::source::Plan;
use tempfile::NamedTempFile;

use super::jobs::Job;
use crate::commands::{blocking, scratch, size};
use crate::failure::Failure;
use crate::output::Output;

/// A piece that can be put.
pub(super) struct Prepared {
    pub(super) plan: Arc<Plan>,
    /// What opens it, if it is private.
    pub(super) key: Option<PieceKey>,
    /// What the plan reads, if it is no file of the user's; it goes with this.
    pub(super) spool: Option<NamedTempFile>,
}

/// Hashes a source to its CID and plans its piece.
pub(super) async fn prepare(job: &Job, profile: ImportProfile, output: &Output) -> Result<Prepared, Failure> {
    if job.key.is_some() {
        let (spool, key) = encrypted(job, profile, output).await?;
        let plan = plan(spool.path(), false, profile, output).await?;
        return Ok(Prepared { plan, key: Some(key), spool: Some(spool) });
    }
    let spool = if job.is_stdin() { Some(spool().await?) } else { None };
    let source = spool.as_ref().map_or(job.source.as_path(), NamedTempFile::path);
    let plan = plan(source, job.is_car, profile, output).await?;
    Ok(Prepared { plan, key: None, spool })
}

async fn plan(
    source: &Path,
    is_car: bool,
    profile: ImportProfile,
    output: &Output,
) -> Result<Arc<Plan>, Failure> {
    let progress = output.progress("hashing", size(source));
    let source = source.to_owned();
    let plan = blocking(move || {
        let (scratch, mut count) = (scratch(), |bytes| progress.add(bytes));
        let dag = if is_car {
            foreign::scan(&source, &scratch, &mut count)?
        } else {
            import(&source, profile, &scratch, &mut count)?
        };
        Ok::<_, Failure>(dag.plan()?)
    })
    .await?;
    if plan.unreachable() > 0 {
        output.note(&format!(
            "{} blocks of the CAR are linked by nothing and were left out",
            plan.unreachable()
        ));
    }
    Ok(Arc::new(plan))
}

/// Copies standard input to a temporary file, which goes with the result: it must be read twice.
async fn spool() -> Result<NamedTempFile, Failure> {
    let failed = |error| Failure::local("could not keep standard input", &error);
    let file = NamedTempFile::new_in(scratch()).map_err(failed)?;
    let mut copy = file.reopen().map_err(failed)?;
    blocking(move || io::copy(&mut io::stdin().lock(), &mut copy)).await.map_err(failed)?;
    Ok(file)
}

/// Encrypts a source to a temporary file, which goes with the result. Of a folder or CAR it is the canonical CAR
/// that is encrypted. No plaintext is written anywhere, but for a CAR from standard input and the inner nodes of a folder,
/// which hold its names.
async fn encrypted(
    job: &Job,
    profile: ImportProfile,
    output: &Output,
) -> Result<(NamedTempFile, PieceKey), Failure> {
    let encrypted_form = || -> Result<_, Failure> {
        let failed = |error| Failure::local("could not write the encrypted form", &error);
        let file = NamedTempFile::new_in(scratch()).map_err(failed)?;
        let out = file.reopen().map_err(failed)?;
        Ok((file, out))
    };
    let (source, is_stdin) = (job.source.clone(), job.is_stdin());
    if job.is_car || (!is_stdin && source.is_dir()) {
        // A CAR cannot be put into order as it streams by.
        let spool = if is_stdin { Some(spool().await?) } else { None };
        let source = spool.as_ref().map_or(source.as_path(), NamedTempFile::path);
        let plan = plan(source, job.is_car, profile, output).await?;
        // Not before the plan: temporary space may lie in the folder that is stored.
        let (file, out) = encrypted_form()?;
        let progress = output.progress("encrypting", Some(plan.piece_bytes()));
        let key = blocking(move || encrypt::tree(&plan, out, &mut |bytes| progress.add(bytes))).await?;
        return Ok((file, key));
    }
    let (file, out) = encrypted_form()?;
    let progress = output.progress("encrypting", size(&source));
    let key = blocking(move || {
        let mut count = |bytes| progress.add(bytes);
        if is_stdin {
            return Ok::<_, Failure>(encrypt::file(io::stdin().lock(), &source, out, &mut count)?);
        }
        let failed = |error| ImportError::Read { path: source.clone(), source: error };
        // A pipe or device may never end, and opening one may never return.
        if !source.metadata().map_err(failed)?.is_file() {
            return Err(ImportError::Kind { path: source }.into());
        }
        let plaintext = File::open(&source).map_err(failed)?;
        Ok(encrypt::file(plaintext, &source, out, &mut count)?)
    })
    .await?;
    Ok((file, key))
}
