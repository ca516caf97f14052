//! `chain …`: the ledger as anyone can see it, and how much of that is proven.

use clap::Subcommand;
use holdfast_client::ledger::{LedgerClient, Present, Proven};
use holdfast_ledger::account::{Account, AccountId};
use holdfast_ledger::transaction::TransactionId;
use holdfast_proofs::header::Height;
use holdfast_proofs::validators::ValidatorSet;
use serde_json::json;

use super::ls::aligned;
use super::online;
use super::words::money;
use crate::args::Common;
use crate::failure::{Exit, Failure};
use crate::output::Output;

mod block;
mod events;
mod light;
mod status;
mod transaction;

use events::EventsArgs;
use light::LightArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum ChainCommand {
    /// Show how far each member is, and the newest header that is proven
    Status,
    /// Show a block and its transactions, and whether it is final
    Block {
        /// Which [default: the newest]
        #[arg(value_name = "HEIGHT", value_parser = height)]
        height: Option<Height>,
    },
    /// Show a transaction and what became of it
    Tx {
        /// Its id
        #[arg(value_name = "ID")]
        id: TransactionId,
    },
    /// List what happened; an event's place names it for good
    Events(EventsArgs),
    /// Show an account, as the ledger proves it
    Account {
        /// Which, `hf1…`
        #[arg(value_name = "ACCOUNT")]
        account: AccountId,
    },
    /// List who decides about the next block, as the ledger proves it
    Validators,
    /// Show prices and other numbers in force, as the ledger proves it
    Params,
    /// Follow the headers alone, as one who trusts genesis and no node
    Light(LightArgs),
}

fn height(text: &str) -> Result<Height, String> {
    text.parse().map(Height).map_err(|_| "a number of blocks".to_owned())
}

pub(super) async fn run(command: ChainCommand, common: &Common, output: &Output) -> Result<(), Failure> {
    match command {
        ChainCommand::Status => status::run(common, output).await,
        ChainCommand::Block { height } => block::run(height, common, output).await,
        ChainCommand::Tx { id } => transaction::run(id, common, output).await,
        ChainCommand::Events(args) => events::run(&args, common, output).await,
        ChainCommand::Account { account } => show_account(&account, common, output).await,
        ChainCommand::Validators => validators(common, output).await,
        ChainCommand::Params => params(common, output).await,
        ChainCommand::Light(args) => light::run(&args, common, output).await,
    }
}

async fn show_account(account: &AccountId, common: &Common, output: &Output) -> Result<(), Failure> {
    let Proven { row, header } = online::ledger(common).await?.account(account).await?;
    let Account { balance, nonce } = row.unwrap_or_default();
    let (height, hash) = (header.header().height, header.hash());
    let word = if row.is_some() { "" } else { "; nobody ever paid it" };
    let text = format!(
        "account       {account}\nbalance       {}\ntransactions  {nonce}\nproven as of block {height}, {}{word}",
        money(balance),
        hash.short()
    );
    let object = json!({
        "account": account.to_string(),
        "balance": balance,
        "balance_text": money(balance),
        "transactions": nonce,
        "exists": row.is_some(),
        "height": height,
        "hash": hash,
    });
    output.result(&text, "chain-account", object);
    Ok(())
}

async fn validators(common: &Common, output: &Output) -> Result<(), Failure> {
    let mut ledger = online::followed(common).await?;
    let Present { row: set, header } = validator_set(&mut ledger).await?;
    let committee = &ledger.network().committee;
    let all = set.weight();
    let (mut rows, mut objects) = (Vec::new(), Vec::new());
    for validator in set.validators.iter() {
        let member = committee.place(&validator.node).map(|place| &committee.members()[place]);
        let operator = member.map_or("no member", |member| member.operator.as_str());
        let weight = validator.weight.get();
        rows.push(vec![validator.node.to_string(), operator.to_owned(), format!("weight {weight} of {all}")]);
        objects.push(json!({"node": validator.node, "operator": member.map(|_| operator), "weight": weight}));
    }
    let height = header.header().height;
    let mut lines = aligned(rows);
    lines.push(format!("set {}, proven as of block {height}", set.id().short()));
    let object = json!({"set": set.id(), "weight": all, "validators": objects, "height": height});
    output.result(&lines.join("\n"), "chain-validators", object);
    Ok(())
}

/// Who decides about the next block.
pub(super) async fn validator_set(ledger: &mut LedgerClient) -> Result<Present<ValidatorSet>, Failure> {
    let Proven { row, header } = ledger.row::<ValidatorSet>(&[]).await?;
    let row =
        row.ok_or_else(|| Failure::new(Exit::Invalid, "ledger.unproven", "the ledger has no validators"))?;
    Ok(Present { row, header })
}

async fn params(common: &Common, output: &Output) -> Result<(), Failure> {
    let Present { row: params, header } = online::ledger(common).await?.params().await?;
    let profiles: Vec<_> = params.profiles.iter().map(|profile| profile.name()).collect();
    let height = header.header().height;
    let rows = super::params::rows(&params).into_iter();
    let mut lines = aligned(rows.map(|(_, what, value)| vec![what.to_owned(), value]).collect());
    lines.push(format!("proven as of block {height}"));
    let object = json!({
        "fee_flat": params.fee_flat,
        "fee_byte": params.fee_byte,
        "price_byte_epoch": params.price_byte_epoch,
        "bond_min": params.bond_min,
        "unbond_epochs": params.unbond_epochs,
        "evidence_epochs": params.evidence_epochs,
        "slash_percent": params.slash_percent,
        "profiles": profiles,
        "height": height,
    });
    output.result(&lines.join("\n"), "chain-params", object);
    Ok(())
}
