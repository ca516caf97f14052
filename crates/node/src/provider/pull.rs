//! Fetches the pieces of slots that this node owns and lacks: it was away when they were put, or has lost them.
//!
//! What is to be here is said by a certificate that the node keeps. One task ([`Puller`]) sees to it, a few pieces at
//! once:
//!
//! 1. The blocks come from the other members, and go through a draft as in a put.
//! 2. Length and root must be those of the certificate. The piece becomes durable together with the promise.
//! 3. The enclave signs, the certificate grows by this signature, and the other slots are given what it has become.
//!
//! What fails is tried again later, while the promise lasts ([`queue`]).
//!
//! A pull that is interrupted leaves nothing and starts again: the order of a piece is only known to whoever has walked
//! it from its root, so the inner blocks would be fetched again in any case.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use holdfast_client::ask;
use holdfast_client::get::{self, GetError, Sink};
use holdfast_client::network::Network;
use holdfast_core::block::BlockId;
use holdfast_core::explain;
use holdfast_core::id::Timestamp;
use holdfast_net::Net;
use holdfast_proofs::certificate::ValidCertificate;
use holdfast_proofs::statement::Statement;
use holdfast_store::store::{PieceDraft, PutError, ReadError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::certificate::CertifyError;
use super::{Provider, blocking, draft};

mod queue;

use queue::{PAUSE_MAX, Queue};

/// Pulls at once. Each holds about 8 MiB of blocks on their way, and shares disk and line with puts.
const PULLS_MAX: usize = 2;
/// Names on their way to the task, which takes them at once.
const MAILBOX: usize = 256;
/// Parts of a piece on their way to the disk, of 256 KiB or a block.
const PARTS: usize = 4;
/// How often the task looks into the index for what is lacking, beside what it is told.
const LOOK_EVERY: Duration = PAUSE_MAX;

/// Tells the task that pieces are lacking. The handle can be used at once; the task takes what waits when it runs.
pub(crate) struct Pulls(mpsc::Sender<BlockId>);

impl Pulls {
    /// A handle, and the mailbox for [`Puller::run`].
    pub(crate) fn new() -> (Self, mpsc::Receiver<BlockId>) {
        let (sender, mailbox) = mpsc::channel(MAILBOX);
        (Self(sender), mailbox)
    }

    /// A piece is lacking whose certificate is kept.
    pub(crate) fn want(&self, cid: BlockId) {
        if self.0.try_send(cid).is_err() {
            tracing::debug!(%cid, "too many pieces are lacking at once; this one is fetched later");
        }
    }
}

/// Why a pull failed. It will be tried again.
#[derive(Debug, thiserror::Error)]
enum PullError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Get(#[from] GetError),
    #[error(transparent)]
    Put(#[from] PutError),
    #[error(transparent)]
    Certify(#[from] CertifyError),
    #[error("the node is stopping")]
    Stopped,
}

/// How a pull ended well.
enum Pulled {
    /// The piece is here now, and the certificate has so many signers.
    Fetched { bytes: u64, signers: u16 },
    /// It was here already, or nobody owes it any more.
    Needless,
}

/// The task that fetches what is lacking.
pub(crate) struct Puller {
    provider: Arc<Provider>,
    net: Net,
    network: Network,
    /// Where the addresses of the others are read anew.
    network_folder: PathBuf,
    queue: Queue,
    next_look: Instant,
    jobs: JoinSet<(BlockId, Result<Pulled, PullError>)>,
}

impl Puller {
    /// A task that is still to be run.
    pub(crate) fn new(provider: Arc<Provider>, net: Net, network: Network, network_folder: PathBuf) -> Self {
        let (queue, next_look, jobs) = (Queue::default(), Instant::now(), JoinSet::new());
        Self { provider, net, network, network_folder, queue, next_look, jobs }
    }

    /// Fetches what is lacking until `stop` is cancelled.
    pub(crate) async fn run(mut self, mut mailbox: mpsc::Receiver<BlockId>, stop: CancellationToken) {
        loop {
            if Instant::now() >= self.next_look || self.queue.is_to_be_filled(Instant::now()) {
                self.look().await;
            }
            self.start_due(&stop).await;
            // While all places are taken, the end of a pull comes first.
            let due = self.queue.next_due().filter(|_| self.jobs.len() < PULLS_MAX);
            let due = due.unwrap_or(self.next_look).min(self.next_look);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(done) = self.jobs.join_next() => {
                    let (cid, result) = done.expect("pulls do not panic");
                    self.finish(cid, result);
                }
                Some(cid) = mailbox.recv() => self.queue.want(cid, Instant::now()),
                () = tokio::time::sleep_until(due) => {}
            }
        }
        while self.jobs.join_next().await.is_some() {}
    }

    /// Looks into the index for what is lacking.
    async fn look(&mut self) {
        let now = Instant::now();
        self.next_look = now + LOOK_EVERY;
        self.queue.fill(now);
        let store = self.provider.store.clone();
        match blocking(move || store.wanted()).await {
            Ok(wanted) => wanted.into_iter().for_each(|cid| self.queue.want(cid, now)),
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "could not look for what is lacking"
                );
            }
        }
    }

    async fn start_due(&mut self, stop: &CancellationToken) {
        while self.jobs.len() < PULLS_MAX
            && let Some(cid) = self.queue.take(Instant::now())
        {
            self.reload_addresses().await;
            let (provider, net) = (self.provider.clone(), self.net.clone());
            let mut network = self.network.clone();
            network.committee = provider.members.running().as_ref().clone();
            let stop = stop.clone();
            self.jobs.spawn(async move { (cid, pull(&provider, &net, &network, cid, &stop).await) });
        }
    }

    /// The others may listen elsewhere by now.
    async fn reload_addresses(&self) {
        let (network, folder) = (self.network.clone(), self.network_folder.clone());
        if let Err(error) = blocking(move || network.reload_addresses(&folder)).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "using the old addresses");
        }
    }

    fn finish(&mut self, cid: BlockId, result: Result<Pulled, PullError>) {
        match result {
            Ok(pulled) => {
                if let Pulled::Fetched { bytes, signers } = pulled {
                    tracing::info!(%cid, bytes, signers, "fetched a piece that was lacking");
                }
                self.queue.done(&cid);
            }
            Err(error) => {
                tracing::info!(%cid, why = explain(&error), "could not fetch a piece that is lacking");
                self.queue.failed(&cid, Instant::now());
            }
        }
    }
}

