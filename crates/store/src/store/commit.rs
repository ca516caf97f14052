//! Group commit: whatever waits becomes durable with one sync of the log and one commit of the index.

use std::collections::VecDeque;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use holdfast_core::block::BlockId;
use holdfast_core::id::PieceRoot;

use super::files;
use super::{CommitError, ReadError, Shared, Store, lock};
use crate::disk::{DiskFile, remove_if_there};
use crate::index::{Applied, Place};
use crate::log::{Key, SEGMENT_BYTES, SEGMENT_HEAD_BYTES};

/// Bytes of one group, beyond which the rest waits for the next: more would only wait longer.
const GROUP_BYTES: usize = 4 << 20;
/// Bytes of log between two checkpoints of the index: what a start reads again at most.
const CHECKPOINT_BYTES: u64 = 8 << 20;

/// How long a change waits that nobody waits for, and how many of them wait.
const LAZY: Duration = Duration::from_millis(20);
const LAZY_MAX: usize = 1024;

mod change;
mod resolve;

pub(super) use change::{Addition, Change, Synced};
use resolve::Touched;

/// Called once the change is durable, or is not.
pub(super) type Done = Box<dyn FnOnce(Result<(), CommitError>) + Send>;

#[derive(Default)]
pub(super) struct Queue {
    waiting: VecDeque<(Change, Done)>,
    /// Whether somebody waits for one of them.
    urgent: bool,
    closed: bool,
}

/// The end of the log.
pub(super) struct Writer {
    pub(super) segment: u32,
    pub(super) key: Key,
    /// None before the first write, and after a failed one: then a new segment is begun.
    pub(super) file: Option<Box<dyn DiskFile>>,
    pub(super) end: u64,
    pub(super) since_checkpoint: u64,
    pub(super) stopped: bool,
}

impl Writer {
    /// How far the log goes.
    pub(super) fn applied(&self) -> Applied {
        Applied { segment: self.segment, offset: self.end }
    }
}

impl Store {
    /// Queues a change.
    pub(super) fn submit(&self, change: Change, done: Done) {
        let mut queue = lock(&self.shared.queue);
        queue.waiting.push_back((change, done));
        queue.urgent = true;
        drop(queue);
        self.shared.wake.notify_one();
    }

    /// Queues a change that nobody waits for.
    pub(super) fn submit_lazily(&self, change: Change) {
        let done = |result: Result<(), CommitError>| {
            if let Err(error) = result {
                tracing::warn!(error = &error as &dyn std::error::Error, "something was not kept");
            }
        };
        let mut queue = lock(&self.shared.queue);
        queue.waiting.push_back((change, Box::new(done)));
        let full = queue.waiting.len() >= LAZY_MAX;
        queue.urgent |= full;
        drop(queue);
        if full {
            self.shared.wake.notify_one();
        }
    }

    /// Makes durable what waits, where no thread does so.
    pub fn commit(&self) {
        self.shared.commit_all();
    }

    /// Submits changes and waits for all of them.
    pub(super) fn settle_all(&self, changes: Vec<Change>) -> Result<(), CommitError> {
        let (sender, receiver) = std::sync::mpsc::channel();
        for change in changes {
            let sender = sender.clone();
            self.submit(change, Box::new(move |result| drop(sender.send(result))));
        }
        drop(sender);
        if self._committer.is_none() {
            self.commit();
        }
        receiver.into_iter().collect()
    }

    /// Submits a change and waits for it.
    pub(super) fn settle(&self, change: Change) -> Result<(), CommitError> {
        let (sender, receiver) = std::sync::mpsc::channel();
        self.submit(change, Box::new(move |result| drop(sender.send(result))));
        if self._committer.is_none() {
            self.commit();
        }
        receiver.recv().unwrap_or(Err(CommitError::Stopped))
    }
}

/// A thread that commits.
pub(super) struct Committer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Committer {
    pub(super) fn start(shared: &Arc<Shared>) -> io::Result<Self> {
        let worker = shared.clone();
        let thread = std::thread::Builder::new().name("store-commit".into()).spawn(move || {
            loop {
                let mut queue = lock(&worker.queue);
                while !queue.urgent && !queue.closed {
                    let (guard, timeout) =
                        worker.wake.wait_timeout(queue, LAZY).unwrap_or_else(PoisonError::into_inner);
                    queue = guard;
                    queue.urgent |= timeout.timed_out() && !queue.waiting.is_empty();
                }
                let closed = queue.closed && queue.waiting.is_empty();
                drop(queue);
                if closed {
                    return worker.checkpoint();
                }
                // The database may panic over a damaged page. Whoever waits then learns that nothing more is written.
                if panic::catch_unwind(AssertUnwindSafe(|| worker.commit_all())).is_err() {
                    tracing::error!("the store failed; nothing more is written until the next start");
                    lock(&worker.writer).stopped = true;
                }
            }
        })?;
        Ok(Self { shared: shared.clone(), thread: Some(thread) })
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        lock(&self.shared.queue).closed = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that commits has panicked");
        }
    }
}

/// What a change became in the log.
struct Logged {
    change: Change,
    /// Places of its records; a piece and its promise are two.
    places: Vec<Place>,
}

impl Shared {
    /// Commits until nothing waits.
    fn commit_all(&self) {
        let mut writer = lock(&self.writer);
        loop {
            let mut group = Vec::new();
            let mut bytes = 0;
            let mut queue = lock(&self.queue);
            while bytes < GROUP_BYTES {
                let Some((change, done)) = queue.waiting.pop_front() else { break };
                bytes += change.bytes();
                group.push((change, done));
            }
            if queue.waiting.is_empty() {
                queue.urgent = false;
            }
            drop(queue);
            if group.is_empty() {
                return;
            }
            self.commit_group(&mut writer, group);
        }
    }

