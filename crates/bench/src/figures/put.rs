//! `put` of a large file by a cold client process, to four providers that all sync and sign.

use super::word;
use crate::figure::{Bound, Figure, Unit, size_name};
use crate::floor::{COPIES, Job};
use crate::ground::{BenchError, Ground, Networks};
use crate::runner::{Medians, alternate};

pub(super) async fn measure(
    bytes: u64,
    ground: &Ground,
    networks: &impl Networks,
) -> Result<Vec<Figure>, BenchError> {
    let copies = COPIES as u64;
    ground.need(bytes.saturating_mul(copies * (ground.runs as u64 + 1) + 1))?;
    let folder = ground.make_folder("put")?;
    let network = folder.join("network");
    let running = networks.start(&network).await?;
    let floor = async |run: usize| {
        // Every run stores another file: a piece that a provider holds already is not sent again.
        let file = ground.content("put/file", bytes, run as u64).await?;
        ground.floor_seconds(&Job::Put { file, folder: folder.clone() }).await
    };
    let ours = async |_| {
        let (file, proof) = (folder.join("file"), folder.join("file.proof"));
        let words = ["put", word(&file)?, "--bundle", word(&proof)?, "--wait", "all"];
        let seconds = ground.command(Some(&network), &words).await?.seconds;
        ground.remove(&proof)?;
        ground.remove(&file)?;
        Ok(seconds)
    };
    let Medians { floor, ours } = alternate(ground.runs, floor, ours).await?;
    drop(running);
    ground.remove_folder(&folder).await?;
    Ok(vec![Figure {
        name: format!("put/size={} copies={COPIES} cache=warm", size_name(bytes)),
        value: ours,
        unit: Unit::Seconds,
        floor: Some(floor),
        bound: Bound::RatioMax(2.0),
    }])
}
