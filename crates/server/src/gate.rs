//! The gate before the source: a bounded number of questions at once, each on a thread that may block.

use std::sync::Arc;

use holdfast_api::problem::{Problem, Reason};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::error;

/// Lets so many through.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Semaphore>);

impl Gate {
    pub(crate) fn new(questions_max: usize) -> Self {
        Self(Arc::new(Semaphore::new(questions_max)))
    }

    /// Does the work, or refuses at once if there is too much of it.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let permit = self.0.clone().try_acquire_owned();
        let permit =
            permit.map_err(|_| Problem::new(Reason::Busy, "too many requests at once; try again"))?;
        run(permit, work).await
    }

    /// Does the work when there is room, for those whose number is bounded elsewhere.
    pub(crate) async fn wait<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let permit = self.0.clone().acquire_owned().await.expect("the gate is never closed");
        run(permit, work).await
    }
}

/// The permit travels with the work: nobody can give up on a question and ask another in its place.
async fn run<T: Send + 'static>(
    permit: OwnedSemaphorePermit,
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work()
    });
    done.await.unwrap_or_else(|error| {
        error!(%error, "a question to the ledger did not end");
        Err(Problem::new(Reason::Internal, "the node failed; its log says why"))
    })
}
