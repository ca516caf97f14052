//! Ledgers whose secrets are known, for the tests of this crate and of those above it.

use holdfast_core::bls::Signature;
use holdfast_core::codec::Bounded;
use holdfast_core::ed25519::SecretKey;
use holdfast_core::id::{Amount, Epoch, NodeId};
use holdfast_core::purpose::Signable;
use holdfast_proofs::header::{BlockTime, Height, Round, Seal};
use holdfast_proofs::testing::{self, TestNetwork};

use crate::account::AccountId;
use crate::accounts;
use crate::beacon::beacon;
use crate::epoch::{Running, validators};
use crate::execute::{self, BlockError, Draft, Executed, Parent};
use crate::genesis::{Allotment, Contents, Founded, Owner};
use crate::memory::MemoryLedger;
use crate::params::Params;
use crate::receipt::{Event, Failure, Receipt};
use crate::state::State;
use crate::transaction::{Body, CheckedTransaction, Payload, Transaction};
use crate::units::FFG;

pub mod audit;
pub mod life;

/// A network with a ledger, all of whose secrets the test knows. Every member is an authority, and owned by
/// [`owner`] of its number.
pub struct TestLedger {
    /// Members, genesis and their keys.
    pub network: TestNetwork,
    /// What the ledger begins with.
    pub contents: Contents,
    /// The first block.
    pub founded: Founded,
}

/// The key of the account that owns the member with this number.
pub fn owner(number: u8) -> SecretKey {
    let mut seed = [number; 32];
    seed[0] = 0xac;
    SecretKey::from_seed(&seed)
}

/// The key of an account with a thousand FFG.
pub fn rich() -> SecretKey {
    SecretKey::from_seed(&[0xfa; 32])
}

/// Parameters without fees, and a price of one unit.
pub fn free() -> Params {
    Params {
        fee_flat: Amount::ZERO,
        fee_byte: Amount::ZERO,
        price_byte_epoch: Amount(1),
        ..Params::default()
    }
}

/// What a ledger of members 1 to `size` begins with.
pub fn contents(size: u8, params: Params) -> Contents {
    let account = |key: SecretKey| AccountId::of(key.public());
    let mut owners: Vec<_> = (1..=size)
        .map(|number| Owner { node: testing::member(number).node, account: account(owner(number)) })
        .collect();
    owners.sort_by_key(|owner| owner.node);
    let allotments = vec![Allotment { account: account(rich()), amount: Amount(1000 * FFG.0) }];
    Contents {
        params,
        owners: Bounded::new(owners).expect("few"),
        allotments: Bounded::new(allotments).expect("one"),
    }
}

/// A ledger that grows block by block.
pub struct TestChain {
    /// Its secrets.
    pub test: TestLedger,
    /// All rows after the last block.
    pub ledger: MemoryLedger,
}

impl TestChain {
    /// At height 0.
    pub fn new(size: u8, params: Params) -> Self {
        Self::of(TestLedger::new(size, params))
    }

    /// The same of another ledger.
    pub fn of(test: TestLedger) -> Self {
        Self { ledger: MemoryLedger::new(test.founded.clone()), test }
    }

