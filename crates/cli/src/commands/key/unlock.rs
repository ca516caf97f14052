//! How a command comes to the key that it signs with.

use clap::Args;
use holdfast_client::keystore::{AccountKey, KeyName, Keystore};
use holdfast_ledger::account::AccountId;

use super::passphrase::PassphraseArgs;
use crate::args::key_name;
use crate::commands::blocking;
use crate::failure::Failure;
use crate::output::Output;
use crate::settings;

/// Which key a command signs with, and how it is opened. For any command to flatten into its arguments.
#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// The key that signs, by its name in `key ls`
    #[arg(long, value_name = "NAME", default_value = KeyName::DEFAULT, value_parser = key_name)]
    key: KeyName,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

impl KeyArgs {
    /// Whose key it is, for which no passphrase is needed.
    pub(crate) fn account(&self) -> Result<AccountId, Failure> {
        Ok(Keystore::open(&settings::keystore_folder()?).account(&self.key)?)
    }

    /// Opens the key, for which the passphrase is asked or read.
    pub(crate) async fn unlock(&self, output: &Output) -> Result<AccountKey, Failure> {
        let keystore = Keystore::open(&settings::keystore_folder()?);
        unlock(&keystore, &self.key, &self.passphrase, output).await
    }
}

/// Whose money a command looks at. For any command to flatten into its arguments.
#[derive(Debug, Args)]
pub(crate) struct AccountArgs {
    /// The account, `hf1…` [default: that of --key]
    #[arg(value_name = "ACCOUNT")]
    account: Option<AccountId>,
    /// The key whose account it is, by its name in `key ls`
    #[arg(long, value_name = "NAME", default_value = KeyName::DEFAULT, value_parser = key_name)]
    key: KeyName,
}

impl AccountArgs {
    /// The account.
    pub(crate) fn account(&self) -> Result<AccountId, Failure> {
        match self.account {
            Some(account) => Ok(account),
            None => Ok(Keystore::open(&settings::keystore_folder()?).account(&self.key)?),
        }
    }
}

/// Opens a key of the keystore. Nobody is asked for the passphrase of a key that is not there.
pub(in crate::commands) async fn unlock(
    keystore: &Keystore,
    name: &KeyName,
    passphrase: &PassphraseArgs,
    output: &Output,
) -> Result<AccountKey, Failure> {
    let account = keystore.account(name)?;
    let passphrase = passphrase.ask(&format!("of key `{name}`, {account}"), output).await?;
    let (keystore, name) = (keystore.clone(), name.clone());
    Ok(blocking(move || keystore.unlock(&name, &passphrase)).await?)
}
