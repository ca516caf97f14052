//! Whose word counts in which epoch: the committees of the ledger, or the only one of a network without.

use std::sync::Arc;

use holdfast_core::block::BlockId;
use holdfast_core::id::{Epoch, NodeId, OrderId};
use holdfast_ledger::registry;
use holdfast_ledger::state::State;
use holdfast_ledger::storage::Order;
use holdfast_proofs::certificate::{Certificate, ValidCertificate};
use holdfast_proofs::committee::Committee;
use holdfast_proofs::statement::Statement;
use holdfast_protocol::put::{Reason, Refusal};
use tokio::time::{Duration, Instant};

use crate::ledger::Ledger;
use crate::ledger::committees::Committees;

/// A client may know of a block earlier than this node: an order is waited for so long.
const ORDER_WINDOW: Duration = Duration::from_secs(5);

/// The committees that a provider has to do with.
#[derive(Clone)]
pub(crate) enum Members {
    /// There is no ledger.
    Only(Arc<Committees>),
    /// They follow the ledger.
    Ledger {
        /// The ledger.
        ledger: Arc<Ledger>,
        /// Pieces are kept without an order as well.
        unpaid: bool,
    },
}

impl Members {
    fn committees(&self) -> &Committees {
        match self {
            Self::Only(committees) => committees,
            Self::Ledger { ledger, .. } => &ledger.committees,
        }
    }

    /// Who keeps pieces now.
    pub(crate) fn running(&self) -> Arc<Committee> {
        self.committees().running()
    }

    /// Who kept pieces in the epoch before.
    pub(crate) fn before(&self) -> Option<Arc<Committee>> {
        self.committees().before()
    }

    /// Which node a libp2p peer is the host of: a member, or with a ledger any that is registered.
    pub(crate) fn hosted_by(&self, peer: &str) -> Option<NodeId> {
        match self {
            Self::Only(committees) => {
                let running = committees.running();
                let member = running.members().iter().find(|member| member.peer.as_str() == peer)?;
                Some(member.node)
            }
            Self::Ledger { ledger, .. } => {
                registry::hosted_by(&State::over(&ledger.view().ok()?), peer).ok()?
            }
        }
    }

    /// The committee that a statement names, if there is or was one like it.
    pub(crate) fn of(&self, statement: &Statement) -> Option<Arc<Committee>> {
        let found = self.committees().known(statement.epoch).or_else(|| match self {
            Self::Only(_) => None,
            Self::Ledger { ledger, .. } => {
                let view = ledger.view().ok()?;
                ledger.committees.of(&view, statement.epoch).ok()?
            }
        });
        found.filter(|committee| committee.id() == statement.committee)
    }

    /// A certificate, if the committee that it names signed it.
    pub(crate) fn verify(&self, certificate: Certificate) -> Option<ValidCertificate> {
        let committee = self.of(&certificate.statement)?;
        certificate.verify(&committee).ok()
    }

    /// Whether a piece is kept on these terms: paid for until then, or without payment if this node does that.
    pub(crate) async fn check_terms(
        &self,
        cid: &BlockId,
        bytes: u64,
        order: Option<OrderId>,
        until: Epoch,
    ) -> Result<(), Refusal> {
        let refuse = |why: &str| Err(Refusal::new(Reason::Terms, why));
        let (ledger, id) = match (self, order) {
            (Self::Only(_), _) | (Self::Ledger { unpaid: true, .. }, None) => return Ok(()),
            (Self::Ledger { .. }, None) => return refuse("this node keeps nothing without an order"),
            (Self::Ledger { ledger, .. }, Some(order)) => (ledger, order),
        };
        let Some(order) = find_order(ledger, &id).await else {
            return refuse("the ledger knows no such order");
        };
        if (order.cid, order.piece_bytes) != (*cid, bytes) {
            return refuse("the order is about another piece");
        }
        if until > order.until {
            return refuse("the order does not pay for so long");
        }
        Ok(())
    }
}

/// An order, which may be in a block that this node does not have yet.
async fn find_order(ledger: &Ledger, id: &OrderId) -> Option<Order> {
    let mut tips = ledger.tips();
    let late = Instant::now() + ORDER_WINDOW;
    loop {
        tips.borrow_and_update();
        let view = ledger.view().ok()?;
        if let Some(order) = Order::get(&State::over(&view), id).ok()? {
            return Some(order);
        }
        drop(view);
        tokio::time::timeout_at(late, tips.changed()).await.ok()?.ok()?;
    }
}
