//! `get CID`: fetch a file, a folder or a CAR, or some bytes of a file.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use holdfast_client::get::{self, Fetched, GetError, PrivatePiece, Sink};
use holdfast_client::network::Network;
use holdfast_client::private::{Kind, PieceKey};
use holdfast_net::Net;
use holdfast_store::export::range::ByteRange;
use holdfast_store::folder_of;
use serde_json::json;

use super::online::{Online, online};
use super::scratch;
use crate::args::{Common, GetArgs};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings;

pub(super) async fn run(args: &GetArgs, common: &Common, output: &Output) -> Result<(), Failure> {
    let GetArgs { cid, car, .. } = *args;
    let target = Target::of(args)?;
    settings::network(common)?;
    let key = args.key.as_deref().map(PieceKey::read).transpose()?;
    if common.dry_run {
        let text = format!("would fetch {cid} to {}", target.name());
        output.result(&text, "get-plan", json!({"cid": cid.to_string(), "output": target.path()}));
        return Ok(());
    }
    let Online { net, network, .. } = online(common, output).await?;
    let progress = output.progress("fetching", None);
    let get = Get { args, net: &net, network: &network, target: &target };
    let fetched = match &key {
        None => get.public(|bytes| progress.add(bytes)).await,
        Some(key) => get.private(key, |bytes| progress.add(bytes)).await,
    };
    drop(progress);
    let fetched = match fetched {
        // Whoever reads standard output has seen enough.
        Err(Problem::Get(GetError::Write { source, .. }))
            if target.is_stdout() && source.kind() == std::io::ErrorKind::BrokenPipe =>
        {
            return Ok(());
        }
        Err(Problem::Get(error)) => return Err(error.into()),
        Err(Problem::Usage(failure)) => return Err(failure),
        Ok(fetched) => fetched,
    };
    let Fetched { blocks, bytes } = fetched;
    let text = format!("fetched and checked {blocks} blocks, {bytes} bytes, to {}", target.name());
    let object = json!({
        "cid": cid.to_string(),
        "output": target.path(),
        "blocks": blocks,
        "block_bytes": bytes,
        "car": car,
        "range": args.range.map(|range| range.to_string()),
        "public": key.is_none(),
    });
    if target.is_stdout() {
        output.result_aside(&text, "get", object);
    } else {
        output.result(&text, "get", object);
    }
    Ok(())
}

/// Where it goes.
enum Target {
    File(PathBuf),
    Stdout,
}

impl Target {
    fn of(args: &GetArgs) -> Result<Self, Failure> {
        let GetArgs { cid, car, .. } = *args;
        let path = match &args.output {
            Some(path) if path == Path::new("-") => return Ok(Self::Stdout),
            Some(path) => path.clone(),
            None => PathBuf::from(format!("{cid}{}", if car { ".car" } else { "" })),
        };
        if path.file_name().is_none() {
            let message = format!("{} is no name for a file or folder", path.display());
            return Err(Failure::new(Exit::Usage, "get.target", message));
        }
        Ok(Self::File(path))
    }

    fn is_stdout(&self) -> bool {
        matches!(self, Self::Stdout)
    }

    fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Stdout => Path::new("-"),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stdout => "standard output".into(),
        }
    }

    fn sink(&self) -> Result<Sink, GetError> {
        match self {
            Self::File(path) => Sink::new_file(path),
            Self::Stdout => {
                let name = PathBuf::from("standard output");
                let stdout = std::io::stdout().as_fd().try_clone_to_owned();
                let stdout = stdout.map_err(|source| GetError::Write { path: name.clone(), source })?;
                Ok(Sink::stream(File::from(stdout), &name))
            }
        }
    }

    /// Where temporary files go: beside the target, if it has a place.
    fn scratch(&self) -> PathBuf {
        match self {
            Self::File(path) => folder_of(path).to_owned(),
            Self::Stdout => scratch(),
        }
    }
}

enum Problem {
    Get(GetError),
    Usage(Failure),
}

impl From<GetError> for Problem {
    fn from(error: GetError) -> Self {
        Self::Get(error)
    }
}

struct Get<'a> {
    args: &'a GetArgs,
    net: &'a Net,
    network: &'a Network,
    target: &'a Target,
}

impl Get<'_> {
    async fn public(&self, progress: impl FnMut(u64)) -> Result<Fetched, Problem> {
        let Self { args, net, network, target } = self;
        let fetched = match (args.car, args.range, target) {
            (true, ..) => {
                get::piece(net, network, args.cid, &target.scratch(), target.sink()?, progress).await
            }
            (false, None, Target::File(path)) => get::tree(net, network, args.cid, path, progress).await,
            (false, range, _) => {
                let range = range.unwrap_or(ByteRange::Whole);
                get::content(net, network, args.cid, range, target.sink()?, progress).await
            }
        };
        Ok(fetched?)
    }

    async fn private(&self, key: &PieceKey, progress: impl FnMut(u64)) -> Result<Fetched, Problem> {
        let Self { args, net, network, target } = self;
        let cid = args.cid;
        let piece = PrivatePiece::open(net, network, cid, key, progress).await?;
        let refuse = |why: &str| {
            let message = format!("{cid} holds {why}");
            Err(Problem::Usage(Failure::new(Exit::Usage, "get.private_kind", message)))
        };
        let range = args.range.unwrap_or(ByteRange::Whole);
        let fetched = match (piece.kind(), args.car, target) {
            (Kind::File, true, _) => return refuse("a private file, not a folder; leave out --car"),
            (Kind::File, false, _) => piece.content(range, target.sink()?).await,
            (Kind::Tree, true, _) => piece.content(ByteRange::Whole, target.sink()?).await,
            (Kind::Tree, false, _) if args.range.is_some() => {
                return refuse("a private folder; --range is for files");
            }
            (Kind::Tree, false, Target::File(path)) => piece.tree(path).await,
            (Kind::Tree, false, Target::Stdout) => {
                return refuse("a private folder; name a place with -o, or add --car");
            }
        };
        Ok(fetched?)
    }
}
