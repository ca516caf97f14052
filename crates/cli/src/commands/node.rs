//! `node init|prove|check|register|update|retire|rejoin|run`.

use holdfast_node::folder::{Description, NodeConfig, NodeFolder};
use holdfast_proofs::genesis::{GENESIS_BYTES_MAX, Genesis};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::args::{Common, NodeCommand};
use crate::failure::Failure;
use crate::output::Output;
use crate::settings;

pub(crate) mod change;
mod check;
pub(crate) mod register;

pub(super) async fn run(command: NodeCommand, common: &Common, output: &Output) -> Result<(), Failure> {
    match command {
        NodeCommand::Init {
            dir,
            operator,
            failure_domain,
            weight,
            listen,
            listen_links,
            announce,
            quota,
        } => {
            if common.dry_run {
                output.result(
                    &format!("would make a node in {}", dir.display()),
                    "node-plan",
                    json!({"dir": dir}),
                );
                return Ok(());
            }
            let config =
                NodeConfig { listen, listen_links, announce, quota_bytes: quota, ..NodeConfig::default() };
            let member =
                NodeFolder::at(&dir).init(&config, &Description { operator, failure_domain, weight })?;
            let file = dir.join("member");
            let account = NodeFolder::at(&dir).account()?.account();
            let text = format!(
                "node {}\nowned by account {account}, whose key lies in the node's folder\n\
                 send {} and the account to whoever founds the network, or join one that runs with `holdfast node register`",
                member.node,
                file.display()
            );
            let object = json!({"node": member.node, "account": account.to_string(), "member": file});
            output.result(&text, "node-init", object);
            Ok(())
        }
        NodeCommand::Prove { dir } => {
            let network = settings::folder(common)?;
            if common.dry_run {
                let text = format!("would join {} to the network in {}", dir.display(), network.display());
                output.result(&text, "node-plan", json!({"dir": dir, "network": network}));
                return Ok(());
            }
            let remembered =
                std::path::absolute(&network).map_err(|error| Failure::local("no current folder", &error))?;
            // A genesis that cannot be read is told of below.
            let bytes = settings::read_limited(&network.join("genesis"), GENESIS_BYTES_MAX)?;
            if let Ok(genesis) = Genesis::from_bytes(&bytes) {
                register::check_contents(&network, &genesis)?;
            }
            let proof = NodeFolder::at(&dir).prove(&network, &remembered)?;
            let file = dir.join("possession");
            let text = format!("send {} to whoever founds the network", file.display());
            output.result(&text, "node-prove", json!({"node": proof.node, "possession": file}));
            Ok(())
        }
        NodeCommand::Check { dir, repair } => {
            if common.dry_run {
                let word = if repair { "check and repair" } else { "check" };
                let text = format!("would {word} the store of the node in {}", dir.display());
                output.result(&text, "node-plan", json!({"dir": dir, "repair": repair}));
                return Ok(());
            }
            check::run(&dir, repair, output).await
        }
        NodeCommand::Register(args) => register::run(&args, common, output).await,
        NodeCommand::Update(args) => change::update(&args, common, output).await,
        NodeCommand::Retire(args) => change::retire(&args, common, output).await,
        NodeCommand::Rejoin(args) => change::rejoin(&args, common, output).await,
        NodeCommand::Run { dir, .. } if common.dry_run => {
            output.result(
                &format!("would run the node in {}", dir.display()),
                "node-plan",
                json!({"dir": dir}),
            );
            Ok(())
        }
        NodeCommand::Run { dir, until_stdin_closes } => {
            serve(&NodeFolder::at(&dir), until_stdin_closes, output).await
        }
    }
}

/// Runs the node until Ctrl-C, a termination signal, or the end of standard input if asked.
async fn serve(folder: &NodeFolder, until_stdin_closes: bool, output: &Output) -> Result<(), Failure> {
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .map_err(|error| Failure::local("could not listen for signals", &error))?;
    tokio::spawn(async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        stopping.cancel();
    });
    if until_stdin_closes {
        let stopping = stop.clone();
        // A thread of its own: a read of standard input cannot be cancelled, and must not hold up the end.
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink()); // an error ends it as well
            stopping.cancel();
        });
    }
    holdfast_node::node::run(folder.clone(), stop, |addresses| {
        let shown: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        let text = format!("serving on {}", shown.join(" and "));
        output.result(&text, "node-run", json!({"addresses": shown}));
    })
    .await?;
    Ok(())
}
