//! Performs what the intake machine of one put decides.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_core::block::BlockId;
use holdfast_core::bls;
use holdfast_core::explain;
use holdfast_net::frames::{Frame, FrameError, FrameWriter};
use holdfast_net::link::Link;
use holdfast_proofs::statement::Statement;
use holdfast_protocol::intake::{Effect, Input, Intake, Room};
use holdfast_protocol::put::{EAGER_BYTES, PutReply, PutRequest, Reason, Refusal};
use holdfast_store::store::{PieceDraft, PutError, SMALL_BYTES};
use tokio::io::AsyncWrite;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::draft::{self, Seal};
use super::links::{Ending, TAKE_MAX, in_time};
use super::{Provider, blocking};

/// What a client is told of trouble that only the operator can mend.
const STORE_FAILED: &str = "the provider's store failed";

/// What is sent without waiting must be what the store does not resume.
const _: () = assert!(EAGER_BYTES <= SMALL_BYTES);

/// Serves one put.
pub(super) async fn run(provider: &Arc<Provider>, link: &mut Link, stop: &CancellationToken) -> Ending {
    let started = Instant::now();
    let conversation = Conversation {
        provider: provider.clone(),
        link,
        stop,
        draft: None,
        seal: None,
        data: Vec::new(),
        ending: Ending::Broken,
    };
    conversation.run(started).await
}

struct Conversation<'a> {
    provider: Arc<Provider>,
    link: &'a mut Link,
    stop: &'a CancellationToken,
    draft: Option<PieceDraft>,
    /// A piece of this conversation that the store keeps.
    seal: Option<Seal>,
    /// The data frame that arrived last.
    data: Vec<u8>,
    ending: Ending,
}

