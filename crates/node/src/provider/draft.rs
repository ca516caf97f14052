//! What becomes of a piece that arrives, whether a client puts it here or the node fetches it.

use holdfast_core::check::Checked;
use holdfast_core::codec;
use holdfast_proofs::statement::Statement;
use holdfast_store::log::Promise;
use holdfast_store::store::{CommitError, PieceDraft, PutError};
use tokio::sync::oneshot;

use super::blocking;

/// Lets the disk work beside the draft, if there is work for it. The next `push` or the seal meets its errors.
pub(super) fn write_beside(draft: &PieceDraft) {
    if let Some(write) = draft.write_beside() {
        drop(tokio::task::spawn_blocking(write)); // the seal waits for it
    }
}

/// A piece that is being made durable together with what is promised about it.
pub(super) struct Seal {
    synced: oneshot::Receiver<()>,
    /// None once it was heard.
    kept: Option<oneshot::Receiver<Result<Checked, PutError>>>,
}

impl Seal {
    /// Waits until both are on stable storage.
    pub(super) async fn synced(&mut self) -> Result<(), PutError> {
        match (&mut self.synced).await {
            Ok(()) => Ok(()),
            // It has failed, or the piece was here already and only the promise is new.
            Err(_) => self.kept().await,
        }
    }

    /// Waits until others find the piece as well.
    pub(super) async fn kept(&mut self) -> Result<(), PutError> {
        match self.kept.take() {
            Some(kept) => kept.await.unwrap_or(Err(PutError::Commit(CommitError::Stopped))).map(drop),
            None => Ok(()),
        }
    }
}

/// Begins to make a piece durable together with what is promised about it.
pub(super) async fn seal(mut draft: PieceDraft, statement: &Statement) -> Seal {
    let (done, kept) = oneshot::channel();
    let (told, synced) = oneshot::channel();
    draft.on_synced(|| {
        let _ = told.send(()); // whoever waited may have gone
    });
    let (root, promise, small) = (statement.piece_root, promise(statement), draft.is_small());
    let seal = move || {
        draft.seal(&root, Some(promise), |result| {
            let _ = done.send(result); // whoever waited may have gone
        });
    };
    if small {
        seal(); // it is queued
    } else {
        blocking(seal).await;
    }
    Seal { synced, kept: Some(kept) }
}

/// What the store keeps of a statement.
pub(super) fn promise(statement: &Statement) -> Promise {
    Promise { until: statement.retain_until, statement: codec::encode(statement) }
}
