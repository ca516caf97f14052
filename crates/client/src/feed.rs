//! Reads a piece once for all slots.
//!
//! The fastest slot leads: what it reads is hashed to the piece root and kept for a while in a window of
//! 16 segments, where the others find it. A slot that falls behind the window, or goes on far ahead of it after an
//! interruption, reads by itself, so that it costs reads but never holds up another one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use holdfast_core::id::PieceRoot;
use holdfast_core::tree::TreeHasher;
use holdfast_protocol::put::PUT_FRAME_BYTES;
use holdfast_store::source::{Plan, PlanReader, SourceError};

/// Bytes of a segment: one data frame.
const SEGMENT_BYTES: u64 = PUT_FRAME_BYTES as u64;

/// Segments kept for those who follow: 4 MiB.
const WINDOW: usize = 16;

/// A piece that several slots read.
pub struct Feed {
    plan: Arc<Plan>,
    leader: Arc<tokio::sync::Mutex<Leader>>,
    window: Mutex<BTreeMap<u64, Bytes>>,
    root: tokio::sync::watch::Sender<Option<PieceRoot>>,
    /// The next segment that the leader reads, without its lock.
    next: AtomicU64,
}

struct Leader {
    next: u64,
    /// Lost for good if a read fails.
    state: Option<(PlanReader, TreeHasher)>,
}

/// One slot's place in a feed.
pub struct Follower {
    feed: Arc<Feed>,
    next: u64,
    /// Bytes of the next segment that the slot has already.
    skip: usize,
    /// The slot's own reader, while it is behind the window, and the segment it reads next.
    own: Option<(PlanReader, u64)>,
}

impl Feed {
    /// A feed at the start of a piece.
    ///
    /// # Errors
    /// If temporary space fails.
    pub fn new(plan: Arc<Plan>) -> std::io::Result<Arc<Self>> {
        let state = Some((plan.reader()?, TreeHasher::default()));
        Ok(Arc::new(Self {
            plan,
            leader: Arc::new(tokio::sync::Mutex::new(Leader { next: 0, state })),
            window: Mutex::default(),
            root: tokio::sync::watch::Sender::new(None),
            next: AtomicU64::new(0),
        }))
    }

    /// Becomes the piece root when the piece was read to its end.
    pub fn root(&self) -> tokio::sync::watch::Receiver<Option<PieceRoot>> {
        self.root.subscribe()
    }

    /// A reader from byte `from` on.
    pub fn follow(self: &Arc<Self>, from: u64) -> Follower {
        let skip = usize::try_from(from % SEGMENT_BYTES).expect("less than a segment");
        Follower { feed: self.clone(), next: from / SEGMENT_BYTES, skip, own: None }
    }

    /// Reads to the end if nobody else does: the root is needed even if every slot holds the piece.
    ///
    /// # Errors
    /// If the piece cannot be read.
    pub async fn read_to_end(self: &Arc<Self>) -> Result<(), SourceError> {
        for segment in 0..self.segments() {
            self.lead(segment).await?;
        }
        Ok(())
    }

    /// Bytes of the piece.
    pub fn piece_bytes(&self) -> u64 {
        self.plan.piece_bytes()
    }

    fn segments(&self) -> u64 {
        self.piece_bytes().div_ceil(SEGMENT_BYTES)
    }

    fn find(&self, segment: u64) -> Option<Bytes> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner).get(&segment).cloned()
    }

    /// Reads up to and including `segment`, unless that was read before.
    ///
    /// The lock goes into the blocking work: whoever waits may be cancelled, but a read that was begun is
    /// finished and kept.
    async fn lead(self: &Arc<Self>, segment: u64) -> Result<(), SourceError> {
        let mut leader = self.leader.clone().lock_owned().await;
        if leader.next > segment {
            return Ok(());
        }
        if self.segments() == 1 {
            // A small piece is read sooner than moved to another thread.
            return self.advance(&mut leader);
        }
        let feed = self.clone();
        let read = tokio::task::spawn_blocking(move || {
            while leader.next <= segment {
                feed.advance(&mut leader)?;
            }
            Ok(())
        });
        read.await.expect("reading does not panic")
    }

    fn advance(&self, leader: &mut Leader) -> Result<(), SourceError> {
        let (mut reader, mut hasher) = leader.state.take().ok_or_else(|| gone(&self.plan))?;
        let data = read_segment(&mut reader)?;
        hasher.update(&data, &mut Vec::new());
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.insert(leader.next, data.into());
        while window.len() > WINDOW {
            window.pop_first();
        }
        drop(window);
        leader.next += 1;
        self.next.store(leader.next, Ordering::Relaxed);
        if leader.next == self.segments() {
            self.root.send_replace(Some(hasher.finish(&mut Vec::new())));
        } else {
            leader.state = Some((reader, hasher));
        }
        Ok(())
    }
}

impl Follower {
    /// The next segment, or `None` at the end of the piece.
    ///
    /// # Errors
    /// If the piece cannot be read.
    pub async fn next(&mut self) -> Result<Option<Bytes>, SourceError> {
        let skip = std::mem::take(&mut self.skip);
        Ok(self.segment().await?.map(|data| data.slice(skip.min(data.len())..)))
    }

    async fn segment(&mut self) -> Result<Option<Bytes>, SourceError> {
        if self.next >= self.feed.segments() {
            return Ok(None);
        }
        let segment = self.next;
        self.next += 1;
        // A slot that goes on far ahead reads by itself; it need not wait until everything before is hashed.
        if segment < self.feed.next.load(Ordering::Relaxed) + WINDOW as u64 {
            self.feed.lead(segment).await?;
        }
        if let Some(data) = self.feed.find(segment) {
            self.own = None;
            return Ok(Some(data));
        }
        let own = self.own.take().filter(|(_, next)| *next == segment);
        let plan = self.feed.plan.clone();
        let read = tokio::task::spawn_blocking(move || {
            let mut reader = match own {
                Some((reader, _)) => reader,
                None => plan.reader_at(segment * SEGMENT_BYTES)?,
            };
            let data = read_segment(&mut reader)?;
            Ok::<_, SourceError>((reader, data))
        });
        let (reader, data) = read.await.expect("reading does not panic")?;
        self.own = Some((reader, segment + 1));
        Ok(Some(data.into()))
    }
}

/// Reads one segment; the last read of a piece also takes the last look at its files.
fn read_segment(reader: &mut PlanReader) -> Result<Vec<u8>, SourceError> {
    let mut data = Vec::with_capacity(PUT_FRAME_BYTES);
    reader.read_into(&mut data, PUT_FRAME_BYTES)?;
    if reader.is_at_end() {
        reader.read_into(&mut Vec::new(), 1)?;
    }
    Ok(data)
}

/// An earlier read has failed and its error was reported to whoever asked then.
fn gone(plan: &Plan) -> SourceError {
    SourceError::Scratch(std::io::Error::other(format!("an earlier read of {} failed", plan.root())))
}
