//! The grammar of the command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::OsStringValueParser;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use holdfast_bench::figures::Operation;
use holdfast_bench::runner::RUNS;
use holdfast_core::block::BlockId;
use holdfast_core::id::{Amount, NetworkId, Timestamp};
use holdfast_proofs::genesis::Weight;
use holdfast_store::export::range::ByteRange;
use holdfast_store::import::ImportProfile;

use crate::commands::bond::BondCommand;
use crate::commands::cert::CertCommand;
use crate::commands::chain::ChainCommand;
use crate::commands::doctor::DoctorArgs;
use crate::commands::key::KeyCommand;
use crate::commands::key::unlock::KeyArgs;
use crate::commands::ls::LsArgs;
use crate::commands::motion::MotionCommand;
use crate::commands::net::create::CreateArgs;
use crate::commands::node::change::{ServeArgs, UpdateArgs};
use crate::commands::node::register::RegisterArgs;
use crate::commands::order::OrderCommand;
use crate::commands::shell::{CompletionsArgs, ManArgs};
use crate::commands::wallet::WalletCommand;

mod value;

pub(crate) use value::{amount, duration, key_name, position, timestamp, weight};
use value::{cid, import_profile, operations, short_duration, size};

/// What stands below the list of commands.
const FIRST_STEPS: &str = "\
First steps:
  holdfast demo FILE            see it all on this machine; leaves nothing behind
  holdfast net up --dir DIR     start a network here, which the next commands find by themselves
  holdfast put FILE             store it; the last word is its CID, the proof is FILE.proof
  holdfast verify FILE.proof    check the proof, offline
  holdfast get CID -o OUT       fetch it back
If something fails: holdfast why CID, holdfast doctor

Exit codes:
  0 done         4 not allowed           8 done in part
  1 internal     5 no room, or money     9 conflict
  2 usage        6 verification failed  10 expired
  3 not found    7 unreachable or       12 price refused
                   timed out           130 interrupted";

/// Heading of the options that every command takes, so that its own stand first.
const COMMON: &str = "Options of every command";

/// Store a file on nodes, hold a certificate that anyone can verify offline, fetch the file back.
#[derive(Debug, Parser)]
#[command(name = "holdfast", version, about, arg_required_else_help = true, after_help = FIRST_STEPS)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options that every command takes.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct Common {
    /// Print results, progress and errors as JSON
    #[arg(long, global = true, help_heading = COMMON)]
    pub(crate) json: bool,
    /// Print the result and errors only
    #[arg(long, short, global = true, help_heading = COMMON)]
    pub(crate) quiet: bool,
    /// Say what would be done, and change nothing
    #[arg(long, global = true, help_heading = COMMON)]
    pub(crate) dry_run: bool,
    /// Give up after this long (such as 30s, 5m, 2h)
    #[arg(long, global = true, help_heading = COMMON, value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    /// Folder of the network to use [default: the network started last]
    #[arg(long, global = true, help_heading = COMMON, env = "HOLDFAST_NETWORK", value_name = "DIR",
          value_parser = OsStringValueParser::new())]
    network: Option<OsString>,
}

