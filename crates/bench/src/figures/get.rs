//! `get` of a large file by a cold client process that checks every block, into a new folder. Providers have the
//! data in the page cache.

use super::word;
use crate::figure::{Bound, Figure, Unit, mebibytes, size_name};
use crate::floor::{COPIES, Job};
use crate::ground::{BenchError, Ground, Networks};
use crate::runner::{Medians, alternate};

/// What a single transfer must reach, whatever its floor, in MiB/s.
const RATE_MIN: f64 = 350.0;

pub(super) async fn measure(
    bytes: u64,
    ground: &Ground,
    networks: &impl Networks,
) -> Result<Vec<Figure>, BenchError> {
    ground.need(bytes.saturating_mul(COPIES as u64 + 2))?;
    let folder = ground.make_folder("get")?;
    let network = folder.join("network");
    let running = networks.start(&network).await?;
    let file = ground.content("get/file", bytes, 0).await?;
    let stored = ground.command(Some(&network), &["put", word(&file)?, "--wait", "all"]).await?;
    let cid = stored.text("/pieces/0/cid")?;
    let job = Job::Get { file: file.clone(), folder: folder.clone() };
    let floor = async |_| {
        ground.warm(&file).await?;
        ground.floor_seconds(&job).await
    };
    let ours = async |_| {
        ground.warm(&network).await?; // providers write past the page cache, and it may forget
        let new = ground.make_folder("get/new")?;
        let fetched = new.join("fetched");
        let words = ["get", cid.as_str(), "-o", word(&fetched)?];
        let seconds = ground.command(Some(&network), &words).await?.seconds;
        ground.remove_folder(&new).await?;
        Ok(seconds)
    };
    let Medians { floor, ours } = alternate(ground.runs, floor, ours).await?;
    drop(running);
    ground.remove_folder(&folder).await?;
    let name = format!("get/size={} cache=warm", size_name(bytes));
    Ok(vec![
        Figure {
            name: name.clone(),
            value: ours,
            unit: Unit::Seconds,
            floor: Some(floor),
            bound: Bound::RatioMax(1.6),
        },
        Figure {
            name: format!("{name} rate"),
            value: mebibytes(bytes) / ours,
            unit: Unit::MebibytesPerSecond,
            floor: Some(mebibytes(bytes) / floor),
            bound: Bound::ValueMin(RATE_MIN),
        },
    ])
}
