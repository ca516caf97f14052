//! The enclave process of a node, started again when it dies.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use holdfast_consensus::engine::ToSign;
use holdfast_core::codec::Bounded;
use holdfast_core::id::NetworkId;
use holdfast_core::{bls, ed25519};
use holdfast_enclave::call::{Identity, STATEMENTS_MAX};
use holdfast_enclave::host::{Host, HostError};
use holdfast_ledger::registry::Registration;
use holdfast_proofs::header::Seal;
use holdfast_proofs::statement::Statement;

/// Hidden subcommand of our own binary under which it is an enclave (software mode).
pub const SUBCOMMAND: &str = "enclave-process";

/// The enclave cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustedError {
    /// Our own binary cannot be found, so it cannot be started again.
    #[error("could not find this program's own file")]
    Binary(#[source] std::io::Error),
    /// The call failed.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The keys are not those the node started with.
    #[error("the enclave came back with other keys")]
    OtherKeys,
}

/// A node's enclave.
pub struct Trusted {
    state: PathBuf,
    identity: Identity,
    /// None after a restart that failed; the next call tries again.
    host: Mutex<Option<Arc<Host>>>,
}

impl Trusted {
    /// Starts the enclave process on its state folder, which is made if needed.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(state: &Path) -> Result<Self, TrustedError> {
        let host = spawn(state)?;
        Ok(Self {
            state: state.to_owned(),
            identity: host.identity().clone(),
            host: Mutex::new(Some(Arc::new(host))),
        })
    }

    /// The public halves of its keys.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Has the enclave show possession of its BLS key.
    ///
    /// # Errors
    /// If it cannot.
    pub fn possession(&self, network: &NetworkId) -> Result<bls::Signature, TrustedError> {
        self.call(|host| host.possession(network))
    }

    /// Has the enclave journal and sign statements, in their order; for one that breaks a rule, which. Blocks for one
    /// disk sync.
    ///
    /// # Errors
    /// If it cannot.
    pub fn availability(
        &self,
        network: &NetworkId,
        statements: &Bounded<Statement, STATEMENTS_MAX>,
    ) -> Result<Vec<Result<bls::Signature, String>>, TrustedError> {
        self.call(|host| host.availability(network, statements))
    }

    /// Has the enclave agree to a registration.
    ///
    /// # Errors
    /// If it cannot, or the registration names other keys.
    pub fn consent(
        &self,
        network: &NetworkId,
        registration: &Registration,
    ) -> Result<ed25519::Signature, TrustedError> {
        self.call(|host| host.consent(network, registration))
    }

    /// Has the enclave sign a vote or proposal. Blocks for one disk sync.
    ///
    /// # Errors
    /// If it cannot, or it contradicts what was signed.
    pub fn ballot(&self, network: &NetworkId, what: ToSign) -> Result<bls::Signature, TrustedError> {
        self.call(|host| host.ballot(network, what))
    }

    /// Has the enclave add to the beacon.
    ///
    /// # Errors
    /// If it cannot.
    pub fn seal(&self, network: &NetworkId, seal: Seal) -> Result<bls::Signature, TrustedError> {
        self.call(|host| host.seal(network, seal))
    }

    /// Calls, and once more after a restart if the process has died. Every call may be repeated.
    fn call<T>(&self, call: impl Fn(&Host) -> Result<T, HostError>) -> Result<T, TrustedError> {
        let host = self.running(None)?;
        match call(&host) {
            Err(HostError::Gone(error)) => {
                tracing::warn!(%error, "the enclave process has died; starting it again");
                Ok(call(&*self.running(Some(host))?)?)
            }
            result => Ok(result?),
        }
    }

    /// The running process; started again if there is none, or only the one found `dead`.
    fn running(&self, dead: Option<Arc<Host>>) -> Result<Arc<Host>, TrustedError> {
        let mut current = self.host.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = &*current
            && dead.as_ref().is_none_or(|dead| !Arc::ptr_eq(host, dead))
        {
            return Ok(host.clone());
        }
        // The old process must be gone before the new one can open the same state.
        *current = None;
        drop(dead);
        let host = spawn(&self.state)?;
        if *host.identity() != self.identity {
            return Err(TrustedError::OtherKeys);
        }
        let host = Arc::new(host);
        *current = Some(host.clone());
        Ok(host)
    }
}

fn spawn(state: &Path) -> Result<Host, TrustedError> {
    let program = std::env::current_exe().map_err(TrustedError::Binary)?;
    let mut command = Command::new(program);
    command.arg(SUBCOMMAND).arg(state);
    Ok(Host::spawn(command)?)
}
