//! `why CID`: the way of a fetch, step by step, to the first that is broken.

use std::collections::BTreeSet;

use holdfast_client::network::Network;
use holdfast_client::trace::{BlockError, Held, Slot, Trace, trace};
use holdfast_core::block::BlockId;
use holdfast_core::explain;
use holdfast_proofs::profile::Profile;
use serde_json::{Value, json};

use super::online;
use crate::args::Common;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings;

/// The steps, in order.
const STEPS: [&str; 5] = ["resolve", "place", "dial", "hold", "verify"];

pub(super) async fn run(cid: BlockId, common: &Common, output: &Output) -> Result<(), Failure> {
    let mut way = Way { cid, steps: Vec::new() };
    let broken = walk(&mut way, common, output).await?;
    output.result(&way.text(), "why", way.object());
    broken.map_or(Ok(()), Err)
}

/// Takes the steps, and answers what is broken first.
async fn walk(way: &mut Way, common: &Common, output: &Output) -> Result<Option<Failure>, Failure> {
    let network = match settings::network(common) {
        Ok(network) => network,
        Err(failure) => {
            way.take(Err(failure.message.clone()), Vec::new());
            return Ok(Some(failure));
        }
    };
    let members = network.committee.members().len();
    let found = format!(
        "network {} (\"{}\"): genesis and {members} possession proofs accepted",
        network.id(),
        network.genesis.name
    );
    way.take(Ok(found), Vec::new());

    let online = online::follow(network, output).await?;
    let trace = trace(&online.net, &mut online.committees(), way.cid).await;
    Ok(follow(way, &online.network, &trace))
}

/// Takes the steps over what was found on the network.
fn follow(way: &mut Way, network: &Network, trace: &Trace) -> Option<Failure> {
    let view = View { network, trace, profile: profile(network, trace) };
    let steps: [(&str, Look); 4] = [
        ("why.place", |view| view.place()),
        ("why.dial", |view| view.dial()),
        ("why.hold", |view| view.hold()),
        ("why.verify", |view| view.verify()),
    ];
    let mut broken: Option<Failure> = None;
    for (reason, step) in steps {
        let Taken { found, lines, exit, goes_on } = step(&view);
        if let Err(message) = &found {
            let failure = Failure::new(exit, reason, format!("{}: {message}", way.cid));
            broken = broken.or(Some(failure));
        }
        way.take(found, lines);
        if !goes_on {
            break;
        }
    }
    broken
}

/// The profile under which the piece is kept: a valid certificate says so, or else it is the network's default.
fn profile(network: &Network, trace: &Trace) -> Profile {
    let certified = trace.slots.iter().find_map(|slot| match &slot.hold {
        Ok(Some(Held { certificate: Some(Ok((profile, _))), .. })) => Some(*profile),
        _ => None,
    });
    certified.unwrap_or(network.committee.record().profiles[0])
}

/// Takes one step.
type Look = fn(&View<'_>) -> Taken;

/// How one step went.
struct Taken {
    /// What was found; or what is broken.
    found: Result<String, String>,
    lines: Vec<Line>,
    /// What a broken step means.
    exit: Exit,
    /// Whether the next step can be taken: it can where only some slots fail.
    goes_on: bool,
}

/// What was found of one slot.
struct Line {
    slot: usize,
    node: String,
    operator: String,
    found: Result<String, String>,
}

struct View<'a> {
    network: &'a Network,
    trace: &'a Trace,
    profile: Profile,
}

impl<'a> View<'a> {
    /// The slots of the piece.
    fn slots(&self) -> impl Iterator<Item = (usize, &'a Slot)> {
        self.trace.slots.iter().take(self.profile.n.into()).enumerate()
    }

    fn holders(&self) -> impl Iterator<Item = (usize, &'a Held)> {
        self.slots().filter_map(|(number, slot)| Some((number, slot.hold.as_ref().ok()?.as_ref()?)))
    }

    fn line(&self, number: usize, found: Result<String, String>) -> Line {
        let member = &self.network.committee.members()[self.trace.slots[number].place];
        Line { slot: number, node: member.node.to_string(), operator: member.operator.to_string(), found }
    }

    fn place(&self) -> Taken {
        let Profile { n, .. } = self.profile;
        let found =
            format!("bucket {}: {n} slots, as {} says", self.trace.bucket.number(), self.profile.name());
        let owner = |number: usize| self.line(number, Ok("owns the slot".into()));
        let lines = self.slots().map(|(number, _)| owner(number)).collect();
        Taken { found: Ok(found), lines, exit: Exit::Internal, goes_on: true }
    }

    fn dial(&self) -> Taken {
        let line = |(number, slot): (usize, &Slot)| {
            let found = slot.dial.as_ref().map(|()| "connected".to_owned()).map_err(|error| explain(error));
            self.line(number, found)
        };
        let lines: Vec<_> = self.slots().map(line).collect();
        let reached = lines.iter().filter(|line| line.found.is_ok()).count();
        let found = match reached {
            0 => Err("no slot's owner could be reached; is the network running?".to_owned()),
            _ => Ok(format!("{reached} of {} slots connected", lines.len())),
        };
        Taken { found, lines, exit: Exit::Unreachable, goes_on: reached > 0 }
    }