    /// All rows.
    pub fn state(&self) -> State<'_> {
        State::over(&self.ledger)
    }

    /// What an account has.
    pub fn balance(&self, key: &SecretKey) -> Amount {
        let id = AccountId::of(key.public());
        accounts::account(&self.state(), &id).expect("in memory").balance
    }

    /// The next transaction of an account.
    pub fn transaction(&self, key: &SecretKey, payload: Payload) -> CheckedTransaction {
        let id = AccountId::of(key.public());
        let nonce = accounts::account(&self.state(), &id).expect("in memory").nonce;
        self.test.transaction(key, nonce, payload)
    }

    /// A block of these transactions, so many milliseconds later, checked and committed.
    ///
    /// # Panics
    /// If it is refused.
    pub fn block(&mut self, later_ms: u64, transactions: Vec<CheckedTransaction>) -> Executed {
        let parent = self.ledger.parent();
        let executed = execute::propose(parent, self.test.draft(parent, later_ms), transactions);
        let executed = executed.expect("the transactions fit");
        execute::check(parent, executed.block().clone()).expect("everybody comes to the same");
        self.ledger.commit(&executed);
        executed
    }

    /// A block with one transaction, a second later, and what became of it.
    pub fn send(&mut self, key: &SecretKey, payload: Payload) -> Receipt {
        let transaction = self.transaction(key, payload);
        let executed = self.block(1000, vec![transaction]);
        executed.receipts().transactions[0].clone()
    }

    /// The same, as something that must succeed; answers its events.
    ///
    /// # Panics
    /// If it fails.
    pub fn done(&mut self, key: &SecretKey, payload: Payload) -> Vec<Event> {
        let receipt = self.send(key, payload);
        assert_eq!(receipt.failure, None);
        receipt.events.to_vec()
    }

    /// The same, as something that must fail.
    ///
    /// # Panics
    /// If it succeeds.
    pub fn fails(&mut self, key: &SecretKey, payload: Payload) -> Failure {
        self.send(key, payload).failure.expect("it must fail")
    }

    /// A block with which the epoch ends, so that the next one runs.
    pub fn next_epoch(&mut self) -> Epoch {
        let running = Running::of(&self.state()).expect("in memory");
        let end = BlockTime::of_second(running.end).0;
        let now = self.ledger.header().time.0;
        self.block(end.saturating_sub(now).max(1), Vec::new());
        Running::of(&self.state()).expect("in memory").epoch
    }
}

impl TestLedger {
    /// A ledger of members 1 to `size`, in epoch 0 from 1,000 s to 2,000 s.
    pub fn new(size: u8, params: Params) -> Self {
        Self::of(size, contents(size, params))
    }

    /// A ledger with other contents.
    ///
    /// # Panics
    /// If they are refused.
    pub fn of(size: u8, contents: Contents) -> Self {
        let network = TestNetwork::with_ledger(size, contents.hash());
        Self::over(network, contents)
    }

    /// The ledger of a network.
    ///
    /// # Panics
    /// If it is founded on other contents, or they are refused.
    pub fn over(network: TestNetwork, contents: Contents) -> Self {
        let founded = contents.found(&network.genesis).expect("test contents are valid");
        Self { network, contents, founded }
    }

    /// The number of a member.
    ///
    /// # Panics
    /// If it is a stranger.
    pub fn number(&self, node: &NodeId) -> u8 {
        let found = (1..=u8::MAX).find(|number| testing::member(*number).node == *node);
        found.expect("every test member has a number")
    }

    /// What the validator whose turn it is would draft in round 0, so many milliseconds after the parent.
    pub fn draft(&self, parent: Parent<'_>, later_ms: u64) -> Draft {
        let state = State::over(parent.rows);
        let height = Height(parent.header.height.0 + 1);
        let proposer = validators(&state).expect("in memory").proposer(height, Round(0)).node;
        let seal = self.seal(parent, &proposer);
        Draft { time: BlockTime(parent.header.time.0 + later_ms), round: Round(0), proposer, seal }
    }

    /// A member's contribution to the beacon of the next block.
    pub fn seal(&self, parent: Parent<'_>, node: &NodeId) -> Signature {
        let height = parent.header.height;
        let beacon =
            beacon(&State::over(parent.rows), height).expect("in memory").expect("every block has one");
        let seal = Seal { beacon, height: Height(height.0 + 1) };
        testing::keys(self.number(node)).1.sign(&seal.signing_input(&self.network.genesis.network()))
    }

    /// A block of these transactions, a second after its parent.
    ///
    /// # Errors
    /// If one does not fit.
    pub fn next(
        &self,
        parent: Parent<'_>,
        transactions: Vec<CheckedTransaction>,
    ) -> Result<Executed, BlockError> {
        execute::propose(parent, self.draft(parent, 1000), transactions)
    }

    /// A transaction for the next thousand blocks from genesis, offering a whole FFG if the ledger asks for fees.
    pub fn transaction(&self, key: &SecretKey, nonce: u64, payload: Payload) -> CheckedTransaction {
        let fee = if self.contents.params.fee_flat == Amount::ZERO { Amount::ZERO } else { FFG };
        let sender = AccountId::of(key.public());
        let body = Body { sender, nonce, fee, valid_until: Height(1000), payload };
        let network = self.network.genesis.network();
        Transaction::sign(body, &network, key).check(&network).expect("just signed")
    }
}
