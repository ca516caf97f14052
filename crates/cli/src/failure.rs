//! Exit codes and reasons, in one place: here errors of all layers become what scripts see.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Display;

use holdfast_bench::ground::BenchError;
use holdfast_client::ask::AskError;
use holdfast_client::check::CheckError;
use holdfast_client::get::GetError;
use holdfast_client::keystore::{KeystoreError, OpenError as KeyOpenError};
use holdfast_client::network::NetworkError;
use holdfast_client::private::encrypt::EncryptError;
use holdfast_client::private::{KeyError, OpenError};
use holdfast_client::put::PutError;
use holdfast_core::explain;
use holdfast_node::folder::FolderError;
use holdfast_node::node::NodeError;
use holdfast_store::export::ExportError;
use holdfast_store::export::content::ContentError;
use holdfast_store::foreign::CarError;
use holdfast_store::import::ImportError;
use holdfast_store::source::SourceError;

mod ledger;

/// What a process exits with. 0 is success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Internal = 1,
    Usage = 2,
    NotFound = 3,
    NotAllowed = 4,
    Quota = 5,
    Invalid = 6,
    Unreachable = 7,
    Partial = 8,
    Conflict = 9,
    Expired = 10,
    Refused = 12,
    Interrupted = 130,
}

impl Exit {
    const ALL: [Self; 12] = [
        Self::Internal,
        Self::Usage,
        Self::NotFound,
        Self::NotAllowed,
        Self::Quota,
        Self::Invalid,
        Self::Unreachable,
        Self::Partial,
        Self::Conflict,
        Self::Expired,
        Self::Refused,
        Self::Interrupted,
    ];

    /// The meaning of an exit code of this program; unknown ones are internal.
    pub(crate) fn of_code(code: i32) -> Self {
        Self::ALL.into_iter().find(|exit| *exit as i32 == code).unwrap_or(Self::Internal)
    }

    /// What an error of the file system means to whoever named the file.
    pub(crate) fn of_file(error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::NotFound,
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => Self::NotAllowed,
            std::io::ErrorKind::IsADirectory | std::io::ErrorKind::NotADirectory => Self::Usage,
            std::io::ErrorKind::StorageFull
            | std::io::ErrorKind::QuotaExceeded
            | std::io::ErrorKind::FileTooLarge => Self::Quota,
            _ => Self::Internal,
        }
    }
}

/// Why a command failed: one clear line, a stable reason and an exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// Stable dotted name for scripts.
    pub(crate) reason: Cow<'static, str>,
    /// What went wrong, where, and what to do.
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, reason: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { exit, reason: reason.into(), message: message.into() }
    }

    fn of(exit: Exit, reason: &'static str, error: &dyn Error) -> Self {
        Self::new(exit, reason, explain(error))
    }

    /// A failure of our own machine: files, processes, memory.
    pub(crate) fn local(what: impl Display, error: &(dyn Error + 'static)) -> Self {
        Self::new(exit_of_local(error), "local", format!("{what}: {}", explain(error)))
    }

    /// Temporary files failed; nobody named them.
    fn scratch(error: &(dyn Error + 'static)) -> Self {
        Self::new(exit_of_local(error), "local", explain(error))
    }
}

/// A machine without room is not at fault in itself.
fn exit_of_local(error: &(dyn Error + 'static)) -> Exit {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<std::io::Error>();
        if io.is_some_and(|error| Exit::of_file(error) == Exit::Quota) {
            return Exit::Quota;
        }
        cause = error.source();
    }
    Exit::Internal
}

/// Whether a file is simply not there.
fn missing(source: &std::io::Error) -> bool {
    source.kind() == std::io::ErrorKind::NotFound
}

impl From<NetworkError> for Failure {
    fn from(error: NetworkError) -> Self {
        match &error {
            NetworkError::File { path, source } if missing(source) => {
                let todo = if path.ends_with("genesis.proofs") {
                    "the network is not complete: `net create --possession` adds what is missing"
                } else {
                    "is this the folder of a network?"
                };
                Self::new(Exit::Usage, "network.missing", format!("{}; {todo}", explain(&error)))
            }
            NetworkError::File { .. } => Self::of(Exit::Internal, "network.file", &error),
            NetworkError::Genesis { .. } => Self::of(Exit::Invalid, "network.genesis", &error),
            NetworkError::Proofs { .. } => Self::of(Exit::Invalid, "network.possession", &error),
            NetworkError::Peers { .. } => Self::of(Exit::Usage, "network.peers", &error),
        }
    }
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        match &error {
            ImportError::Read { source, .. } if missing(source) => {
                Self::of(Exit::NotFound, "file.missing", &error)
            }
            ImportError::Read { source, .. } => Self::of(Exit::of_file(source), "file.read", &error),
            ImportError::Scratch(_) => Self::scratch(&error),
            ImportError::Name { .. }
            | ImportError::Kind { .. }
            | ImportError::Depth { .. }
            | ImportError::Folder { .. } => Self::of(Exit::Usage, "file.unsupported", &error),
        }
    }
}

