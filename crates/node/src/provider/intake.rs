//! Performs what the intake machine of one put decides.

use std::sync::Arc;
use std::time::Duration;

use holdfast_core::codec;
use holdfast_core::explain;
use holdfast_core::id::PieceRoot;
use holdfast_net::frames::{Frame, FrameError, FrameReader, FrameWriter, split};
use holdfast_net::{PeerId, Stream};
use holdfast_proofs::statement::Statement;
use holdfast_protocol::intake::{Effect, Input, Intake, Room};
use holdfast_protocol::put::{PutReply, PutRequest, Reason, Refusal};
use holdfast_store::index::RecordKind;
use holdfast_store::store::{PieceDraft, PutError};

use super::Provider;

/// A client that sends nothing for so long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// What a client is told of trouble that only the operator can mend.
const STORE_FAILED: &str = "the provider's store failed";

/// Serves one put.
pub(super) async fn run(provider: Arc<Provider>, peer: PeerId, stream: Stream) {
    let (reader, writer) = split(stream);
    let conversation = Conversation { provider, reader, writer, draft: None, data: Vec::new() };
    if let Err(error) = conversation.run().await {
        tracing::debug!(%peer, %error, "a put ended early; nothing of it was kept");
    }
}

struct Conversation {
    provider: Arc<Provider>,
    reader: FrameReader,
    writer: FrameWriter,
    draft: Option<PieceDraft>,
    /// The data frame that arrived last.
    data: Vec<u8>,
}

impl Conversation {
    async fn run(mut self) -> Result<(), FrameError> {
        let provider = self.provider.clone();
        let mut intake = Intake::new(&provider.committee, provider.node);
        let mut effects = Vec::new();
        while !intake.is_closed() {
            let input = match self.receive().await? {
                Some(input) => input,
                None => return Ok(()), // the client went away; the draft goes with us
            };
            intake.step(input, &mut effects);
            // An effect may ask a question; its answer may bring further effects.
            while !effects.is_empty() {
                for effect in std::mem::take(&mut effects) {
                    if let Some(answer) = self.perform(effect).await? {
                        intake.step(answer, &mut effects);
                    }
                }
            }
        }
        Ok(())
    }

    async fn receive(&mut self) -> Result<Option<Input>, FrameError> {
        let frame = tokio::time::timeout(SILENCE_MAX, self.reader.read::<PutRequest>(&mut self.data))
            .await
            .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
        Ok(frame.map(|frame| match frame {
            Frame::Message(request) => Input::Request(request),
            Frame::Data => Input::Data(self.data.len() as u64),
        }))
    }

    async fn perform(&mut self, effect: Effect) -> Result<Option<Input>, FrameError> {
        let answer = match effect {
            Effect::Reserve { cid, bytes } => Input::Room(self.reserve(cid, bytes).await),
            Effect::Write => Input::Written(self.write().await),
            Effect::Persist(root) => Input::Persisted(self.persist(root).await),
            Effect::Sign(statement) => Input::Signed(self.sign(statement).await),
            Effect::Keep(statement, signature) => Input::Kept(self.keep(statement, signature).await),
            Effect::Reply(reply) => {
                self.writer.message(&reply).await?;
                if let PutReply::Refuse(refusal) = reply {
                    tracing::info!(reason = refusal.reason.name(), detail = %refusal.detail, "refused a put");
                }
                return Ok(None);
            }
            Effect::Close => {
                self.draft = None;
                self.writer.close().await?;
                return Ok(None);
            }
        };
        Ok(Some(answer))
    }

    async fn reserve(&mut self, cid: holdfast_core::block::BlockId, bytes: u64) -> Room {
        let store = self.provider.store.clone();
        let found = blocking(move || match store.held(&cid) {
            Ok(Some(row)) => (None, Room::Held(row.root, row.bytes)),
            Ok(None) => match store.draft(cid, bytes) {
                Ok(draft) => (Some(draft), Room::Ready),
                Err(error) => (None, Room::Refused(refusal(&error))),
            },
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
                (None, Room::Refused(Refusal::new(Reason::Internal, STORE_FAILED)))
            }
        });
        let (draft, room) = found.await;
        self.draft = draft;
        room
    }

    async fn write(&mut self) -> Result<(), Refusal> {
        let mut draft = self.draft.take().expect("data is only asked for with a draft");
        let data = std::mem::take(&mut self.data);
        let (draft, data, result) = blocking(move || {
            let result = draft.push(&data);
            (draft, data, result)
        })
        .await;
        self.data = data; // its memory serves the next frame
        result.map_err(|error| refusal(&error))?;
        self.draft = Some(draft);
        Ok(())
    }

    async fn persist(&mut self, root: PieceRoot) -> Result<PieceRoot, Refusal> {
        let draft = self.draft.take().expect("a seal is only accepted with a draft");
        let checked = blocking(move || draft.seal(&root)).await.map_err(|error| refusal(&error))?;
        Ok(checked.root)
    }

    async fn sign(&mut self, statement: Statement) -> Result<holdfast_core::bls::Signature, Refusal> {
        let provider = self.provider.clone();
        let network = *provider.committee.network();
        let signed = blocking(move || provider.trusted.availability(&network, &statement)).await;
        signed.map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "the enclave did not sign");
            Refusal::new(Reason::Internal, error.to_string())
        })
    }

    async fn keep(
        &mut self,
        statement: Statement,
        signature: holdfast_core::bls::Signature,
    ) -> Result<(), Refusal> {
        let store = self.provider.store.clone();
        let kept = blocking(move || {
            let name = codec::digest(&statement);
            let receipt = codec::encode(&(&statement, signature));
            store.keep(&statement.cid, RecordKind::Receipt, &name, &receipt)
        });
        kept.await.map_err(|error| refusal(&error.into()))
    }
}

/// Runs disk and hash work away from the threads that move frames.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("store and enclave calls do not panic")
}

/// What the client is told; what is our own fault is logged in full and told in short.
fn refusal(error: &PutError) -> Refusal {
    let reason = match error {
        PutError::Quota { .. } => Reason::Quota,
        PutError::Length { .. } => Reason::Length,
        PutError::Root { .. } => Reason::Root,
        PutError::Check(_) if error.fault() == holdfast_core::Fault::Peer => Reason::Piece,
        PutError::Check(_) | PutError::Write(_) | PutError::Index(_) => {
            tracing::error!(error = error as &dyn std::error::Error, "the store failed");
            return Refusal::new(Reason::Internal, STORE_FAILED);
        }
    };
    Refusal::new(reason, explain(error))
}
