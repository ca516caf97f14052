//! Repair: a slot with a certificate and without the piece fetches it from those who signed.

use std::time::Duration;

use holdfast_proofs::certificate::Certificate;
use holdfast_proofs::statement::Statement;
use holdfast_protocol::put::{Reason, Refusal};

use super::intake::promise;
use super::{Done, Node, refusal};
use crate::Network;
use crate::download::Download;
use crate::links::{ConnectionId, PeerIndex, Signal};
use crate::world::Env;

/// A piece on its way to where it should be.
pub(super) struct Repair {
    statement: Statement,
    download: Download,
    /// Whether the piece is here and waits to be durable.
    sealed: bool,
    timer: Option<Duration>,
}

impl Repair {
    /// When it began.
    pub(super) fn since(&self) -> Duration {
        self.download.since
    }
}

impl Node {
    /// Starts to fetch what should be here and is not.
    pub(super) fn repair_wanted(&mut self, env: &mut Env<'_>) {
        let committee = &self.network.committee;
        for cid in self.run().store.wanted().expect("a disk in memory can be read") {
            if self.run().repairs.values().any(|repair| repair.statement.cid == cid) {
                continue;
            }
            let bytes = self.run().store.certificate(&cid).expect("a disk in memory can be read");
            let certificate = bytes.and_then(|bytes| Certificate::from_bytes(&bytes).ok());
            let verified = certificate.and_then(|certificate| self.verified.verify(certificate, committee));
            let Some(valid) = verified else {
                env.found(format!("the certificate kept of {cid} is none"));
                continue;
            };
            let signers = valid.signers().iter().map(|slot| valid.slots()[usize::from(slot)]);
            let others: Vec<PeerIndex> =
                signers.filter(|place| *place != self.place).map(Network::peer).collect();
            let download = Download::start(cid, &others, env);
            self.run().next_repair += 1;
            let number = self.run().next_repair;
            let repair =
                Repair { statement: valid.statement().clone(), download, sealed: false, timer: None };
            self.run().repairs.insert(number, repair);
            env.line(format_args!("repair {number} of {cid} begins"));
            self.repair_goes_on(number, env);
        }
    }

    /// A connection that is nobody's conversation has something to tell.
    pub(super) fn repair_signal(&mut self, id: ConnectionId, signal: &Signal, env: &mut Env<'_>) {
        let mut repairs = self.run().repairs.iter_mut();
        let own = repairs.find(|(_, repair)| repair.download.connections().contains(&id));
        if let Some((number, repair)) = own {
            let number = *number;
            repair.download.handle(id, signal, env);
            self.repair_goes_on(number, env);
        }
    }

    /// Time went by.
    pub(super) fn repair_tick(&mut self, number: u64, env: &mut Env<'_>) {
        if let Some(repair) = self.run().repairs.get_mut(&number) {
            repair.timer = None;
            repair.download.tick(env);
            self.repair_goes_on(number, env);
        }
    }

    fn repair_goes_on(&mut self, number: u64, env: &mut Env<'_>) {
        let Some(repair) = self.run().repairs.get_mut(&number) else { return };
        match repair.download.take_end() {
            Some(Ok(piece)) => {
                repair.sealed = true;
                let statement = repair.statement.clone();
                let result = self.seal_repaired(number, &statement, &piece, env);
                if let Err(refusal) = result {
                    self.repaired(number, Err(refusal), env);
                }
            }
            Some(Err(why)) => {
                env.line(format_args!("repair {number} failed: {why}"));
                self.run().repairs.remove(&number); // upkeep tries again
            }
            None if !repair.sealed => {
                let due = repair.download.next_tick();
                if let Some(due) = due.filter(|due| repair.timer.is_none_or(|timer| *due < timer)) {
                    repair.timer = Some(due);
                    env.at(due, "repair", number);
                }
            }
            None => {}
        }
    }

    fn seal_repaired(
        &mut self,
        number: u64,
        statement: &Statement,
        piece: &[u8],
        env: &mut Env<'_>,
    ) -> Result<(), Refusal> {
        let bytes = piece.len() as u64;
        let mut draft = self.run().store.draft(statement.cid, bytes).map_err(|error| refusal(&error))?;
        let from = usize::try_from(draft.received()).expect("no more than there is");
        draft.push(&piece[from..]).map_err(|error| refusal(&error))?;
        let done = self.run().done.clone();
        draft.seal(&statement.piece_root, Some(promise(statement)), move |result| {
            let result = result.map(drop).map_err(|error| refusal(&error));
            let _ = done.send(Done::Repaired(number, result)); // the node may be gone
        });
        self.sync_soon(env);
        Ok(())
    }

    /// A repaired piece is here for good, or not.
    pub(super) fn repaired(&mut self, number: u64, result: Result<(), Refusal>, env: &mut Env<'_>) {
        self.run().repairs.remove(&number);
        match result {
            Ok(()) => env.count("repairs"),
            Err(refusal) if refusal.reason == Reason::Internal => {
                env.found(format!("the store failed: {}", refusal.detail));
            }
            Err(refusal) => env.line(format_args!("repair {number} failed: {}", refusal.detail)),
        }
    }
}
