//! `cid FILE`: the CID of a file or folder.

use std::path::Path;

use holdfast_store::import::{ImportProfile, import};
use serde_json::json;

use super::{scratch, size};
use crate::failure::Failure;
use crate::output::Output;

pub(super) fn run(file: &Path, profile: ImportProfile, output: &Output) -> Result<(), Failure> {
    let total = size(file);
    let progress = output.progress("hashing", total);
    let dag = import(file, profile, &scratch(), &mut |bytes| progress.add(bytes))?;
    drop(progress);
    let cid = dag.root().to_string();
    output.result(
        &cid,
        "cid",
        json!({"cid": cid, "profile": profile.name, "content_bytes": dag.content_bytes()}),
    );
    Ok(())
}
