//! Signatures that were checked already: each vote reaches every validator, and pairings are the most expensive thing in a run.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use holdfast_consensus::authority::{Pairing, Verify};
use holdfast_core::bls::{self, BlsError};
use holdfast_proofs::validators::{ValidatorSet, Validators, ValidatorsId};

type Found = BTreeMap<[u8; 32], Result<(), BlsError>>;

/// What the checks of one run came to. Clones share it.
#[derive(Clone, Default)]
pub struct Verified {
    signatures: Rc<RefCell<Found>>,
    sets: Rc<RefCell<BTreeMap<ValidatorsId, Arc<Validators>>>>,
}

impl Verified {
    /// Usable keys of a set, decoded once.
    ///
    /// # Panics
    /// If it is none, which no ledger's is.
    pub fn validators(&self, set: ValidatorSet) -> Arc<Validators> {
        let mut sets = self.sets.borrow_mut();
        let admit = || Arc::new(Validators::admitted(set.clone()).expect("a ledger's validators are usable"));
        Arc::clone(sets.entry(set.id()).or_insert_with(admit))
    }
}

impl Verify for Verified {
    fn verify(
        &self,
        validators: &Validators,
        places: &[usize],
        input: &[u8],
        signature: &bls::Signature,
    ) -> Result<(), BlsError> {
        let mut hasher = blake3::Hasher::new();
        for place in places {
            hasher.update(validators.set().validators[*place].bls.as_bytes());
        }
        hasher.update(input).update(signature.as_bytes());
        let name = *hasher.finalize().as_bytes();
        let known = self.signatures.borrow().get(&name).copied();
        known.unwrap_or_else(|| {
            let found = Pairing.verify(validators, places, input, signature);
            self.signatures.borrow_mut().insert(name, found);
            found
        })
    }
}
