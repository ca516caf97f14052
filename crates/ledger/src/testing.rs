//! Ledgers whose secrets are known, for the tests of this crate and of those above it.

use holdfast_core::bls::Signature;
use holdfast_core::codec::Bounded;
use holdfast_core::ed25519::SecretKey;
use holdfast_core::id::{Amount, NodeId};
use holdfast_core::purpose::Signable;
use holdfast_proofs::header::{BlockTime, Height, Round, Seal};
use holdfast_proofs::testing::{self, TestNetwork};

use crate::account::AccountId;
use crate::beacon::beacon;
use crate::epoch::validators;
use crate::execute::{self, BlockError, Draft, Executed, Parent};
use crate::genesis::{Allotment, Contents, Founded, Owner};
use crate::params::Params;
use crate::state::State;
use crate::transaction::{Body, CheckedTransaction, Payload, Transaction};
use crate::units::FFG;

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

impl TestLedger {
    /// A ledger of members 1 to `size`, in epoch 0 from 1,000 s to 2,000 s.
    pub fn new(size: u8, params: Params) -> Self {
        let account = |key: SecretKey| AccountId::of(key.public());
        let mut owners: Vec<_> = (1..=size)
            .map(|number| Owner { node: testing::member(number).node, account: account(owner(number)) })
            .collect();
        owners.sort_by_key(|owner| owner.node);
        let allotments = vec![Allotment { account: account(rich()), amount: Amount(1000 * FFG.0) }];
        let contents = Contents {
            params,
            owners: Bounded::new(owners).expect("few"),
            allotments: Bounded::new(allotments).expect("one"),
        };
        let network = TestNetwork::with_ledger(size, contents.hash());
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
