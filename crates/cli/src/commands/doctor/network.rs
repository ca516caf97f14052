//! The network in use: is it complete, does it run now, who answers?

use std::path::Path;

use holdfast_client::ask;
use holdfast_client::network::Network;
use holdfast_core::explain;
use holdfast_core::id::Timestamp;
use holdfast_node::folder::NodeFolder;
use tokio::task::JoinSet;

use super::Check;
use crate::args::Common;
use crate::commands::online::{self, Online};
use crate::commands::verify::clock;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::{settings, supervisor};

/// 2026-01-01: no build of this program is older, so a clock before that is wrong.
const CLOCK_MIN: Timestamp = Timestamp(1_767_225_600);
/// Silent members of a network elsewhere that are named.
const NAMED_MAX: usize = 5;

/// Looks at the network in use, the clock, and the network's nodes.
pub(super) async fn checks(common: &Common, output: &Output) -> Vec<Check> {
    let folder = match settings::network_folder(common) {
        Ok(Some(folder)) => folder,
        Ok(None) => {
            let todo = "start one with `holdfast net up --dir DIR`, or name one with --network DIR";
            return vec![Check::warning("network", "none is chosen", todo), time(None)];
        }
        Err(failure) => return vec![Check::failure("network", failure), time(None)],
    };
    let network = match settings::network_in(&folder) {
        Ok(network) => network,
        Err(failure) => return vec![Check::failure("network", failure), time(None)],
    };
    let members = network.committee.members().len();
    let found = format!("{} of {members} members in {} is complete", network.id().short(), folder.display());
    let mut checks = vec![Check::ok("network", found), time(Some(&network))];
    let online = match online::follow(network, output).await {
        Ok(online) => online,
        Err(failure) => {
            checks.push(Check::failure("nodes", failure));
            return checks;
        }
    };
    if online.network.genesis.ledger.is_some() {
        checks.push(ledger(&online).await);
    }
    let local = folder.join("nodes").is_dir();
    checks.extend(match nodes(&folder, &online, local).await {
        Ok(nodes) => nodes,
        Err(failure) => vec![Check::failure("nodes", failure)],
    });
    checks
}

/// Does the ledger go on?
async fn ledger(online: &Online) -> Check {
    let head = match online.ledger() {
        Ok(mut ledger) => ledger.head().await.map_err(Failure::from),
        Err(failure) => Err(failure),
    };
    match head {
        Ok(head) => {
            let header = head.header.header();
            let epoch = online.network.committee.record().epoch;
            Check::ok(
                "ledger",
                format!("block {} of {} is final, epoch {epoch} runs", header.height, header.time.second()),
            )
        }
        Err(failure) => Check::failure("ledger", failure),
    }
}

/// Is the clock plausible?
fn time(network: Option<&Network>) -> Check {
    let now = match clock() {
        Ok(now) => now,
        Err(failure) => return Check::failure("clock", Failure { exit: Exit::Usage, ..failure }),
    };
    let runs = |network: &Network| {
        let genesis = &network.genesis;
        // With a ledger one epoch follows another, and no end is planned.
        (genesis.start, if genesis.ledger.is_none() { Some(genesis.end) } else { None })
    };
    judge_time(now, network.map(runs))
}

fn judge_time(now: Timestamp, runs: Option<(Timestamp, Option<Timestamp>)>) -> Check {
    let name = "clock";
    match runs {
        _ if now < CLOCK_MIN => {
            Check::failed(name, Exit::Usage, format!("it says {now}, which is long past"), "set the clock")
        }
        Some((start, _)) if now < start => {
            let found = format!("it says {now}, and the network starts at {start}");
            Check::failed(
                name,
                Exit::Usage,
                found,
                "set the clock, or wait: until then every proof is invalid",
            )
        }
        Some((_, Some(end))) if now >= end => {
            let found = format!("it says {now}, and the network ended at {end}");
            Check::failed(
                name,
                Exit::Expired,
                found,
                "set the clock if it is wrong; else use another network",
            )
        }
        Some((_, Some(end))) => Check::ok(name, format!("it says {now}, and the network runs until {end}")),
        _ => Check::ok(name, format!("it says {now}")),
    }
}

