//! What becomes of a piece that arrives, whether a client puts it here or the node fetches it.

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

/// Makes a piece durable together with what is promised about it.
pub(super) async fn seal(draft: PieceDraft, statement: &Statement) -> Result<(), PutError> {
    let (done, sealed) = oneshot::channel();
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
    sealed.await.unwrap_or(Err(PutError::Commit(CommitError::Stopped))).map(drop)
}

/// What the store keeps of a statement.
pub(super) fn promise(statement: &Statement) -> Promise {
    Promise { until: statement.retain_until, statement: codec::encode(statement) }
}
