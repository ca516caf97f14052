//! What goes wrong: mostly for one node at a time, sometimes for all.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::process::Signal;

use super::dice::Dice;
use super::field::Field;
use super::record::Record;

/// Limits of a file's length, in units of 512 bytes: from hardly more than a new index to tens of MiB.
const FILE_LIMITS: [u64; 4] = [4096, 8192, 20_000, 80_000];

/// Makes trouble until `end`, and leaves the network running.
///
/// # Errors
/// If a node does not come back.
pub(super) fn run(dice: &mut Dice, field: &mut Field<'_>, record: &Record, end: Instant) -> Result<()> {
    let result = loop {
        if Instant::now() >= end || record.is_stopped() {
            break Ok(());
        }
        let done = trouble(dice, field, record);
        if done.is_err() {
            break done;
        }
        pause(dice, 100, 1500, record);
    };
    if let Err(error) = &result {
        record.tell(format!("trouble: {error:#}"));
        record.stop();
    }
    result
}

fn trouble(dice: &mut Dice, field: &mut Field<'_>, record: &Record) -> Result<()> {
    let node = dice.between(1, field.nodes());
    let begin = |what: &str| {
        record.count(what);
        record.tell(format!("{what}: {node}"));
    };
    match dice.between(0, 99) {
        0..30 => {
            begin("nodes killed");
            field.kill(node)?;
            pause(dice, 0, 4000, record);
            field.run(node, "")?;
        }
        30..45 => {
            begin("enclaves killed");
            if let Some(enclave) = field.enclave(node)? {
                field.signal(enclave, Signal::KILL)?;
            }
        }
        45..65 => {
            begin("nodes frozen");
            freeze(dice, field, record, field.pid(node)?)?;
        }
        65..72 => {
            begin("enclaves frozen");
            freeze(dice, field, record, field.enclave(node)?)?;
        }
        72..88 => {
            begin("disks full for a while");
            let place = usize::try_from(dice.between(0, 3)).expect("a small number");
            field.terminate(node)?;
            if !field.run(node, &format!("ulimit -f {}", FILE_LIMITS[place]))? {
                record.count("starts that a full disk refused");
            }
            pause(dice, 2000, 8000, record);
            field.terminate(node)?;
            field.run(node, "")?;
        }
        88..95 => {
            begin("restarts of everything in order");
            field.stop()?;
            field.start()?;
        }
        _ => {
            begin("kills of everything");
            for node in 1..=field.nodes() {
                field.kill(node)?;
            }
            field.start()?;
        }
    }
    Ok(())
}

fn freeze(dice: &mut Dice, field: &Field<'_>, record: &Record, pid: Option<i32>) -> Result<()> {
    let Some(pid) = pid else { return Ok(()) };
    field.signal(pid, Signal::STOP)?;
    pause(dice, 100, 6000, record);
    field.signal(pid, Signal::CONT)
}

/// A time in which the trouble lasts, or there is none.
fn pause(dice: &mut Dice, low: u64, high: u64, record: &Record) {
    let until = Instant::now() + Duration::from_millis(dice.between(low, high));
    while Instant::now() < until && !record.is_stopped() {
        thread::sleep(Duration::from_millis(10));
    }
}
