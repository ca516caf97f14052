//! `node update|retire|rejoin`: the owner changes what the ledger says of a node. Nothing of it needs the node itself, which may run.

use clap::Args;
use holdfast_core::codec::Text;
use holdfast_core::id::Amount;
use holdfast_ledger::registry::{Node, Status, Update};
use holdfast_ledger::transaction::Payload;
use holdfast_proofs::genesis::Weight;
use serde_json::json;

use super::register::lacking_bond;
use crate::args::{Common, weight};
use crate::commands::order::epoch_words;
use crate::commands::owner::{OwnerArgs, next_epoch};
use crate::commands::words::{money, status};
use crate::failure::{Exit, Failure};
use crate::output::Output;

#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    #[command(flatten)]
    owner: OwnerArgs,
    /// Who runs it
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
    /// What can fail together with it: a rack, a site, a country
    #[arg(long, value_name = "NAME")]
    failure_domain: Option<String>,
    /// How often it is drawn, 1 to 16
    #[arg(long, value_name = "N", value_parser = weight)]
    weight: Option<Weight>,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    owner: OwnerArgs,
}

/// How a change is told.
struct Told {
    /// What was done, after "node ID ".
    done: &'static str,
    /// What would be done, before the node.
    plan: &'static str,
    schema: &'static str,
}

pub(super) async fn update(args: &UpdateArgs, common: &Common, output: &Output) -> Result<(), Failure> {
    let text = |what: &str, text: &String| {
        Text::new(text.as_str())
            .map_err(|error| Failure::new(Exit::Usage, "node.config", format!("--{what} {text:?}: {error}")))
    };
    let operator = args.operator.as_ref().map(|name| text("operator", name)).transpose()?;
    let domain = args.failure_domain.as_ref().map(|name| text("failure-domain", name)).transpose()?;
    if operator.is_none() && domain.is_none() && args.weight.is_none() {
        let message = "nothing to change; name --operator, --failure-domain or --weight";
        return Err(Failure::new(Exit::Usage, "node.update", message));
    }
    let change = |row: &Node, update: &mut Update| {
        update.operator = operator.clone().unwrap_or_else(|| update.operator.clone());
        update.failure_domain = domain.clone().unwrap_or_else(|| update.failure_domain.clone());
        update.weight = args.weight.unwrap_or(update.weight);
        match row.status {
            Status::Active | Status::Leaving | Status::Gone => Ok(()),
            // Any change would bring it back, or make it one that left.
            Status::Dead => Err("was reported dead; `holdfast node rejoin` first"),
            Status::Expelled => Err("was expelled, and cannot be changed any more"),
        }
    };
    let told = Told { done: "is described anew", plan: "describe anew", schema: "node-update" };
    apply(&args.owner, change, &told, common, output).await
}

pub(super) async fn retire(args: &ServeArgs, common: &Common, output: &Output) -> Result<(), Failure> {
    let change = |row: &Node, update: &mut Update| {
        update.serve = false;
        match row.status {
            Status::Active | Status::Dead => Ok(()),
            Status::Leaving => Err("is leaving already"),
            Status::Gone => Err("has left already"),
            Status::Expelled => Err("was expelled, and serves no more"),
        }
    };
    let told = Told { done: "leaves", plan: "retire", schema: "node-retire" };
    apply(&args.owner, change, &told, common, output).await
}

pub(super) async fn rejoin(args: &ServeArgs, common: &Common, output: &Output) -> Result<(), Failure> {
    let change = |row: &Node, update: &mut Update| {
        update.serve = true;
        match row.status {
            Status::Leaving | Status::Gone | Status::Dead => Ok(()),
            Status::Active => Err("serves already, or will from the next epoch on"),
            Status::Expelled => Err("was expelled, and cannot come back"),
        }
    };
    let told = Told { done: "comes back", plan: "bring back", schema: "node-rejoin" };
    apply(&args.owner, change, &told, common, output).await
}

/// Changes a node's row, and says what it is now.
async fn apply(
    owner: &OwnerArgs,
    change: impl Fn(&Node, &mut Update) -> Result<(), &'static str>,
    told: &Told,
    common: &Common,
    output: &Output,
) -> Result<(), Failure> {
    let (mut ledger, row) = owner.owned(common).await?;
    let member = &row.member;
    let id = member.node;
    let mut update = Update {
        node: id,
        operator: member.operator.clone(),
        failure_domain: member.failure_domain.clone(),
        weight: member.weight,
        serve: row.status == Status::Active,
    };
    change(&row, &mut update).map_err(|why| {
        let message = format!("node {} {why}", id.short());
        Failure::new(Exit::Conflict, "node.status", message)
    })?;
    if common.dry_run {
        let text = format!("would {} node {}", told.plan, id.short());
        let object = json!({"node": id, "status": status(row.status), "serve": update.serve});
        output.result(&text, "node-plan", object);
        return Ok(());
    }
    let sent = owner.tell(&mut ledger, Payload::Update(update), Amount::ZERO, output).await?;
    let height = sent.sent.height;
    let next = next_epoch(&mut ledger, height).await?;
    let now = ledger.row_since::<Node>(id.as_bytes(), height).await?.row;
    let now = now.ok_or_else(|| Failure::new(Exit::Invalid, "ledger.unproven", "the node's row is gone"))?;
    let when = epoch_words(next, ledger.network().committee.record());
    let mut text = format!(
        "in block {height}, for a fee of {}: node {id} {} from {when} on",
        money(sent.fee),
        told.done
    );
    let short = match now.is_to_serve() {
        true => lacking_bond(&mut ledger, &now).await?,
        false => None,
    };
    if let Some(short) = short {
        text.push_str(&format!(
            "\nbut not before it has more bond: `holdfast bond lock` {} for it",
            money(short)
        ));
    }
    let object = json!({
        "node": id,
        "status": status(now.status),
        "operator": now.member.operator,
        "failure_domain": now.member.failure_domain,
        "weight": now.member.weight,
        "transaction": sent.sent.id,
        "height": height,
        "fee": sent.fee,
        "from_epoch": next,
        "bond_lacking": short,
    });
    output.result(&text, told.schema, object);
    Ok(())
}
