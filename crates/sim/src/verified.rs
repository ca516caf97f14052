//! Certificates that were checked already: every slot of a piece is given the same one, and a check is the most
//! expensive thing in a run.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use holdfast_core::codec;
use holdfast_proofs::certificate::{Certificate, ValidCertificate};
use holdfast_proofs::committee::Committee;

/// What the checks of one run came to. Clones share it. The verdict does not use it.
#[derive(Clone, Default)]
pub struct Verified(Rc<RefCell<BTreeMap<[u8; 32], Option<ValidCertificate>>>>);

impl Verified {
    /// Checks a certificate as [`Certificate::verify`] does, once.
    pub fn verify(&self, certificate: Certificate, committee: &Committee) -> Option<ValidCertificate> {
        let name = codec::digest(&certificate);
        let mut all = self.0.borrow_mut();
        all.entry(name).or_insert_with(|| certificate.verify(committee).ok()).clone()
    }
}
