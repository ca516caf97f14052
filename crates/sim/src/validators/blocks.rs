//! How a host makes, gets, checks and commits blocks.
//!
//! A body is looked at under the header that was asked for: transactions that are not those of the header say nothing about the block,
//! only about who sent them.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use holdfast_consensus::engine::Input;
use holdfast_consensus::mempool::{Conditions, Limits};
use holdfast_core::Fault;
use holdfast_core::id::NodeId;
use holdfast_ledger::account::{Account, AccountId};
use holdfast_ledger::accounts;
use holdfast_ledger::beacon::beacon;
use holdfast_ledger::block::Block;
use holdfast_ledger::epoch;
use holdfast_ledger::execute::{self, Draft, Executed};
use holdfast_ledger::params::Params;
use holdfast_ledger::registry::{Node, Status};
use holdfast_ledger::state::State;
use holdfast_ledger::transaction::{Body, Payload, Transaction};
use holdfast_proofs::header::{BlockHash, BlockTime, Header, Height, Round, Seal};
use holdfast_proofs::list::ListRoot;
use holdfast_proofs::validators::Validators;
use holdfast_proofs::vote::Finality;

use super::air::{FinalBlock, Packet};
use super::host::{Host, Shared};

/// Final blocks in one answer.
const BLOCKS_AT_ONCE: usize = 8;
/// How long a host waits for final blocks before it asks somebody else.
const BLOCKS_WAIT: Duration = Duration::from_millis(400);
/// For how many blocks an accusation is good.
const ACCUSATION_BLOCKS: u64 = 50;

impl Host {
    /// The last final block.
    pub fn height(&self) -> Height {
        self.disk.ledger.header().height
    }

    fn next_height(&self) -> Height {
        Height(self.height().0 + 1)
    }

