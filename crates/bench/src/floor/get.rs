//! Fetching a file: encrypted over TCP, hashed, and written without waiting for the disk.
//!
//! Two connections carry half of the file each, as a fetch from several providers does, so that both processors
//! work: of each, one thread reads and sends, and one receives, hashes and writes while the data is in the cache.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use sha2::{Digest, Sha256};

use super::{FloorError, SEGMENT_BYTES, join, wire};

const CONNECTIONS: u64 = 2;
/// As much as ours writes at once: the page cache finds room for it sooner than for more.
const WRITE_BYTES: usize = 128 << 10;
/// A leaf: blocks are hashed one by one.
const LEAF_BYTES: u64 = 1 << 20;

/// Seconds from the first read to the last write.
pub(super) fn run(file: &Path, folder: &Path) -> Result<f64, FloorError> {
    let bytes = fs::metadata(file)?.len();
    let links = (0..CONNECTIONS).map(|_| wire::pair()).collect::<Result<Vec<_>, _>>()?;
    let path = folder.join("floor-fetched");
    let started = Instant::now();
    let source = File::open(file)?;
    let target = File::create_new(&path)?;
    let half = bytes.div_ceil(LEAF_BYTES).div_ceil(CONNECTIONS) * LEAF_BYTES;
    let fetched = std::thread::scope(|scope| {
        let (source, target) = (&source, &target);
        let mut threads = Vec::new();
        for ((near, far), index) in links.into_iter().zip(0..) {
            let (start, end) = ((index * half).min(bytes), ((index + 1) * half).min(bytes));
            threads.push(scope.spawn(move || send(near, source, start, end)));
            threads.push(scope.spawn(move || receive(far, target, start, end)));
        }
        let done: Vec<_> = threads.into_iter().map(join).collect();
        done.into_iter().collect::<Result<(), _>>()
    });
    let seconds = started.elapsed().as_secs_f64();
    fs::remove_file(&path)?;
    fetched.map(|()| seconds)
}

/// A provider: its data is in the page cache.
fn send(mut link: wire::Sender, source: &File, start: u64, end: u64) -> Result<(), FloorError> {
    let mut segment = vec![0; SEGMENT_BYTES];
    let mut at = start;
    while at < end {
        let bytes = segment.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
        source.read_exact_at(&mut segment[..bytes], at)?;
        link.send(&segment[..bytes])?;
        at += bytes as u64;
    }
    Ok(link.finish()?)
}

/// The client.
fn receive(mut link: wire::Receiver, target: &File, start: u64, end: u64) -> Result<(), FloorError> {
    let mut segment = vec![0; SEGMENT_BYTES];
    let mut at = start;
    let mut sha256 = Sha256::new();
    loop {
        let bytes = link.fill(&mut segment)?;
        sha256.update(&segment[..bytes]);
        for part in segment[..bytes].chunks(WRITE_BYTES) {
            target.write_all_at(part, at)?;
            at += part.len() as u64;
        }
        if (at - start).is_multiple_of(LEAF_BYTES) {
            std::hint::black_box(sha256.finalize_reset());
        }
        if bytes < segment.len() {
            break;
        }
    }
    std::hint::black_box(sha256.finalize());
    if at == end { Ok(()) } else { Err(FloorError::Short { got: at - start, expected: end - start }) }
}
