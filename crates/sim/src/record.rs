//! What clients hold in hand: the certificates that a run must honour.

use std::cell::RefCell;
use std::rc::Rc;

use holdfast_proofs::certificate::ValidCertificate;

use crate::piece::Piece;

/// A put whose certificate a client has.
#[derive(Clone, Debug)]
pub struct Acknowledged {
    /// What was put.
    pub piece: Rc<Piece>,
    /// The certificate, with every receipt that came since.
    pub certificate: ValidCertificate,
}

/// Everything that was acknowledged, in order. Clones share it.
#[derive(Clone, Default)]
pub struct Record(Rc<RefCell<Vec<Acknowledged>>>);

impl Record {
    /// Adds a put, and says which number it has.
    pub fn add(&self, acknowledged: Acknowledged) -> usize {
        let mut all = self.0.borrow_mut();
        all.push(acknowledged);
        all.len() - 1
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The put with this number.
    ///
    /// # Panics
    /// If there is none.
    pub fn get(&self, number: usize) -> Acknowledged {
        self.0.borrow()[number].clone()
    }

    /// A certificate has grown.
    ///
    /// # Panics
    /// If there is no such number.
    pub fn grow(&self, number: usize, certificate: ValidCertificate) {
        self.0.borrow_mut()[number].certificate = certificate;
    }

    /// All of them.
    pub fn all(&self) -> Vec<Acknowledged> {
        self.0.borrow().clone()
    }
}
