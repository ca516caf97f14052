//! How a command comes to the key that it signs with.

use clap::Args;
use holdfast_client::keystore::{AccountKey, KeyName, Keystore};

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
    /// Opens the key, for which the passphrase is asked or read.
    #[expect(dead_code, reason = "commands that sign transactions are to come")]
    pub(crate) async fn unlock(&self, output: &Output) -> Result<AccountKey, Failure> {
        let keystore = Keystore::open(&settings::keystore_folder()?);
        unlock(&keystore, &self.key, &self.passphrase, output).await
    }
}

/// Opens a key of the keystore. Nobody is asked for the passphrase of a key that is not there.
pub(super) async fn unlock(
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
