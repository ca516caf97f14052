//! What a validator's host does not forget: its chain, the blocks that it said it keeps, and the engine's log.
//!
//! Writes of the log wait for the next sync, and a power cut leaves any number of those that waited.

use std::collections::BTreeMap;
use std::rc::Rc;

use holdfast_consensus::record::{RECORDS_MAX, Record};
use holdfast_ledger::evidence::Accuse;
use holdfast_ledger::execute::Executed;
use holdfast_ledger::genesis::Founded;
use holdfast_ledger::memory::MemoryLedger;
use holdfast_proofs::header::BlockHash;
use holdfast_proofs::vote::Finality;

use crate::chance::Chance;

/// One host's disk.
pub struct Disk {
    /// The ledger after the last final block.
    pub ledger: MemoryLedger,
    /// Final blocks from height 1 on, each with its decision.
    pub chain: Vec<(Rc<[u8]>, Finality)>,
    /// Blocks that may become final.
    pub bodies: BTreeMap<BlockHash, Rc<[u8]>>,
    /// Offences to be shown to the ledger.
    pub accusations: Vec<Accuse>,
    synced: Vec<Vec<u8>>,
    waiting: Vec<Vec<u8>>,
}

impl Disk {
    /// A disk with the first block on it.
    pub fn new(founded: Founded) -> Self {
        Self {
            ledger: MemoryLedger::new(founded),
            chain: Vec::new(),
            bodies: BTreeMap::new(),
            accusations: Vec::new(),
            synced: Vec::new(),
            waiting: Vec::new(),
        }
    }

    /// Appends to the log.
    pub fn append(&mut self, record: &Record) {
        self.waiting.push(record.to_bytes());
    }

    /// Makes everything that was appended durable, and removes what a new beginning made void. Says whether the log is as
    /// short as it should be.
    pub fn sync(&mut self) -> bool {
        self.synced.append(&mut self.waiting);
        let begins = |bytes: &Vec<u8>| matches!(Record::from_bytes(bytes), Ok(Record::Begin(_)));
        if let Some(last) = self.synced.iter().rposition(begins) {
            self.synced.drain(..last);
        }
        self.synced.len() <= RECORDS_MAX
    }

    /// The power is gone: some of what waited is, too.
    pub fn cut(&mut self, chance: &mut Chance) {
        let left = chance.index(self.waiting.len() + 1);
        self.waiting.truncate(left);
        self.sync();
    }

    /// The log.
    ///
    /// # Panics
    /// If it is not what was written.
    pub fn records(&self) -> Vec<Record> {
        self.synced.iter().map(|bytes| Record::from_bytes(bytes).expect("as it was written")).collect()
    }

    /// Commits a block.
    pub fn commit(&mut self, executed: &Executed, finality: Finality) {
        self.ledger.commit(executed);
        self.chain.push((executed.block().to_bytes().into(), finality));
        self.bodies.clear(); // they were all for this height
    }
}
