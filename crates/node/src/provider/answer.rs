//! Answers single questions, and keeps certificates.

use std::sync::Arc;
use std::time::Duration;

use holdfast_core::bls;
use holdfast_core::codec;
use holdfast_net::frames::{FrameError, split};
use holdfast_net::{PeerId, Stream};
use holdfast_proofs::certificate::{Certificate, ValidCertificate};
use holdfast_proofs::statement::Statement;
use holdfast_protocol::ask::{AskReply, AskRequest, NodeInfo, PieceInfo};
use holdfast_store::store::{CommitError, ReadError};
use tokio::sync::oneshot;

use super::{Provider, blocking};
use crate::signer::SignError;

/// A question takes one message; who needs longer is not asking.
const QUESTION_WINDOW: Duration = Duration::from_secs(10);

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
enum AnswerError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Sign(#[from] SignError),
}

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
    let reply = answer(&provider, request).await.unwrap_or_else(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "could not answer a question");
        AskReply::Failed(())
    });
    writer.message(&reply).await?;
    Ok(writer.close().await?)
}

async fn answer(provider: &Arc<Provider>, request: AskRequest) -> Result<AskReply, AnswerError> {
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
    })
}

impl Provider {
    fn info(&self, cid: holdfast_core::block::BlockId) -> Result<Option<PieceInfo>, ReadError> {
        let Some(row) = self.store.held(&cid)? else { return Ok(None) };
        let certificate = self.certificate(&cid)?.map(|valid| valid.certificate().clone());
        Ok(Some(PieceInfo { root: row.root, bytes: row.bytes, blocks: row.blocks, certificate }))
    }

    /// The certificate kept of a piece. It is checked now, because it came from a client.
    pub(crate) fn certificate(
        &self,
        cid: &holdfast_core::block::BlockId,
    ) -> Result<Option<ValidCertificate>, ReadError> {
        let bytes = self.store.certificate(cid)?;
        let valid =
            bytes.and_then(|bytes| Certificate::from_bytes(&bytes).ok()?.verify(&self.committee).ok());
        Ok(valid.filter(|valid| valid.statement().cid == *cid))
    }

    /// Keeps the certificate that a put ends with. The first one is taken as it is, and checked when somebody asks for it;
    /// to replace another, it must be valid and larger.
    pub(super) async fn certify(self: &Arc<Self>, certificate: Certificate) {
        let cid = certificate.statement.cid;
        match self.store.certificate(&cid) {
            Ok(None) => self.store.certify_lazily(cid, certificate.to_bytes()),
            _ => {
                if let Err(error) = self.keep(certificate).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "a certificate was not kept");
                }
            }
        }
    }

    /// Keeps a certificate of a piece of which a slot is here, if it has more signers than the one that is kept.
    async fn keep(self: &Arc<Self>, certificate: Certificate) -> Result<bool, AnswerError> {
        let this = self.clone();
        let checked = blocking(move || -> Result<_, ReadError> {
            let Ok(new) = certificate.verify(&this.committee) else { return Ok(None) };
            let mine = new.slots().iter().any(|place| this.committee.members()[*place].node == this.node);
            let cid = new.statement().cid;
            let another = this.store.held(&cid)?.is_some_and(|row| row.root != new.statement().piece_root);
            if !mine || another {
                return Ok(None);
            }
            let held = this.certificate(&cid)?;
            let grows = held.is_none_or(|held| held.signers().count() < new.signers().count());
            Ok(Some((new, grows)))
        });
        let Some((new, grows)) = checked.await? else { return Ok(false) };
        if grows {
            let (done, kept) = oneshot::channel();
            let cid = new.statement().cid;
            self.store.certify(cid, new.certificate().to_bytes(), |result| {
                let _ = done.send(result); // the question may be over
            });
            kept.await.unwrap_or(Err(CommitError::Stopped))?;
        }
        Ok(true)
    }

    /// Signs again what was promised. A signature of the same statement is always the same.
    async fn receipt(self: &Arc<Self>, statement: Statement) -> Result<Option<bls::Signature>, AnswerError> {
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
