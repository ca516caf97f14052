//! What a node tells the ledger by itself: offences that it saw, members that do not answer, and that it is back.
//!
//! Everything is signed by the account that owns the node, whose key lies in the node's folder, and paid by it.

use std::collections::BTreeMap;
use std::time::Duration;

use holdfast_client::ask;
use holdfast_client::keystore::AccountKey;
use holdfast_client::network::Network;
use holdfast_core::id::{Amount, NodeId};
use holdfast_ledger::accounts::account;
use holdfast_ledger::evidence::Accuse;
use holdfast_ledger::params::Params;
use holdfast_ledger::registry::{Node, ReportDead, Status, Update};
use holdfast_ledger::state::State;
use holdfast_ledger::transaction::{Body, Payload, Transaction};
use holdfast_proofs::header::Height;
use holdfast_protocol::chain::ChainReply;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::answer::submit;
use super::{Around, LedgerError};

/// A member that does not answer for a quarter of an epoch is dead, but not before this, nor later than that.
const DEAD_SHARE: u64 = 4;
const DEAD_AFTER_MIN: Duration = Duration::from_secs(20);
const DEAD_AFTER_MAX: Duration = Duration::from_secs(3600);
/// Questions in that time.
const QUESTIONS: u32 = 6;
/// Blocks that a transaction of ours may wait.
const VALID_BLOCKS: u64 = 20;

/// What the node does by itself.
pub(crate) struct Duties {
    around: Around,
    key: AccountKey,
    gossip: mpsc::Sender<Transaction>,
    /// When each member was heard of last, or began to be one as far as this node knows.
    heard: BTreeMap<NodeId, Instant>,
    /// The last block that may hold the transaction sent last.
    pending: Height,
}

impl Duties {
    pub(crate) fn new(around: Around, key: AccountKey, gossip: mpsc::Sender<Transaction>) -> Self {
        Self { around, key, gossip, heard: BTreeMap::new(), pending: Height(0) }
    }

    /// Looks around until `stop` is cancelled.
    pub(crate) async fn run(mut self, mut offences: mpsc::Receiver<Accuse>, stop: CancellationToken) {
        loop {
            let dead_after = self.dead_after();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(accuse) = offences.recv() => self.tell(Payload::Accuse(accuse)).await,
                () = tokio::time::sleep(dead_after / QUESTIONS) => {
                    let look = self.look(dead_after);
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => return,
                        payload = look => if let Some(payload) = payload {
                            self.tell(payload).await;
                        },
                    }
                }
            }
        }
    }

    /// How long a member may be silent.
    fn dead_after(&self) -> Duration {
        let record = self.around.ledger.committees.running();
        let length = record.record().end.0.saturating_sub(record.record().start.0);
        Duration::from_secs(length / DEAD_SHARE).clamp(DEAD_AFTER_MIN, DEAD_AFTER_MAX)
    }

    /// Asks all members, and answers what there is to tell.
    async fn look(&mut self, dead_after: Duration) -> Option<Payload> {
        let tip = self.around.ledger.tip();
        if tip.header.height <= self.pending {
            return None; // one thing after the other
        }
        let mut network: Network = self.around.network.clone();
        network.committee = self.around.ledger.committees.running().as_ref().clone();
        let mut asking = JoinSet::new();
        for place in 0..network.committee.members().len() {
            let (net, network) = (self.around.net.clone(), network.clone());
            asking.spawn(async move { (place, ask::node(&net, &network, place).await.is_ok()) });
        }
        let now = Instant::now();
        let members = network.committee.members();
        self.heard.retain(|node, _| network.committee.place(node).is_some());
        for (place, answers) in asking.join_all().await {
            let heard = self.heard.entry(members[place].node).or_insert(now);
            if answers {
                *heard = now;
            }
        }
        let own = self.around.node;
        let view = self.around.ledger.view().ok()?;
        let state = State::over(&view);
        let node = Node::get(&state, &own).ok()??;
        if node.status == Status::Dead {
            let member = node.member;
            return Some(Payload::Update(Update {
                node: own,
                operator: member.operator,
                failure_domain: member.failure_domain,
                weight: member.weight,
                serve: true,
            }));
        }
        tip.validators.set().place(&own)?;
        let epoch = tip.running.epoch;
        let silent = |node: &&NodeId| {
            let row = Node::get(&state, node).ok().flatten();
            row.is_some_and(|row| {
                let serves = matches!(row.status, Status::Active | Status::Leaving);
                let told = row.reports.epoch == epoch && row.reports.from.contains(&own);
                serves && !told
            })
        };
        let dead = self.heard.iter().filter(|(_, heard)| now - **heard >= dead_after).map(|(node, _)| node);
        let node = *dead.filter(|node| **node != own).find(silent)?;
        tracing::warn!(node = %node.short(), "a member does not answer; telling the ledger");
        Some(Payload::ReportDead(ReportDead { by: own, node, epoch }))
    }

    /// Puts a transaction into the pool, and passes it on.
    async fn tell(&mut self, payload: Payload) {
        let transaction = match self.sign(payload) {
            Ok(transaction) => transaction,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "could not tell the ledger");
                return;
            }
        };
        let until = transaction.body.valid_until;
        let ledger = self.around.ledger.clone();
        match submit(&ledger, transaction, &self.gossip).await {
            ChainReply::Submitted(_) => self.pending = until,
            other => {
                tracing::warn!(why = ?other, "the ledger takes nothing from this node; has its owner money?");
            }
        }
    }

    fn sign(&self, payload: Payload) -> Result<Transaction, LedgerError> {
        let view = self.around.ledger.view()?;
        let state = State::over(&view);
        let sender = self.key.account();
        let nonce = account(&state, &sender)?.nonce;
        let valid_until = Height(view.header().height.0.saturating_add(VALID_BLOCKS));
        let body = Body { sender, nonce, fee: Amount::ZERO, valid_until, payload };
        let network = self.around.ledger.network();
        // A fee has the same length whatever it is.
        let length = Transaction::sign(body.clone(), network, self.key.secret()).to_bytes().len();
        let fee = Params::of(&state)?.fee(length).unwrap_or_default();
        Ok(Transaction::sign(Body { fee, ..body }, network, self.key.secret()))
    }
}