    fn hold(&self) -> Taken {
        let line = |(number, slot): (usize, &Slot)| {
            let found = match &slot.hold {
                Ok(Some(held)) => Ok(holds(held)),
                Ok(None) => Err("does not hold it".to_owned()),
                Err(_) if slot.dial.is_err() => Err("not connected".to_owned()),
                Err(error) => Err(explain(error)),
            };
            self.line(number, found)
        };
        let lines: Vec<_> = self.slots().map(line).collect();
        let (holders, Profile { n, q, .. }) = (self.holders().count(), self.profile);
        let (found, exit) = match holders {
            0 => {
                let todo = "`get` may still find its blocks in another piece, such as a folder around it";
                (Err(format!("no slot holds it as a piece; {todo}")), Exit::NotFound)
            }
            some if some < usize::from(q) => {
                let todo = "it can be fetched, and a `put` of the same file fills the other slots";
                (
                    Err(format!("{some} of {n} slots hold it, fewer than the {q} that certify; {todo}")),
                    Exit::Partial,
                )
            }
            some => (Ok(format!("{some} of {n} slots hold it, {q} certify")), Exit::Internal),
        };
        Taken { found, lines, exit, goes_on: holders > 0 }
    }

    fn verify(&self) -> Taken {
        let mut faults = Vec::new();
        let mut lines = Vec::new();
        for (number, sent) in &self.trace.root_block {
            let found = match sent {
                Ok(bytes) => Ok(format!("sent the root block, {bytes} bytes that match its name")),
                Err(error) => Err(explain(error)),
            };
            lines.push(self.line(*number, found));
        }
        let sent = |wanted: fn(&Result<u64, BlockError>) -> bool| {
            self.trace.root_block.iter().any(|(_, sent)| wanted(sent))
        };
        if !sent(Result::is_ok) {
            faults.push("no holder sent the root block".to_owned());
        } else if sent(|sent| matches!(sent, Err(BlockError::Wrong { .. }))) {
            faults.push("a holder sent another block than the root block".to_owned());
        }
        let said: BTreeSet<_> = self.holders().map(|(_, held)| (held.info.root, held.info.bytes)).collect();
        if said.len() > 1 {
            faults.push(format!("the holders name {} different pieces", said.len()));
        }
        let mut certificates = 0;
        for (number, held) in self.holders() {
            match &held.certificate {
                Some(Ok(_)) => certificates += 1,
                Some(Err(fault)) => {
                    faults.push("a certificate is false".to_owned());
                    lines.push(
                        self.line(number, Err(format!("shows a false certificate: {}", explain(fault)))),
                    );
                }
                None => {}
            }
        }
        faults.dedup();
        let found = if faults.is_empty() {
            let root = said.first().map(|(root, _)| root.short()).unwrap_or_default();
            Ok(format!(
                "root block checked; all agree on piece root {root}; {certificates} valid certificates shown"
            ))
        } else {
            Err(faults.join("; "))
        };
        Taken { found, lines, exit: Exit::Invalid, goes_on: true }
    }
}

fn holds(held: &Held) -> String {
    let info = &held.info;
    let certificate = match &held.certificate {
        Some(Ok((profile, signers))) => format!("certificate of {signers} of {} slots", profile.n),
        Some(Err(_)) => "a certificate that is false".to_owned(),
        None => "no certificate".to_owned(),
    };
    format!("piece root {}, {} bytes, {certificate}", info.root.short(), info.bytes)
}

/// The steps taken so far.
struct Way {
    cid: BlockId,
    steps: Vec<(Result<String, String>, Vec<Line>)>,
}

impl Way {
    fn take(&mut self, found: Result<String, String>, lines: Vec<Line>) {
        self.steps.push((found, lines));
    }

    fn text(&self) -> String {
        let mut lines = vec![self.cid.to_string()];
        for (number, name) in STEPS.into_iter().enumerate() {
            let Some((found, slots)) = self.steps.get(number) else {
                lines.push(format!("-      {name:10} not tried"));
                continue;
            };
            lines.push(format!("{} {name:10} {}", mark(found), text(found)));
            for Line { slot, node, operator, found } in slots {
                let about = format!("slot {slot}: node {} of {operator}", &node[..8]);
                lines.push(format!("{}   {about}: {}", mark(found), text(found)));
            }
        }
        let first = STEPS.iter().zip(&self.steps).find(|(_, (found, _))| found.is_err());
        lines.push(match first {
            Some((name, _)) => format!("broken: {name}"),
            None => "every step holds".to_owned(),
        });
        lines.join("\n")
    }

    fn object(&self) -> Value {
        let status = |found: &Result<String, String>| if found.is_ok() { "ok" } else { "failed" };
        let step = |(number, name): (usize, &str)| {
            let name = format!("why.{name}");
            let Some((found, slots)) = self.steps.get(number) else {
                return json!({"name": name, "status": "not-tried"});
            };
            let slots: Vec<_> = slots
                .iter()
                .map(|Line { slot, node, operator, found }| {
                    json!({
                        "slot": slot,
                        "node": node,
                        "operator": operator,
                        "status": status(found),
                        "found": text(found),
                    })
                })
                .collect();
            json!({"name": name, "status": status(found), "found": text(found), "slots": slots})
        };
        let steps: Vec<_> = STEPS.into_iter().enumerate().map(step).collect();
        json!({"cid": self.cid.to_string(), "steps": steps})
    }
}

fn text(found: &Result<String, String>) -> &str {
    match found {
        Ok(text) | Err(text) => text,
    }
}

fn mark(found: &Result<String, String>) -> &'static str {
    if found.is_ok() { "ok    " } else { "FAILED" }
}

#[cfg(test)]
mod tests;
