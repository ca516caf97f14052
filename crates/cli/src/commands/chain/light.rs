//! `chain light`: a light client. It trusts genesis, or a checkpoint, asks for headers alone, and checks that the validators to whom the way from
//! genesis leads decided on each: that is all it takes to believe any row that comes with a proof.

use std::time::{Duration, Instant};

use clap::Args;
use holdfast_client::ledger::Head;
use holdfast_proofs::checkpoint::Checkpoint;
use serde_json::json;

use crate::args::Common;
use crate::commands::online;
use crate::commands::words::time;
use crate::failure::Failure;
use crate::output::Output;

/// Shortest pause between two looks for a new header.
const LOOK_EVERY: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(crate) struct LightArgs {
    /// Stop after so many headers [default: go on]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,
    /// Trust the validators after a block instead of genesis, HEIGHT:VALIDATORS as another run prints it
    #[arg(long, value_name = "CHECKPOINT")]
    checkpoint: Option<Checkpoint>,
}

pub(super) async fn run(args: &LightArgs, common: &Common, output: &Output) -> Result<(), Failure> {
    let started = Instant::now();
    let mut ledger = online::ledger(common).await?;
    let members = ledger.network().genesis.members.len();
    output.note(&format!(
        "network {}: genesis and {members} possession proofs checked in {} ms",
        ledger.network().id(),
        started.elapsed().as_millis()
    ));
    if let Some(checkpoint) = args.checkpoint {
        ledger = ledger.at_checkpoint(checkpoint).await?;
    }
    let pause = (ledger.block_time() / 2).max(LOOK_EVERY);
    let (mut seen, mut last) = (0, None);
    loop {
        let Head { header, bytes, handovers, took } = ledger.head().await?;
        let (height, hash) = (header.header().height, header.hash());
        let checkpoint = Checkpoint::after(header.header());
        if last.is_some_and(|last| height <= last) {
            tokio::time::sleep(pause).await;
            continue;
        }
        last = Some(height);
        let changes = match handovers {
            0 => String::new(),
            1 => ", 1 change of validators".to_owned(),
            more => format!(", {more} changes of validators"),
        };
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let text = format!(
            "block {height}  {}  {}  final: {bytes} bytes, checked in {}.{} ms{changes}",
            hash.short(),
            time(header.header().time),
            micros / 1000,
            micros % 1000 / 100
        );
        let object = json!({
            "height": height,
            "hash": hash,
            "time": header.header().time.second(),
            "state": header.header().state,
            "bytes": bytes,
            "check_us": micros,
            "handovers": handovers,
            "checkpoint": checkpoint.to_string(),
        });
        output.result(&text, "chain-light", object);
        if args.count == Some(seen + 1) {
            output.note(&format!("checkpoint: {checkpoint}"));
        }
        seen += 1;
        if args.count.is_some_and(|count| seen >= count) {
            return Ok(());
        }
    }
}
