//! `cid FILE`: the CID of a file or folder.

use std::path::PathBuf;

use holdfast_store::import::{ImportProfile, import};
use serde_json::json;

use super::{blocking, scratch, size};
use crate::failure::Failure;
use crate::output::Output;

pub(super) async fn run(file: PathBuf, profile: ImportProfile, output: &Output) -> Result<(), Failure> {
    let progress = output.progress("hashing", size(&file));
    let dag = blocking(move || import(&file, profile, &scratch(), &mut |bytes| progress.add(bytes))).await?;
    let cid = dag.root().to_string();
    output.result(
        &cid,
        "cid",
        json!({"cid": cid, "profile": profile.name, "content_bytes": dag.content_bytes()}),
    );
    Ok(())
}
