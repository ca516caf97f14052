//! What carries messages between validators: it loses, doubles, delays and re-orders them, and falls apart.

use std::rc::Rc;
use std::time::Duration;

use holdfast_proofs::header::{BlockHash, Height};

use crate::chance::Chance;

/// A block and its decision.
#[derive(Clone, Debug)]
pub struct FinalBlock {
    /// The bytes of the block.
    pub block: Rc<[u8]>,
    /// The bytes of the decision.
    pub finality: Rc<[u8]>,
}

/// Something on its way.
#[derive(Clone, Debug)]
pub enum Packet {
    /// A message of the engine.
    Engine(Rc<[u8]>),
    /// Who has the block?
    WantBody(BlockHash),
    /// A block.
    Body(Rc<[u8]>),
    /// Who has final blocks from this height on?
    WantBlocks(Height),
    /// Final blocks, in their order.
    Blocks(Vec<FinalBlock>),
    /// A transaction for the pool.
    Transaction(Rc<[u8]>),
}

impl Packet {
    /// Whether it is a proposal: a list of two, number 1.
    fn is_proposal(&self) -> bool {
        matches!(self, Self::Engine(bytes) if bytes.starts_with(&[0x82, 0x01]))
    }
}

/// One message in so many arrives twice.
const DOUBLED: u64 = 25;
/// One message in so many takes very long.
const SLOW: u64 = 30;

/// The network.
#[derive(Debug, Default)]
pub struct Air {
    /// One message in so many is lost.
    pub loss: Option<u64>,
    /// Nothing passes between those marked and the others.
    pub far: Option<Vec<bool>>,
    /// Those marked hear nothing, and are heard.
    pub deaf: Option<Vec<bool>>,
    /// Every second proposal is lost, and every fourth other message: some vote for a block, some for none, and few hear enough of
    /// both.
    pub muddled: bool,
    /// Whether messages are doubled and delayed for long.
    pub wild: bool,
}

impl Air {
    /// When a message arrives, as often as it does.
    pub fn arrivals(&self, from: usize, to: usize, packet: &Packet, chance: &mut Chance) -> Vec<Duration> {
        let parted = self.far.as_ref().is_some_and(|far| far[from] != far[to]);
        let deaf = self.deaf.as_ref().is_some_and(|deaf| deaf[to]);
        if self.muddled && chance.one_in(if packet.is_proposal() { 2 } else { 4 }) {
            return Vec::new();
        }
        if parted || deaf || self.loss.is_some_and(|loss| chance.one_in(loss)) {
            return Vec::new();
        }
        let copies = if self.wild && chance.one_in(DOUBLED) { 2 } else { 1 };
        let millis = Duration::from_millis;
        let delay = |chance: &mut Chance| match self.wild && chance.one_in(SLOW) {
            true => chance.time(millis(80)..=millis(2500)),
            false => chance.time(millis(1)..=millis(60)),
        };
        (0..copies).map(|_| delay(chance)).collect()
    }
}