impl Common {
    /// The network named by flag or environment; an empty name is none.
    pub(crate) fn network(&self) -> Option<&Path> {
        self.network.as_ref().filter(|folder| !folder.is_empty()).map(Path::new)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// See it all on this machine: start a network, store FILE, certify, verify, lose a node, fetch, compare
    Demo {
        /// The file to store
        file: PathBuf,
    },
    /// Store files or folders and write a proof for each
    Put(PutArgs),
    /// Fetch a file or folder by its CID
    Get(GetArgs),
    /// Say which nodes hold what was stored under a CID
    Status {
        /// The CID
        #[arg(value_parser = cid)]
        cid: BlockId,
    },
    /// Say why a CID cannot be fetched: every step of the way, and the first that is broken
    Why {
        /// The CID
        #[arg(value_parser = cid)]
        cid: BlockId,
    },
    /// Check a proof, offline: exit 0 if it holds now, 6 if it is invalid, 10 if it has expired
    Verify(VerifyArgs),
    /// List proofs and what they are worth now, or the entries of a stored folder
    Ls(LsArgs),
    /// Certificates: look at one, or gather late receipts
    #[command(subcommand)]
    Cert(CertCommand),
    /// Print the CID of a file or folder
    Cid {
        /// The file or folder
        file: PathBuf,
        /// How files are cut into blocks
        #[arg(long, value_name = "NAME", default_value = ImportProfile::UNIXFS_V1_2025.name, value_parser = import_profile)]
        profile: ImportProfile,
    },
    /// Measure this machine: each operation against the work that cannot be left out
    Bench(BenchArgs),
    /// Networks: found one, or run one on this machine
    #[command(subcommand)]
    Net(NetCommand),
    /// Nodes: set one up, join a network, run it
    #[command(subcommand)]
    Node(NodeCommand),
    /// Keys of accounts: make one, list them, take them to another machine
    #[command(subcommand)]
    Key(KeyCommand),
    /// Money: what an account has, send it, what was done with it
    #[command(subcommand)]
    Wallet(WalletCommand),
    /// Orders: paid storage that `put --for` made
    #[command(subcommand)]
    Order(OrderCommand),
    /// Bonds: money that a node's owner locks, and loses if the node breaks a rule
    #[command(subcommand)]
    Bond(BondCommand),
    /// Motions: what validators together may change
    #[command(subcommand)]
    Motion(MotionCommand),
    /// The ledger: blocks, transactions, events, rows, and how to follow it without trusting a node
    #[command(subcommand)]
    Chain(ChainCommand),
    /// Check this installation: configuration, network, clock, folders, nodes, limits
    Doctor(DoctorArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Print the manual page, or write the pages of all commands
    Man(ManArgs),
}

impl Command {
    pub(crate) fn is_node_run(&self) -> bool {
        matches!(self, Self::Node(NodeCommand::Run { .. }))
    }

    /// What to do when it was interrupted.
    pub(crate) fn again(&self) -> &'static str {
        match self {
            Self::Put(args) if args.encrypt => {
                "if a key was written, a node may keep what it opens: move the key away, then run the same command again"
            }
            _ => "run the same command again",
        }
    }
}

/// How long `put` goes on after the certificate is possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WaitFor {
    /// A quorum of slots, and a short while for the rest
    Quorum,
    /// Every slot; with fewer the exit code is 8
    All,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PutArgs {
    /// Files or folders, each a piece of its own; - is standard input
    #[arg(required_unless_present = "car", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// A CAR made elsewhere instead of files
    #[arg(long, value_name = "CAR", conflicts_with = "files")]
    pub(crate) car: Option<PathBuf>,
    /// Where to write the proof [default: FILE.proof]
    #[arg(long, value_name = "OUT")]
    pub(crate) bundle: Option<PathBuf>,
    /// Encrypt before anything leaves this machine; only who has the key can read what is stored
    #[arg(long)]
    pub(crate) encrypt: bool,
    /// Where to write the key; must not exist [default: FILE.key]
    #[arg(long, value_name = "OUT", requires = "encrypt")]
    pub(crate) key_file: Option<PathBuf>,
    /// How many copies [default: the network's first profile]
    #[arg(long, value_name = "N")]
    pub(crate) copies: Option<u16>,
    /// Pay for keeping it so long (such as 12h, 30d), at least [default: unpaid, for a day where nodes allow it]
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub(crate) time: Option<Duration>,
    /// Say what that costs, and change nothing
    #[arg(long, requires = "time")]
    pub(crate) quote: bool,
    /// Give up if a file costs more than this, fees included (such as 1.5FFG)
    #[arg(long, value_name = "AMOUNT", requires = "time", value_parser = amount)]
    pub(crate) price_max: Option<Amount>,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    /// What to wait for
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = WaitFor::Quorum)]
    pub(crate) wait: WaitFor,
    /// How files are cut into blocks
    #[arg(long, value_name = "NAME", default_value = ImportProfile::UNIXFS_V1_2025.name, value_parser = import_profile)]
    pub(crate) profile: ImportProfile,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct GetArgs {
    /// The CID
    #[arg(value_parser = cid)]
    pub(crate) cid: BlockId,
    /// Where to write it; must not exist; - is standard output, for files and CARs [default: the CID]
    #[arg(long, short, value_name = "OUT")]
    pub(crate) output: Option<PathBuf>,
    /// Write the piece as a CAR file instead of files
    #[arg(long)]
    pub(crate) car: bool,
    /// The key of a private piece, as `put --encrypt` wrote it
    #[arg(long, value_name = "FILE.key")]
    pub(crate) key: Option<PathBuf>,
    /// Fetch only these bytes of a file: 0-1023, 1024- or -500 for the last 500
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true, conflicts_with = "car")]
    pub(crate) range: Option<ByteRange>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct VerifyArgs {
    /// The proof that `put` wrote
    #[arg(value_name = "PROOF")]
    pub(crate) bundle: PathBuf,
    /// Id of the network that you trust [default: that of the network in use]
    #[arg(long, env = "HOLDFAST_NETWORK_ID", value_name = "HEX")]
    pub(crate) network_id: Option<NetworkId>,
    /// Judge as of this time instead of now: 2027-01-31T12:00:00Z, or seconds since 1970
    #[arg(long, value_name = "TIME", value_parser = timestamp)]
    pub(crate) at: Option<Timestamp>,
    /// Also check that this is the file or folder that was stored
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct BenchArgs {
    /// What to measure [default: everything]
    #[arg(value_name = "NAME", value_parser = operations())]
    pub(crate) names: Vec<Operation>,
    /// Size of the files, such as 64MiB [default: 512MiB; of the largest file for memory 8GiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) size: Option<u64>,
    /// How many small pieces are stored [default: 10000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) pieces: Option<u16>,
    /// How many accounts the ledger has in the end [default: 1000000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(10_000..=10_000_000))]
    pub(crate) accounts: Option<u32>,
    /// Runs of which the median is taken
    #[arg(long, value_name = "N", default_value_t = RUNS, value_parser = clap::value_parser!(u16).range(1..100))]
    pub(crate) runs: u16,
    /// Where to work: a folder on the disk that is to be measured [default: the system's temporary folder]
    #[arg(long, value_name = "D")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum NetCommand {
    /// Start a network on this machine and leave it running
    Up {
        /// How many nodes [default: 4, or as many as are there already]
        #[arg(long, value_name = "N")]
        nodes: Option<u16>,
        /// Where the network lies; a network that is there already is started again
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// Bytes that each node of a new network may hold; the default is 100 GiB
        #[arg(long, value_name = "BYTES", default_value_t = 100 << 30)]
        quota: u64,
        /// Time from block to block of a new network, such as 200ms [default: 1s]
        #[arg(long, value_name = "TIME", value_parser = short_duration)]
        block: Option<Duration>,
        /// How long an epoch of a new network lasts, such as 30s [default: 1m]
        #[arg(long, value_name = "TIME", value_parser = duration)]
        epoch: Option<Duration>,
    },
    /// Stop a network that `net up` started
    Down {
        /// Where it lies
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
    /// Show a network and its nodes
    Status {
        /// Where it lies [default: the network started last]
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Found a network from member files, then complete it with possession files
    Create(CreateArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum NodeCommand {
    /// Make a node: draw its keys and write its `member` file
    Init {
        /// Where the node lies
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// Who runs it
        #[arg(long, value_name = "NAME")]
        operator: String,
        /// What can fail together with it: a rack, a site, a country
        #[arg(long, value_name = "NAME")]
        failure_domain: String,
        /// How often it is drawn, 1 to 16
        #[arg(long, value_name = "N", default_value = "1", value_parser = weight)]
        weight: Weight,
        /// Where it listens, as a multiaddress
        #[arg(long, value_name = "ADDRESS", default_value = "/ip4/127.0.0.1/tcp/0")]
        listen: holdfast_net::Multiaddr,
        /// Where it listens for links, which carry pieces and blocks [default: beside --listen, on the next port]
        #[arg(long, value_name = "ADDRESS")]
        listen_links: Option<holdfast_net::Multiaddr>,
        /// Where others reach it, if not where it listens; repeat it for links, with /tls at the end
        #[arg(long, value_name = "ADDRESS")]
        announce: Vec<holdfast_net::Multiaddr>,
        /// Bytes that it may hold; the default is 100 GiB
        #[arg(long, value_name = "BYTES", default_value_t = 100 << 30)]
        quota: u64,
    },
    /// Show possession of the node's keys to the network chosen with --network, and join it
    Prove {
        /// Where the node lies
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
    /// Read and hash everything that a stopped node keeps: exit 0 if all is well, 6 if something is damaged or lost
    Check {
        /// Where the node lies
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// Make the index again from the log, and take out damaged pieces, which the node fetches at its next start
        #[arg(long)]
        repair: bool,
    },
    /// Make a node that was set up a candidate for the next epoch of the network chosen with --network, which has a ledger
    Register(RegisterArgs),
    /// Change what the ledger says of a node, from the next epoch on
    Update(UpdateArgs),
    /// Leave with the end of the epoch; the node still serves what it promised
    Retire(ServeArgs),
    /// Take back that a node leaves, or come back after it left
    Rejoin(ServeArgs),
    /// Run a node until it is stopped
    Run {
        /// Where the node lies
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// Stop when standard input closes
        #[arg(long, hide = true)]
        until_stdin_closes: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_is_consistent() {
        Args::command().debug_assert();
    }
}
