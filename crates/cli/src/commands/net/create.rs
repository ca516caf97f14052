//! `net create`: founders found a network from `member` files, and complete it with `possession` files.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use holdfast_core::codec::{self, Bounded, Text};
use holdfast_core::explain;
use holdfast_core::id::Timestamp;
use holdfast_ledger::genesis::Contents;
use holdfast_node::folder::read_record;
use holdfast_proofs::genesis::{
    Genesis, GenesisError, GenesisProofs, LedgerPart, Member, MemberProof, ProofsError,
};
use holdfast_proofs::profile::Profile;
use serde_json::json;

use super::ledger_file::LedgerFile;
use crate::args::Common;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings;

/// Copies of a network, unless told otherwise.
const COPIES: u16 = 4;

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// Where the network's folder shall be
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Name of the network
    #[arg(long, default_value = "holdfast")]
    name: String,
    /// A `member` file, from `node init`; repeat it for each
    #[arg(long = "member", value_name = "FILE")]
    members: Vec<PathBuf>,
    /// A `possession` file, from `node prove`; repeat it for each
    #[arg(long = "possession", value_name = "FILE", conflicts_with = "members")]
    possessions: Vec<PathBuf>,
    /// What the network's ledger begins with, as TOML: owners, authorities, money, parameters [default: no ledger]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["possessions", "days"])]
    ledger: Option<PathBuf>,
    /// Copies that clients may ask for; the first is the default [default: 4]
    #[arg(long, value_name = "N")]
    copies: Vec<u16>,
    /// How many days a network without a ledger runs
    #[arg(long, value_name = "N", default_value_t = 365)]
    days: u64,
}

pub(super) fn run(args: &CreateArgs, common: &Common, output: &Output) -> Result<(), Failure> {
    let CreateArgs { dir, members, possessions, .. } = args;
    if members.is_empty() && possessions.is_empty() {
        let message = "name the members with --member FILE, or complete a network with --possession FILE";
        return Err(Failure::new(Exit::Usage, "net.create", message));
    }
    if possessions.is_empty() {
        let members = members.iter().map(|path| read_record(path)).collect::<Result<Vec<_>, _>>()?;
        let plan = Plan::new(args, members)?;
        if common.dry_run {
            let ledger = if plan.contents.is_some() { "a ledger" } else { "no ledger" };
            let count = plan.genesis.members.len();
            let text = format!("would found a network of {count} members with {ledger} in {}", dir.display());
            let object = json!({"members": count, "ledger": plan.contents.is_some(), "dir": dir});
            output.result(&text, "net-plan", object);
            return Ok(());
        }
        found(dir, &plan, output)
    } else if common.dry_run {
        let text =
            format!("would complete the network in {} by {} members", dir.display(), possessions.len());
        output.result(&text, "net-plan", json!({"possessions": possessions.len(), "dir": dir}));
        Ok(())
    } else {
        complete(dir, possessions, output)
    }
}

/// A network that is not yet written down.
struct Plan {
    genesis: Genesis,
    contents: Option<Contents>,
}

impl Plan {
    fn new(args: &CreateArgs, mut members: Vec<Member>) -> Result<Self, Failure> {
        let Some(path) = &args.ledger else {
            let too_many = || Failure::new(Exit::Usage, "net.create", "--days is too large");
            let seconds = args.days.checked_mul(86_400).ok_or_else(too_many)?;
            let copies = if args.copies.is_empty() { vec![COPIES] } else { args.copies.clone() };
            let genesis = genesis(&args.name, members, &profiles(&copies)?, seconds, None)?;
            return Ok(Self { genesis, contents: None });
        };
        let file = LedgerFile::read(path)?;
        members.sort_by_key(|member| member.node);
        let named = (!args.copies.is_empty()).then(|| profiles(&args.copies)).transpose()?;
        let (contents, part) = file.describe(&members, named)?;
        let genesis =
            genesis(&args.name, members, &contents.params.profiles, file.epoch_seconds(), Some(part))?;
        contents.found(&genesis).map_err(|error| file.refuse(&explain(&error)))?;
        Ok(Self { genesis, contents: Some(contents) })
    }
}

fn profiles(copies: &[u16]) -> Result<Vec<Profile>, Failure> {
    let profile = |n: &u16| {
        let message = format!("{n} copies are no profile; 1 to 255 are");
        Profile::copies(*n).ok_or_else(|| Failure::new(Exit::Usage, "net.create", message))
    };
    copies.iter().map(profile).collect()
}

