//! `chain status`: how far each member says that it is, and what is proven.

use holdfast_core::explain;
use holdfast_protocol::chain::ChainStatus;
use serde_json::json;
use tokio::task::JoinSet;

use crate::args::Common;
use crate::commands::words::time;
use crate::commands::{ls::aligned, online};
use crate::failure::{Exit, Failure};
use crate::output::Output;

pub(super) async fn run(common: &Common, output: &Output) -> Result<(), Failure> {
    let online = online::online(common, output).await?;
    let mut ledger = online.ledger()?;
    let mut asking = JoinSet::new();
    for place in 0..online.network.committee.members().len() {
        let ledger = ledger.clone();
        asking.spawn(async move { (place, ledger.status(place).await) });
    }
    let mut answers = asking.join_all().await;
    answers.sort_by_key(|(place, _)| *place);
    let best =
        answers.iter().filter_map(|(_, answer)| answer.as_ref().ok()).map(|status| status.height).max();
    let Some(best) = best else {
        let message = "no member answers about the ledger; is the network running?";
        return Err(Failure::new(Exit::Unreachable, "ledger.unreachable", message));
    };
    let (mut rows, mut objects) = (Vec::new(), Vec::new());
    for (place, answer) in answers {
        let member = &online.network.committee.members()[place];
        let mut row = vec![format!("node {}", member.node.short()), member.operator.to_string()];
        let object = match &answer {
            Ok(ChainStatus { height, hash, time: at, epoch, earliest, waiting, .. }) => {
                let behind = best.0 - height.0;
                row.extend([
                    format!("block {height}"),
                    hash.short(),
                    format!("epoch {epoch}"),
                    if behind > 0 { format!("{behind} behind") } else { "up to date".to_owned() },
                    format!("{waiting} waiting"),
                ]);
                json!({
                    "node": member.node,
                    "state": "answers",
                    "height": height,
                    "hash": hash,
                    "time": at.second(),
                    "epoch": epoch,
                    "behind": behind,
                    "earliest": earliest,
                    "waiting": waiting,
                })
            }
            Err(error) => {
                row.push(explain(error));
                json!({"node": member.node, "state": "unreachable", "detail": explain(error)})
            }
        };
        rows.push(row);
        objects.push(object);
    }
    let newest = ledger.head().await;
    let mut lines = aligned(rows);
    lines.push(match &newest {
        Ok(head) => {
            let header = head.header.header();
            format!(
                "proven: block {} of {}, {}, decided by more than two thirds of the validators",
                header.height,
                time(header.time),
                head.header.hash().short()
            )
        }
        Err(error) => format!("nothing is proven: {}", explain(error)),
    });
    let proven = newest.as_ref().ok().map(|head| {
        let header = head.header.header();
        json!({"height": header.height, "hash": head.header.hash(), "time": header.time.second()})
    });
    let object = json!({"network": online.network.id(), "members": objects, "proven": proven});
    output.result(&lines.join("\n"), "chain-status", object);
    newest.map(drop).map_err(Failure::from)
}