/// Asks every member who it is. In a network of this machine each is checked by itself, and so is its process.
async fn nodes(
    folder: &Path,
    Online { net, network, .. }: &Online,
    local: bool,
) -> Result<Vec<Check>, Failure> {
    let mut asking = JoinSet::new();
    for place in 0..network.committee.members().len() {
        let (net, network) = (net.clone(), network.clone());
        asking.spawn(async move { (place, ask::node(&net, &network, place).await) });
    }
    let mut answers = asking.join_all().await;
    answers.sort_by_key(|(place, _)| *place);
    let folders = if local { supervisor::node_folders(folder)? } else { Vec::new() };
    // `net up` starts all nodes or none.
    let some_run = folders.iter().any(|folder| matches!(folder.running(), Ok(Some(_))));
    let down = format!("`holdfast net down --dir {}` and then ", folder.display());
    let up = format!("`holdfast net up --dir {}`", folder.display());
    let start = format!("{}{up} starts the network again", if some_run { &down } else { "" });

    let (mut checks, mut silent) = (Vec::new(), Vec::new());
    for (place, answer) in &answers {
        let member = &network.committee.members()[*place];
        let own = folders.iter().find(|folder| folder.member().is_ok_and(|own| own.node == member.node));
        let name = format!("node {} of {}", member.node.short(), member.operator);
        let answer = match answer {
            Ok(info) if info.node == member.node => Ok(format!("{} pieces", info.pieces)),
            Ok(info) => Err(format!("answers as {}", info.node.short())),
            Err(error) => Err(explain(error)),
        };
        match (own, answer) {
            (Some(own), answer) => checks.push(local_node(&name, own, answer, &start)),
            (None, Ok(_)) => {}
            (None, Err(why)) => silent.push(format!("{name} {why}")),
        }
    }
    let elsewhere = answers.len() - checks.len();
    if elsewhere > 0 {
        checks.push(remote_nodes(elsewhere, &silent, network));
    }
    Ok(checks)
}

/// A node of this machine.
fn local_node(name: &str, node: &NodeFolder, answer: Result<String, String>, start: &str) -> Check {
    match (node.running(), answer) {
        (Ok(Some(pid)), Ok(holds)) => Check::ok("node", format!("{name} serves, process {pid}, {holds}")),
        (Ok(Some(pid)), Err(why)) => {
            let todo = format!("see {}", node.file("node.log").display());
            Check::failed("node", Exit::Unreachable, format!("{name}, process {pid}, {why}"), todo)
        }
        (Ok(None), Ok(_)) => {
            let found = format!("{name} serves, but not from {}", node.path().display());
            Check::warning("node", found, "a copy of its folder runs elsewhere: stop one of the two")
        }
        (Ok(None), Err(_)) => Check::failed("node", Exit::Unreachable, format!("{name} does not run"), start),
        (Err(error), _) => {
            Check::failure("node", Failure::local(format_args!("could not look at {name}"), &error))
        }
    }
}

/// The members that do not run on this machine.
fn remote_nodes(count: usize, silent: &[String], network: &Network) -> Check {
    let answering = count - silent.len();
    let mut named = silent.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join("; ");
    if silent.len() > NAMED_MAX {
        named.push_str(&format!("; and {} more", silent.len() - NAMED_MAX));
    }
    let needed = usize::from(network.committee.record().profiles[0].q);
    let todo = "check `peers.toml` in the network's folder, and ask the operators";
    match silent.len() {
        0 => Check::ok("nodes", format!("all {count} answer")),
        _ if answering < needed => {
            let found =
                format!("{answering} of {count} answer, {needed} are needed for a certificate: {named}");
            Check::failed("nodes", Exit::Unreachable, found, todo)
        }
        _ => Check::warning("nodes", format!("{answering} of {count} answer: {named}"), todo),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::State;

    #[test]
    fn the_clock_is_judged_by_the_network() {
        let runs = Some((Timestamp(CLOCK_MIN.0 + 100), Some(Timestamp(CLOCK_MIN.0 + 200))));
        let endless = Some((Timestamp(CLOCK_MIN.0 + 100), None));
        for (now, runs, state) in [
            (0, None, State::Failed(Exit::Usage)),
            (CLOCK_MIN.0, None, State::Ok),
            (CLOCK_MIN.0 + 99, runs, State::Failed(Exit::Usage)),
            (CLOCK_MIN.0 + 100, runs, State::Ok),
            (CLOCK_MIN.0 + 199, runs, State::Ok),
            (CLOCK_MIN.0 + 200, runs, State::Failed(Exit::Expired)),
            (CLOCK_MIN.0 + 99, endless, State::Failed(Exit::Usage)),
            (u64::MAX, endless, State::Ok),
        ] {
            assert_eq!(judge_time(Timestamp(now), runs).state, state, "{now}");
        }
    }
}
