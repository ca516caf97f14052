//! `motion ls`. The ledger has no list of motions that can be proven, so they are found in the transactions of the validators'
//! owners, as one node lists them; what each of them is now is proven.

use std::collections::BTreeSet;

use holdfast_client::ledger::LedgerClient;
use holdfast_core::codec;
use holdfast_core::id::Epoch;
use holdfast_ledger::account::AccountId;
use holdfast_ledger::evidence::FirstBlock;
use holdfast_ledger::governance::{MOTION_EPOCHS, Motion, MotionId};
use holdfast_ledger::registry::Node;
use holdfast_ledger::transaction::Payload;
use holdfast_proofs::header::Height;
use holdfast_proofs::validators::ValidatorSet;
use holdfast_protocol::chain::HistoryQuery;
use serde_json::json;

use super::{action, weight_of};
use crate::args::Common;
use crate::commands::chain::validator_set;
use crate::commands::online;
use crate::commands::order::epoch_words;
use crate::failure::Failure;
use crate::output::Output;

/// Pages of an account's transactions that are looked at.
const PAGES_MAX: usize = 64;

pub(super) async fn run(common: &Common, output: &Output) -> Result<(), Failure> {
    let mut ledger = online::followed(common).await?;
    let set = validator_set(&mut ledger).await?.row;
    let (mut texts, mut objects) = (Vec::new(), Vec::new());
    for id in supported(&mut ledger, &set, output).await? {
        let Some(motion) = ledger.row::<Motion>(id.as_bytes()).await?.row else { continue };
        let (words, what) = action::describe(&mut ledger, &motion.action).await?;
        let record = ledger.network().committee.record();
        let supporters: Vec<_> = motion.supporters.iter().map(|node| node.short()).collect();
        let standing = match (motion.accepted, record.epoch.next()) {
            (true, Some(next)) => format!("accepted; in force from {} on", epoch_words(next, record)),
            _ => format!("waits for supporters until {}", epoch_words(motion.until, record)),
        };
        texts.push(format!(
            "{id}\n  {}\n  supported by {}: a weight of {} of {}\n  {standing}",
            words.replace('\n', "\n  "),
            supporters.join(", "),
            weight_of(&motion, &set),
            set.weight()
        ));
        objects.push(json!({
            "motion": id,
            "action": what,
            "supporters": &motion.supporters[..],
            "weight": weight_of(&motion, &set),
            "accepted": motion.accepted,
            "until": motion.until,
        }));
    }
    let text = if texts.is_empty() { "no motions".to_owned() } else { texts.join("\n") };
    output.result(&text, "motion-ls", json!({"motions": objects, "weight_of_all": set.weight()}));
    Ok(())
}

/// Motions that today's validators supported since a motion may have waited.
async fn supported(
    ledger: &mut LedgerClient,
    set: &ValidatorSet,
    output: &Output,
) -> Result<BTreeSet<MotionId>, Failure> {
    let mut owners = BTreeSet::new();
    for validator in set.validators.iter() {
        let row = ledger.row::<Node>(validator.node.as_bytes()).await?.row;
        owners.extend(row.map(|row| row.owner));
    }
    let running = ledger.network().committee.record().epoch;
    let oldest = Epoch(running.0.saturating_sub(MOTION_EPOCHS));
    let first = ledger.row::<FirstBlock>(&oldest.0.to_be_bytes()).await?.row;
    let first = first.map_or(Height(0), |FirstBlock(first)| first);
    let mut motions = BTreeSet::new();
    for owner in owners {
        if !of_account(ledger, owner, first, &mut motions).await? {
            output.note(&format!(
                "account {owner} has many transactions; motions of its older ones are not listed"
            ));
        }
    }
    Ok(motions)
}

/// Motions that an account supported from a block on. Says whether all its transactions were looked at.
async fn of_account(
    ledger: &LedgerClient,
    account: AccountId,
    first: Height,
    motions: &mut BTreeSet<MotionId>,
) -> Result<bool, Failure> {
    let mut before = None;
    for _ in 0..PAGES_MAX {
        let page = ledger.history(HistoryQuery { account, before }).await?;
        for entry in page.entries.iter() {
            if entry.position.height < first {
                return Ok(true);
            }
            if let Payload::Support(support) = &entry.transaction.body.payload
                && entry.receipt.failure.is_none()
            {
                motions.insert(MotionId::new(codec::digest(&support.action)));
            }
        }
        before = page.next;
        if before.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}
