//! An order's row, the index of what ends when, and what transactions say about orders.

use holdfast_core::block::BlockId;
use holdfast_core::codec::Bounded;
use holdfast_core::id::{Amount, Epoch, NodeId, OrderId, PieceRoot};
use holdfast_proofs::certificate::Certificate;
use holdfast_proofs::profile::Profile;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::account::AccountId;
use crate::state::{Row, RowsError, State, Table};

/// Most providers that sign for one piece.
pub(crate) const SIGNERS_MAX: usize = Profile::SLOTS_MAX as usize;

/// Money in escrow for keeping a piece.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Order {
    /// Who pays, and may renew or cancel it.
    pub owner: AccountId,
    /// The piece.
    pub cid: BlockId,
    /// Its length.
    pub piece_bytes: u64,
    /// How many copies are paid.
    pub profile: Profile,
    /// For each byte, copy and epoch.
    pub price: Amount,
    /// The first epoch that is not paid.
    pub until: Epoch,
    /// What is left of the money.
    pub escrow: Amount,
    /// The epoch at whose beginning it ends, by its place in the index.
    pub ends: Epoch,
    /// Who keeps the piece; null until a certificate was shown.
    pub active: Option<Active>,
}

/// Who keeps the piece of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Active {
    /// The epoch whose committee signed.
    pub committee: Epoch,
    /// The piece root that they signed.
    pub piece_root: PieceRoot,
    /// The first epoch for which they do not promise.
    pub promised: Epoch,
    /// Who signed, in the order of the slots.
    pub signers: Bounded<NodeId, SIGNERS_MAX>,
    /// The first epoch that is not yet paid out.
    pub settled: Epoch,
}

impl Row for Order {
    const TABLE: Table = Table::ORDERS;
    const BYTES_MAX: usize = 10 << 10;
}

/// That an order ends when an epoch begins. The key says which and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Expiry {}

impl Row for Expiry {
    const TABLE: Table = Table::EXPIRIES;
    const BYTES_MAX: usize = 1;
}

impl Expiry {
    fn key(ends: Epoch, order: &OrderId) -> Vec<u8> {
        [&ends.0.to_be_bytes()[..], order.as_bytes()].concat()
    }

    /// Epoch and order of a key.
    pub(crate) fn parse(key: &[u8]) -> Option<(Epoch, OrderId)> {
        let (ends, order) = key.split_first_chunk()?;
        Some((Epoch(u64::from_be_bytes(*ends)), OrderId::new(order.try_into().ok()?)))
    }
}

impl Order {
    /// An order's row.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn get(state: &State<'_>, id: &OrderId) -> Result<Option<Self>, RowsError> {
        state.get(id.as_bytes())
    }

    pub(super) fn create(&self, state: &mut State<'_>, id: &OrderId) {
        state.put(&Expiry::key(self.ends, id), &Expiry {});
        self.store(state, id);
    }

    pub(super) fn store(&self, state: &mut State<'_>, id: &OrderId) {
        state.put(id.as_bytes(), self);
    }

    /// Moves it in the index.
    pub(super) fn end_at(&mut self, state: &mut State<'_>, id: &OrderId, ends: Epoch) {
        state.remove::<Expiry>(&Expiry::key(self.ends, id));
        self.ends = ends;
        state.put(&Expiry::key(ends, id), &Expiry {});
    }

    pub(super) fn remove(&self, state: &mut State<'_>, id: &OrderId) {
        state.remove::<Expiry>(&Expiry::key(self.ends, id));
        state.remove::<Self>(id.as_bytes());
    }
}

/// Makes an order. It lasts from the running epoch, which counts as one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct PlaceOrder {
    /// The piece.
    pub cid: BlockId,
    /// Its length.
    pub piece_bytes: u64,
    /// How many copies.
    pub profile: Profile,
    /// For how many epochs.
    pub epochs: u64,
    /// The highest price for each byte, copy and epoch that the sender agrees to.
    pub price_max: Amount,
}

/// Shows that enough providers keep the piece of an order. Anybody may send it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Activate {
    /// Which order.
    pub order: OrderId,
    /// A certificate that names the order.
    pub certificate: Certificate,
}

/// Pays for more epochs, all that is left of the order at today's price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Renew {
    /// Which order; it is active.
    pub order: OrderId,
    /// How many more epochs.
    pub epochs: u64,
    /// The highest price for each byte, copy and epoch that the sender agrees to.
    pub price_max: Amount,
}

/// Ends an order with the running epoch, or at once if it is not active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Cancel {
    /// Which order.
    pub order: OrderId,
}

/// Has an order's providers paid for the epochs that are over. Anybody may send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Claim {
    /// Which order.
    pub order: OrderId,
}
