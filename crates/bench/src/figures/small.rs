//! Small pieces: one byte at a time, by a connected client and by cold processes, and many pieces of 4 KiB at once.

use std::path::{Path, PathBuf};
use std::time::Instant;

use tokio::task::JoinSet;

use super::word;
use crate::client::Client;
use crate::figure::{Bound, Figure, Unit};
use crate::floor::Job;
use crate::ground::{BenchError, Ground, Networks, blocking};
use crate::runner::{Medians, alternate, median};

/// Pieces of one byte that a connected client stores, over all runs. There are 256 different ones.
const BYTES_CONNECTED: usize = 200;
/// And that cold processes store.
const BYTES_COLD: usize = 50;
/// Limit of a cold command, in milliseconds.
const COLD_MAX: f64 = 60.0;

/// Bytes of a small piece's file.
const PIECE_BYTES: usize = 4 << 10;
/// Pieces under way at once: enough that every provider always has some waiting for the next sync.
const IN_FLIGHT: usize = 64;
/// What must be certified, in pieces per second.
const RATE_MIN: f64 = 400.0;

pub(super) async fn measure(
    pieces: usize,
    ground: &Ground,
    networks: &impl Networks,
) -> Result<Vec<Figure>, BenchError> {
    ground.need(pieces.saturating_mul(ground.runs * PIECE_BYTES * 16) as u64)?;
    let folder = ground.make_folder("small")?;
    let network = folder.join("network");
    let running = networks.start(&network).await?;
    let client = Client::connect(&network, &folder).await?;
    let figures = vec![
        connected(&client, ground, &folder).await?,
        cold(&network, ground, &folder).await?,
        many(&client, pieces, ground).await?,
    ];
    drop(running);
    ground.remove_folder(&folder).await?;
    Ok(figures)
}

/// One byte by a client whose connections are open: no two the same.
async fn connected(client: &Client, ground: &Ground, folder: &Path) -> Result<Figure, BenchError> {
    let runs = ground.runs.min(BYTES_CONNECTED);
    let each = BYTES_CONNECTED / runs;
    let job = Job::Small { folder: folder.to_owned(), rounds: each };
    let floor = async |_| Ok(ground.floor_seconds(&job).await? * 1e3);
    let ours = async |run: usize| {
        client.follow().await?;
        let mut times = Vec::new();
        for number in run * each..(run + 1) * each {
            let file = byte(ground, number)?;
            let started = Instant::now();
            client.put(file).await?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
        Ok(median(times))
    };
    let Medians { floor, ours } = alternate(runs, floor, ours).await?;
    Ok(Figure {
        name: "small/size=1B client=connected".into(),
        value: ours,
        unit: Unit::Milliseconds,
        floor: Some(floor),
        bound: Bound::RatioMax(3.0),
    })
}

/// One byte by a process that starts, loads the network, connects, stores and ends.
async fn cold(network: &Path, ground: &Ground, folder: &Path) -> Result<Figure, BenchError> {
    let mut times = Vec::new();
    for number in BYTES_CONNECTED..BYTES_CONNECTED + BYTES_COLD {
        let (file, proof) = (byte(ground, number)?, folder.join("proof"));
        let words = ["put", word(&file)?, "--bundle", word(&proof)?];
        times.push(ground.command(Some(network), &words).await?.seconds * 1e3);
        ground.remove(&proof)?;
    }
    Ok(Figure {
        name: "small/size=1B client=cold".into(),
        value: median(times),
        unit: Unit::Milliseconds,
        floor: None,
        bound: Bound::ValueMax(COLD_MAX),
    })
}

/// Writes the file with this one byte.
fn byte(ground: &Ground, number: usize) -> Result<PathBuf, BenchError> {
    let path = ground.path("small/byte");
    let content = [u8::try_from(number).expect("fewer than 256 are stored")];
    std::fs::write(&path, content).map_err(|source| BenchError::File { path: path.clone(), source })?;
    Ok(path)
}

/// Many pieces by one connected client, so many at once.
async fn many(client: &Client, pieces: usize, ground: &Ground) -> Result<Figure, BenchError> {
    let mut rates = Vec::new();
    for run in 0..ground.runs {
        rates.push(rate(client, pieces, run, ground).await?);
    }
    Ok(Figure {
        name: format!("small/size=4KiB pieces={pieces} in_flight={IN_FLIGHT}"),
        value: median(rates),
        unit: Unit::PiecesPerSecond,
        floor: None,
        bound: Bound::ValueMin(RATE_MIN),
    })
}

/// Pieces per second of one run; no two runs store the same.
async fn rate(client: &Client, pieces: usize, run: usize, ground: &Ground) -> Result<f64, BenchError> {
    let folder = ground.make_folder("small/files")?;
    let files = {
        let folder = folder.clone();
        blocking(move || write_files(&folder, pieces, run)).await?
    };
    client.follow().await?;
    let started = Instant::now();
    let mut under_way = JoinSet::new();
    for file in files {
        if under_way.len() == IN_FLIGHT {
            settle(&mut under_way).await?;
        }
        let client = client.clone();
        under_way.spawn(async move { client.put(file).await });
    }
    while !under_way.is_empty() {
        settle(&mut under_way).await?;
    }
    let seconds = started.elapsed().as_secs_f64();
    ground.remove_folder(&folder).await?;
    Ok(u32::try_from(pieces).map_or(f64::INFINITY, f64::from) / seconds)
}

/// Waits until one more is certified.
async fn settle(under_way: &mut JoinSet<Result<(), BenchError>>) -> Result<(), BenchError> {
    match under_way.join_next().await {
        Some(Ok(stored)) => stored,
        Some(Err(error)) => Err(BenchError::Put(error.to_string())),
        None => Ok(()),
    }
}

fn write_files(folder: &Path, pieces: usize, run: usize) -> Result<Vec<PathBuf>, BenchError> {
    let mut stream = blake3::Hasher::new().update(&run.to_le_bytes()).finalize_xof();
    let mut content = [0; PIECE_BYTES];
    let mut files = Vec::new();
    for number in 0..pieces {
        let path = folder.join(number.to_string());
        stream.fill(&mut content);
        std::fs::write(&path, content).map_err(|source| BenchError::File { path: path.clone(), source })?;
        files.push(path);
    }
    Ok(files)
}
