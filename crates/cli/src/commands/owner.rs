//! Whoever owns a node tells the ledger something about it: which node, which key signs, and what came of it.

use std::path::{Path, PathBuf};

use clap::Args;
use holdfast_client::keystore::{AccountKey, KeyName, Keystore};
use holdfast_client::ledger::LedgerClient;
use holdfast_client::send::{SendError, Sent};
use holdfast_core::id::{Amount, Epoch, NodeId};
use holdfast_ledger::account::AccountId;
use holdfast_ledger::epoch::Running;
use holdfast_ledger::receipt::Failure as Rule;
use holdfast_ledger::registry::Node;
use holdfast_ledger::transaction::Payload;
use holdfast_node::folder::NodeFolder;
use holdfast_proofs::header::Height;

use super::key::passphrase::PassphraseArgs;
use super::key::unlock::unlock;
use super::online::{self, lock};
use crate::args::{Common, key_name};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings;

/// Which key signs for a node. For any command to flatten into its arguments.
#[derive(Debug, Args)]
pub(crate) struct OwnerKeyArgs {
    /// The key that signs, by its name in `key ls` [default: the account key in the node's folder]
    #[arg(long, value_name = "NAME", value_parser = key_name)]
    key: Option<KeyName>,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

impl OwnerKeyArgs {
    /// The name of a key that is not in the node's folder.
    fn name(&self, dir: Option<&Path>) -> Option<KeyName> {
        let default = || KeyName::DEFAULT.parse().expect("the default name is a name");
        self.key.clone().or_else(|| dir.is_none().then(default))
    }

    /// Whose key it is, for which no passphrase is needed.
    pub(super) fn account(&self, dir: Option<&Path>) -> Result<AccountId, Failure> {
        match (self.name(dir), dir) {
            (None, Some(dir)) => Ok(NodeFolder::at(dir).account()?.account()),
            (name, _) => {
                let keystore = Keystore::open(&settings::keystore_folder()?);
                Ok(keystore.account(&name.expect("a key outside of a folder has a name"))?)
            }
        }
    }

    /// Opens the key.
    pub(super) async fn unlock(&self, dir: Option<&Path>, output: &Output) -> Result<AccountKey, Failure> {
        match (self.name(dir), dir) {
            (None, Some(dir)) => Ok(NodeFolder::at(dir).account()?),
            (name, _) => {
                let name = name.expect("a key outside of a folder has a name");
                let keystore = Keystore::open(&settings::keystore_folder()?);
                unlock(&keystore, &name, &self.passphrase, output).await
            }
        }
    }
}

/// Which node. For any command to flatten into its arguments.
#[derive(Clone, Debug, Args)]
pub(crate) struct NodeArgs {
    /// The node's folder
    #[arg(long, value_name = "DIR", required_unless_present = "node")]
    dir: Option<PathBuf>,
    /// The node, where its folder is not on this machine
    #[arg(long, value_name = "ID", conflicts_with = "dir")]
    node: Option<NodeId>,
}

impl NodeArgs {
    /// The node's folder, if it was named.
    pub(super) fn dir(&self) -> Option<&Path> {
        self.dir.as_deref()
    }

    /// The node.
    pub(super) fn node(&self) -> Result<NodeId, Failure> {
        match (self.node, self.dir()) {
            (None, Some(dir)) => {
                let folder = NodeFolder::at(dir);
                folder.config()?; // says best that there is no node
                Ok(folder.member()?.node)
            }
            (node, _) => Ok(node.expect("the grammar asks for one of them")),
        }
    }

