//! `motion ls|params|authority|allow|revoke|support`: what validators together may change.
//!
//! Whoever asks for a change first makes the motion; the others support it by asking for the same, or by its id. When the
//! supporters have more than two thirds of all weight it is accepted, and comes into force when the epoch ends.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use holdfast_client::ledger::LedgerClient;
use holdfast_core::codec;
use holdfast_core::id::{Amount, Epoch, NodeId};
use holdfast_ledger::governance::{Action, Measurement, Motion, MotionId, Support};
use holdfast_ledger::receipt::Event;
use holdfast_ledger::transaction::Payload;
use holdfast_proofs::validators::ValidatorSet;
use serde_json::json;

use super::chain::validator_set;
use super::order::epoch_words;
use super::owner::{OwnerArgs, next_epoch};
use super::words::money;
use crate::args::Common;
use crate::failure::{Exit, Failure};
use crate::output::Output;

mod action;
mod ls;

#[derive(Debug, Subcommand)]
pub(crate) enum MotionCommand {
    /// List motions that wait for supporters or for the end of the epoch, and who supports them
    Ls,
    /// Change parameters of the ledger
    Params(ParamsArgs),
    /// Make a node an authority, change its weight, or remove it
    Authority(AuthorityArgs),
    /// Allow a measurement, the hash of code that a TEE vouches for
    Allow(AllowArgs),
    /// Forbid a measurement again, at once
    Revoke(RevokeArgs),
    /// Support a motion that somebody made
    Support(SupportArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ParamsArgs {
    #[command(flatten)]
    owner: OwnerArgs,
    /// TOML file with what shall change
    #[arg(long, value_name = "FILE", required_unless_present = "set")]
    file: Option<PathBuf>,
    /// What shall change, such as fee_flat=0.001FFG; repeat it for more
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct AuthorityArgs {
    #[command(flatten)]
    owner: OwnerArgs,
    /// The node that shall be an authority
    #[arg(value_name = "NODE")]
    candidate: NodeId,
    /// What its vote counts, 1 to 16; 0 removes it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=16))]
    weight: u8,
}

#[derive(Debug, Args)]
pub(crate) struct AllowArgs {
    #[command(flatten)]
    owner: OwnerArgs,
    /// 48 bytes in hex
    #[arg(value_name = "MEASUREMENT")]
    measurement: Measurement,
    /// From this epoch on [default: as soon as the motion is in force]
    #[arg(long, value_name = "EPOCH", default_value_t = 0, hide_default_value = true)]
    from: u64,
    /// Until this epoch, exclusive [default: for good]
    #[arg(long, value_name = "EPOCH")]
    until: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    #[command(flatten)]
    owner: OwnerArgs,
    /// 48 bytes in hex
    #[arg(value_name = "MEASUREMENT")]
    measurement: Measurement,
}

#[derive(Debug, Args)]
pub(crate) struct SupportArgs {
    #[command(flatten)]
    owner: OwnerArgs,
    /// The motion, as `motion ls` names it
    #[arg(value_name = "ID")]
    motion: MotionId,
}

pub(super) async fn run(command: MotionCommand, common: &Common, output: &Output) -> Result<(), Failure> {
    match command {
        MotionCommand::Ls => ls::run(common, output).await,
        MotionCommand::Params(ParamsArgs { owner, file, set }) => {
            let changes = action::changes(file.as_deref(), &set)?;
            let (mut ledger, by) = voter(&owner, common).await?;
            let action = action::params(&mut ledger, changes).await?;
            support(&owner, (ledger, by), action, common, output).await
        }
        MotionCommand::Authority(AuthorityArgs { owner, candidate, weight }) => {
            let (mut ledger, by) = voter(&owner, common).await?;
            let action = action::authority(&mut ledger, candidate, weight).await?;
            support(&owner, (ledger, by), action, common, output).await
        }
        MotionCommand::Allow(AllowArgs { owner, measurement, from, until }) => {
            let action = action::allow(measurement, Epoch(from), until.map(Epoch))?;
            let (ledger, by) = voter(&owner, common).await?;
            support(&owner, (ledger, by), action, common, output).await
        }
        MotionCommand::Revoke(RevokeArgs { owner, measurement }) => {
            let (mut ledger, by) = voter(&owner, common).await?;
            let action = action::revoke(&mut ledger, measurement).await?;
            support(&owner, (ledger, by), action, common, output).await
        }
        MotionCommand::Support(SupportArgs { owner, motion }) => {
            let (mut ledger, by) = voter(&owner, common).await?;
            let found = ledger.row::<Motion>(motion.as_bytes()).await?.row;
            let found = found.ok_or_else(|| {
                let message =
                    format!("there is no motion {motion}; it is over, or `motion ls` names another");
                Failure::new(Exit::NotFound, "motion.missing", message)
            })?;
            support(&owner, (ledger, by), found.action, common, output).await
        }
    }
}

/// The node whose owner supports something: one that decides about blocks.
async fn voter(owner: &OwnerArgs, common: &Common) -> Result<(LedgerClient, NodeId), Failure> {
    let (mut ledger, row) = owner.owned(common).await?;
    let by = row.member.node;
    let set = validator_set(&mut ledger).await?.row;
    if set.place(&by).is_none() {
        let message = format!(
            "node {} decides about no blocks, so its owner can support nothing; `holdfast chain validators` lists \
             those who do",
            by.short()
        );
        return Err(Failure::new(Exit::NotAllowed, "motion.no_validator", message));
    }
    Ok((ledger, by))
}

async fn support(
    owner: &OwnerArgs,
    (mut ledger, by): (LedgerClient, NodeId),
    action: Action,
    common: &Common,
    output: &Output,
) -> Result<(), Failure> {
    let id = MotionId::new(codec::digest(&action));
    let (words, what) = action::describe(&mut ledger, &action).await?;
    let before = ledger.row::<Motion>(id.as_bytes()).await?.row;
    if before.as_ref().is_some_and(|motion| motion.supporters.contains(&by)) {
        let message = format!("node {} supports motion {id} already", by.short());
        return Err(Failure::new(Exit::Conflict, "motion.supported", message));
    }
    if common.dry_run {
        let text = format!("node {} would support motion {id}:\n{words}", by.short());
        output.result(&text, "motion-plan", json!({"motion": id, "by": by, "action": what}));
        return Ok(());
    }
    let revokes = matches!(action, Action::Revoke(_));
    let payload = Payload::Support(Support { by, action });
    let told = owner.tell(&mut ledger, payload, Amount::ZERO, output).await?;
    let height = told.sent.height;
    let decided = told.sent.receipt.events.iter().any(|event| matches!(event, Event::Decided(_)));
    let accepted = decided || before.is_some_and(|motion| motion.accepted);
    let next = next_epoch(&mut ledger, height).await?;
    let motion = ledger.row_since::<Motion>(id.as_bytes(), height).await?.row;
    let set = validator_set(&mut ledger).await?.row;
    let record = ledger.network().committee.record();
    let standing = match (&motion, accepted) {
        (_, true) if revokes => "accepted, and in force now".to_owned(),
        (_, true) => format!("accepted; in force from {} on", epoch_words(next, record)),
        (Some(motion), false) => format!(
            "supported by a weight of {} of {}; more than two thirds are needed before {}",
            weight_of(motion, &set),
            set.weight(),
            epoch_words(motion.until, record)
        ),
        (None, false) => "it is over".to_owned(),
    };
    let text = format!(
        "{words}\nnode {} supports this in block {height}, for a fee of {}: motion {id}\n{standing}",
        by.short(),
        money(told.fee)
    );
    let object = json!({
        "motion": id,
        "by": by,
        "action": what,
        "accepted": accepted,
        "weight": motion.as_ref().map(|motion| weight_of(motion, &set)),
        "weight_of_all": set.weight(),
        "from_epoch": accepted.then_some(if revokes { next.0.saturating_sub(1) } else { next.0 }),
        "until": motion.map(|motion| motion.until),
        "transaction": told.sent.id,
        "height": height,
        "fee": told.fee,
    });
    output.result(&text, "motion-support", object);
    Ok(())
}

/// What the votes of a motion's supporters count who are validators now.
fn weight_of(motion: &Motion, set: &ValidatorSet) -> u64 {
    let supports = set.validators.iter().filter(|validator| motion.supporters.contains(&validator.node));
    supports.map(|validator| u64::from(validator.weight.get())).sum()
}
