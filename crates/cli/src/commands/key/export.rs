//! `key export NAME -o FILE`: a key leaves the keystore, encrypted as it lies there or, if asked, bare.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use holdfast_client::keystore::{KeyName, Keystore};
use holdfast_store::write_secret;
use serde_json::json;

use super::passphrase::PassphraseArgs;
use super::unlock::unlock;
use crate::args::{Common, key_name};
use crate::failure::{Exit, Failure};
use crate::output::Output;

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Which key
    #[arg(value_name = "NAME", value_parser = key_name)]
    name: KeyName,
    /// Where to write it; must not exist
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Write the bare secret, which needs no passphrase any more: whoever reads the file has the account
    #[arg(long)]
    plain: bool,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

pub(super) async fn run(
    args: ExportArgs,
    keystore: Keystore,
    common: &Common,
    output: &Output,
) -> Result<(), Failure> {
    let ExportArgs { name, output: file, plain, passphrase } = args;
    let encrypted = keystore.encrypted(&name)?;
    if file.symlink_metadata().is_ok() {
        return Err(unwritten(&file, &io::ErrorKind::AlreadyExists.into()));
    }
    let account = encrypted.account().to_string();
    let object = json!({"name": name.as_str(), "account": account, "file": file, "encrypted": !plain});
    let form = if plain { "the bare key" } else { "the encrypted key" };
    if common.dry_run {
        let text = format!("would write {form} of {account} to {}", file.display());
        output.result(&text, "key-plan", object);
        return Ok(());
    }
    let written = if plain {
        let key = unlock(&keystore, &name, &passphrase, output).await?;
        write_secret(&file, key.to_text().as_bytes())
    } else {
        write_secret(&file, encrypted.to_text().as_bytes())
    };
    written.map_err(|error| unwritten(&file, &error))?;
    if plain {
        output.note(&format!(
            "{} is not encrypted: whoever reads it can spend what {account} owns; destroy it after use",
            file.display()
        ));
    }
    let text = format!("wrote {form} of {account} to {}", file.display());
    output.result(&text, "key-export", object);
    Ok(())
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::AlreadyExists {
        let message = format!("{} exists already; name another place with -o", path.display());
        return Failure::new(Exit::Conflict, "file.exists", message);
    }
    let message = format!("could not write {}: {error}", path.display());
    Failure::new(Exit::of_file(error), "file.write", message)
}
