//! `node register`: makes a node a candidate of a network whose ledger runs.
//!
//! 1. The node's enclave agrees, under the node's own key, to be registered by this account.
//! 2. The account signs, pays the fee, and the transaction is followed until it is final.
//! 3. The node remembers the network, so that `node run` works from now on.
//!
//! Whoever is interrupted runs the same command again: a node that this account registered already is not registered twice.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use holdfast_client::ledger::LedgerClient;
use holdfast_core::explain;
use holdfast_core::id::Amount;
use holdfast_ledger::genesis::{CONTENTS_BYTES_MAX, Contents};
use holdfast_ledger::params::Params;
use holdfast_ledger::registry::{Node, Roles, Status};
use holdfast_ledger::stake::Bond;
use holdfast_ledger::transaction::Payload;
use holdfast_node::folder::NodeFolder;
use holdfast_proofs::genesis::Genesis;
use serde_json::json;

use crate::args::Common;
use crate::commands::blocking;
use crate::commands::online;
use crate::commands::order::epoch_words;
use crate::commands::owner::{OwnerKeyArgs, check_owner, next_epoch, tell};
use crate::commands::words::{money, status};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings;

/// What a node is registered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// It keeps pieces
    Provider,
    /// It may be made an authority, which decides about blocks
    Validator,
    /// Both
    Both,
}

impl Role {
    fn roles(self) -> Roles {
        match self {
            Self::Provider => Roles::PROVIDER,
            Self::Validator => Roles::VALIDATOR,
            Self::Both => Roles::ALL,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Validator => "validator",
            Self::Both => "both",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct RegisterArgs {
    /// Where the node lies; it must be stopped
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// What it may be asked for
    #[arg(long, value_name = "ROLE", value_enum, default_value_t = Role::Both)]
    role: Role,
    #[command(flatten)]
    key: OwnerKeyArgs,
}

pub(super) async fn run(args: &RegisterArgs, common: &Common, output: &Output) -> Result<(), Failure> {
    let folder = NodeFolder::at(&args.dir);
    folder.config()?; // says best that there is no node
    let member = folder.member()?;
    let account = args.key.account(Some(&args.dir))?;
    let network = settings::folder(common)?;
    let mut ledger = online::followed(common).await?;
    check_contents(&network, &ledger.network().genesis)?;
    let remembered =
        std::path::absolute(&network).map_err(|error| Failure::local("no current folder", &error))?;
    let id = member.node;
    let before = ledger.row::<Node>(id.as_bytes()).await?.row;
    if let Some(row) = &before {
        check_owner(row, account)?;
    }
    if common.dry_run {
        let text = format!("would register node {} for {account}, as {}", id.short(), args.role.name());
        let object = json!({
            "node": id,
            "account": account.to_string(),
            "role": args.role.name(),
            "registered": before.is_some(),
        });
        output.result(&text, "node-plan", object);
        return Ok(());
    }
    if let Some(row) = before {
        folder.join(&remembered)?;
        let todo = match row.status {
            Status::Active => "start it with `holdfast node run`",
            Status::Leaving | Status::Gone | Status::Dead => "`holdfast node rejoin` brings it back",
            Status::Expelled => "it broke a rule, and cannot serve again",
        };
        let text = format!("node {id} is registered already, and {}; {todo}", status(row.status));
        let object = json!({
            "node": id,
            "account": account.to_string(),
            "status": status(row.status),
            "network": ledger.network().id(),
        });
        output.result(&text, "node-register", object);
        return Ok(());
    }
    let key = args.key.unlock(Some(&args.dir), output).await?;
    let (name, roles) = (*ledger.network().id(), args.role.roles());
    let agreed = blocking({
        let folder = folder.clone();
        move || folder.registration(&name, account, roles)
    });
    let payload = Payload::Register(agreed.await?);
    let told = tell(&mut ledger, &key, payload, Amount::ZERO, output).await?;
    folder.join(&remembered)?;

    let height = told.sent.height;
    let next = next_epoch(&mut ledger, height).await?;
    let row = ledger.row_since::<Node>(id.as_bytes(), height).await?.row;
    let short = match &row {
        Some(row) => lacking_bond(&mut ledger, row).await?,
        None => None,
    };
    let when = epoch_words(next, ledger.network().committee.record());
    let word = if roles.include(Roles::PROVIDER) { "a member" } else { "one that may be made an authority" };
    let mut lines = vec![
        format!("registered in block {height} for a fee of {}: node {id} of {account}", money(told.fee)),
        format!(
            "{word} from {when} at the earliest; start it now: holdfast node run --dir {}",
            args.dir.display()
        ),
    ];
    if let Some(short) = short {
        let dir = args.dir.display();
        lines.push(format!("it needs a bond first: holdfast bond lock --dir {dir} {}", money(short)));
    }
    let object = json!({
        "node": id,
        "account": account.to_string(),
        "role": args.role.name(),
        "status": status(Status::Active),
        "network": ledger.network().id(),
        "transaction": told.sent.id,
        "height": height,
        "fee": told.fee,
        "from_epoch": next,
        "bond_lacking": short,
    });
    output.result(&lines.join("\n"), "node-register", object);
    Ok(())
}

/// A node executes the ledger from its beginning, which genesis names only by its hash.
pub(super) fn check_contents(network: &Path, genesis: &Genesis) -> Result<(), Failure> {
    let Some(part) = &genesis.ledger else { return Ok(()) };
    let path = network.join("ledger");
    let todo =
        "a node needs what the ledger began with: get the file `ledger` from whoever gave you `genesis`";
    let bytes = settings::read_limited(&path, CONTENTS_BYTES_MAX).map_err(|failure| {
        Failure::new(failure.exit, failure.reason, format!("{}; {todo}", failure.message))
    })?;
    let why = match Contents::from_bytes(&bytes) {
        Ok(contents) if part.contents == contents.hash() => return Ok(()),
        Ok(_) => "it is that of another network".to_owned(),
        Err(error) => explain(&error),
    };
    let message = format!("{} is refused: {why}; {todo}", path.display());
    Err(Failure::new(Exit::Invalid, "network.ledger", message))
}

/// What a node's bond is short of, for it to be a member.
pub(super) async fn lacking_bond(ledger: &mut LedgerClient, row: &Node) -> Result<Option<Amount>, Failure> {
    let params: Params = ledger.params().await?.row;
    let bond = ledger.row::<Bond>(row.member.node.as_bytes()).await?.row.unwrap_or_default();
    let needed = params.bond_min.times(row.member.weight.get().into()).unwrap_or(Amount(u128::MAX));
    Ok(needed.minus(bond.bonded).filter(|short| *short > Amount::ZERO))
}
