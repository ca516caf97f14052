//! What a motion would do: made of arguments, and told in words, as a change of what is in force.

use std::path::Path;

use holdfast_client::ledger::LedgerClient;
use holdfast_core::id::{Epoch, NodeId};
use holdfast_ledger::governance::{Action, Allow, Allowed, Authority, Measurement, SetAuthority};
use holdfast_ledger::registry::Node;
use holdfast_proofs::genesis::Weight;
use serde_json::{Value, json};

use crate::commands::params::{Changes, differences, read_toml};
use crate::failure::{Exit, Failure};

fn conflict(reason: &'static str, message: impl Into<String>) -> Failure {
    Failure::new(Exit::Conflict, reason, message)
}

/// What shall change of the parameters: a file, and words after it.
pub(super) fn changes(file: Option<&Path>, words: &[String]) -> Result<Vec<Changes>, Failure> {
    let file = file.map(read_toml).transpose()?.map(|(changes, _)| changes);
    let words = words.iter().map(|word| Changes::of_word(word)).collect::<Result<Vec<_>, _>>()?;
    Ok(file.into_iter().chain(words).collect())
}

pub(super) async fn params(ledger: &mut LedgerClient, changes: Vec<Changes>) -> Result<Action, Failure> {
    let before = ledger.params().await?.row;
    let after = changes.into_iter().try_fold(before.clone(), |params, change| change.apply(params))?;
    if after == before {
        return Err(conflict("motion.nothing", "nothing would change: these are the parameters in force"));
    }
    Ok(Action::Params(after))
}

pub(super) async fn authority(
    ledger: &mut LedgerClient,
    node: NodeId,
    weight: u8,
) -> Result<Action, Failure> {
    let weight = Weight::new(weight); // none is 0, which removes
    let row = ledger.row::<Node>(node.as_bytes()).await?.row;
    let row = row.ok_or_else(|| {
        let message = format!("node {node} is not registered, so it cannot be an authority");
        Failure::new(Exit::NotFound, "node.unregistered", message)
    })?;
    let now = ledger.row::<Authority>(node.as_bytes()).await?.row.map(|authority| authority.weight);
    if now == weight {
        let message = match weight {
            Some(weight) => format!(
                "nothing would change: node {} is an authority of weight {}",
                node.short(),
                weight.get()
            ),
            None => format!("nothing would change: node {} is no authority", node.short()),
        };
        return Err(conflict("motion.nothing", message));
    }
    if weight.is_some() {
        let running = ledger.running().await?.row;
        if row.since >= running.first {
            let message = format!(
                "node {} was registered in epoch {}, which still runs; ask again when it is over",
                node.short(),
                running.epoch
            );
            return Err(conflict("motion.too_early", message));
        }
        if !row.may_vote() {
            let message = format!("node {} does not serve, or was not registered as validator", node.short());
            return Err(conflict("motion.unfit", message));
        }
    }
    Ok(Action::Authority(SetAuthority { node, weight }))
}

pub(super) fn allow(measurement: Measurement, from: Epoch, until: Option<Epoch>) -> Result<Action, Failure> {
    if until.is_some_and(|until| until <= from) {
        let message = "--until must be later than --from";
        return Err(Failure::new(Exit::Usage, "motion.epochs", message));
    }
    Ok(Action::Allow(Allow { measurement, from, until }))
}

pub(super) async fn revoke(ledger: &mut LedgerClient, measurement: Measurement) -> Result<Action, Failure> {
    match ledger.row::<Allowed>(measurement.as_bytes()).await?.row {
        Some(_) => Ok(Action::Revoke(measurement)),
        None => {
            let message = format!("measurement {measurement} is not allowed, so there is nothing to revoke");
            Err(Failure::new(Exit::NotFound, "motion.no_measurement", message))
        }
    }
}

/// What an action would change, a line for each change; and the same as an object.
pub(super) async fn describe(ledger: &mut LedgerClient, action: &Action) -> Result<(String, Value), Failure> {
    Ok(match action {
        Action::Params(after) => {
            let before = ledger.params().await?.row;
            let found = differences(&before, after);
            let lines: Vec<_> =
                found.iter().map(|(_, what, before, after)| format!("{what}: {before} → {after}")).collect();
            let objects: Vec<_> = found
                .iter()
                .map(|(name, _, before, after)| json!({"name": name, "before": before, "after": after}))
                .collect();
            let text = if lines.is_empty() { "parameters: as they are".to_owned() } else { lines.join("\n") };
            (text, json!({"kind": "params", "changes": objects}))
        }
        Action::Authority(SetAuthority { node, weight }) => {
            let now = ledger.row::<Authority>(node.as_bytes()).await?.row.map(|authority| authority.weight);
            let text = match (now, weight) {
                (_, None) => format!("node {node} is no authority any more"),
                (Some(now), Some(weight)) => {
                    format!("node {node}: weight of its vote {} → {}", now.get(), weight.get())
                }
                (None, Some(weight)) => {
                    format!("node {node} becomes an authority of weight {}", weight.get())
                }
            };
            (
                text,
                json!({"kind": "authority", "node": node, "weight": weight.map_or(0, Weight::get), "before": now.map_or(0, Weight::get)}),
            )
        }
        Action::Allow(Allow { measurement, from, until }) => {
            let begin = if from.0 == 0 { String::new() } else { format!(" from epoch {from} on") };
            let end = until.map_or_else(|| ", for good".to_owned(), |until| format!(", until epoch {until}"));
            let object = json!({"kind": "allow", "measurement": measurement, "from": from, "until": until});
            (format!("measurement {measurement} is allowed{begin}{end}"), object)
        }
        Action::Revoke(measurement) => (
            format!("measurement {measurement} is allowed no more"),
            json!({"kind": "revoke", "measurement": measurement}),
        ),
    })
}
