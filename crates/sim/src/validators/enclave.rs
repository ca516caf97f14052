//! What signs for a validator: its key, and the mark that keeps it from contradicting itself. It survives its host.

use holdfast_consensus::engine::ToSign;
use holdfast_consensus::guard::{Guard, Refusal};
use holdfast_core::bls::Signature;
use holdfast_core::purpose::Signable;

use super::{Ground, Seat};

/// One validator's enclave.
pub struct Enclave {
    ground: &'static Ground,
    place: usize,
    guard: Guard,
}

impl Enclave {
    /// Nothing was signed.
    pub fn new(ground: &'static Ground, place: usize) -> Self {
        Self { ground, place, guard: Guard::default() }
    }

    /// Signs what does not contradict what was signed.
    ///
    /// # Errors
    /// Why not.
    pub fn sign(&mut self, what: &ToSign) -> Result<Signature, Refusal> {
        self.guard.allow_any(what)?;
        Ok(match what {
            ToSign::Vote(vote) => self.sign_anything(vote),
            ToSign::Proposal(head) => self.sign_anything(head),
        })
    }

    /// Signs, whatever it is: for objects that cannot contradict each other, and for those who broke their enclave.
    pub fn sign_anything<T: Signable>(&self, object: &T) -> Signature {
        self.seat().secret.sign(&object.signing_input(&self.ground.network))
    }

    fn seat(&self) -> &Seat {
        &self.ground.seats[self.place]
    }
}
