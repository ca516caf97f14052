//! `ls`: proofs and what they are worth now; the entries of a stored folder.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use holdfast_client::get;
use holdfast_core::block::BlockId;
use holdfast_core::id::{NetworkId, Timestamp};
use holdfast_store::export::list::{Kind, Listing};
use serde_json::{Value, json};

use super::blocking;
use super::online::{Online, online};
use super::verify::clock;
use crate::args::{Common, timestamp};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings;

mod proof;

use proof::Proof;

#[derive(Debug, ClapArgs)]
pub(crate) struct LsArgs {
    /// Folders with proofs (*.proof), proofs, or CIDs of stored folders; what reads as a CID is one [default: .]
    #[arg(value_name = "PATH|CID")]
    things: Vec<String>,
    /// Id of the network that you trust [default: that of the network in use]
    #[arg(long, env = "HOLDFAST_NETWORK_ID", value_name = "HEX")]
    network_id: Option<NetworkId>,
    /// Judge proofs as of this time instead of now: 2027-01-31T12:00:00Z, or seconds since 1970
    #[arg(long, value_name = "TIME", value_parser = timestamp)]
    at: Option<Timestamp>,
}

/// What was found, for people and programs.
#[derive(Default)]
struct Found {
    proofs: Vec<Proof>,
    listings: Vec<(BlockId, Listing)>,
    /// Folders without a proof, to say so.
    empty: Vec<PathBuf>,
}

pub(super) async fn run(args: &LsArgs, common: &Common, output: &Output) -> Result<(), Failure> {
    let (mut found, mut failure) = (Found::default(), None);
    let here = [".".to_owned()];
    let things = if args.things.is_empty() { &here[..] } else { &args.things };
    for thing in things {
        let listed = match thing.parse::<BlockId>() {
            Ok(cid) => stored(cid, common, output).await.map(|listing| found.listings.push((cid, listing))),
            Err(_) => proofs(Path::new(thing), args, common, &mut found).await,
        };
        // One that fails does not take the others with it; the first failure is the command's.
        if let Err(problem) = listed {
            if things.len() > 1 {
                output.note(&format!("{thing}: {}", problem.message));
            }
            failure = failure.or(Some(problem));
        }
    }
    if failure.is_none() || !found.proofs.is_empty() || !found.listings.is_empty() {
        output.result(&found.text(), "ls", found.object());
    }
    failure.map_or(Ok(()), Err)
}

/// Reads and judges the proofs that a path names.
async fn proofs(path: &Path, args: &LsArgs, common: &Common, found: &mut Found) -> Result<(), Failure> {
    let trusted = settings::named_id(common, args.network_id)?;
    let now = args.at.map_or_else(clock, Ok)?;
    let files = files(path)?;
    if files.is_empty() {
        found.empty.push(path.to_owned());
    }
    for file in files {
        found.proofs.push(blocking(move || Proof::read(file, trusted, now)).await?);
    }
    Ok(())
}

/// A proof itself, or the proofs in a folder, by name.
fn files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error: std::io::Error| {
        let message =
            format!("could not read {}: {error}; ls takes folders, proofs and CIDs", path.display());
        let reason = if error.kind() == std::io::ErrorKind::NotFound { "file.missing" } else { "file.read" };
        Failure::new(Exit::of_file(&error), reason, message)
    };
    if !fs::metadata(path).map_err(failed)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?.file_name();
        // The current folder is not worth naming before every file.
        let file = if path == Path::new(".") { PathBuf::from(&entry) } else { path.join(&entry) };
        if file.extension().is_some_and(|extension| extension == "proof") && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// Fetches what a CID is.
async fn stored(cid: BlockId, common: &Common, output: &Output) -> Result<Listing, Failure> {
    let Online { net, network, .. } = online(common, output).await?;
    let progress = output.progress("listing", None);
    Ok(get::list(&net, &network, cid, |bytes| progress.add(bytes)).await?)
}

impl Found {
    fn text(&self) -> String {
        let mut lines: Vec<String> = self
            .empty
            .iter()
            .map(|path| format!("no proofs (*.proof) in {}; `put` writes them", path.display()))
            .collect();
        lines.extend(aligned(self.proofs.iter().map(Proof::row).collect()));
        for (cid, listing) in &self.listings {
            let many = self.listings.len() > 1 && listing.kind == Kind::Folder;
            if many {
                lines.push(format!("{cid}:"));
            }
            lines.extend(aligned(rows(cid, listing)));
            if listing.kind == Kind::Folder && listing.entries.is_empty() {
                lines.push("the folder is empty".into());
            }
        }
        lines.join("\n")
    }

    fn object(&self) -> Value {
        let proofs: Vec<_> = self.proofs.iter().map(Proof::object).collect();
        let listings: Vec<_> = self
            .listings
            .iter()
            .map(|(cid, listing)| {
                let entries: Vec<_> = listing
                    .entries
                    .iter()
                    .map(|entry| {
                        json!({
                            "name": entry.name,
                            "kind": word(entry.kind),
                            "bytes": entry.bytes,
                            "cid": entry.cid.to_string(),
                        })
                    })
                    .collect();
                json!({
                    "cid": cid.to_string(),
                    "kind": word(listing.kind),
                    "bytes": listing.bytes,
                    "entries": entries,
                })
            })
            .collect();
        json!({"proofs": proofs, "stored": listings})
    }
}

/// A folder's entries; anything else is its own only line.
fn rows(cid: &BlockId, listing: &Listing) -> Vec<Vec<String>> {
    let row = |kind, bytes: Option<u64>, cid: &BlockId, name: String| {
        let bytes = bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string());
        vec![word(kind).to_owned(), bytes, cid.to_string(), name]
    };
    if listing.kind != Kind::Folder {
        return vec![row(listing.kind, listing.bytes, cid, String::new())];
    }
    listing
        .entries
        .iter()
        // Whoever made the folder chose the names: none of them may talk to the terminal.
        .map(|entry| row(entry.kind, entry.bytes, &entry.cid, entry.name.escape_debug().to_string()))
        .collect()
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Folder => "folder",
        Kind::Link => "link",
        Kind::Other => "other",
    }
}

/// Lines in which every column starts below the one above. What ends a line may be as long as it likes.
pub(super) fn aligned(rows: Vec<Vec<String>>) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter(|row| column + 1 < row.len()).map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_characters() {
        let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
        let lines = aligned(vec![row(&["a", "bb", "c"]), row(&["äää", "a long end"]), row(&[])]);
        assert_eq!(lines, ["a    bb  c", "äää  a long end", ""]);
        assert!(aligned(Vec::new()).is_empty());
    }
}
