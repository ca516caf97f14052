//! `chain events`: what happened, in order, as one node tells it. Whoever has seen an event has seen it, however often it is told:
//! its place, block and number, names it for good.

use std::time::Duration;

use clap::Args;
use holdfast_client::ledger::LedgerClient;
use holdfast_ledger::receipt::EventPosition;
use holdfast_proofs::header::Height;
use holdfast_protocol::chain::{EventPage, PlacedEvent};
use serde_json::{Value, json};

use crate::args::{Common, position};
use crate::commands::words::{event, place};
use crate::commands::{ls::aligned, online};
use crate::failure::Failure;
use crate::output::Output;

/// Shortest pause between two looks for something new.
const LOOK_EVERY: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    /// The first event, such as 120.3 [default: the first that there is]
    #[arg(long, value_name = "H.I", value_parser = position)]
    from: Option<EventPosition>,
    /// At most so many [default: 100; without end with --follow]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max: Option<u32>,
    /// Go on as things happen, a line for each event; with --json an object for each
    #[arg(long)]
    follow: bool,
}

pub(super) async fn run(args: &EventsArgs, common: &Common, output: &Output) -> Result<(), Failure> {
    let ledger = online::ledger(common).await?;
    let from = args.from.unwrap_or(EventPosition { height: Height(0), index: 0 });
    let max = args.max.map(|max| usize::try_from(max).unwrap_or(usize::MAX));
    if args.follow {
        return follow(&ledger, from, max, output).await;
    }
    let max = max.unwrap_or(100);
    let (mut events, mut next) = (Vec::new(), from);
    while events.len() < max {
        let page = page(&ledger, &mut next).await?;
        if page.is_empty() {
            break;
        }
        events.extend(page);
    }
    if let Some(beyond) = events.get(max) {
        next = beyond.position;
    }
    events.truncate(max);
    let rows = events.iter().map(|placed| vec![place(placed.position), event(&placed.event).0]).collect();
    let mut lines = aligned(rows);
    lines.push(format!("go on with --from {}", place(next)));
    let objects: Vec<_> = events.iter().map(object).collect();
    output.result(&lines.join("\n"), "chain-events", json!({"events": objects, "next": place(next)}));
    Ok(())
}

fn object(placed: &PlacedEvent) -> Value {
    let (words, what) = event(&placed.event);
    json!({"position": place(placed.position), "event": what, "text": words})
}

/// A page, and where to go on.
async fn page(ledger: &LedgerClient, next: &mut EventPosition) -> Result<Vec<PlacedEvent>, Failure> {
    let EventPage { events, next: after } = ledger.events(*next).await?;
    // Nobody is led back to what they have seen.
    let mut events = events.into_inner();
    events.retain(|placed| placed.position >= *next);
    *next = after.max(*next);
    Ok(events)
}

async fn follow(
    ledger: &LedgerClient,
    mut next: EventPosition,
    max: Option<usize>,
    output: &Output,
) -> Result<(), Failure> {
    let pause = (ledger.block_time() / 2).max(LOOK_EVERY);
    let mut shown = 0;
    loop {
        let page = page(ledger, &mut next).await?;
        let quiet = page.is_empty();
        for placed in page {
            let text = format!("{:9} {}", place(placed.position), event(&placed.event).0);
            output.result(&text, "chain-event", object(&placed));
            shown += 1;
            if max.is_some_and(|max| shown >= max) {
                return Ok(());
            }
        }
        if quiet {
            tokio::time::sleep(pause).await;
        }
    }
}
