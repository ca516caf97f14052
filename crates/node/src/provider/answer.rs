//! Answers single questions.

use std::sync::Arc;
use std::time::Duration;

use holdfast_core::bls;
use holdfast_core::codec;
use holdfast_net::frames::{FrameError, split};
use holdfast_net::{PeerId, Stream};
use holdfast_proofs::statement::Statement;
use holdfast_protocol::ask::{AskReply, AskRequest, NodeInfo, PieceInfo};
use holdfast_store::store::ReadError;

use super::certificate::CertifyError;
use super::{Provider, blocking};
use crate::whereabouts;

/// A question takes one message; who needs longer is not asking.
const QUESTION_WINDOW: Duration = Duration::from_secs(10);

/// Answers one question.
pub(super) async fn run(provider: Arc<Provider>, peer: PeerId, stream: Stream) {
    match tokio::time::timeout(QUESTION_WINDOW, conversation(provider, peer, stream)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%peer, %error, "a question ended early"),
        Err(_) => tracing::debug!(%peer, "a question took too long"),
    }
}

async fn conversation(provider: Arc<Provider>, peer: PeerId, stream: Stream) -> Result<(), FrameError> {
    let (mut reader, mut writer) = split(stream);
    let Some(request) = reader.message::<AskRequest>().await? else { return Ok(()) };
    let reply = answer(&provider, peer, request).await.unwrap_or_else(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "could not answer a question");
        AskReply::Failed(())
    });
    writer.message(&reply).await?;
    Ok(writer.close().await?)
}

async fn answer(
    provider: &Arc<Provider>,
    peer: PeerId,
    request: AskRequest,
) -> Result<AskReply, CertifyError> {
    let this = provider.clone();
    Ok(match request {
        AskRequest::Piece(cid) => blocking(move || this.info(cid)).await.map(AskReply::Piece)?,
        AskRequest::Node(()) => {
            let usage = provider.store.usage();
            let node = provider.node;
            AskReply::Node(NodeInfo { node, pieces: usage.pieces, bytes: usage.bytes, quota: usage.quota })
        }
        AskRequest::Keep(certificate) => AskReply::Kept(provider.keep(certificate).await?),
        AskRequest::Receipt(statement) => AskReply::Receipt(provider.receipt(statement).await?),
        AskRequest::Peers(query) => {
            AskReply::Peers(blocking(move || whereabouts::answer(&this, peer, &query)).await)
        }
    })
}

impl Provider {
    fn info(&self, cid: holdfast_core::block::BlockId) -> Result<Option<PieceInfo>, ReadError> {
        let Some(row) = self.store.held(&cid)? else { return Ok(None) };
        let certificate = self.certificate(&cid)?.map(|valid| valid.certificate().clone());
        Ok(Some(PieceInfo { root: row.root, bytes: row.bytes, blocks: row.blocks, certificate }))
    }

    /// Signs again what was promised. A signature of the same statement is always the same.
    async fn receipt(self: &Arc<Self>, statement: Statement) -> Result<Option<bls::Signature>, CertifyError> {
        let (this, asked) = (self.clone(), statement.clone());
        let promised = blocking(move || -> Result<_, ReadError> {
            let there = this.store.held(&asked.cid)?.is_some();
            Ok(there && this.store.has_promised(&asked.cid, &codec::encode(&asked))?)
        });
        if !promised.await? {
            return Ok(None);
        }
        Ok(Some(self.signer.sign(statement).await?))
    }
}
