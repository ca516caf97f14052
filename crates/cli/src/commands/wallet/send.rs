//! `wallet send TO AMOUNT`, and what every command that signs shares: sign, say what is sent, send, wait.

use clap::Args;
use holdfast_client::keystore::AccountKey;
use holdfast_client::ledger::LedgerClient;
use holdfast_client::send::{Sent, Signed};
use holdfast_core::id::Amount;
use holdfast_ledger::account::AccountId;
use holdfast_ledger::transaction::{Payload, Transfer};
use serde_json::{Value, json};

use crate::args::{Common, amount};
use crate::commands::key::unlock::KeyArgs;
use crate::commands::online::{self, lock};
use crate::commands::words::money;
use crate::failure::{Exit, Failure};
use crate::output::Output;

#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    /// The account that gets it, `hf1…`
    #[arg(value_name = "TO")]
    to: AccountId,
    /// How much, with its unit: 1.5FFG, or 250 milliFFG
    #[arg(value_name = "AMOUNT", required = true, num_args = 1..=2)]
    amount: Vec<String>,
    #[command(flatten)]
    key: KeyArgs,
}

/// A sum that may stand in two words.
pub(in crate::commands) fn sum(words: &[String]) -> Result<Amount, Failure> {
    let text = words.join(" ");
    let sum = amount(&text);
    let sum = sum.map_err(|error| Failure::new(Exit::Usage, "wallet.amount", format!("{text}: {error}")))?;
    if sum == Amount::ZERO {
        return Err(Failure::new(Exit::Usage, "wallet.amount", "nothing is no sum"));
    }
    Ok(sum)
}

pub(super) async fn run(args: &SendArgs, common: &Common, output: &Output) -> Result<(), Failure> {
    let amount = sum(&args.amount)?;
    if common.dry_run {
        return plan(args.key.account()?, args.to, amount, common, output).await;
    }
    let mut ledger = online::ledger(common).await?;
    let key = args.key.unlock(output).await?;
    let (text, object) = transfer(&mut ledger, &key, args.to, amount, output).await?;
    output.result(&text, "wallet-send", object);
    Ok(())
}

/// Says what would be sent, and whether there is enough.
pub(super) async fn plan(
    from: AccountId,
    to: AccountId,
    amount: Amount,
    common: &Common,
    output: &Output,
) -> Result<(), Failure> {
    let balance = online::ledger(common).await?.account(&from).await?.row.unwrap_or_default().balance;
    let text = format!("would send {} from {from}, which has {}, to {to}", money(amount), money(balance));
    let object = json!({
        "from": from.to_string(),
        "to": to.to_string(),
        "amount": amount,
        "balance": balance,
    });
    output.result(&text, "wallet-plan", object);
    Ok(())
}

/// Sends money, and says where it is now.
pub(super) async fn transfer(
    ledger: &mut LedgerClient,
    key: &AccountKey,
    to: AccountId,
    amount: Amount,
    output: &Output,
) -> Result<(String, Value), Failure> {
    let from = key.account();
    let _lock = lock(from).await?;
    let transfer = Payload::Transfer(Transfer { to, amount });
    let signed = ledger.sign(key, transfer, amount).await?;
    let Sent { id, height, .. } = send(ledger, &signed, output).await?;
    let fee = signed.transaction.body.fee;
    let text = format!("sent {} to {to} for a fee of {}, in block {height}: {id}", money(amount), money(fee));
    let object = json!({
        "transaction": id,
        "height": height,
        "from": from.to_string(),
        "to": to.to_string(),
        "amount": amount,
        "fee": fee,
    });
    Ok((text, object))
}

/// Sends what was signed. Whoever interrupts this knows what to look for.
pub(in crate::commands) async fn send(
    ledger: &mut LedgerClient,
    signed: &Signed,
    output: &Output,
) -> Result<Sent, Failure> {
    output.note(&format!("sending transaction {}", signed.id));
    Ok(ledger.send(signed).await?)
}