impl From<CarError> for Failure {
    fn from(error: CarError) -> Self {
        match &error {
            CarError::Read(source) if missing(source) => Self::of(Exit::NotFound, "file.missing", &error),
            CarError::Read(source) => Self::of(Exit::of_file(source), "file.read", &error),
            CarError::Hash { .. } => Self::of(Exit::Invalid, "car.hash", &error),
            _ => Self::of(Exit::Usage, "car.unsupported", &error),
        }
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        match &error {
            SourceError::Changed { .. } => Self::of(Exit::Conflict, "file.changed", &error),
            SourceError::Missing { .. } => Self::of(Exit::Usage, "car.incomplete", &error),
            SourceError::Walk(_) => Self::of(Exit::Usage, "car.unsupported", &error),
            SourceError::Read { .. } => Self::of(Exit::Internal, "file.read", &error),
            SourceError::Scratch(_) => Self::scratch(&error),
        }
    }
}

impl From<CheckError> for Failure {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Import(error) => error.into(),
            CheckError::Source(error) => error.into(),
        }
    }
}

impl From<PutError> for Failure {
    fn from(error: PutError) -> Self {
        match error {
            PutError::Source(error) => error.into(),
            PutError::Statement(_) => Self::of(Exit::Usage, "put.terms", &error),
            PutError::Scratch(_) => Self::scratch(&error),
        }
    }
}

impl From<GetError> for Failure {
    fn from(error: GetError) -> Self {
        match error {
            GetError::NotFound { .. } => Self::of(Exit::NotFound, "get.not_found", &error),
            GetError::Unreachable { .. } => Self::of(Exit::Unreachable, "get.unreachable", &error),
            GetError::Export(error) => error.into(),
            GetError::Content(error) => error.into(),
            GetError::Open { ref source, .. } => {
                let todo = match source {
                    OpenError::NotPrivate => "; leave out --key if it is public",
                    OpenError::WrongKey => "; use the key that `put --encrypt` wrote for this CID",
                    _ => "",
                };
                Self::new(Exit::Invalid, "get.private", format!("{}{todo}", explain(&error)))
            }
            GetError::Archive { .. } => Self::of(Exit::Invalid, "get.private", &error),
            GetError::Walk(_) => Self::of(Exit::Invalid, "get.dag", &error),
            GetError::Write { ref source, .. } => Self::of(Exit::of_file(source), "file.write", &error),
        }
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        match &error {
            ExportError::Exists { .. } => {
                let message = format!("{error}; name another place with -o, or move it away");
                Self::new(Exit::Conflict, "file.exists", message)
            }
            ExportError::NotUnixFs { .. } => {
                let message = format!("{}; `get --car` writes any DAG", explain(&error));
                Self::new(Exit::Usage, "get.not_unixfs", message)
            }
            ExportError::Name { .. } => Self::of(Exit::Invalid, "get.hostile_name", &error),
            ExportError::Write { source, .. } => Self::of(Exit::of_file(source), "file.write", &error),
            ExportError::Scratch { .. } => Self::scratch(&error),
        }
    }
}

impl From<ContentError> for Failure {
    fn from(error: ContentError) -> Self {
        match &error {
            ContentError::Outside(_) => Self::of(Exit::Usage, "get.range", &error),
            ContentError::NotAFile { .. } => {
                let message = format!(
                    "{error}, so it has no range of bytes and goes to no stream; name a place with -o"
                );
                Self::new(Exit::Usage, "get.not_a_file", message)
            }
            ContentError::NotUnixFs { .. } => {
                let message = format!("{}; `get --car` writes any DAG", explain(&error));
                Self::new(Exit::Usage, "get.not_unixfs", message)
            }
        }
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        match &error {
            KeyError::Exists { .. } => {
                let message = format!(
                    "{error} and may be the only key of something stored; move it away, or name another place with --key-file"
                );
                Self::new(Exit::Conflict, "file.exists", message)
            }
            KeyError::Read { source, .. } if missing(source) => {
                Self::of(Exit::NotFound, "file.missing", &error)
            }
            KeyError::Read { source, .. } => Self::of(Exit::of_file(source), "file.read", &error),
            KeyError::Write { source, .. } => Self::of(Exit::of_file(source), "file.write", &error),
            KeyError::Malformed { .. } => Self::of(Exit::Invalid, "key.malformed", &error),
        }
    }
}

