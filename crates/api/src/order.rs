//! Orders for storage.

use holdfast_core::block::BlockId;
use holdfast_core::id::{Amount, Epoch, NodeId, OrderId, PieceRoot};
use holdfast_ledger::account::AccountId;
use holdfast_ledger::block::Height;
use holdfast_ledger::storage;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::params::Profile;
use crate::schema::{AccountText, AmountText, CidText, Hash, name};

name!(OrderSchema, "holdfast/order/1");
name!(OrdersSchema, "holdfast/orders/1");

/// One order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderAnswer {
    /// What this object is.
    pub schema: OrderSchema,
    /// After which block.
    #[schema(value_type = u64)]
    pub height: Height,
    /// The order.
    pub order: Order,
}

/// Orders of an account, ascending by id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Orders {
    /// What this object is.
    pub schema: OrdersSchema,
    /// After which block.
    #[schema(value_type = u64)]
    pub height: Height,
    /// Some of them.
    pub orders: Vec<Order>,
    /// The `after` with which the next ones are asked for; null if there are none.
    #[schema(value_type = Option<Hash>)]
    pub next: Option<OrderId>,
}

/// Money in escrow for keeping a piece.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Order {
    /// Its name: the id of the transaction that made it.
    #[schema(value_type = Hash)]
    pub id: OrderId,
    /// Who pays.
    #[serde(with = "crate::text")]
    #[schema(value_type = AccountText)]
    pub owner: AccountId,
    /// The piece.
    #[schema(value_type = CidText)]
    pub cid: BlockId,
    /// Its length.
    pub piece_bytes: u64,
    /// How many copies are paid.
    pub profile: Profile,
    /// For each byte, copy and epoch.
    #[schema(value_type = AmountText)]
    pub price: Amount,
    /// The first epoch that is not paid.
    #[schema(value_type = u64)]
    pub until: Epoch,
    /// What is left of the money.
    #[schema(value_type = AmountText)]
    pub escrow: Amount,
    /// The epoch at whose beginning it ends as things stand.
    #[schema(value_type = u64)]
    pub ends: Epoch,
    /// Who keeps the piece; null until a certificate was shown.
    pub active: Option<Active>,
}

/// Who keeps the piece of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Active {
    /// The epoch whose committee signed.
    #[schema(value_type = u64)]
    pub epoch: Epoch,
    /// The piece root that they signed.
    #[schema(value_type = Hash)]
    pub piece_root: PieceRoot,
    /// The first epoch for which they do not promise.
    #[schema(value_type = u64)]
    pub promised: Epoch,
    /// Who signed, in the order of the slots.
    #[schema(value_type = Vec<Hash>)]
    pub signers: Vec<NodeId>,
    /// The first epoch that is not yet paid out.
    #[schema(value_type = u64)]
    pub settled: Epoch,
}

impl Order {
    /// An order under its id.
    pub fn new(id: OrderId, order: &storage::Order) -> Self {
        Self {
            id,
            owner: order.owner,
            cid: order.cid,
            piece_bytes: order.piece_bytes,
            profile: (&order.profile).into(),
            price: order.price,
            until: order.until,
            escrow: order.escrow,
            ends: order.ends,
            active: order.active.as_ref().map(Active::from),
        }
    }
}

impl From<&storage::Active> for Active {
    fn from(active: &storage::Active) -> Self {
        Self {
            epoch: active.committee,
            piece_root: active.piece_root,
            promised: active.promised,
            signers: active.signers.to_vec(),
            settled: active.settled,
        }
    }
}
