//! Peak memory of clients and providers, for a small and for a large file: it must not grow with the file.

use std::path::Path;
use std::time::Instant;

use super::word;
use crate::figure::{Bound, Figure, Unit, mebibytes, size_name};
use crate::floor::COPIES;
use crate::ground::{BenchError, Ground, Networks, Running, finish, peak};

/// The small file. The large one is at least twice as large.
const SMALL_BYTES: u64 = 64 << 20;
/// Limits in MiB.
const CLIENT_MAX: f64 = 64.0;
const PROVIDER_MAX: f64 = 96.0;
/// By how many MiB a peak may differ: a short run does not reach what the timing of threads comes to in a long one, some
/// 10 MiB. Growth with the file would be gigabytes.
const GROWTH_MAX: f64 = 16.0;

/// Peaks in MiB.
struct Peaks {
    put: f64,
    get: f64,
    /// Host and enclave together; of the largest provider.
    provider: f64,
}

pub(super) async fn measure(
    bytes: u64,
    ground: &Ground,
    networks: &impl Networks,
) -> Result<Vec<Figure>, BenchError> {
    let bytes = bytes.max(2 * SMALL_BYTES);
    // The source is removed before the file is fetched, so there is never more than one beside the copies.
    ground.need(bytes.saturating_mul(COPIES as u64 + 1))?;
    let small = peaks(SMALL_BYTES, ground, networks).await?;
    let large = peaks(bytes, ground, networks).await?;
    let sizes = [size_name(SMALL_BYTES), size_name(bytes)];
    let rows = [
        ("client put", small.put, large.put, CLIENT_MAX),
        ("client get", small.get, large.get, CLIENT_MAX),
        ("provider", small.provider, large.provider, PROVIDER_MAX),
    ];
    let mut figures = Vec::new();
    for (who, small, large, max) in rows {
        for (size, value) in sizes.iter().zip([small, large]) {
            figures.push(Figure {
                name: format!("memory/{who} size={size}"),
                value,
                unit: Unit::Mebibytes,
                floor: None,
                bound: Bound::ValueMax(max),
            });
        }
        figures.push(Figure {
            name: format!("memory/{who} growth={}..{}", sizes[0], sizes[1]),
            value: large - small,
            unit: Unit::Mebibytes,
            floor: None,
            bound: Bound::ValueMax(GROWTH_MAX),
        });
    }
    Ok(figures)
}

async fn peaks(bytes: u64, ground: &Ground, networks: &impl Networks) -> Result<Peaks, BenchError> {
    let folder = ground.make_folder("memory")?;
    let network = folder.join("network");
    let running = networks.start(&network).await?;
    let file = ground.content("memory/file", bytes, bytes).await?;
    let proof = folder.join("proof");
    let words = ["put", word(&file)?, "--bundle", word(&proof)?, "--wait", "all"];
    let (put, stored) = watched(ground, &network, &words).await?;
    ground.remove(&file)?;
    let cid = stored.text("/pieces/0/cid")?;
    let fetched = folder.join("fetched");
    let (get, _) = watched(ground, &network, &["get", cid.as_str(), "-o", word(&fetched)?]).await?;
    let gone = || BenchError::Failed { what: "a provider".into(), why: "it has gone".into() };
    let families: Option<Vec<u64>> = running.hosts().into_iter().map(peak::of_family).collect();
    let provider = families.and_then(|peaks| peaks.into_iter().max()).ok_or_else(gone)?;
    drop(running);
    ground.remove_folder(&folder).await?;
    Ok(Peaks { put: mebibytes(put), get: mebibytes(get), provider: mebibytes(provider) })
}

/// Runs a command and answers its peak memory.
async fn watched(
    ground: &Ground,
    network: &Path,
    words: &[&str],
) -> Result<(u64, crate::ground::Finished), BenchError> {
    let started = Instant::now();
    let mut child = ground.spawn(Some(network), words)?;
    let peak = peak::watch(&mut child).await;
    let peak = peak.map_err(|source| BenchError::Process { what: words[0].into(), source })?;
    Ok((peak, finish(words, started, child).await?))
}
