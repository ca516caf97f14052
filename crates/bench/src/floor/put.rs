//! Storing a file in four copies.
//!
//! ```text
//! read, SHA-256 ─► send (AES-GCM, TCP) ─► receive, SHA-256, BLAKE3 ─► write past the page cache, fdatasync
//!   one thread         one per copy             one per copy                   one per copy
//! ```
//!
//! The client hashes once, for the CID; every provider hashes what arrives, for the CIDs and for the piece root.
//! Bounded channels lie between the stages. Hashes run where the data is still in the cache.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use holdfast_store::disk::Aligned;
use sha2::{Digest, Sha256};

use super::direct::Writer;
use super::{COPIES, FloorError, SEGMENT_BYTES, join, wire};

/// Segments waiting for one sender: enough that one that waits does not hold up the others at once.
const SEGMENTS_MAX: usize = 8;
/// Bytes written at once: large enough for the full speed of a disk.
const BLOCK_BYTES: usize = 1 << 20;
/// Blocks of one copy: one is filled while two are on their way to the disk.
const BLOCKS_MAX: usize = 3;

/// Seconds from the first read to the last sync.
pub(super) fn run(file: &Path, folder: &Path) -> Result<f64, FloorError> {
    let bytes = fs::metadata(file)?.len();
    let links = (0..COPIES).map(|_| wire::pair()).collect::<Result<Vec<_>, _>>()?;
    let paths: Vec<_> = (0..COPIES).map(|copy| folder.join(format!("floor-copy-{copy}"))).collect();
    let started = Instant::now();
    let digests = std::thread::scope(|scope| {
        let (mut feeds, mut senders, mut receivers) = (Vec::new(), Vec::new(), Vec::new());
        for ((near, far), path) in links.into_iter().zip(&paths) {
            let (feed, segments) = sync_channel(SEGMENTS_MAX);
            feeds.push(feed);
            senders.push(scope.spawn(move || send(near, &segments)));
            receivers.push(scope.spawn(move || receive(far, path, bytes)));
        }
        let read = scope.spawn(move || read(file, &feeds));
        let sent = join(read).and_then(|digest| {
            senders.into_iter().try_for_each(join)?;
            Ok(digest)
        });
        let received: Vec<_> = receivers.into_iter().map(join).collect();
        let received = received.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok::<_, FloorError>((sent?, received))
    });
    let seconds = started.elapsed().as_secs_f64();
    for path in &paths {
        fs::remove_file(path)?;
    }
    let (sent, received) = digests?;
    let same = received.iter().all(|(sha256, root)| *sha256 == sent && *root == received[0].1);
    if same { Ok(seconds) } else { Err(FloorError::Different) }
}

/// The client's one pass over the file.
fn read(file: &Path, feeds: &[SyncSender<Arc<Vec<u8>>>]) -> Result<[u8; 32], FloorError> {
    let mut file = File::open(file)?;
    let mut sha256 = Sha256::new();
    let mut sent = VecDeque::<Arc<Vec<u8>>>::new();
    loop {
        // The oldest segment serves again once every sender is done with it.
        let spare = sent.pop_front_if(|oldest| Arc::strong_count(oldest) == 1);
        let mut segment = spare.and_then(Arc::into_inner).unwrap_or_default();
        segment.resize(SEGMENT_BYTES, 0);
        let filled = wire::fill(&mut file, &mut segment)?;
        if filled == 0 {
            return Ok(sha256.finalize().into());
        }
        segment.truncate(filled);
        sha256.update(&segment);
        let segment = Arc::new(segment);
        for feed in feeds {
            let _ = feed.send(segment.clone()); // a sender that failed says so itself
        }
        sent.push_back(segment);
    }
}

fn send(mut link: wire::Sender, segments: &Receiver<Arc<Vec<u8>>>) -> Result<(), FloorError> {
    for segment in segments {
        link.send(&segment)?;
    }
    Ok(link.finish()?)
}

/// A provider: hashes what arrives and makes it durable.
fn receive(
    mut link: wire::Receiver,
    path: &Path,
    bytes: u64,
) -> Result<([u8; 32], blake3::Hash), FloorError> {
    std::thread::scope(|scope| {
        let (full, to_write) = sync_channel::<Aligned>(BLOCKS_MAX);
        let (empty, to_fill) = sync_channel(BLOCKS_MAX);
        for _ in 0..BLOCKS_MAX {
            let _ = empty.send(Aligned::new(BLOCK_BYTES)); // its receiver stands above
        }
        let writer = scope.spawn(move || {
            let mut file = Writer::create(path, bytes)?;
            for mut block in to_write {
                file.write(&block)?;
                block.clear();
                let _ = empty.send(block); // everything may have arrived
            }
            file.finish()
        });
        let (mut sha256, mut root, mut got) = (Sha256::new(), blake3::Hasher::new(), 0);
        for mut block in to_fill {
            let mut filled = 0;
            for segment in block.space().chunks_mut(SEGMENT_BYTES) {
                let count = link.fill(segment)?;
                sha256.update(&segment[..count]);
                root.update(&segment[..count]);
                filled += count;
                if count < segment.len() {
                    break;
                }
            }
            got += filled as u64;
            block.advance(filled);
            if full.send(block).is_err() || filled < BLOCK_BYTES {
                break; // the writer failed and says why, or everything is here
            }
        }
        drop(full);
        join(writer)?;
        if got == bytes {
            Ok((sha256.finalize().into(), root.finalize()))
        } else {
            Err(FloorError::Short { got, expected: bytes })
        }
    })
}
