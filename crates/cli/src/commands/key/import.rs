//! `key import FILE`: a key comes into the keystore, encrypted under its own passphrase, or bare and then under a new one.

use std::path::{Path, PathBuf};

use clap::Args;
use holdfast_client::keystore::{KeyFile, KeyName, Keystore};
use serde_json::json;

use super::passphrase::PassphraseArgs;
use crate::args::{Common, key_name};
use crate::commands::blocking;
use crate::failure::{Exit, Failure};
use crate::output::Output;

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The key, as `key export` wrote it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What to call the key [default: the file's name without its ending]
    #[arg(long, value_name = "NAME", value_parser = key_name)]
    name: Option<KeyName>,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

pub(super) async fn run(
    args: ImportArgs,
    keystore: Keystore,
    common: &Common,
    output: &Output,
) -> Result<(), Failure> {
    let ImportArgs { file: from, name, passphrase } = args;
    let key = KeyFile::read(&from)?;
    let name = name.map_or_else(|| name_of(&from), Ok)?;
    keystore.check_free(&name)?;
    keystore.check_unknown(&key.account())?;
    let (account, file) = (key.account().to_string(), keystore.path(&name));
    let object = json!({"name": name.as_str(), "account": account, "file": file});
    if common.dry_run {
        let text = format!("would take the key of {account} as `{name}`");
        output.result(&text, "key-plan", object);
        return Ok(());
    }
    let (is_encrypted, passphrase) = match key.is_encrypted() {
        true => (true, passphrase.ask(&format!("of {}", from.display()), output).await?),
        false => (false, passphrase.choose(output).await?),
    };
    let importing = name.clone();
    blocking(move || keystore.import(&importing, &key, &passphrase)).await?;
    if !is_encrypted {
        output.note(&format!("{} is not encrypted; destroy it if you need it no more", from.display()));
    }
    output.result(&format!("the key of {account} is now here, as `{name}`"), "key-import", object);
    Ok(())
}

/// What a key is called whose owner names nothing but its file.
fn name_of(file: &Path) -> Result<KeyName, Failure> {
    let stem = file.file_stem().and_then(|stem| stem.to_str());
    stem.and_then(|stem| stem.parse().ok()).ok_or_else(|| {
        let message = format!("{} gives no name to a key; choose one with --name", file.display());
        Failure::new(Exit::Usage, "key.name", message)
    })
}