impl Conversation<'_> {
    async fn run(mut self, started: Instant) -> Ending {
        let provider = self.provider.clone();
        let (running, before) = (provider.members.running(), provider.members.before());
        let intake = Intake::new(started.elapsed(), &running, provider.node);
        let mut intake = intake.or_before(before.as_deref());
        let mut effects = Vec::new();
        while !intake.is_closed() {
            let due = intake.deadline().map(|due| started + due);
            let input = self.receive(due).await;
            intake.step(started.elapsed(), input, &mut effects);
            // An effect may ask a question; its answer may bring further effects.
            while !effects.is_empty() {
                for effect in std::mem::take(&mut effects) {
                    if let Some(answer) = self.perform(effect).await {
                        intake.step(started.elapsed(), answer, &mut effects);
                    }
                }
            }
        }
        self.ending
    }

    /// The next thing that the client sends. What is queued for it goes out if it has sent nothing more so far.
    async fn receive(&mut self, due: Option<Instant>) -> Input {
        let late = async {
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        let frame = {
            let Link { reader, writer, .. } = &mut *self.link;
            let reading = reader.read::<PutRequest>(&mut self.data);
            tokio::pin!(reading, late);
            let mut flushed = false;
            loop {
                tokio::select! {
                    biased;
                    () = self.stop.cancelled() => return Input::Lost,
                    frame = &mut reading => break frame,
                    sent = in_time(TAKE_MAX, writer.flush()), if !flushed => match sent.flatten() {
                        Ok(()) => flushed = true,
                        Err(error) => {
                            tracing::debug!(%error, "could not answer a put");
                            return Input::Lost;
                        }
                    },
                    () = &mut late => return Input::Tick,
                }
            }
        };
        match frame {
            Ok(Some(Frame::Message(request))) => Input::Request(request),
            Ok(Some(Frame::Data)) => Input::Data(self.data.len() as u64),
            Ok(None) => Input::Lost,
            Err(error) => {
                if !matches!(error, FrameError::Stream(_)) {
                    tracing::info!(peer = %self.link.peer(), %error, "a client sent something that is no message");
                }
                Input::Lost
            }
        }
    }

    async fn perform(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Reserve { cid, bytes, order, until } => {
                Some(Input::Room(match self.provider.members.check_terms(&cid, bytes, order, until).await {
                    Ok(()) => self.reserve(cid, bytes).await,
                    Err(refusal) => Room::Refused(refusal),
                }))
            }
            Effect::Write => Some(Input::Written(self.write().await)),
            Effect::Persist(statement) => Some(Input::Persisted(self.persist(statement).await)),
            Effect::Promise(statement) => Some(Input::Persisted(self.promise(statement).await)),
            Effect::Sign(statement) => Some(Input::Signed(self.sign(statement).await)),
            Effect::Certify(certificate) => {
                self.provider.certify(*certificate).await;
                None
            }
            // A client that sends everything at once is told with the receipt, see `receive`.
            Effect::Reply(reply @ PutReply::Accept(_)) => {
                self.link.writer.queue(&reply).await.err().map(|_| Input::Lost)
            }
            Effect::Reply(reply) => {
                if let PutReply::Refuse(refusal) = &reply {
                    tracing::info!(reason = refusal.reason.name(), detail = %refusal.detail, "refused a put");
                    self.ending = Ending::Refused;
                }
                match answer(&mut self.link.writer, &reply, TAKE_MAX, self.stop).await {
                    Ok(()) => None,
                    Err(error) => {
                        self.ending = Ending::Broken;
                        tracing::debug!(peer = %self.link.peer(), %error, "could not answer a put");
                        Some(Input::Lost)
                    }
                }
            }
            Effect::Suspend => {
                if let Some(draft) = self.draft.take()
                    && let Err(error) = blocking(move || draft.suspend()).await
                {
                    tracing::warn!(%error, "could not keep what had arrived of a piece");
                }
                None
            }
            Effect::End => {
                self.ending = Ending::Regular;
                None
            }
            Effect::Close => {
                if let Some(draft) = self.draft.take() {
                    discard(draft).await;
                }
                None
            }
        }
    }

    async fn reserve(&mut self, cid: BlockId, bytes: u64) -> Room {
        let store = self.provider.store.clone();
        let reserve = move || match store.held(&cid) {
            Ok(Some(row)) => (None, Room::Held(row.root, row.bytes)),
            Ok(None) => match store.draft(cid, bytes) {
                Ok(draft) => {
                    let from = draft.received();
                    (Some(draft), Room::Ready(from))
                }
                Err(error) => (None, Room::Refused(refusal(&error))),
            },
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
                (None, Room::Refused(Refusal::new(Reason::Internal, STORE_FAILED)))
            }
        };
        // A small piece needs a look into the index, which is less work than moving it to another thread.
        let (draft, room) = if bytes <= SMALL_BYTES { reserve() } else { blocking(reserve).await };
        self.draft = draft;
        room
    }

    async fn write(&mut self) -> Result<(), Refusal> {
        let mut draft = self.draft.take().expect("data is only asked for with a draft");
        if draft.is_small() {
            // It goes to memory: less work than moving it to another thread.
            draft.push(&self.data).map_err(|error| refusal(&error))?;
            self.draft = Some(draft);
            return Ok(());
        }
        let data = std::mem::take(&mut self.data);
        // A draft that takes no more is dropped there as well.
        let (data, pushed) = blocking(move || {
            let pushed = draft.push(&data).map(|()| draft);
            (data, pushed)
        })
        .await;
        self.data = data; // its memory serves the next frame
        let draft = pushed.map_err(|error| refusal(&error))?;
        draft::write_beside(&draft);
        self.draft = Some(draft);
        Ok(())
    }

    async fn persist(&mut self, statement: Statement) -> Result<(), Refusal> {
        let draft = self.draft.take().expect("a seal is only accepted with a draft");
        let seal = self.seal.insert(draft::seal(draft, &statement).await);
        seal.synced().await.map_err(|error| refusal(&error))
    }

    /// Has the enclave sign, while the index takes the piece in: who has the receipt shall find it here.
    async fn sign(&mut self, statement: Statement) -> Result<bls::Signature, Refusal> {
        let signed = self.provider.signer.sign(statement).await;
        let signature = signed.map_err(|error| Refusal::new(Reason::Internal, explain(&error)))?;
        if let Some(mut seal) = self.seal.take() {
            seal.kept().await.map_err(|error| refusal(&error))?;
        }
        Ok(signature)
    }

    async fn promise(&mut self, statement: Statement) -> Result<(), Refusal> {
        let (done, kept) = oneshot::channel();
        self.provider.store.promise(statement.cid, draft::promise(&statement), |result| {
            let _ = done.send(result); // the conversation may be over
        });
        match kept.await {
            Ok(result) => result.map_err(|error| refusal(&error.into())),
            Err(_) => Err(Refusal::new(Reason::Internal, STORE_FAILED)),
        }
    }
}

/// Sends an answer. A client that does not take it within `limit`, or while the node stops, is as good as gone.
async fn answer<S: AsyncWrite>(
    writer: &mut FrameWriter<S>,
    reply: &PutReply,
    limit: Duration,
    stop: &CancellationToken,
) -> io::Result<()> {
    tokio::select! {
        biased; // what can go out at once goes out, also while the node stops
        sent = in_time(limit, writer.message(reply)) => sent?,
        () = stop.cancelled() => Err(io::ErrorKind::Interrupted.into()),
    }
}

/// Drops a draft; that of a large piece unlinks its files.
async fn discard(draft: PieceDraft) {
    match draft.is_small() {
        true => drop(draft),
        false => blocking(move || drop(draft)).await,
    }
}

/// What the client is told; what is our own fault is logged in full and told in short.
fn refusal(error: &PutError) -> Refusal {
    let reason = match error {
        PutError::Quota { .. } => Reason::Quota,
        PutError::Length { .. } => Reason::Length,
        PutError::Root { .. } => Reason::Root,
        PutError::Check(_) if error.fault() == holdfast_core::Fault::Peer => Reason::Piece,
        PutError::Check(_) | PutError::Write(_) | PutError::Index(_) | PutError::Commit(_) => {
            tracing::error!(error = error as &dyn std::error::Error, "the store failed");
            return match error.is_full() {
                true => Refusal::new(Reason::Quota, "the provider's disk is full"),
                false => Refusal::new(Reason::Internal, STORE_FAILED),
            };
        }
    };
    Refusal::new(reason, explain(error))
}

#[cfg(test)]
mod tests;
