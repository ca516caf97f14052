//! Each part of the floors alone, so that a floor can be understood: which part bounds it, and by how much.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use holdfast_store::disk::Aligned;
use sha2::{Digest, Sha256};

use super::direct::Writer;
use super::verify::Signed;
use super::{FloorError, Part, SEGMENT_BYTES, join, verify, wire};
use crate::figure::{Unit, mebibytes};
use crate::runner::median;

/// Bytes moved or hashed: a fraction of a second each.
const BYTES: u64 = 256 << 20;
const BLOCK_BYTES: usize = 1 << 20;
/// Repetitions of what takes microseconds or milliseconds.
const ROUNDS: usize = 51;

pub(super) fn run(folder: &Path) -> Result<Vec<Part>, FloorError> {
    let segment = vec![0xa5; SEGMENT_BYTES];
    let each = || 0..BYTES / SEGMENT_BYTES as u64;
    let mut parts = Vec::new();
    let mut rate = |name: &str, measure: &mut dyn FnMut() -> Result<(), FloorError>| {
        let started = Instant::now();
        measure()?;
        let value = mebibytes(BYTES) / started.elapsed().as_secs_f64();
        parts.push(Part { name: name.into(), value, unit: Unit::MebibytesPerSecond });
        Ok::<_, FloorError>(())
    };
    rate("SHA-256", &mut || {
        let mut hasher = Sha256::new();
        each().for_each(|_| hasher.update(&segment));
        std::hint::black_box(hasher.finalize());
        Ok(())
    })?;
    rate("BLAKE3", &mut || {
        let mut hasher = blake3::Hasher::new();
        each().for_each(|_| {
            hasher.update(&segment);
        });
        std::hint::black_box(hasher.finalize());
        Ok(())
    })?;
    rate("TCP over loopback", &mut || tcp(&segment))?;
    rate("TCP with TLS, AES-128-GCM", &mut || tls(&segment))?;
    let path = folder.join("floor-part");
    rate("write to the page cache", &mut || {
        let mut file = File::create_new(&path)?;
        each().try_for_each(|_| file.write_all(&segment))?;
        Ok(())
    })?;
    rate("fdatasync of that", &mut || Ok(OpenOptions::new().write(true).open(&path)?.sync_data()?))?;
    fs::remove_file(&path)?;
    rate("write past the page cache, fdatasync", &mut || {
        let mut writer = Writer::create(&path, BYTES)?;
        let mut block = Aligned::new(BLOCK_BYTES);
        block.advance(BLOCK_BYTES);
        for _ in 0..BYTES / BLOCK_BYTES as u64 {
            writer.write(&block)?;
        }
        Ok(writer.finish()?)
    })?;
    fs::remove_file(&path)?;

    let mut time = |name: &str, measure: &mut dyn FnMut() -> Result<(), FloorError>| {
        let mut once = || {
            let started = Instant::now();
            measure()?;
            Ok::<_, FloorError>(started.elapsed().as_secs_f64() * 1e6)
        };
        let value = median((0..ROUNDS).map(|_| once()).collect::<Result<_, _>>()?);
        parts.push(Part { name: name.into(), value, unit: Unit::Microseconds });
        Ok::<_, FloorError>(())
    };
    let mut file = OpenOptions::new().append(true).create_new(true).open(&path)?;
    time("append a byte, fdatasync", &mut || {
        file.write_all(&[1])?;
        Ok(file.sync_data()?)
    })?;
    fs::remove_file(&path)?;
    let signed = Signed::new()?;
    time("BLS signature", &mut || {
        std::hint::black_box(signed.sign());
        Ok(())
    })?;
    let check = verify::run(ROUNDS)? * 1e6;
    parts.push(Part { name: "BLS check".into(), value: check, unit: Unit::Microseconds });
    Ok(parts)
}

fn tcp(segment: &[u8]) -> Result<(), FloorError> {
    let (mut near, mut far) = wire::tcp_pair()?;
    std::thread::scope(|scope| {
        let sender =
            scope.spawn(move || (0..BYTES / segment.len() as u64).try_for_each(|_| near.write_all(segment)));
        let received = drain(|buffer| wire::fill(&mut far, buffer));
        join(sender)?;
        received
    })
}

fn tls(segment: &[u8]) -> Result<(), FloorError> {
    let (mut near, mut far) = wire::pair()?;
    std::thread::scope(|scope| {
        let sender = scope.spawn(move || {
            (0..BYTES / segment.len() as u64).try_for_each(|_| near.send(segment))?;
            near.finish()
        });
        let received = drain(|buffer| far.fill(buffer));
        join(sender)?;
        received
    })
}

/// Takes everything.
fn drain(mut fill: impl FnMut(&mut [u8]) -> std::io::Result<usize>) -> Result<(), FloorError> {
    let mut buffer = vec![0; SEGMENT_BYTES];
    let mut got = 0;
    loop {
        let filled = fill(&mut buffer)?;
        got += filled as u64;
        if filled < buffer.len() {
            break;
        }
    }
    if got == BYTES { Ok(()) } else { Err(FloorError::Short { got, expected: BYTES }) }
}
