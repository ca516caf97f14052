//! `cid` of a large file by a cold process, against plain SHA-256 of it.

use super::word;
use crate::figure::{Bound, Figure, Unit, mebibytes, size_name};
use crate::floor::Job;
use crate::ground::{BenchError, Ground};
use crate::runner::{Medians, alternate};

pub(super) async fn measure(bytes: u64, ground: &Ground) -> Result<Vec<Figure>, BenchError> {
    ground.need(bytes)?;
    let folder = ground.make_folder("cid")?;
    let file = ground.content("cid/file", bytes, 0).await?;
    let job = Job::Cid { file: file.clone() };
    let floor = async |_| Ok(mebibytes(bytes) / ground.floor_seconds(&job).await?);
    let ours = async |_| Ok(mebibytes(bytes) / ground.command(None, &["cid", word(&file)?]).await?.seconds);
    let Medians { floor, ours } = alternate(ground.runs, floor, ours).await?;
    ground.remove_folder(&folder).await?;
    Ok(vec![Figure {
        name: format!("cid/size={} cache=warm", size_name(bytes)),
        value: ours,
        unit: Unit::MebibytesPerSecond,
        floor: Some(floor),
        bound: Bound::RatioMin(0.8),
    }])
}