/// Fetches one piece, promises it, and tells the other slots.
async fn pull(
    provider: &Arc<Provider>,
    net: &Net,
    network: &Network,
    cid: BlockId,
    stop: &CancellationToken,
) -> Result<Pulled, PullError> {
    let this = provider.clone();
    let Some((certificate, slot)) = blocking(move || this.lacking(&cid)).await? else {
        return Ok(Pulled::Needless);
    };
    // Those who keep pieces now are asked, whoever signed.
    let place = network.committee.place(&provider.node);
    let statement = certificate.statement().clone();
    let (store, bytes) = (provider.store.clone(), statement.piece_bytes);
    let draft = blocking(move || store.draft(cid, bytes)).await?;

    let (parts, mailbox) = mpsc::channel(PARTS);
    let sink = Sink::mailbox(parts, Path::new("the store"));
    let fetch = async {
        tokio::select! {
            biased;
            () = stop.cancelled() => Err(PullError::Stopped),
            fetched = get::piece_but(net, network, place, cid, provider.store.scratch(), sink) => Ok(fetched?),
        }
    };
    // Both come to their end, so that no draft is left on another thread.
    let (fetched, written) = tokio::join!(fetch, write(draft, mailbox));
    let draft = written?; // if the store failed, that is also why the fetch did
    fetched?;
    draft::seal(draft, &statement).await.kept().await?;

    let certificate = provider.grow(certificate).await?;
    let others = (0..certificate.profile().n).filter(|other| *other != slot);
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = ask::give_to(net, network, &certificate, others) => {}
    }
    Ok(Pulled::Fetched { bytes, signers: certificate.signers().count() })
}

impl Provider {
    /// The certificate of a piece that is lacking, and our slot in it; `None` if the piece is here, or the promise has
    /// ended.
    fn lacking(&self, cid: &BlockId) -> Result<Option<(ValidCertificate, u16)>, ReadError> {
        if self.store.held(cid)?.is_some() {
            return Ok(None);
        }
        let certificate = self.certificate(cid)?.filter(|certificate| self.lasts(certificate.statement()));
        Ok(certificate.and_then(|certificate| {
            let slot = self.slot(&certificate)?;
            Some((certificate, slot))
        }))
    }

    /// Whether a promise still lasts, as far as this machine's clock can tell.
    fn lasts(&self, statement: &Statement) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok();
        let now = now.map(|now| Timestamp(now.as_secs()));
        let ends = self.members.of(statement).and_then(|committee| committee.end_of(statement.retain_until));
        now.zip(ends).is_none_or(|(now, ends)| now < ends)
    }
}

/// Writes a piece into its draft as it comes.
async fn write(mut draft: PieceDraft, mut parts: mpsc::Receiver<Vec<u8>>) -> Result<PieceDraft, PullError> {
    // What an interrupted put left is here already, and was checked again.
    let mut known = draft.received();
    while let Some(part) = parts.recv().await {
        let skipped = usize::try_from(known).map_or(part.len(), |known| known.min(part.len()));
        known -= skipped as u64;
        let push = move || draft.push(&part[skipped..]).map(|()| draft);
        draft = blocking(push).await?;
        draft::write_beside(&draft);
    }
    Ok(draft)
}
