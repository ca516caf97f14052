//! Storing and certifying one byte: every provider appends it to a log and syncs, all at the same time; then one
//! BLS signature and one pairing check. Nothing travels.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use super::verify::Signed;
use super::{COPIES, FloorError, join};
use crate::runner::median;

/// Seconds of one round: the median of `rounds`.
pub(super) fn run(folder: &Path, rounds: usize) -> Result<f64, FloorError> {
    let signed = Signed::new()?;
    let paths: Vec<_> = (0..COPIES).map(|copy| folder.join(format!("floor-log-{copy}"))).collect();
    let times = std::thread::scope(|scope| {
        let mut orders = Vec::new();
        let mut logs = Vec::new();
        let (done, dones) = sync_channel(COPIES);
        for path in &paths {
            let (order, mailbox) = sync_channel(1);
            let done = done.clone();
            orders.push(order);
            logs.push(scope.spawn(move || log(path, &mailbox, &done)));
        }
        drop(done);
        let times: Vec<f64> = (0..rounds.max(1)).map_while(|_| round(&signed, &orders, &dones)).collect();
        drop(orders);
        logs.into_iter().try_for_each(join)?;
        Ok::<_, FloorError>(times)
    });
    for path in &paths {
        fs::remove_file(path)?;
    }
    let times = times?;
    if times.is_empty() { Err(FloorError::Signature) } else { Ok(median(times)) }
}

/// One round, or `None` if a part of it failed.
fn round(signed: &Signed, orders: &[SyncSender<()>], dones: &Receiver<()>) -> Option<f64> {
    let started = Instant::now();
    orders.iter().try_for_each(|order| order.send(())).ok()?;
    for _ in orders {
        dones.recv().ok()?;
    }
    std::hint::black_box(signed.sign());
    signed.check().ok()?;
    Some(started.elapsed().as_secs_f64())
}

fn log(path: &Path, orders: &Receiver<()>, done: &SyncSender<()>) -> Result<(), FloorError> {
    let mut file: File = OpenOptions::new().append(true).create_new(true).open(path)?;
    for () in orders {
        file.write_all(&[1])?;
        file.sync_data()?;
        if done.send(()).is_err() {
            break; // the round was given up
        }
    }
    Ok(())
}
