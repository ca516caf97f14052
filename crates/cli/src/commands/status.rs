//! `status CID`: which nodes hold a piece.

use holdfast_client::ask;
use holdfast_core::block::BlockId;
use holdfast_core::explain;
use holdfast_proofs::slots::{self, Bucket};
use holdfast_proofs::statement::Statement;
use serde_json::json;
use tokio::task::JoinSet;

use super::online::{Online, online};
use crate::args::Common;
use crate::failure::{Exit, Failure};
use crate::output::Output;

pub(super) async fn run(cid: BlockId, common: &Common, output: &Output) -> Result<(), Failure> {
    let online = online(common, output).await?;
    let Online { net, network, .. } = &online;
    let (mut committees, committee) = (online.committees(), &network.committee);
    let mut places = slots::order(Bucket::of(&cid), committee.members());
    places.truncate(committee.slots_max());

    let mut asking = JoinSet::new();
    for (slot, place) in places.into_iter().enumerate() {
        let (net, network) = (net.clone(), network.clone());
        asking.spawn(async move { (slot, place, ask::piece(&net, &network, place, cid).await) });
    }
    let mut answers = asking.join_all().await;
    answers.sort_by_key(|(slot, ..)| *slot);

    let (mut text, mut rows) = (format!("{cid}\n"), Vec::new());
    let (mut holders, mut reached) = (0, 0);
    for (slot, place, answer) in answers {
        let member = &committee.members()[place];
        let (state, detail, info) = match answer {
            Ok(Some(info)) => {
                holders += 1;
                reached += 1;
                // What a node says is only its word; a certificate that checks is more.
                let certificate = match info.certificate.clone() {
                    Some(certificate) => committees.verify(certificate).await.ok(),
                    None => None,
                };
                let about = |statement: &Statement| (statement.cid, statement.piece_root) == (cid, info.root);
                let certificate = certificate.filter(|certificate| about(certificate.statement()));
                let signed = certificate.map_or(0, |certificate| certificate.signers().count());
                let detail = match signed {
                    0 => "no certificate".to_owned(),
                    count => format!("certificate of {count}"),
                };
                ("holds", format!("{} bytes, {detail}", info.bytes), Some((info, signed)))
            }
            Ok(None) => {
                reached += 1;
                ("lacks", String::new(), None)
            }
            Err(error) => ("unreachable", explain(&error), None),
        };
        text.push_str(&format!(
            "slot {slot}  {}  {:12} {state:12} {detail}\n",
            member.node.short(),
            member.operator.as_str()
        ));
        rows.push(json!({
            "slot": slot,
            "node": member.node,
            "state": state,
            "piece_root": info.as_ref().map(|(info, _)| info.root),
            "piece_bytes": info.as_ref().map(|(info, _)| info.bytes),
            "certificate_signers": info.as_ref().map(|(_, signed)| signed),
            "detail": detail,
        }));
    }
    if reached == 0 {
        let message = "none of the piece's nodes could be reached; is the network running?";
        return Err(Failure::new(Exit::Unreachable, "status.unreachable", message));
    }
    if holders == 0 {
        let message = format!("no node that was reached holds {cid}");
        return Err(Failure::new(Exit::NotFound, "status.not_found", message));
    }
    text.push_str(&format!("{holders} of {} slots say that they hold it", rows.len()));
    output.result(&text, "status", json!({"cid": cid.to_string(), "holders": holders, "slots": rows}));
    Ok(())
}
