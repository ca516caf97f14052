//! What every decision needs at hand: the time, who we are, and where to put what shall be done.

use holdfast_core::bls::{self, BlsError, KeySum};
use holdfast_core::id::{NetworkId, NodeId};
use holdfast_proofs::header::BlockTime;
use holdfast_proofs::validators::Validators;

use super::config::Config;
use super::own::{Asked, Asks};
use super::timers::{Timer, Timers};
use crate::engine::{Ask, Effect, ToSign};
use crate::record::Record;

/// Checks signatures of validators. Who checks them elsewhere too, or ahead and in parallel, may remember what was found.
pub trait Verify {
    /// Checks that `signature` is the sum of signatures over `input` by the validators at these places.
    ///
    /// # Errors
    /// If it is not.
    fn verify(
        &self,
        validators: &Validators,
        places: &[usize],
        input: &[u8],
        signature: &bls::Signature,
    ) -> Result<(), BlsError>;
}

/// Checks every signature with a pairing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pairing;

impl Verify for Pairing {
    fn verify(
        &self,
        validators: &Validators,
        places: &[usize],
        input: &[u8],
        signature: &bls::Signature,
    ) -> Result<(), BlsError> {
        match places {
            [place] => validators.key(*place).verify(input, signature),
            _ => KeySum::of(places.iter().map(|place| validators.key(*place)))?.verify(input, signature),
        }
    }
}

/// Who this engine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// This node.
    pub node: NodeId,
    /// The network whose blocks it decides about.
    pub network: NetworkId,
}

/// One step of the engine.
pub(super) struct Turn<'a> {
    pub(super) now: BlockTime,
    pub(super) identity: Identity,
    pub(super) config: &'a Config,
    pub(super) check: &'a dyn Verify,
    pub(super) timers: &'a mut Timers,
    pub(super) asks: &'a mut Asks,
    pub(super) out: &'a mut Vec<Effect>,
}

impl Turn<'_> {
    pub(super) fn persist(&mut self, record: Record) {
        self.out.push(Effect::Persist(record));
    }

    pub(super) fn sign(&mut self, asked: Asked, what: ToSign) {
        let ask = self.asks.ask(asked);
        self.out.push(Effect::Sign { ask, what });
    }

    pub(super) fn ask(&mut self, asked: Asked) -> Ask {
        self.asks.ask(asked)
    }

    pub(super) fn wait(&mut self, timer: Timer, after_ms: u64) {
        self.timers.set(timer, after_ms);
    }

    pub(super) fn misbehaved(&mut self, peer: NodeId) {
        if peer != self.identity.node {
            self.out.push(Effect::Misbehaved { peer });
        }
    }
}
