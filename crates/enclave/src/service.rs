//! The loop of the enclave process: one socket, one call at a time, until the host is gone.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use holdfast_consensus::engine::ToSign;
use holdfast_core::codec::{Bounded, Text};
use holdfast_core::id::NetworkId;
use holdfast_core::purpose::Signable;
use holdfast_proofs::statement::Statement;

use crate::call::{self, AddSeal, Answer, Availability, Call, CastVote, Consent, Propose, Signed, VERSION};
use crate::journal::{Journal, JournalError};
use crate::keys::{Keys, KeysError};

/// Why the enclave could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum EnclaveError {
    /// Keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// Journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The socket to the host.
    #[error("the socket to the host failed")]
    Socket(#[from] io::Error),
}

/// An enclave with its keys and journal.
pub struct Enclave {
    keys: Keys,
    journal: Journal,
}

impl Enclave {
    /// Opens the state in `folder`, or makes it.
    ///
    /// # Errors
    /// If keys or journal cannot be opened.
    pub fn open(folder: &Path) -> Result<Self, EnclaveError> {
        // The journal first: it is locked, so two processes never draw keys at once.
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let journal = Journal::open(folder)?;
        // For whoever must end a process that does not end by itself.
        std::fs::write(folder.join("pid"), std::process::id().to_string())?;
        Ok(Self { keys: Keys::load_or_draw(folder, !journal.is_empty()?)?, journal })
    }

    /// Serves one host until it closes the socket, or the journal fails.
    ///
    /// # Errors
    /// If the socket fails or the host sends anything but calls.
    pub fn serve(&self, mut socket: UnixStream) -> Result<(), EnclaveError> {
        while let Some(call) = call::read::<Call>(&mut socket)? {
            let answer = self.answer(call);
            call::write(&mut socket, &answer)?;
            if matches!(answer, Answer::Failed(_)) {
                // The database takes no write after a failed one. The host starts another process, which opens it again.
                return Ok(());
            }
        }
        Ok(())
    }

    fn answer(&self, call: Call) -> Answer {
        match call {
            Call::Hello(VERSION) => Answer::Identity(self.keys.identity()),
            Call::Hello(other) => refused(&format!("interface version {other}, this is version {VERSION}")),
            Call::Possession(network) => {
                let node = self.keys.identity().node;
                Answer::Signature(self.keys.bls().sign_possession(node, &network))
            }
            Call::Availability(call) => self.availability(&call),
            Call::Consent(call) => self.consent(&call),
            Call::Vote(CastVote { network, vote }) => self.ballot(&network, &ToSign::Vote(vote)),
            Call::Propose(Propose { network, head }) => self.ballot(&network, &ToSign::Proposal(head)),
            // There is one for each height: whoever asks twice learns nothing new.
            Call::Seal(AddSeal { network, seal }) => {
                Answer::Signature(self.keys.bls().sign(&seal.signing_input(&network)))
            }
        }
    }

    /// Agrees to a registration under its own keys.
    fn consent(&self, Consent { network, registration }: &Consent) -> Answer {
        let own = self.keys.identity();
        let named = (registration.ed25519, registration.bls, registration.box_key);
        if named != (own.ed25519, own.bls, own.box_key) {
            return refused("the registration names keys of another node");
        }
        Answer::Consent(self.keys.ed25519().sign(&registration.signing_input(network)))
    }

    /// Signs a vote or a proposal, unless it contradicts one that was signed, or comes after a later one.
    fn ballot(&self, network: &NetworkId, what: &ToSign) -> Answer {
        match self.journal.ballot(network, what) {
            Ok(Ok(())) => {}
            Ok(Err(refusal)) => return refused(&refusal.to_string()),
            Err(error) => return failed(&error),
        }
        let input = match what {
            ToSign::Vote(vote) => vote.signing_input(network),
            ToSign::Proposal(head) => head.signing_input(network),
        };
        Answer::Signature(self.keys.bls().sign(&input))
    }

    fn availability(&self, Availability { network, statements }: &Availability) -> Answer {
        if let Some(why) = statements.iter().find_map(flaw) {
            return refused(why);
        }
        let verdicts = match self.journal.promise(network, statements) {
            Ok(verdicts) => verdicts,
            Err(error) => return failed(&error),
        };
        let signed = verdicts.into_iter().zip(statements.iter()).map(|(verdict, statement)| match verdict {
            Ok(()) => Signed::Signature(self.keys.bls().sign(&statement.signing_input(network))),
            Err(refusal) => Signed::Refused(Text::cut(&refusal.to_string())),
        });
        Answer::Signatures(Bounded::new(signed.collect()).expect("as many as statements"))
    }
}

/// Why a statement is never signed.
fn flaw(statement: &Statement) -> Option<&'static str> {
    if statement.coding.profile().is_none() {
        return Some("the coding is no known profile");
    }
    (statement.retain_until <= statement.epoch).then_some("the statement promises nothing")
}

fn failed(error: &JournalError) -> Answer {
    tracing::error!(error = error as &dyn std::error::Error, "the journal failed");
    Answer::Failed(Text::cut("the journal failed; the enclave's log says how"))
}

fn refused(why: &str) -> Answer {
    Answer::Refused(Text::cut(why))
}

/// Runs an enclave process until its host is gone: its state is in `folder`, the host's socket is standard input.
///
/// # Errors
/// If it cannot start or go on.
pub fn run(folder: &Path) -> Result<(), EnclaveError> {
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    Enclave::open(folder)?.serve(socket)
}

#[cfg(test)]
mod tests;