    fn commit_group(&self, writer: &mut Writer, group: Vec<(Change, Done)>) {
        let (mut logged, mut answers) = (Vec::new(), Vec::new());
        // What comes to nothing may do so because of a change before it in the group, and hears what becomes of that.
        let mut followers = Vec::new();
        let mut buffer = Vec::new();
        let begun = if writer.stopped { Err(CommitError::Stopped) } else { self.begin(writer) };
        let mut touched = Touched::default();
        for (change, done) in group {
            let change = match self.resolve(change, &mut touched) {
                Ok(Some(change)) => change,
                Ok(None) => {
                    followers.push(done);
                    continue;
                }
                Err(error) => {
                    done(Err(error));
                    continue;
                }
            };
            match begun.clone().and_then(|()| self.admit(&change)) {
                Ok(()) => {
                    let places = change.append(writer, &mut buffer);
                    logged.push(Logged { change, places });
                    answers.push(done);
                }
                Err(error) => {
                    touched.forget(&change);
                    self.undo(change);
                    done(Err(error));
                }
            }
        }
        let result = match logged.is_empty() {
            true => Ok(()),
            false => self.write(writer, &buffer).and_then(|()| {
                logged.iter_mut().for_each(|logged| logged.change.tell_synced());
                self.show(writer, &logged)
            }),
        };
        for (Logged { change, .. }, done) in logged.into_iter().zip(answers) {
            match &result {
                Ok(()) => self.account(change),
                Err(_) => self.undo(change),
            }
            done(result.clone());
        }
        for done in followers {
            done(result.clone());
        }
    }

    /// Sees to a segment that has room.
    fn begin(&self, writer: &mut Writer) -> Result<(), CommitError> {
        if writer.file.is_some() && writer.end < SEGMENT_BYTES {
            return Ok(());
        }
        let begin = || -> io::Result<_> {
            let (number, key) = (writer.segment + 1, (self.options.draw_key)()?);
            let file = self.disk.create(&files::segment(number))?;
            file.write_at(0, &crate::log::segment_head(&key))?;
            file.sync()?;
            self.disk.sync_folder(files::LOG)?;
            Ok((number, key, file))
        };
        let begun = begin();
        if begun.is_err() {
            writer.segment += 1; // its name may be taken now
            let name = files::segment(writer.segment);
            if let Err(error) = remove_if_there(&*self.disk, &name) {
                tracing::warn!(%error, name, "could not remove a segment that was never begun");
            }
        }
        let (segment, key, file) = begun.map_err(|error| CommitError::Log(Arc::new(error)))?;
        (writer.segment, writer.key, writer.file, writer.end) =
            (segment, key, Some(file), SEGMENT_HEAD_BYTES);
        Ok(())
    }

    fn write(&self, writer: &mut Writer, buffer: &[u8]) -> Result<(), CommitError> {
        let file = writer.file.as_ref().expect("a segment was begun");
        let written = file.write_at(writer.end, buffer).and_then(|()| file.sync());
        if let Err(error) = written {
            // Nobody knows what of it is durable. What is will be found by the next start; new records go elsewhere.
            if let Err(error) = file.set_bytes(writer.end) {
                tracing::warn!(%error, "could not cut a segment");
            }
            writer.file = None;
            tracing::error!(%error, "could not write the log");
            return Err(CommitError::Log(Arc::new(error)));
        }
        writer.end += buffer.len() as u64;
        writer.since_checkpoint += buffer.len() as u64;
        Ok(())
    }

    /// Brings the index up to the log.
    fn show(&self, writer: &mut Writer, logged: &[Logged]) -> Result<(), CommitError> {
        let applied = writer.applied();
        let checkpoint = writer.since_checkpoint >= CHECKPOINT_BYTES;
        let shown = self.index.apply(applied, checkpoint, |changes| {
            logged.iter().try_for_each(|Logged { change, places }| change.show(places, changes))
        });
        match shown {
            Ok(()) => {
                if checkpoint {
                    writer.since_checkpoint = 0;
                }
                Ok(())
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the index failed");
                writer.stopped = true;
                Err(CommitError::Index(Arc::new(error)))
            }
        }
    }

    /// Makes the index durable as it is, so that the next start reads nothing again.
    fn checkpoint(&self) {
        let writer = lock(&self.writer);
        if writer.stopped || writer.since_checkpoint == 0 {
            return;
        }
        if let Err(error) = self.index.apply(writer.applied(), true, |_| Ok(())) {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "no last checkpoint; the next start takes longer"
            );
        }
    }

    /// What a durable change means for the figures.
    fn account(&self, change: Change) {
        if let Change::Add(addition) = change {
            addition.reserved.become_held(addition.checked.bytes, addition.before);
        }
    }

    /// A change that did not happen leaves nothing.
    fn undo(&self, change: Change) {
        if let Change::Add(Addition { cid, checked, content: None, .. }) = change {
            self.remove_unfinished(&cid, &checked.root);
        }
    }

    /// Removes the files of a large piece that is not in the index. The caller keeps others from committing meanwhile.
    pub(super) fn remove_unfinished(&self, cid: &BlockId, root: &PieceRoot) {
        if matches!(self.index.piece(cid), Ok(None))
            && let Err(error) = files::remove_own(&*self.disk, root)
        {
            tracing::error!(%error, root = %root.short(), "could not remove a piece that was never finished");
        }
    }
}
