//! The files of a large piece that is still arriving, and what is left of one that was interrupted.
//!
//! The first put of a piece writes under a name that the next one finds; a second put at the same time has a name of its
//! own and leaves nothing. What is left is kept for [`KEEP_PARTIAL`], counts against the quota, and survives a restart. Nothing
//! about it is trusted: only whole blocks are taken over, and every one is checked again before the put goes on.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use holdfast_core::block::BlockId;

use super::files::{self, PARTIAL, Part, Sections};
use super::stream::Stream;
use super::{KEEP_PARTIAL, Shared, Store, lock};
use crate::disk::{DiskFile, remove_if_there};

/// The right to the name of a piece that arrives; whoever comes second at once has none.
pub(super) struct Claim {
    shared: Arc<Shared>,
    cid: BlockId,
    first: bool,
    /// Bytes of the beginning that an interrupted put left. They are not counted while the claim lasts, because they become
    /// part of what is reserved.
    kept: u64,
}

impl Claim {
    pub(super) fn new(store: &Store, cid: BlockId) -> Self {
        let shared = store.shared.clone();
        let mut arriving = lock(&shared.arriving);
        let first = arriving.insert(cid);
        let kept = if first { lock(&shared.partials).remove(&cid).unwrap_or(0) } else { 0 };
        *lock(&shared.used) -= kept;
        drop(arriving);
        Self { shared, cid, first, kept }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.first {
            let shared = &self.shared;
            let mut arriving = lock(&shared.arriving);
            if self.kept > 0 {
                *lock(&shared.used) += self.kept;
                lock(&shared.partials).insert(self.cid, self.kept);
            }
            arriving.remove(&self.cid);
        }
    }
}

/// The two files of a piece that arrives.
pub(super) struct Partial {
    shared: Arc<Shared>,
    cid: BlockId,
    claim: Claim,
    copy: Option<u64>,
    data: Box<dyn DiskFile>,
    /// What writes to `data`, from the first byte that arrives.
    stream: Option<Stream>,
    outboard: Box<dyn DiskFile>,
    outboard_bytes: u64,
    found: u64,
    keep: bool,
}

impl Partial {
    pub(super) fn open(mut claim: Claim) -> io::Result<Self> {
        let (shared, cid) = (claim.shared.clone(), claim.cid);
        let copy = (!claim.first).then(|| shared.drafts.fetch_add(1, Ordering::Relaxed));
        let (data, outboard) = open_files(&shared, &cid, copy)?;
        let found = data.bytes()?;
        claim.kept = 0; // it is part of this now
        Ok(Self {
            shared,
            cid,
            claim,
            copy,
            found,
            data,
            stream: None,
            outboard,
            outboard_bytes: 0,
            keep: false,
        })
    }

    pub(super) fn cid(&self) -> &BlockId {
        &self.cid
    }

    /// Sets room aside for all of the piece.
    pub(super) fn reserve(&self, announced: u64) -> io::Result<()> {
        self.data.reserve(announced)
    }

    /// Cuts what an interrupted put left behind its last whole block, and says how many bytes that leaves. Nobody could
    /// check the rest, and whoever sent it may have spoilt it to have the next put of this piece refused.
    pub(super) fn cut_to_blocks(&mut self, announced: u64) -> io::Result<u64> {
        let data = &self.data;
        let read = |offset: u64, buffer: &mut [u8]| data.read_at(offset, buffer);
        let mut end = 0;
        for placed in Sections::new(self.found.min(announced), read)? {
            let placed = placed?;
            end = placed.offset + u64::from(placed.bytes);
        }
        if end < self.found {
            self.data.set_bytes(end)?;
            self.found = end;
        }
        Ok(end)
    }

    pub(super) fn path(&self, part: Part) -> String {
        files::partial(&self.cid, self.copy, part)
    }

    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.data.read_at(offset, buffer)
    }

    /// Writes the bytes behind the first `received`.
    pub(super) fn write(&mut self, received: u64, data: &[u8]) -> io::Result<()> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let path = files::partial(&self.cid, self.copy, Part::Data);
                none.insert(Stream::open(&*self.shared.disk, &path, &*self.data, received)?)
            }
        };
        stream.write(data)
    }

    pub(super) fn write_outboard(&mut self, entries: &[u8]) -> io::Result<()> {
        self.outboard.write_at(self.outboard_bytes, entries)?;
        self.outboard_bytes += entries.len() as u64;
        Ok(())
    }

    /// Forgets what is here.
    pub(super) fn restart(&mut self) -> io::Result<()> {
        (self.outboard_bytes, self.found) = (0, 0);
        self.data.set_bytes(0)?;
        self.outboard.set_bytes(0)
    }

    /// The writing that can be done beside.
    pub(super) fn write_beside(&self) -> Option<impl FnOnce() + Send + 'static> {
        self.stream.as_ref()?.beside()
    }

    /// Makes both files durable, the piece cut to its first `received` bytes.
    pub(super) fn sync(&mut self, received: u64) -> io::Result<()> {
        self.sync_data(received)?;
        self.outboard.sync()
    }

    fn sync_data(&mut self, received: u64) -> io::Result<()> {
        if let Some(stream) = &mut self.stream {
            stream.finish(&*self.data)?;
        }
        self.data.set_bytes(received)?;
        self.data.sync()
    }

    /// Leaves what was found as it was.
    pub(super) fn leave(&mut self) {
        if self.claim.first {
            self.claim.kept = self.found;
            self.keep = true;
        }
    }

    /// Leaves the first `received` bytes for the next put.
    pub(super) fn keep(mut self, received: u64) -> io::Result<()> {
        if self.copy.is_some() {
            return Ok(());
        }
        self.sync_data(received)?;
        self.shared.disk.sync_folder(PARTIAL)?;
        self.claim.kept = received;
        self.keep = true;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let shared = &self.shared;
        // After publishing, neither name is there.
        for part in Part::ALL {
            if self.keep && part == Part::Data {
                continue;
            }
            if let Err(error) = remove_if_there(&*shared.disk, &self.path(part)) {
                tracing::warn!(%error, cid = %self.cid, "could not remove an unfinished piece");
            }
        }
    }
}

type Files = (Box<dyn DiskFile>, Box<dyn DiskFile>);

fn open_files(shared: &Shared, cid: &BlockId, copy: Option<u64>) -> io::Result<Files> {
    let (data, outboard) = (files::partial(cid, copy, Part::Data), files::partial(cid, copy, Part::Outboard));
    remove_if_there(&*shared.disk, &outboard)?;
    let data = match shared.disk.open(&data) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => shared.disk.create(&data)?,
        opened => opened?,
    };
    Ok((data, shared.disk.create(&outboard)?))
}

impl Store {
    /// Removes what interrupted puts left more than [`KEEP_PARTIAL`] ago. A node calls it every minute.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn expire_partials(&self) -> io::Result<()> {
        let shared = &self.shared;
        for entry in shared.disk.list(PARTIAL)? {
            let Some(cid) = files::parse_partial(&entry.name) else { continue };
            // The lock keeps a put of this piece from starting meanwhile.
            let arriving = lock(&shared.arriving);
            if entry.age >= KEEP_PARTIAL && !arriving.contains(&cid) {
                let mut used = lock(&shared.used);
                *used -= lock(&shared.partials).remove(&cid).unwrap_or(0);
                remove_if_there(&*shared.disk, &format!("{PARTIAL}/{}", entry.name))?;
            }
        }
        Ok(())
    }
}
