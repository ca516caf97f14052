//! The host's end of the socket: typed calls to an enclave process.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use holdfast_consensus::engine::ToSign;
use holdfast_core::codec::Bounded;
use holdfast_core::id::NetworkId;
use holdfast_core::{bls, ed25519};
use holdfast_ledger::registry::Registration;
use holdfast_proofs::header::Seal;
use holdfast_proofs::statement::Statement;

use crate::call::{
    self, AddSeal, Answer, Availability, Call, CastVote, Consent, Identity, Propose, STATEMENTS_MAX, Signed,
    VERSION,
};

/// An answer takes one disk sync and one signature; an enclave that needs longer hangs and counts as dead.
const ANSWER_WINDOW: Duration = Duration::from_secs(30);
/// Between the end of the socket and that of the process lies the closing of one database.
const END_WINDOW: Duration = Duration::from_secs(5);

/// Why a call gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The process could not be started, or its socket failed: it has died.
    #[error("the enclave process is gone")]
    Gone(#[from] io::Error),
    /// The call breaks a rule of the enclave.
    #[error("the enclave refused: {0}")]
    Refused(String),
    /// The enclave failed.
    #[error("the enclave failed: {0}")]
    Failed(String),
    /// An answer of another kind than the call's.
    #[error("the enclave gave an answer of another kind")]
    Confused,
}

/// A running enclave. Dropping it closes the socket, upon which the process ends, and waits for that.
pub struct Host {
    identity: Identity,
    connection: Mutex<Option<Connection>>,
}

/// The socket, and the process behind it if we started it. They go together, the socket first.
struct Connection {
    socket: UnixStream,
    _process: Option<Process>,
}

/// A process that is waited for, and killed if it does not end.
struct Process(Child);

impl Host {
    /// Starts an enclave process; `command` must run [`crate::service::run`] on its standard input.
    ///
    /// The process gets a group of its own, so that a Ctrl-C at the terminal reaches the host alone, which then
    /// ends the enclave in order.
    ///
    /// # Errors
    /// If it cannot be started or does not answer.
    pub fn spawn(mut command: Command) -> Result<Self, HostError> {
        let (ours, theirs) = UnixStream::pair()?;
        command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).process_group(0);
        let process = Process(command.spawn()?);
        drop(command); // and with it our copy of the enclave's end
        Self::hello(Connection { socket: ours, _process: Some(process) })
    }

    /// Talks to an enclave over a socket that is there already.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn over(socket: UnixStream) -> Result<Self, HostError> {
        Self::hello(Connection { socket, _process: None })
    }

    fn hello(mut connection: Connection) -> Result<Self, HostError> {
        connection.socket.set_read_timeout(Some(ANSWER_WINDOW))?;
        match exchange(&mut connection.socket, &Call::Hello(VERSION))? {
            Answer::Identity(identity) => Ok(Self { identity, connection: Mutex::new(Some(connection)) }),
            Answer::Refused(why) => Err(HostError::Refused(why.to_string())),
            _ => Err(HostError::Confused),
        }
    }

    /// The public halves of the enclave's keys.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Has the enclave show possession of its BLS key to a network.
    ///
    /// # Errors
    /// See [`HostError`].
    pub fn possession(&self, network: &NetworkId) -> Result<bls::Signature, HostError> {
        self.signature(&Call::Possession(*network))
    }

    /// Has the enclave agree to a registration.
    ///
    /// # Errors
    /// See [`HostError`].
    pub fn consent(
        &self,
        network: &NetworkId,
        registration: &Registration,
    ) -> Result<ed25519::Signature, HostError> {
        let call = Consent { network: *network, registration: registration.clone() };
        match self.call(&Call::Consent(call))? {
            Answer::Consent(signature) => Ok(signature),
            _ => Err(HostError::Confused),
        }
    }

    /// Has the enclave journal and sign a vote or proposal. Blocks for one disk sync.
    ///
    /// # Errors
    /// [`HostError::Refused`] if it contradicts what was signed, or comes after something later.
    pub fn ballot(&self, network: &NetworkId, what: ToSign) -> Result<bls::Signature, HostError> {
        let network = *network;
        self.signature(&match what {
            ToSign::Vote(vote) => Call::Vote(CastVote { network, vote }),
            ToSign::Proposal(head) => Call::Propose(Propose { network, head }),
        })
    }

    /// Has the enclave add to the beacon.
    ///
    /// # Errors
    /// See [`HostError`].
    pub fn seal(&self, network: &NetworkId, seal: Seal) -> Result<bls::Signature, HostError> {
        self.signature(&Call::Seal(AddSeal { network: *network, seal }))
    }

    fn signature(&self, call: &Call) -> Result<bls::Signature, HostError> {
        match self.call(call)? {
            Answer::Signature(signature) => Ok(signature),
            _ => Err(HostError::Confused),
        }
    }

    /// Has the enclave journal and sign statements, in their order; for one that breaks a rule, which. Blocks for one
    /// disk sync.
    ///
    /// # Errors
    /// See [`HostError`].
    pub fn availability(
        &self,
        network: &NetworkId,
        statements: &Bounded<Statement, STATEMENTS_MAX>,
    ) -> Result<Vec<Result<bls::Signature, String>>, HostError> {
        let call = Availability { network: *network, statements: statements.clone() };
        match self.call(&Call::Availability(call))? {
            Answer::Signatures(signed) if signed.len() == statements.len() => Ok(signed
                .iter()
                .map(|signed| match signed {
                    Signed::Signature(signature) => Ok(*signature),
                    Signed::Refused(why) => Err(why.to_string()),
                })
                .collect()),
            _ => Err(HostError::Confused),
        }
    }

    fn call(&self, call: &Call) -> Result<Answer, HostError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let socket = match &mut *connection {
            Some(connection) => &mut connection.socket,
            None => return Err(HostError::Gone(io::ErrorKind::BrokenPipe.into())),
        };
        match exchange(socket, call) {
            Ok(Answer::Refused(why)) => Err(HostError::Refused(why.to_string())),
            Ok(Answer::Failed(why)) => Err(HostError::Failed(why.to_string())),
            Ok(answer) => Ok(answer),
            Err(error) => {
                // An answer may still be on its way and must not be mixed up with the next one. When this
                // returns the process is gone, so that another can open its state.
                *connection = None;
                Err(error.into())
            }
        }
    }
}

fn exchange(socket: &mut UnixStream, call: &Call) -> io::Result<Answer> {
    call::write(socket, call)?;
    call::read(socket)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// Waits for a process whose socket was closed; one that does not end by itself is killed.
fn end(process: &mut Child) -> io::Result<()> {
    let deadline = Instant::now() + END_WINDOW;
    while process.try_wait()?.is_none() {
        if Instant::now() >= deadline {
            process.kill()?;
            return process.wait().map(drop);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = end(&mut self.0) {
            tracing::warn!(%error, "could not end the enclave process");
        }
    }
}
