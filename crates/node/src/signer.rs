//! Gathers what is to be signed: whatever waits goes to the enclave in one call, with one sync of its journal.

use std::io;
use std::sync::Arc;

use holdfast_core::bls;
use holdfast_core::codec::Bounded;
use holdfast_core::id::NetworkId;
use holdfast_enclave::call::STATEMENTS_MAX;
use holdfast_proofs::statement::Statement;
use tokio::sync::{mpsc, oneshot};

use crate::trusted::{Trusted, TrustedError};

/// Statements that wait. Each belongs to a put, a pull or a question, which are fewer.
const WAITING: usize = 256;

/// Why a statement was not signed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SignError {
    /// It breaks a rule of the enclave.
    #[error("the enclave refused: {0}")]
    Refused(String),
    /// The enclave could not be asked.
    #[error(transparent)]
    Enclave(Arc<TrustedError>),
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopped,
}

struct Request {
    statement: Statement,
    answer: oneshot::Sender<Result<bls::Signature, SignError>>,
}

/// A handle to the thread that talks to the enclave. It ends when the last handle is gone.
#[derive(Clone)]
pub struct Signer(mpsc::Sender<Request>);

impl Signer {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(trusted: Arc<Trusted>, network: NetworkId) -> io::Result<Self> {
        let (sender, mut inbox) = mpsc::channel(WAITING);
        std::thread::Builder::new().name("enclave-calls".into()).spawn(move || {
            let mut group = Vec::new();
            while inbox.blocking_recv_many(&mut group, STATEMENTS_MAX) > 0 {
                sign(&trusted, &network, std::mem::take(&mut group));
            }
        })?;
        Ok(Self(sender))
    }

    /// Has the enclave journal and sign a statement.
    ///
    /// # Errors
    /// See [`SignError`].
    pub async fn sign(&self, statement: Statement) -> Result<bls::Signature, SignError> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Request { statement, answer }).await.map_err(|_| SignError::Stopped)?;
        answered.await.map_err(|_| SignError::Stopped)?
    }
}

fn sign(trusted: &Trusted, network: &NetworkId, group: Vec<Request>) {
    let (statements, answers): (Vec<_>, Vec<_>) =
        group.into_iter().map(|request| (request.statement, request.answer)).unzip();
    let statements = Bounded::new(statements).expect("no more were taken");
    let results = match trusted.availability(network, &statements) {
        Ok(signed) => signed.into_iter().map(|signed| signed.map_err(SignError::Refused)).collect(),
        Err(error) => {
            let error = Arc::new(error);
            tracing::error!(error = &*error as &dyn std::error::Error, "the enclave did not sign");
            vec![Err(SignError::Enclave(error)); answers.len()]
        }
    };
    for (answer, result) in answers.into_iter().zip(results) {
        let _ = answer.send(result); // whoever asked may have gone
    }
}
