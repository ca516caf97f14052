//! `key new|ls|export|import`: the keys of one's accounts.
//!
//! A passphrase is never an argument: other users of the machine see those, and shells remember them. It is asked on the
//! terminal, or read from a file.

use clap::Subcommand;
use holdfast_client::keystore::{KeyName, Keystore};
use serde_json::{Value, json};

use super::blocking;
use super::ls::aligned;
use crate::args::{Common, key_name};
use crate::failure::Failure;
use crate::output::Output;
use crate::settings;

mod export;
mod import;
pub(crate) mod passphrase;
mod terminal;
pub(crate) mod unlock;

use export::ExportArgs;
use import::ImportArgs;
use passphrase::PassphraseArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Draw the key of a new account, and print the account
    New {
        /// What to call the key
        #[arg(value_name = "NAME", default_value = KeyName::DEFAULT, value_parser = key_name)]
        name: KeyName,
        #[command(flatten)]
        passphrase: PassphraseArgs,
    },
    /// List keys and their accounts; * is the key that is used unless another is named
    Ls,
    /// Write a key to a file, as a backup or for another machine
    Export(ExportArgs),
    /// Take a key that was exported
    Import(ImportArgs),
}

pub(super) async fn run(command: KeyCommand, common: &Common, output: &Output) -> Result<(), Failure> {
    let keystore = Keystore::open(&settings::keystore_folder()?);
    match command {
        KeyCommand::New { name, passphrase } => new(keystore, name, &passphrase, common, output).await,
        KeyCommand::Ls => ls(&keystore, output),
        KeyCommand::Export(args) => export::run(args, keystore, common, output).await,
        KeyCommand::Import(args) => import::run(args, keystore, common, output).await,
    }
}

async fn new(
    keystore: Keystore,
    name: KeyName,
    passphrase: &PassphraseArgs,
    common: &Common,
    output: &Output,
) -> Result<(), Failure> {
    keystore.check_free(&name)?;
    let file = keystore.path(&name);
    if common.dry_run {
        let text = format!("would draw a key and write it to {}", file.display());
        output.result(&text, "key-plan", json!({"name": name.as_str(), "file": file}));
        return Ok(());
    }
    let passphrase = passphrase.choose(output).await?;
    let making = name.clone();
    let account = blocking(move || keystore.create(&making, &passphrase)).await?.to_string();
    output.note(&format!(
        "the key is in {}; whoever loses that file or its passphrase loses the account, so back it up: \
         holdfast key export {name} -o FILE",
        file.display()
    ));
    output.result(&account, "key-new", json!({"name": name.as_str(), "account": account, "file": file}));
    Ok(())
}

fn ls(keystore: &Keystore, output: &Output) -> Result<(), Failure> {
    let keys = keystore.list()?;
    let is_default = |name: &KeyName| name.as_str() == KeyName::DEFAULT;
    let (rows, objects): (Vec<Vec<String>>, Vec<Value>) = keys
        .iter()
        .map(|key| {
            let (name, account) = (key.name.as_str(), key.account.map(|account| account.to_string()));
            let object = json!({"name": name, "account": account, "default": is_default(&key.name)});
            let mark = if is_default(&key.name) { "*" } else { "" };
            let account = account.unwrap_or_else(|| "damaged: restore it from a backup".to_owned());
            (vec![mark.to_owned(), name.to_owned(), account], object)
        })
        .unzip();
    let text = match keys.is_empty() {
        true => "no keys yet; `holdfast key new` makes one".to_owned(),
        false => aligned(rows).join("\n"),
    };
    output.result(&text, "key-ls", json!({"keys": objects}));
    Ok(())
}