/// A genesis whose first epoch lasts so many seconds.
pub(super) fn genesis(
    name: &str,
    members: Vec<Member>,
    profiles: &[Profile],
    seconds: u64,
    ledger: Option<LedgerPart>,
) -> Result<Genesis, Failure> {
    let usage = |message: String| Failure::new(Exit::Usage, "net.create", message);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_err(|error| Failure::local("this machine's clock stands before 1970", &error))?;
    let start = Timestamp(now.as_secs());
    let end = start.plus(seconds).ok_or_else(|| usage("the epoch is too long".into()))?;
    for member in &members {
        if holdfast_node::folder::peer_of(member).is_none() {
            let message = format!("member {} is refused: its peer id is none", member.node);
            return Err(Failure::new(Exit::Invalid, "net.member", message));
        }
    }
    let name = Text::new(name).map_err(|error| usage(format!("--name: {error}")))?;
    Genesis::found(name, start, end, profiles.to_vec(), members, ledger).map_err(|error| match &error {
        GenesisError::Member { .. } => Failure::new(Exit::Invalid, "net.member", explain(&error)),
        _ => usage(explain(&error)),
    })
}

/// First half of founding: genesis from member files.
fn found(dir: &Path, Plan { genesis, contents }: &Plan, output: &Output) -> Result<(), Failure> {
    let path = dir.join("genesis");
    if path.exists() {
        let message = format!("{} exists already; complete it with --possession files", path.display());
        return Err(Failure::new(Exit::Conflict, "net.exists", message));
    }
    fs::create_dir_all(dir)
        .map_err(|error| Failure::local(format_args!("could not make {}", dir.display()), &error))?;
    let mut files = path.display().to_string();
    if let Some(contents) = contents {
        let ledger = dir.join("ledger");
        write(&ledger, &contents.to_bytes())?;
        files.push_str(&format!(" and {}", ledger.display()));
    }
    write(&path, &genesis.to_bytes())?;
    let text = format!(
        "network {}\ngive {files} to every member; each runs `holdfast node prove` and returns its possession file",
        genesis.network(),
    );
    let object = json!({
        "network": genesis.network(),
        "genesis": path,
        "ledger": contents.as_ref().map(|_| dir.join("ledger")),
        "complete": false,
    });
    output.result(&text, "net-create", object);
    Ok(())
}

/// Second half of founding: every member has shown possession.
fn complete(dir: &Path, files: &[PathBuf], output: &Output) -> Result<(), Failure> {
    let path = dir.join("genesis");
    let bytes = settings::read_limited(&path, holdfast_proofs::genesis::GENESIS_BYTES_MAX)?;
    let genesis = Genesis::from_bytes(&bytes).map_err(|error| {
        let message = format!("{} is refused: {}", path.display(), explain(&error));
        Failure::new(Exit::Invalid, "network.genesis", message)
    })?;
    let proofs = files.iter().map(|file| read_record(file)).collect::<Result<Vec<MemberProof>, _>>()?;
    write_proofs(dir, &genesis, proofs)?;
    let text = format!("network {} is complete: every member owns its keys", genesis.network());
    output.result(
        &text,
        "net-create",
        json!({"network": genesis.network(), "genesis": path, "complete": true}),
    );
    Ok(())
}

/// Writes the possession proofs of all members, if they are theirs.
pub(super) fn write_proofs(
    dir: &Path,
    genesis: &Genesis,
    mut proofs: Vec<MemberProof>,
) -> Result<(), Failure> {
    let refused = |error: &ProofsError| Failure::new(Exit::Invalid, "network.possession", explain(error));
    proofs.sort_by_key(|proof| proof.node);
    let too_many = |_| Failure::new(Exit::Usage, "net.create", "too many possession files");
    let proofs =
        GenesisProofs { network: genesis.network(), members: Bounded::new(proofs).map_err(too_many)? };
    proofs.keys(genesis).map_err(|error| refused(&error))?;
    write(&dir.join("genesis.proofs"), &codec::encode(&proofs))
}

/// Writes a file of the network's folder.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    holdfast_store::write_file(path, bytes)
        .map_err(|error| Failure::local(format_args!("could not write {}", path.display()), &error))
}
