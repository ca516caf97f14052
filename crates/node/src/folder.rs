//! What lies in a node's folder.
//!
//! | name | content |
//! |---|---|
//! | `node.toml` | configuration, for people to edit |
//! | `peer.key` | the host's libp2p key |
//! | `enclave/` | keys and journal; only the enclave process opens it |
//! | `account.key` | the key of the account that owns the node; its earnings come there |
//! | `member` | the node's public entry, to be sent to whoever founds the network |
//! | `possession` | its proof of possession for that network |
//! | `store/` | pieces and index |
//! | `ledger/` | the ledger, of networks that have one |
//! | `peers.toml` | where other nodes listen, as far as this one found out; also for newcomers |
//! | `api` | where the HTTP API listens |
//! | `address` | where it listens, one address a line; it prefers the same ports next time |
//! | `lock` | held while the node runs; holds its process id |

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use holdfast_client::keystore::AccountKey;
use holdfast_core::codec::{self, DecodeError, Text, TextError};
use holdfast_core::id::{NetworkId, Salt};
use holdfast_ledger::account::AccountId;
use holdfast_ledger::registry::{Register, Registration, Roles};
use holdfast_net::{Multiaddr, PeerId, key};
use holdfast_proofs::genesis::{Genesis, GenesisError, Member, MemberProof, Weight};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::trusted::{Trusted, TrustedError};

mod config;

pub use config::{KEEP_BLOCKS_MIN, LEDGER_MEMORY_BYTES_MIN, NodeConfig};

/// How often the lock is tried, and the pause between: a tenth of a second in all.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// Holds the key of the account that owns the node.
const ACCOUNT: &str = "account.key";

/// Longest `member` or `possession` file.
const RECORD_BYTES_MAX: usize = 1024;

