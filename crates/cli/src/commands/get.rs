//! `get CID`: fetch a file, a folder or a CAR.

use std::path::PathBuf;

use holdfast_client::get;
use serde_json::json;

use super::dialer;
use crate::args::{Common, GetArgs};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings;

pub(super) async fn run(args: &GetArgs, common: &Common, output: &Output) -> Result<(), Failure> {
    let GetArgs { cid, car, .. } = *args;
    let target = args
        .output
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("{cid}{}", if car { ".car" } else { "" })));
    let network = settings::network(common)?;
    if target.file_name().is_none() {
        let message = format!("{} is no name for a file or folder", target.display());
        return Err(Failure::new(Exit::Usage, "get.target", message));
    }
    if common.dry_run {
        let text = format!("would fetch {cid} to {}", target.display());
        output.result(&text, "get-plan", json!({"cid": cid.to_string(), "output": target}));
        return Ok(());
    }
    let net = dialer().await?;
    let progress = output.progress("fetching", None);
    let count = |bytes| progress.add(bytes);
    let fetched = if car {
        get::piece(&net, &network, cid, &target, count).await?
    } else {
        get::tree(&net, &network, cid, &target, count).await?
    };
    drop(progress);
    let text = format!(
        "fetched and checked {} blocks, {} bytes, to {}",
        fetched.blocks,
        fetched.bytes,
        target.display()
    );
    let object = json!({"cid": cid.to_string(), "output": target, "blocks": fetched.blocks, "block_bytes": fetched.bytes});
    output.result(&text, "get", object);
    Ok(())
}
