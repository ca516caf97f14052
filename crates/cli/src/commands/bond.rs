//! `bond show|lock|unlock|withdraw`: what a node's owner loses if the node breaks a rule, and how it comes back.

use clap::{Args, Subcommand};
use holdfast_client::ledger::LedgerClient;
use holdfast_core::id::Amount;
use holdfast_ledger::registry::Node;
use holdfast_ledger::stake::{Bond, Lock, UNBONDING_MAX, Unbonding, Unlock, Withdraw};
use holdfast_ledger::transaction::Payload;
use holdfast_proofs::header::Height;
use serde_json::{Value, json};

use super::online;
use super::order::epoch_words;
use super::owner::{NodeArgs, OwnerArgs, Told};
use super::wallet::send::sum;
use super::words::money;
use crate::args::Common;
use crate::failure::{Exit, Failure};
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum BondCommand {
    /// Show what is locked for a node, what it needs to be a member, and when what was unlocked is free
    Show {
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Lock money for a node
    Lock(AmountArgs),
    /// Ask for some of it back, which takes as many epochs as `chain params` says
    Unlock(AmountArgs),
    /// Take back what is free by now
    Withdraw {
        #[command(flatten)]
        owner: OwnerArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AmountArgs {
    #[command(flatten)]
    owner: OwnerArgs,
    /// How much, with its unit: 1.5FFG, or 250 milliFFG
    #[arg(value_name = "AMOUNT", required = true, num_args = 1..=2)]
    amount: Vec<String>,
}

pub(super) async fn run(command: BondCommand, common: &Common, output: &Output) -> Result<(), Failure> {
    match command {
        BondCommand::Show { node } => {
            let mut ledger = online::followed(common).await?;
            let row = node.row(&mut ledger).await?;
            let (text, object) = describe(&mut ledger, &row, None).await?;
            output.result(&text, "bond-show", object);
            Ok(())
        }
        BondCommand::Lock(args) => lock(&args, common, output).await,
        BondCommand::Unlock(args) => unlock(&args, common, output).await,
        BondCommand::Withdraw { owner } => withdraw(&owner, common, output).await,
    }
}

async fn lock(
    AmountArgs { owner, amount }: &AmountArgs,
    common: &Common,
    output: &Output,
) -> Result<(), Failure> {
    let amount = sum(amount)?;
    let (mut ledger, row) = owner.owned(common).await?;
    let node = row.member.node;
    if common.dry_run {
        plan(&format!("would lock {} for node {}", money(amount), node.short()), &row, amount, output);
        return Ok(());
    }
    let payload = Payload::Lock(Lock { node, amount });
    let told = owner.tell(&mut ledger, payload, amount, output).await?;
    let done = format!("locked {}", money(amount));
    tell(&done, "bond-lock", &mut ledger, (&row, amount, &told), output).await
}

async fn unlock(
    AmountArgs { owner, amount }: &AmountArgs,
    common: &Common,
    output: &Output,
) -> Result<(), Failure> {
    let amount = sum(amount)?;
    let (mut ledger, row) = owner.owned(common).await?;
    let node = row.member.node;
    let bond = bond_of(&mut ledger, &row, None).await?;
    if amount > bond.bonded {
        let message = format!(
            "the bond of node {} is {}, less than {}",
            node.short(),
            money(bond.bonded),
            money(amount)
        );
        return Err(Failure::new(Exit::Quota, "bond.too_little", message));
    }
    if bond.unbonding.len() >= UNBONDING_MAX {
        output.note(&format!(
            "{UNBONDING_MAX} parts are on their way back, the most there may be; another one is refused unless it \
             joins one of this epoch"
        ));
    }
    if common.dry_run {
        plan(
            &format!("would ask for {} back from node {}", money(amount), node.short()),
            &row,
            amount,
            output,
        );
        return Ok(());
    }
    let payload = Payload::Unlock(Unlock { node, amount });
    let told = owner.tell(&mut ledger, payload, Amount::ZERO, output).await?;
    let done = format!("asked for {} back", money(amount));
    tell(&done, "bond-unlock", &mut ledger, (&row, amount, &told), output).await
}

async fn withdraw(owner: &OwnerArgs, common: &Common, output: &Output) -> Result<(), Failure> {
    let (mut ledger, row) = owner.owned(common).await?;
    let node = row.member.node;
    let bond = bond_of(&mut ledger, &row, None).await?;
    let record = ledger.network().committee.record().clone();
    let free = |part: &&Unbonding| part.free <= record.epoch;
    let amount = bond
        .unbonding
        .iter()
        .filter(free)
        .fold(Amount::ZERO, |sum, part| sum.plus(part.amount).expect("less than all money"));
    if amount == Amount::ZERO {
        let message = match bond.unbonding.iter().map(|part| part.free).min() {
            Some(epoch) => {
                format!("nothing is free yet; the next part is from {} on", epoch_words(epoch, &record))
            }
            None => "nothing is on its way back; `holdfast bond unlock` asks for it".to_owned(),
        };
        return Err(Failure::new(Exit::Conflict, "bond.nothing_free", message));
    }
    if common.dry_run {
        plan(&format!("would take {} back from node {}", money(amount), node.short()), &row, amount, output);
        return Ok(());
    }
    let told = owner.tell(&mut ledger, Payload::Withdraw(Withdraw { node }), Amount::ZERO, output).await?;
    let done = format!("took {} back", money(amount));
    tell(&done, "bond-withdraw", &mut ledger, (&row, amount, &told), output).await
}

fn plan(text: &str, row: &Node, amount: Amount, output: &Output) {
    output.result(text, "bond-plan", json!({"node": row.member.node, "amount": amount}));
}

/// A node's bond, as of a block that is not before `since`.
async fn bond_of(ledger: &mut LedgerClient, row: &Node, since: Option<Height>) -> Result<Bond, Failure> {
    let proven = ledger.row_since::<Bond>(row.member.node.as_bytes(), since.unwrap_or(Height(0))).await?;
    Ok(proven.row.unwrap_or_default())
}

/// What was done, and what the bond is then.
async fn tell(
    done: &str,
    schema: &str,
    ledger: &mut LedgerClient,
    (row, amount, told): (&Node, Amount, &Told),
    output: &Output,
) -> Result<(), Failure> {
    let height = told.sent.height;
    let (text, mut object) = describe(ledger, row, Some(height)).await?;
    let text = format!("{done} in block {height}, for a fee of {}\n{text}", money(told.fee));
    object["amount"] = json!(amount);
    object["transaction"] = json!(told.sent.id);
    object["height"] = json!(height);
    object["fee"] = json!(told.fee);
    output.result(&text, schema, object);
    Ok(())
}

/// A node's bond in words and as an object.
async fn describe(
    ledger: &mut LedgerClient,
    row: &Node,
    since: Option<Height>,
) -> Result<(String, Value), Failure> {
    let bond = bond_of(ledger, row, since).await?;
    let params = ledger.params().await?.row;
    let record = ledger.network().committee.record();
    let weight = row.member.weight.get();
    let needed = params.bond_min.times(weight.into()).unwrap_or(Amount(u128::MAX));
    let mut lines = vec![
        format!("node {} of {}", row.member.node, row.owner),
        format!("bond    {}", money(bond.bonded)),
        format!("needed  {} to be a member with weight {weight}", money(needed)),
    ];
    let mut parts = Vec::new();
    for part in bond.unbonding.iter() {
        let is_free = part.free <= record.epoch;
        lines.push(match is_free {
            true => format!("free    {}: `holdfast bond withdraw` takes it", money(part.amount)),
            false => format!("back    {} from {} on", money(part.amount), epoch_words(part.free, record)),
        });
        parts.push(json!({"amount": part.amount, "free_from": part.free, "free": is_free}));
    }
    let object = json!({
        "node": row.member.node,
        "owner": row.owner.to_string(),
        "bonded": bond.bonded,
        "needed": needed,
        "unlocking": parts,
    });
    Ok((lines.join("\n"), object))
}