/// Why a node's folder could not be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file cannot be read or written.
    #[error("could not use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is a node already.
    #[error("{} holds a node already", path.display())]
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// The configuration is wrong.
    #[error("{}: {why}", path.display())]
    Config {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file is not what it should be.
    #[error("{} is damaged", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// An operator or failure domain that cannot be written down.
    #[error("operator or failure domain")]
    Text(#[from] TextError),
    /// The enclave.
    #[error(transparent)]
    Trusted(#[from] TrustedError),
    /// The genesis.
    #[error("could not use genesis {}", path.display())]
    Genesis {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: GenesisError,
    },
    /// The node is not in the genesis.
    #[error("node {node} is no member of the network in {}", path.display())]
    NotAMember {
        /// The node.
        node: String,
        /// The genesis file.
        path: PathBuf,
    },
    /// Another process runs this node.
    #[error("the node in {} is running already (process {pid})", path.display())]
    Running {
        /// Where.
        path: PathBuf,
        /// Its process id.
        pid: String,
    },
}

/// What a new node says of itself.
#[derive(Clone, Debug)]
pub struct Description {
    /// Who runs it.
    pub operator: String,
    /// What can fail together with it.
    pub failure_domain: String,
    /// How often it is drawn.
    pub weight: Weight,
}

/// A node's folder.
#[derive(Clone, Debug)]
pub struct NodeFolder(PathBuf);

impl NodeFolder {
    /// Names a folder; nothing is read yet.
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes a node: keys are drawn, and its public entry is written to `member`.
    ///
    /// # Errors
    /// If there is a node already, or something cannot be written.
    pub fn init(&self, config: &NodeConfig, description: &Description) -> Result<Member, FolderError> {
        if self.file("node.toml").exists() {
            return Err(FolderError::Exists { path: self.0.clone() });
        }
        fs::create_dir_all(&self.0)
            .and_then(|()| self.sync_parent())
            .map_err(|source| self.failed("", source))?;
        let peer =
            key::load_or_create(&self.file("peer.key")).map_err(|source| self.failed("peer.key", source))?;
        let trusted = Trusted::start(&self.enclave())?;
        let identity = trusted.identity();
        let member = Member {
            node: identity.node,
            ed25519: identity.ed25519,
            bls: identity.bls,
            box_key: identity.box_key,
            operator: Text::new(&description.operator)?,
            failure_domain: Text::new(&description.failure_domain)?,
            weight: description.weight,
            salt: Salt::new([0; 32]),
            peer: Text::new(peer.public().to_peer_id().to_string())?,
        };
        self.write("member", &codec::encode(&member))?;
        AccountKey::draw()
            .and_then(|account| {
                holdfast_store::write_secret(&self.file(ACCOUNT), account.to_text().as_bytes())
            })
            .map_err(|source| self.failed(ACCOUNT, source))?;
        self.write_config(config)?;
        Ok(member)
    }

    /// The key of the account that owns the node.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn account(&self) -> Result<AccountKey, FolderError> {
        let path = self.file(ACCOUNT);
        let text = fs::read(&path).map_err(|source| self.failed(ACCOUNT, source))?;
        AccountKey::from_text(&Zeroizing::new(text))
            .ok_or_else(|| FolderError::Config { path, why: "it holds no account key".to_owned() })
    }

    /// The node's public entry.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn member(&self) -> Result<Member, FolderError> {
        read_record(&self.file("member"))
    }

    /// Has the enclave show possession to the network whose genesis lies in `network`, and remembers that
    /// network as `remembered`, absolute or relative to the node's folder. The proof is also written to
    /// `possession`.
    ///
    /// # Errors
    /// If the node is no member, or something cannot be read or written.
    pub fn prove(&self, network: &Path, remembered: &Path) -> Result<MemberProof, FolderError> {
        let path = network.join("genesis");
        let bytes = fs::read(&path).map_err(|source| FolderError::File { path: path.clone(), source })?;
        let genesis = Genesis::from_bytes(&bytes)
            .map_err(|source| FolderError::Genesis { path: path.clone(), source })?;
        let member = self.member()?;
        if !genesis.members.contains(&member) {
            return Err(FolderError::NotAMember { node: member.node.to_string(), path });
        }
        let possession = Trusted::start(&self.enclave())?.possession(&genesis.network())?;
        let proof = MemberProof { node: member.node, possession };
        self.write("possession", &codec::encode(&proof))?;
        self.join(remembered)?;
        Ok(proof)
    }

    /// Remembers the network whose folder is `network`, absolute or relative to the node's folder.
    ///
    /// # Errors
    /// If the configuration cannot be read or written.
    pub fn join(&self, network: &Path) -> Result<(), FolderError> {
        self.write_config(&NodeConfig { network: Some(network.to_owned()), ..self.config()? })
    }

    /// Has the enclave agree that `owner` registers the node with a network, as its `member` file describes it.
    ///
    /// # Errors
    /// If the node runs, because only one process may use its enclave, or something cannot be read.
    pub fn registration(
        &self,
        network: &NetworkId,
        owner: AccountId,
        roles: Roles,
    ) -> Result<Register, FolderError> {
        let _lock = self.lock()?;
        let member = self.member()?;
        let registration = Registration {
            owner,
            roles,
            ed25519: member.ed25519,
            bls: member.bls,
            box_key: member.box_key,
            operator: member.operator,
            failure_domain: member.failure_domain,
            weight: member.weight,
            peer: member.peer,
        };
        let trusted = Trusted::start(&self.enclave())?;
        let consent = trusted.consent(network, &registration)?;
        let possession = trusted.possession(network)?;
        Ok(Register { registration, possession, consent })
    }

    /// The configuration.
    ///
    /// # Errors
    /// If it cannot be read, or has unknown or malformed entries, or such as contradict each other.
    pub fn config(&self) -> Result<NodeConfig, FolderError> {
        let path = self.file("node.toml");
        let text = fs::read_to_string(&path).map_err(|source| self.failed("node.toml", source))?;
        let config: Result<NodeConfig, _> = toml::from_str(&text);
        let config = config.map_err(|error| error.message().to_owned()).and_then(NodeConfig::checked);
        config.map_err(|why| FolderError::Config { path, why })
    }

    /// Where the enclave keeps its state.
    pub fn enclave(&self) -> PathBuf {
        self.file("enclave")
    }

    /// Where the node listened last; nowhere if it never did.
    pub fn addresses(&self) -> Vec<Multiaddr> {
        let text = fs::read_to_string(self.file("address")).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// Notes where the node listens.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_addresses(&self, addresses: &[Multiaddr]) -> Result<(), FolderError> {
        let lines: String = addresses.iter().map(|address| format!("{address}\n")).collect();
        self.write("address", lines.as_bytes())
    }

    /// Takes the lock of a running node and writes the process id into it. It is released when the result is
    /// dropped, and by the system when the process dies.
    ///
    /// # Errors
    /// If another process holds it.
    pub fn lock(&self) -> Result<File, FolderError> {
        let path = self.file("lock");
        let failed = |source| FolderError::File { path: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        // Whoever looks whether the node runs holds the lock for an instant: try more than once.
        for _ in 0..LOCK_TRIES {
            match file.try_lock() {
                Ok(()) => {
                    // One write of fixed length, so that nobody reads half a number.
                    write!(file, "{:<10}", std::process::id()).map_err(failed)?;
                    return Ok(file);
                }
                Err(fs::TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
                Err(fs::TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
        let pid = fs::read_to_string(&path).unwrap_or_default().trim().to_owned();
        Err(FolderError::Running { path: self.0.clone(), pid })
    }

    /// Process id of the running node, or `None` if none runs.
    ///
    /// # Errors
    /// If the lock file cannot be read.
    pub fn running(&self) -> io::Result<Option<u32>> {
        let file = match File::open(self.file("lock")) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(fs::TryLockError::WouldBlock) => {
                Ok(fs::read_to_string(self.file("lock"))?.trim().parse().ok())
            }
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    /// Makes the folder's own name durable.
    fn sync_parent(&self) -> io::Result<()> {
        let folder = fs::canonicalize(&self.0)?;
        folder.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
    }

    fn write_config(&self, config: &NodeConfig) -> Result<(), FolderError> {
        let text = toml::to_string(config).expect("the configuration is plain data");
        self.write("node.toml", text.as_bytes())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        holdfast_store::write_file(&self.file(name), bytes).map_err(|source| self.failed(name, source))
    }

    fn failed(&self, name: &str, source: io::Error) -> FolderError {
        FolderError::File { path: self.file(name), source }
    }
}

/// Reads a `member` or `possession` file.
///
/// # Errors
/// If it cannot be read or is damaged.
pub fn read_record<T: serde::de::DeserializeOwned + Serialize>(path: &Path) -> Result<T, FolderError> {
    let bytes = fs::read(path).map_err(|source| FolderError::File { path: path.into(), source })?;
    codec::decode(&bytes, RECORD_BYTES_MAX)
        .map_err(|source| FolderError::Damaged { path: path.into(), source })
}

/// The libp2p peer id of a member, or `None` if its entry holds none.
pub fn peer_of(member: &Member) -> Option<PeerId> {
    member.peer.as_str().parse().ok()
}
