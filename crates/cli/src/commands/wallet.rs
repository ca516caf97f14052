//! `wallet balance|send|history|faucet`: the money of an account.

use clap::Subcommand;
use holdfast_client::ledger::Proven;
use holdfast_ledger::account::Account;
use serde_json::json;

use super::key::unlock::AccountArgs;
use super::online;
use super::words::money;
use crate::args::Common;
use crate::failure::Failure;
use crate::output::Output;

mod faucet;
mod history;
pub(super) mod send;

use faucet::FaucetArgs;
use history::HistoryArgs;
use send::SendArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum WalletCommand {
    /// Show what an account has, as the ledger proves it
    Balance {
        #[command(flatten)]
        of: AccountArgs,
    },
    /// Send money to an account, and wait until it is there for good
    Send(SendArgs),
    /// List the transactions of an account, the newest first
    History(HistoryArgs),
    /// Take money from the network's own account, where it is a network for development on this machine
    Faucet(FaucetArgs),
}

pub(super) async fn run(command: WalletCommand, common: &Common, output: &Output) -> Result<(), Failure> {
    match command {
        WalletCommand::Balance { of } => balance(&of, common, output).await,
        WalletCommand::Send(args) => send::run(&args, common, output).await,
        WalletCommand::History(args) => history::run(&args, common, output).await,
        WalletCommand::Faucet(args) => faucet::run(&args, common, output).await,
    }
}

async fn balance(of: &AccountArgs, common: &Common, output: &Output) -> Result<(), Failure> {
    let account = of.account()?;
    let Proven { row, header } = online::ledger(common).await?.account(&account).await?;
    let Account { balance, nonce } = row.unwrap_or_default();
    let height = header.header().height;
    output.note(&format!("account {account}, proven as of block {height}"));
    let object = json!({
        "account": account.to_string(),
        "balance": balance,
        "balance_text": money(balance),
        "transactions": nonce,
        "height": height,
    });
    output.result(&money(balance), "wallet-balance", object);
    Ok(())
}