    fn state(&self) -> State<'_> {
        State::over(&self.disk.ledger)
    }

    fn params(&self) -> Params {
        Params::of(&self.state()).expect("in memory")
    }

    fn account(&self, id: &AccountId) -> Account {
        accounts::account(&self.state(), id).expect("in memory")
    }

    fn validators(&self, shared: &Shared) -> Arc<Validators> {
        shared.verified.validators(epoch::validators(&self.state()).expect("in memory"))
    }

    /// Whether a node was expelled, as far as this host knows.
    pub fn is_expelled(&self, node: &NodeId) -> bool {
        let node = Node::get(&self.state(), node).expect("in memory");
        node.is_some_and(|node| node.status == Status::Expelled)
    }

    /// Begins the height after the last final block.
    pub(super) fn begin_height(&mut self, shared: &mut Shared) {
        self.executed.clear();
        self.wanted.clear();
        let validators = self.validators(shared);
        let (height, parent) = (self.next_height(), self.disk.ledger.header().time);
        if self.kind.is_honest() {
            shared.record.began(height, &validators);
        }
        self.show_offences(shared);
        self.tell(Input::Start { height, parent, validators }, shared);
    }

    /// What this host would put into a block of its own.
    pub(super) fn draft(&self, round: Round, time: BlockTime) -> Draft {
        let height = self.height();
        let beacon = beacon(&self.state(), height).expect("in memory").expect("every block has one");
        let seal = self.enclave.sign_anything(&Seal { beacon, height: self.next_height() });
        Draft { time, round, proposer: self.node, seal }
    }

    pub(super) fn build(&mut self, round: Round, shared: &mut Shared) -> Option<Header> {
        let after = self.disk.ledger.header().time.0 + 1;
        let time = BlockTime(self.time(shared).0.max(after));
        let params = self.params();
        let conditions = Conditions { height: self.next_height(), params: &params };
        let transactions = self.pool.select(Limits::BLOCK, conditions);
        let draft = self.draft(round, time);
        let executed = execute::propose(self.disk.ledger.parent(), draft, transactions);
        match executed {
            Ok(executed) => {
                let header = self.keep(executed);
                Some(if self.kind.is_honest() { header } else { self.spoil(header, shared) })
            }
            Err(error) => {
                // A clock that is behind its parent's validators may find that it is not its turn any more.
                let now = shared.clock.now();
                shared.trace.line(now, format_args!("v{} makes no block: {error}", self.place));
                None
            }
        }
    }

    /// Keeps a block that may become final.
    pub(super) fn keep(&mut self, executed: Executed) -> Header {
        let header = executed.block().header.clone();
        let hash = header.hash();
        self.disk.bodies.insert(hash, executed.block().to_bytes().into());
        self.executed.insert(hash, executed);
        header
    }

    /// Gets the block under a header, or looks at it if it is here.
    pub(super) fn check(&mut self, header: Header, from: NodeId, shared: &mut Shared) {
        let block = header.hash();
        if self.executed.contains_key(&block) {
            return self.answer(Input::Checked { block, valid: true }, 5, shared);
        }
        if let Some(bytes) = self.disk.bodies.get(&block).cloned() {
            self.wanted.insert(block, header);
            return self.body(&bytes, shared);
        }
        self.wanted.insert(block, header);
        let from = self.ground.seats.iter().position(|seat| seat.node == from);
        let any = shared.chance.index(self.ground.seats.len());
        let asked = from.into_iter().chain([any]).filter(|peer| *peer != self.place);
        for peer in asked.collect::<Vec<_>>() {
            self.send(peer, Packet::WantBody(block), shared);
        }
    }

    pub(super) fn give_body(&mut self, to: usize, block: BlockHash, shared: &mut Shared) {
        if let Some(bytes) = self.disk.bodies.get(&block).cloned()
            && self.gives(&block, shared)
        {
            self.send(to, Packet::Body(bytes), shared);
        }
    }

    /// A block that may be wanted.
    pub(super) fn body(&mut self, bytes: &[u8], shared: &mut Shared) {
        let Ok(block) = Block::from_bytes(bytes) else { return };
        let hash = block.header.hash();
        if self.wanted.remove(&hash).is_none() {
            return;
        }
        let ids = block.transactions.iter().map(|one| *blake3::hash(&one.to_bytes()).as_bytes());
        if ListRoot::of(ids) != block.header.transactions {
            return; // of another block
        }
        let checked = block.check(&self.ground.network);
        let valid = checked.is_ok_and(|block| match execute::check(self.disk.ledger.parent(), block) {
            Ok(executed) => {
                self.keep(executed);
                true
            }
            Err(error) => {
                assert_eq!(error.fault(), Fault::Peer, "rows in memory can be read: {error}");
                shared.trace.count("bad blocks found");
                false
            }
        });
        self.answer(Input::Checked { block: hash, valid }, 30, shared);
    }

    pub(super) fn decide(&mut self, header: &Header, finality: Finality, shared: &mut Shared) {
        let block = header.hash();
        let now = shared.clock.now();
        if !self.executed.contains_key(&block)
            && let Some(bytes) = self.disk.bodies.get(&block).cloned()
        {
            let body = Block::from_bytes(&bytes).ok().and_then(|body| body.check(&self.ground.network).ok());
            let executed = body.map(|body| execute::check(self.disk.ledger.parent(), body));
            if let Some(Ok(executed)) = executed {
                self.keep(executed);
            }
        }
        match self.executed.remove(&block) {
            Some(executed) => {
                self.commit(&executed, finality, shared);
                self.begin_height(shared);
            }
            None => shared.trace.found(now, format!("v{} decided a block that it does not have", self.place)),
        }
    }

    fn commit(&mut self, executed: &Executed, finality: Finality, shared: &mut Shared) {
        let header = &executed.block().header;
        let (now, place) = (shared.clock.now(), self.place);
        let (height, round) = (header.height, finality.round);
        shared
            .trace
            .line(now, format_args!("v{place} commits {height} of round {round}: {:?}", header.hash()));
        let verified = finality.verify(header.clone(), &self.ground.network, &self.validators(shared));
        if let Err(error) = verified {
            shared.trace.found(now, format!("v{place} commits {height}, which is not final: {error}"));
        }
        if self.kind.is_honest() {
            shared.record.decided(now, place, height, header.hash(), &mut shared.trace);
            shared.trace.count("blocks committed");
            if round > Round(0) {
                shared.trace.count("blocks committed in later rounds");
            }
        }
        self.disk.commit(executed, finality);
        let params = self.params();
        let conditions = Conditions { height: self.next_height(), params: &params };
        let ledger = &self.disk.ledger;
        let account = |id: &AccountId| accounts::account(&State::over(ledger), id).expect("in memory");
        self.pool.committed(&executed.block().transactions, account, conditions);
    }

    pub(super) fn ask_for_blocks(&mut self, height: Height, peer: NodeId, shared: &mut Shared) {
        let now = shared.clock.now();
        let waits = self.blocks_asked.is_some_and(|asked| now < asked + BLOCKS_WAIT);
        let peer = self.ground.seats.iter().position(|seat| seat.node == peer);
        if let Some(peer) = peer
            && height > self.height()
            && !waits
        {
            shared.trace.count("questions for blocks");
            self.blocks_asked = Some(now);
            self.send(peer, Packet::WantBlocks(self.next_height()), shared);
        }
    }

    pub(super) fn give_blocks(&mut self, to: usize, from: Height, shared: &mut Shared) {
        let before = usize::try_from(from.0.saturating_sub(1)).unwrap_or(usize::MAX);
        let chain = self.disk.chain.iter().skip(before).take(BLOCKS_AT_ONCE);
        let block = |(block, finality): &(Rc<[u8]>, Finality)| FinalBlock {
            block: Rc::clone(block),
            finality: finality.to_bytes().into(),
        };
        let blocks: Vec<_> = chain.map(block).collect();
        if !blocks.is_empty() {
            self.send(to, Packet::Blocks(blocks), shared);
        }
    }

    /// Final blocks of somebody who is ahead. Nothing of them is believed.
    pub(super) fn blocks(&mut self, blocks: &[FinalBlock], shared: &mut Shared) {
        self.blocks_asked = None;
        let mut more = false;
        for FinalBlock { block, finality } in blocks {
            let (Ok(block), Ok(finality)) = (Block::from_bytes(block), Finality::from_bytes(finality)) else {
                break;
            };
            if block.header.height <= self.height() {
                continue;
            }
            let validators = self.validators(shared);
            let network = &self.ground.network;
            if block.header.height != self.next_height()
                || finality.verify(block.header.clone(), network, &validators).is_err()
            {
                break;
            }
            let Ok(checked) = block.check(network) else { break };
            let Ok(executed) = execute::check(self.disk.ledger.parent(), checked) else { break };
            shared.trace.count("blocks synced");
            self.commit(&executed, finality, shared);
            more = true;
        }
        if more {
            self.begin_height(shared);
        }
    }

    pub(super) fn transaction(&mut self, bytes: &[u8], _: &mut Shared) {
        let transaction = Transaction::from_bytes(bytes).ok();
        let Some(checked) = transaction.and_then(|one| one.check(&self.ground.network).ok()) else { return };
        let (params, account) = (self.params(), self.account(&checked.body().sender));
        let conditions = Conditions { height: self.next_height(), params: &params };
        // Whoever sent it may send it again.
        let _ = self.pool.admit(checked, account, conditions);
    }

    /// Sends offences that the ledger does not know yet: one at a time.
    pub(super) fn show_offences(&mut self, shared: &mut Shared) {
        let mut known = std::mem::take(&mut self.disk.accusations);
        known.retain(|accuse| !self.is_expelled(&accuse.node));
        self.disk.accusations = known;
        let Some(accuse) = self.disk.accusations.first().cloned() else { return };
        let key = &self.ground.seats[self.place].owner;
        let sender = AccountId::of(key.public());
        let body = Body {
            sender,
            nonce: self.account(&sender).nonce,
            fee: holdfast_core::id::Amount::ZERO,
            valid_until: Height(self.height().0 + ACCUSATION_BLOCKS),
            payload: Payload::Accuse(accuse),
        };
        let transaction = Transaction::sign(body, &self.ground.network, key);
        let bytes: Rc<[u8]> = transaction.to_bytes().into();
        self.transaction(&bytes, shared);
        self.send_all(&Packet::Transaction(bytes), shared);
    }
}