impl From<KeystoreError> for Failure {
    fn from(error: KeystoreError) -> Self {
        match &error {
            KeystoreError::Missing { .. } => Self::of(Exit::NotFound, "key.missing", &error),
            KeystoreError::Exists { .. } => Self::of(Exit::Conflict, "key.exists", &error),
            KeystoreError::Known { .. } => Self::of(Exit::Conflict, "key.known", &error),
            KeystoreError::Read { source, .. } if missing(source) => {
                Self::of(Exit::NotFound, "file.missing", &error)
            }
            KeystoreError::Read { source, .. } => Self::of(Exit::of_file(source), "file.read", &error),
            KeystoreError::Write { source, .. } => Self::of(Exit::of_file(source), "file.write", &error),
            KeystoreError::Open { source: KeyOpenError::Passphrase, .. } => {
                Self::of(Exit::NotAllowed, "key.passphrase", &error)
            }
            KeystoreError::Open { source: KeyOpenError::Account { .. }, .. } => {
                Self::of(Exit::Invalid, "key.account", &error)
            }
            KeystoreError::Open { source: KeyOpenError::Work { .. }, .. } => {
                Self::of(Exit::Invalid, "key.work", &error)
            }
            KeystoreError::Open { .. } => Self::of(Exit::Invalid, "key.damaged", &error),
            KeystoreError::Draw(_) => Self::of(Exit::Internal, "key.draw", &error),
        }
    }
}

impl From<EncryptError> for Failure {
    fn from(error: EncryptError) -> Self {
        match error {
            EncryptError::Source(error) => error.into(),
            EncryptError::Read { ref source, .. } => Self::of(Exit::of_file(source), "file.read", &error),
            EncryptError::Scratch(_) => Self::scratch(&error),
        }
    }
}

impl From<BenchError> for Failure {
    fn from(error: BenchError) -> Self {
        match &error {
            BenchError::Room { .. } => Self::of(Exit::Quota, "bench.room", &error),
            _ => Self::of(Exit::Internal, "bench.failed", &error),
        }
    }
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        Self::of(Exit::Unreachable, "node.unreachable", &error)
    }
}

impl From<holdfast_net::StartError> for Failure {
    fn from(error: holdfast_net::StartError) -> Self {
        Self::of(Exit::Internal, "net.start", &error)
    }
}

impl From<FolderError> for Failure {
    fn from(error: FolderError) -> Self {
        match &error {
            FolderError::File { source, path } if missing(source) && !path.ends_with("node.toml") => {
                Self::of(Exit::NotFound, "file.missing", &error)
            }
            FolderError::File { source, .. } if missing(source) => {
                let message = format!("{}; `holdfast node init` makes a node", explain(&error));
                Self::new(Exit::NotFound, "node.missing", message)
            }
            FolderError::File { .. } | FolderError::Trusted(_) => {
                Self::of(Exit::Internal, "node.folder", &error)
            }
            FolderError::Exists { .. } => Self::of(Exit::Conflict, "node.exists", &error),
            FolderError::Running { .. } => Self::of(Exit::Conflict, "node.running", &error),
            FolderError::Config { .. } | FolderError::Text(_) => Self::of(Exit::Usage, "node.config", &error),
            FolderError::Damaged { .. } => Self::of(Exit::Invalid, "node.damaged", &error),
            FolderError::Genesis { .. } => Self::of(Exit::Invalid, "network.genesis", &error),
            FolderError::NotAMember { .. } => Self::of(Exit::Usage, "node.stranger", &error),
        }
    }
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        match error {
            NodeError::Folder(error) => error.into(),
            NodeError::Net(error) => error.into(),
            NodeError::NoNetwork => Self::of(Exit::Usage, "node.config", &error),
            NodeError::NotAMember { .. } => Self::of(Exit::Usage, "node.stranger", &error),
            NodeError::Network(error) => error.into(),
            NodeError::Key { .. }
            | NodeError::Trusted(_)
            | NodeError::Store(_)
            | NodeError::Ledger(_)
            | NodeError::Thread(_) => Self::of(Exit::Internal, "node.start", &error),
        }
    }
}
