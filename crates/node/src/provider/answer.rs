//! Answers single questions, and keeps certificates.

use std::sync::Arc;
use std::time::Duration;

use holdfast_net::frames::{FrameError, split};
use holdfast_net::{PeerId, Stream};
use holdfast_proofs::certificate::Certificate;
use holdfast_protocol::ask::{AskReply, AskRequest, NodeInfo, PieceInfo};
use holdfast_store::index::RecordKind;
use holdfast_store::store::ReadError;

use super::Provider;
use super::intake::blocking;

/// A question takes one message; who needs longer is not asking.
const QUESTION_WINDOW: Duration = Duration::from_secs(10);

/// Answers one question.
pub(super) async fn run(provider: Arc<Provider>, peer: PeerId, stream: Stream) {
    match tokio::time::timeout(QUESTION_WINDOW, conversation(provider, stream)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%peer, %error, "a question ended early"),
        Err(_) => tracing::debug!(%peer, "a question took too long"),
    }
}

async fn conversation(provider: Arc<Provider>, stream: Stream) -> Result<(), FrameError> {
    let (mut reader, mut writer) = split(stream);
    let Some(request) = reader.message::<AskRequest>().await? else { return Ok(()) };
    let reply = blocking(move || answer(&provider, request)).await.unwrap_or_else(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "could not answer a question");
        AskReply::Failed(())
    });
    writer.message(&reply).await?;
    Ok(writer.close().await?)
}

fn answer(provider: &Provider, request: AskRequest) -> Result<AskReply, ReadError> {
    let Provider { committee, node, store, .. } = provider;
    match request {
        AskRequest::Piece(cid) => {
            let Some(row) = store.held(&cid)? else { return Ok(AskReply::Piece(None)) };
            let certificate = store.record(&cid, RecordKind::Certificate, b"")?;
            let certificate = certificate.and_then(|bytes| Certificate::from_bytes(&bytes).ok());
            let info = PieceInfo { root: row.root, bytes: row.bytes, blocks: row.blocks, certificate };
            Ok(AskReply::Piece(Some(info)))
        }
        AskRequest::Node(()) => {
            let usage = store.usage();
            let info = NodeInfo { node: *node, pieces: usage.pieces, bytes: usage.bytes, quota: usage.quota };
            Ok(AskReply::Node(info))
        }
        AskRequest::Keep(certificate) => {
            let Ok(new) = certificate.verify(committee) else { return Ok(AskReply::Kept(false)) };
            let cid = new.statement().cid;
            if store.held(&cid)?.is_none_or(|row| row.root != new.statement().piece_root) {
                return Ok(AskReply::Kept(false));
            }
            // A certificate only grows: one with fewer signers never replaces one with more.
            let held = store.record(&cid, RecordKind::Certificate, b"")?;
            let held = held.and_then(|bytes| Certificate::from_bytes(&bytes).ok()?.verify(committee).ok());
            if held.is_none_or(|held| held.signers().count() < new.signers().count()) {
                store.keep(&cid, RecordKind::Certificate, b"", &new.certificate().to_bytes())?;
            }
            Ok(AskReply::Kept(true))
        }
    }
}
