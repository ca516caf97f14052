//! What must hold at the end of a run, whatever happened in it.
//!
//! - Every acknowledged put can be read, block by block what was put.
//! - Every certificate verifies and has q distinct signers.
//! - Every honest member still holds what its enclave ever signed for, with the promise, and never signed two roots for one
//!   CID. (This is also looked at after every restart.)
//! - No store is damaged, and every byte that counts as used is held.
//! - Once faults have ended, every honest put comes to its certificate, and nobody waits for ever.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use holdfast_core::tree::outboard_bytes;

use crate::run::{Participant, Run};

/// What a conversation may take at most, from its beginning to its end.
pub(crate) const TALK_MAX: Duration = Duration::from_secs(300);

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// Frames that were lost.
    pub lost_frames: u64,
    /// What else was counted: faults that fired, lies that were told, puts and gets.
    pub counts: BTreeMap<&'static str, u64>,
    /// Lines of the event log, and their hash.
    pub trace: (u64, blake3::Hash),
    /// Rules that were broken.
    pub findings: Vec<String>,
}

impl Report {
    /// How often something happened.
    pub fn counted(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    /// Crashes of either kind.
    pub fn crashes(&self) -> u64 {
        self.counted("kills") + self.counted("power cuts")
    }

    /// What adversaries did.
    pub fn lies(&self) -> u64 {
        self.counts.iter().filter(|(what, _)| what.contains(':')).map(|(_, count)| count).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.counts.keys().find(|what| what.contains(':') && !what.starts_with("lying_client"));
        write!(
            f,
            "seed {:>3}: {} kills, {} power cuts, {:>3} lost frames, {} partitions, {:>3} lies ({}); {} puts \
             acknowledged, {} failed, {} resumed, {} late receipts, {} repairs, {} gets, {} failed",
            self.seed,
            self.counted("kills"),
            self.counted("power cuts"),
            self.lost_frames,
            self.counted("partitions"),
            self.lies(),
            kind.and_then(|what| what.split(':').next()).unwrap_or("nobody"),
            self.counted("acknowledged puts"),
            self.counted("failed puts"),
            self.counted("resumed puts"),
            self.counted("late receipts"),
            self.counted("repairs"),
            self.counted("gets"),
            self.counted("failed gets"),
        )
    }
}

/// Looks at everything once all is quiet.
pub(crate) fn judge(run: &mut Run) -> Report {
    let mut findings = Vec::new();
    let now = run.world.now();
    for (number, participant) in run.world.peers().enumerate() {
        let mut found = |finding: String| findings.push(format!("p{number}: {finding}"));
        let oldest = match participant {
            Participant::Client(client) => {
                if client.uncertified() > 0 {
                    found(format!("{} puts never came to their certificate", client.uncertified()));
                }
                client.unreadable().iter().cloned().for_each(&mut found);
                client.oldest()
            }
            Participant::Node(node) => {
                node.broken_promises().into_iter().for_each(&mut found);
                judge_store(node, &mut found);
                node.oldest_talk()
            }
            Participant::Adversary(_) | Participant::LyingClient(_) => None,
        };
        if let Some(since) = oldest.filter(|since| now > *since + TALK_MAX) {
            found(format!("somebody waits since {since:?}"));
        }
    }
    judge_certificates(run, &mut findings);
    for finding in findings {
        run.world.trace().found(now, finding);
    }
    let lost_frames = run.world.lost_frames();
    let trace = run.world.trace();
    Report {
        seed: run.seed,
        lost_frames,
        counts: trace.counts().clone(),
        trace: trace.digest(),
        findings: trace.findings().to_vec(),
    }
}

fn judge_store(node: &crate::node::Node, found: &mut impl FnMut(String)) {
    let Some(store) = node.store() else { return };
    match store.check(|_| ()) {
        Ok(report) => {
            for damage in report.damaged {
                found(format!("piece {} is damaged: {}", damage.cid, damage.why));
            }
        }
        Err(error) => found(format!("the store cannot be checked: {error}")),
    }
    let pieces = store.pieces().expect("a disk in memory can be read");
    let held: u64 = pieces.iter().map(|(_, row)| row.bytes + outboard_bytes(row.bytes)).sum();
    let usage = store.usage();
    if (usage.pieces, usage.bytes) != (pieces.len() as u64, held) {
        let pieces = pieces.len();
        found(format!(
            "{} pieces and {} bytes are counted, {pieces} and {held} held",
            usage.pieces, usage.bytes
        ));
    }
}

fn judge_certificates(run: &Run, findings: &mut Vec<String>) {
    for acknowledged in run.record.all() {
        let certificate = acknowledged.certificate;
        let cid = acknowledged.piece.cid;
        let committee = &run.network.committee;
        if let Err(error) = certificate.certificate().clone().verify(committee) {
            findings.push(format!("the certificate of {cid} does not hold: {error}"));
        }
        let signers = certificate.signers();
        if signers.count() < certificate.profile().q {
            findings.push(format!("the certificate of {cid} has {} signers", signers.count()));
        }
        let statement = certificate.statement();
        if statement.piece_root != acknowledged.piece.root {
            findings.push(format!("the certificate of {cid} is about another root"));
        }
        for slot in signers.iter() {
            let place = certificate.slots()[usize::from(slot)];
            if let Some(Participant::Node(node)) = run.world.peers().nth(place)
                && let Some(wrong) = node.breaks(statement)
            {
                findings.push(format!("p{place} is in the certificate of {cid} and {wrong}"));
            }
        }
    }
}
