//! `wallet faucet`: money for trying things out. The network's own account pays; its key lies in the network's folder, which is
//! so for networks that `net up` made, and for no others.

use std::path::Path;

use clap::Args;
use holdfast_client::keystore::AccountKey;
use holdfast_core::id::Amount;
use zeroize::Zeroizing;

use super::send::{plan, transfer};
use crate::args::{Common, amount};
use crate::commands::key::unlock::AccountArgs;
use crate::commands::online;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings;

/// The key of the network's own account, in its folder.
const FAUCET_KEY: &str = "faucet.key";

#[derive(Debug, Args)]
pub(crate) struct FaucetArgs {
    #[command(flatten)]
    to: AccountArgs,
    /// How much
    #[arg(long, value_name = "AMOUNT", default_value = "100FFG", value_parser = amount)]
    amount: Amount,
}

pub(super) async fn run(args: &FaucetArgs, common: &Common, output: &Output) -> Result<(), Failure> {
    let mut ledger = online::ledger(common).await?;
    let key = faucet(&settings::folder(common)?)?;
    let to = args.to.account()?;
    if common.dry_run {
        return plan(key.account(), to, args.amount, common, output).await;
    }
    let (text, object) = transfer(&mut ledger, &key, to, args.amount, output).await?;
    output.result(&text, "wallet-faucet", object);
    Ok(())
}

fn faucet(folder: &Path) -> Result<AccountKey, Failure> {
    let path = folder.join(FAUCET_KEY);
    let text = match std::fs::read(&path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let message = "this network gives no money away: only one that `net up` made on this machine has a faucet; \
                           ask somebody to send you some";
            return Err(Failure::new(Exit::NotAllowed, "wallet.no_faucet", message));
        }
        Err(error) => {
            let message = format!("could not read {}: {error}", path.display());
            return Err(Failure::new(Exit::of_file(&error), "file.read", message));
        }
    };
    AccountKey::from_text(&text).ok_or_else(|| {
        let message = format!("{} holds no key of an account", path.display());
        Failure::new(Exit::Invalid, "key.damaged", message)
    })
}
