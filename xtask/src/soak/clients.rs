//! Users: each puts and gets, one command after the other, and loses patience now and then.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::dice::{Dice, content};
use super::record::{Acknowledged, Record};
use crate::child::{Output, Task};
use crate::sandbox::Sandbox;

/// No command takes as long, whatever is broken.
pub(super) const LIMIT: Duration = Duration::from_secs(240);
/// Content that several clients store, sooner or later.
const SHARED: u64 = 12;
/// Bytes of content after which clients only read: each is kept four times.
const BYTES_MAX: u64 = 3 << 30;

/// Puts and gets until `end`.
///
/// # Errors
/// If a command ends in a way that no trouble excuses.
pub(super) fn run(
    number: u64,
    mut dice: Dice,
    sandbox: &Sandbox,
    network: &Path,
    record: &Record,
    end: Instant,
) -> Result<()> {
    let client = Client { number, sandbox, network, record };
    let mut round = 0;
    let result = loop {
        if Instant::now() >= end || record.is_stopped() {
            break Ok(());
        }
        round += 1;
        let full = record.acknowledged_bytes() > BYTES_MAX;
        let done =
            if full || dice.percent(30) { client.get(&mut dice) } else { client.put(&mut dice, round) };
        if crate::interrupt::requested() {
            break Ok(());
        }
        if done.is_err() {
            break done;
        }
    };
    if let Err(error) = &result {
        record.tell(format!("client {number}: {error:#}"));
        record.stop();
    }
    result
}

/// How much: mostly little, sometimes nothing, sometimes a lot.
fn size(dice: &mut Dice) -> u64 {
    match dice.between(0, 99) {
        0..5 => 0,
        5..50 => dice.between(1, 2000),
        50..80 => dice.between(2000, 1 << 20),
        80..95 => dice.between(1 << 20, 8 << 20),
        _ => dice.between(8 << 20, 64 << 20),
    }
}

struct Client<'a> {
    number: u64,
    sandbox: &'a Sandbox,
    network: &'a Path,
    record: &'a Record,
}

impl Client<'_> {
    fn put(&self, dice: &mut Dice, round: u64) -> Result<()> {
        // Content that others store too has a size of its own.
        let seed = if dice.percent(20) { dice.between(1, SHARED) } else { dice.next() };
        let bytes = size(&mut Dice::new(seed));
        let name = format!("client-{}-{round}", self.number);
        let (file, proof) = (self.path(&name), self.path(&format!("{name}.proof")));
        fs::write(&file, content(seed, bytes))?;
        let patience = dice.percent(12).then(|| (dice.between(20, 1500), dice.percent(50)));
        let words =
            ["--json".as_ref(), "put".as_ref(), file.as_os_str(), "--bundle".as_ref(), proof.as_os_str()];
        let output = match patience {
            None => self.sandbox.holdfast(LIMIT).args(words),
            Some((millis, politely)) => {
                let wait = format!("{}.{:03}", millis / 1000, millis % 1000);
                let signal = if politely { "INT" } else { "KILL" };
                let timeout = Task::new("timeout", LIMIT).args(["-s", signal, &wait]);
                self.sandbox.confine(timeout).args([self.sandbox.binary()]).args(words)
            }
        }
        .env("HOLDFAST_NETWORK", self.network)
        .output()?;
        fs::remove_file(&file)?;
        let what = format!("put of {bytes} bytes by client {}", self.number);
        match (output.status.code(), patience) {
            (Some(0), _) => {
                let result: Value = serde_json::from_str(&output.stdout).context("put did not print JSON")?;
                let cid = result["pieces"][0]["cid"].as_str().context("put named no CID")?.to_owned();
                ensure!(proof.is_file(), "{what} was acknowledged without a proof");
                self.record.count(&format!("puts signed by {}", result["pieces"][0]["signed"]));
                self.record.acknowledge(Acknowledged { cid, seed, bytes, proof });
            }
            // No quorum, no room, nobody reached: trouble that the soak makes.
            (Some(5 | 7 | 8), _) => {
                self.record.count("puts that said why there is no certificate");
                self.record.tell(format!("{what}: {}", last_line(&output)));
                ensure!(!proof.exists(), "{what} failed and left a proof");
            }
            // By `timeout`, or by the client when it was asked to end.
            (Some(124 | 130 | 137) | None, Some(_)) => {
                self.record.count("clients killed in the middle of a put");
                // Its last act may have been to write the proof.
                if proof.exists() {
                    fs::remove_file(&proof)?;
                }
            }
            _ => bail!("{what} ended with {}: {}", output.status, last_line(&output)),
        }
        Ok(())
    }

    fn get(&self, dice: &mut Dice) -> Result<()> {
        let Some(piece) = self.record.pick(dice.next()) else { return Ok(()) };
        let out = self.path(&format!("back-{}", self.number));
        let output = self
            .sandbox
            .holdfast(LIMIT)
            .args(["--json".as_ref(), "get".as_ref(), piece.cid.as_ref(), "-o".as_ref(), out.as_os_str()])
            .env("HOLDFAST_NETWORK", self.network)
            .output()?;
        match output.status.code() {
            Some(0) => {
                let same = fs::read(&out)? == content(piece.seed, piece.bytes);
                fs::remove_file(&out)?;
                ensure!(same, "{} came back as something else", piece.cid);
                self.record.count("gets compared");
            }
            Some(7) => {
                self.record.count("gets that reached nobody who had it");
                self.record.tell(format!("get {}: {}", piece.cid, last_line(&output)));
                ensure!(!out.exists(), "a get failed and left {}", out.display());
            }
            _ => bail!("get of {} ended with {}: {}", piece.cid, output.status, last_line(&output)),
        }
        Ok(())
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.sandbox.temporary().join(name)
    }
}

/// The last thing a command said.
pub(super) fn last_line(output: &Output) -> &str {
    let said = output.stderr.lines().last().or(output.stdout.lines().last());
    said.unwrap_or("nothing was said")
}