    /// Its row, as the ledger proves it.
    pub(super) async fn row(&self, ledger: &mut LedgerClient) -> Result<Node, Failure> {
        let id = self.node()?;
        let row = ledger.row::<Node>(id.as_bytes()).await?.row;
        row.ok_or_else(|| {
            let message = format!(
                "node {} is not registered with network {}; `holdfast node register --dir DIR` does that",
                id.short(),
                ledger.network().id()
            );
            Failure::new(Exit::NotFound, "node.unregistered", message)
        })
    }
}

/// Which node, and which key signs for it. For any command to flatten into its arguments.
#[derive(Debug, Args)]
pub(crate) struct OwnerArgs {
    #[command(flatten)]
    pub(super) node: NodeArgs,
    #[command(flatten)]
    key: OwnerKeyArgs,
}

impl OwnerArgs {
    /// The ledger, and the node's row, which belongs to the account that signs.
    pub(super) async fn owned(&self, common: &Common) -> Result<(LedgerClient, Node), Failure> {
        let account = self.key.account(self.node.dir())?;
        let mut ledger = online::followed(common).await?;
        let row = self.node.row(&mut ledger).await?;
        check_owner(&row, account)?;
        Ok((ledger, row))
    }

    /// Signs, sends, and waits until it is final.
    pub(super) async fn tell(
        &self,
        ledger: &mut LedgerClient,
        payload: Payload,
        spends: Amount,
        output: &Output,
    ) -> Result<Told, Failure> {
        let key = self.key.unlock(self.node.dir(), output).await?;
        tell(ledger, &key, payload, spends, output).await
    }
}

/// Nobody else's node can be changed.
pub(super) fn check_owner(row: &Node, account: AccountId) -> Result<(), Failure> {
    if row.owner == account {
        return Ok(());
    }
    let message = format!(
        "node {} belongs to {}, and the key that signs is that of {account}; name another with --key",
        row.member.node.short(),
        row.owner
    );
    Err(Failure::new(Exit::NotAllowed, "node.owner", message))
}

/// A transaction that did what it says.
pub(super) struct Told {
    pub(super) sent: Sent,
    pub(super) fee: Amount,
}

/// Signs a transaction which takes `spends` beside its fee, sends it, and waits until it is final.
pub(super) async fn tell(
    ledger: &mut LedgerClient,
    key: &AccountKey,
    payload: Payload,
    spends: Amount,
    output: &Output,
) -> Result<Told, Failure> {
    let account = key.account();
    let _lock = lock(account).await?;
    let signed = ledger.sign(key, payload, spends).await.map_err(|error| poor(error, account))?;
    output.note(&format!("sending transaction {}", signed.id));
    let sent = ledger.send(&signed).await.map_err(|error| refused(error, account))?;
    Ok(Told { sent, fee: signed.transaction.body.fee })
}

/// An account without money is the usual reason.
fn poor(error: SendError, account: AccountId) -> Failure {
    match error {
        SendError::Balance { .. } => {
            let message = format!(
                "{error}; send some to it first: `holdfast wallet send {account} AMOUNT`, or on a local network \
                 `holdfast wallet faucet {account}`"
            );
            Failure::new(Exit::Quota, "wallet.balance", message)
        }
        error => error.into(),
    }
}

/// Rules of the ledger, as they are meant of nodes.
fn refused(error: SendError, account: AccountId) -> Failure {
    let rule = match &error {
        SendError::Failed { failure, .. } => *failure,
        _ => return poor(error, account),
    };
    let (exit, reason, todo) = match rule {
        Rule::Unknown => (Exit::NotFound, "ledger.unknown", "what it names is not on the ledger"),
        Rule::Owner => (Exit::NotAllowed, "node.owner", "the node has another owner, or is no validator"),
        Rule::Taken => (Exit::Conflict, "ledger.taken", "it was done before"),
        Rule::Full => (Exit::Conflict, "ledger.full", "wait until some of them are over"),
        Rule::Status => (Exit::Conflict, "ledger.status", "the node's status does not allow it now"),
        _ => return error.into(),
    };
    Failure::new(exit, reason, format!("{error}; {todo}"))
}

/// The epoch after the one that runs when this block is there.
pub(super) async fn next_epoch(ledger: &mut LedgerClient, height: Height) -> Result<Epoch, Failure> {
    let running = ledger.row_since::<Running>(&[], height).await?.row;
    let epoch = running.and_then(|running| running.epoch.next());
    epoch.ok_or_else(|| Failure::new(Exit::Invalid, "ledger.unproven", "the ledger has no running epoch"))
}
