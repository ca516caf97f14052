//! `node check`: everything that a stopped node keeps is read and hashed; with `--repair`, what is damaged is taken out.

use std::collections::BTreeSet;
use std::path::Path;

use holdfast_core::block::BlockId;
use holdfast_node::folder::NodeFolder;
use holdfast_store::store::{Report, Store};
use serde_json::json;

use crate::commands::blocking;
use crate::failure::{Exit, Failure};
use crate::output::{Output, Progress};

/// What was found, and is left after a repair.
struct Found {
    report: Report,
    /// Pieces that were promised and are not here, damaged ones that were taken out included.
    lost: Vec<Lost>,
    /// Further pieces whose certificate is here: slots of this node that were never filled.
    lacking: usize,
}

struct Lost {
    cid: BlockId,
    /// Whether its certificate is here, so that the node fetches it by itself.
    has_certificate: bool,
}

pub(super) async fn run(dir: &Path, repair: bool, output: &Output) -> Result<(), Failure> {
    let folder = NodeFolder::at(dir);
    let quota = folder.config()?.quota_bytes;
    let _lock = folder.lock()?;
    let (store, progress) = (folder.file("store"), output.progress("opening", None));
    let store = blocking(move || {
        let opened = if repair { Store::rebuild(&store, quota) } else { Store::open(&store, quota) };
        opened.map_err(|error| Failure::local("could not open the store", &error))
    });
    let store = store.await?;
    drop(progress);
    let total = store.pieces().map_err(|error| unreadable(&error))?.iter().map(|(_, row)| row.bytes).sum();
    let progress = output.progress("checking", Some(total));
    let found = blocking(move || check(&store, repair, &progress)).await?;
    tell(dir, repair, &found, output);
    judge(dir, repair, &found)
}

fn unreadable(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::local("could not read the store; --repair makes its index again", error)
}

fn check(store: &Store, repair: bool, progress: &Progress) -> Result<Found, Failure> {
    let report = store.check(|bytes| progress.add(bytes)).map_err(|error| unreadable(&error))?;
    if repair {
        for damage in &report.damaged {
            store
                .discard(&damage.cid)
                .map_err(|error| Failure::local(format_args!("could not take out {}", damage.cid), &error))?;
        }
    }
    let lost = store.lost().map_err(|error| unreadable(&error))?;
    let mut wanted: BTreeSet<_> = store.wanted().map_err(|error| unreadable(&error))?.into_iter().collect();
    let lost = lost.into_iter().map(|cid| Lost { cid, has_certificate: wanted.remove(&cid) }).collect();
    let lacking = wanted.len();
    Ok(Found { report, lost, lacking })
}

fn tell(dir: &Path, repair: bool, found: &Found, output: &Output) {
    let Found { report, lost, lacking } = found;
    let mut lines = vec![format!("read {} pieces, {} bytes", report.pieces, report.bytes)];
    for damage in &report.damaged {
        let taken_out = if repair { "; taken out" } else { "" };
        lines.push(format!("damaged  {} ({}){taken_out}", damage.cid, damage.why));
    }
    for lost in lost {
        let todo = match lost.has_certificate {
            true => "the node fetches it at its next start",
            false => "put it again",
        };
        lines.push(format!("lost     {}: {todo}", lost.cid));
    }
    if report.skipped_log_bytes > 0 {
        let bytes = report.skipped_log_bytes;
        lines.push(format!(
            "skipped {bytes} bytes of the log that are no record: cut off by a crash, or damaged"
        ));
    }
    if report.index_made_again {
        lines.push("made the index again from the log".into());
    }
    if *lacking > 0 {
        lines.push(format!("{lacking} further pieces are still to be fetched"));
    }
    lines.push(match (report.damaged.len(), lost.len()) {
        (0, 0) if repair || !report.index_made_again => "all is well".into(),
        (0, 0) => "every piece is well".into(),
        (damaged, lost) => format!("{damaged} damaged, {lost} promised and not here"),
    });
    let damaged: Vec<_> = report
        .damaged
        .iter()
        .map(|damage| {
            json!({"cid": damage.cid.to_string(), "piece_root": damage.root, "why": damage.why, "taken_out": repair})
        })
        .collect();
    let lost: Vec<_> = lost
        .iter()
        .map(|lost| json!({"cid": lost.cid.to_string(), "has_certificate": lost.has_certificate}))
        .collect();
    let object = json!({
        "dir": dir,
        "repaired": repair,
        "pieces": report.pieces,
        "bytes": report.bytes,
        "damaged": damaged,
        "lost": lost,
        "lacking": lacking,
        "skipped_log_bytes": report.skipped_log_bytes,
        "index_made_again": report.index_made_again,
    });
    output.result(&lines.join("\n"), "node-check", object);
}

fn judge(dir: &Path, repair: bool, Found { report, lost, .. }: &Found) -> Result<(), Failure> {
    let (damaged, gone) = (report.damaged.len(), lost.iter().filter(|lost| !lost.has_certificate).count());
    if repair {
        if gone == 0 {
            return Ok(());
        }
        let message = format!(
            "{gone} of {} pieces that were promised and are not here have no certificate here, so the node cannot \
             fetch them; put them again",
            lost.len()
        );
        return Err(Failure::new(Exit::Partial, "store.lost", message));
    }
    let message = if damaged > 0 {
        format!(
            "{damaged} pieces are damaged; `holdfast node check --dir {} --repair` takes them out, and the node \
             fetches them at its next start",
            dir.display()
        )
    } else if !lost.is_empty() {
        format!(
            "{} pieces are lost; start the node to fetch those with a certificate, put the others again",
            lost.len()
        )
    } else if report.index_made_again {
        "the index was damaged or lost, and no piece; it was made again from the log, so look after the disk"
            .into()
    } else {
        return Ok(());
    };
    Err(Failure::new(Exit::Invalid, "store.damaged", message))
}
