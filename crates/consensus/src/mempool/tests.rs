use holdfast_core::ed25519::SecretKey;
use holdfast_core::id::NodeId;
use holdfast_ledger::execute::propose;
use holdfast_ledger::memory::MemoryLedger;
use holdfast_ledger::registry::{ReportDead, Update};
use holdfast_ledger::stake::Lock;
use holdfast_ledger::state::State;
use holdfast_ledger::testing::{TestLedger, owner, rich};
use holdfast_ledger::transaction::{Body, Payload, Transaction, Transfer};
use holdfast_ledger::{accounts, units::FFG};
use proptest::prelude::*;

use super::*;

const FEW: Bounds = Bounds { transactions: 12, bytes: 4000, sender_transactions: 6, sender_bytes: 1800 };

/// A ledger and the transactions that wait for it.
struct World {
    ledger: TestLedger,
    memory: MemoryLedger,
    params: Params,
    pool: Mempool,
}

impl World {
    fn new(bounds: Bounds, params: Params) -> Self {
        let ledger = TestLedger::new(4, params.clone());
        let memory = MemoryLedger::new(ledger.founded.clone());
        Self { ledger, memory, params, pool: Mempool::new(bounds) }
    }

    fn account(&self, key: &SecretKey) -> Account {
        let state = State::over(&self.memory);
        accounts::account(&state, &AccountId::of(key.public())).unwrap()
    }

    fn sign(
        &self,
        key: &SecretKey,
        nonce: u64,
        fee: u128,
        until: u64,
        payload: Payload,
    ) -> CheckedTransaction {
        let sender = AccountId::of(key.public());
        let body = Body { sender, nonce, fee: Amount(fee), valid_until: Height(until), payload };
        let network = self.ledger.network.genesis.network();
        Transaction::sign(body, &network, key).check(&network).unwrap()
    }

    fn pay(&self, key: &SecretKey, nonce: u64, fee: u128, amount: u128) -> CheckedTransaction {
        let to = AccountId::of(owner(2).public());
        self.sign(key, nonce, fee, 1000, Payload::Transfer(Transfer { to, amount: Amount(amount) }))
    }

    fn admit(&mut self, transaction: CheckedTransaction) -> Result<Admission, AdmitError> {
        let state = State::over(&self.memory);
        let account = accounts::account(&state, &transaction.body().sender).unwrap();
        let height = Height(self.memory.header().height.0 + 1);
        let admitted = self.pool.admit(transaction, account, Conditions { height, params: &self.params });
        self.check();
        admitted
    }

    fn select(&self, limits: Limits) -> Vec<CheckedTransaction> {
        let height = Height(self.memory.header().height.0 + 1);
        self.pool.select(limits, Conditions { height, params: &self.params })
    }

    /// Makes a block of these, which all fit, and commits it.
    fn block(&mut self, transactions: Vec<CheckedTransaction>) {
        let parent = self.memory.parent();
        let draft = self.ledger.draft(parent, 1000);
        let executed = propose(parent, draft, transactions).unwrap();
        self.memory.commit(&executed);
        let height = Height(self.memory.header().height.0 + 1);
        let account = |id: &AccountId| accounts::account(&State::over(&self.memory), id).unwrap();
        let conditions = Conditions { height, params: &self.params };
        self.pool.committed(&executed.block().transactions, account, conditions);
        self.check();
    }

    /// What holds of a pool at any time.
    fn check(&self) {
        let (mut count, mut bytes) = (0, 0);
        for (owner, chain) in &self.pool.chains {
            let all: Vec<_> = (0..).map_while(|place| chain.at(place)).collect();
            assert!(!all.is_empty());
            assert!(all.iter().all(|one| one.body().sender == *owner));
            let nonces = all.windows(2).all(|pair| pair[0].body().nonce + 1 == pair[1].body().nonce);
            assert!(nonces, "a gap in the chain of {owner}");
            let sum: usize = all.iter().map(|one| one.bytes()).sum();
            assert_eq!(chain.size(), (all.len(), sum));
            assert!(
                all.len() <= self.pool.bounds.sender_transactions && sum <= self.pool.bounds.sender_bytes
            );
            (count, bytes) = (count + all.len(), bytes + sum);
            assert!(self.pool.ends.contains(&(Rate::of(all[all.len() - 1]), *owner)));
        }
        assert_eq!((count, bytes), (self.pool.len(), self.pool.bytes()));
        assert_eq!(self.pool.ends.len(), self.pool.chains.len());
        assert!(count <= self.pool.bounds.transactions && bytes <= self.pool.bounds.bytes);
    }
}

fn nonces(selected: &[CheckedTransaction]) -> Vec<u64> {
    selected.iter().map(|one| one.body().nonce).collect()
}

#[test]
fn chains_have_no_gaps_and_the_same_nonce_costs_a_tenth_more() {
    let mut world = World::new(FEW, Params::default());
    let (key, fee) = (rich(), FFG.0);
    let gap = AdmitError::Gap { next: 0, found: 1 };
    assert_eq!(world.admit(world.pay(&key, 1, fee, 1)), Err(gap));
    let first = world.pay(&key, 0, fee, 1);
    assert_eq!(world.admit(first.clone()), Ok(Admission::Added));
    assert!(world.pool.contains(&first));
    assert_eq!(world.admit(first.clone()), Err(AdmitError::Known));
    assert_eq!(world.admit(world.pay(&key, 1, fee, 1)), Ok(Admission::Added));
    let needed = Amount(fee / 10 * 11);
    assert_eq!(world.admit(world.pay(&key, 0, needed.0 - 1, 2)), Err(AdmitError::Underpriced { needed }));
    assert_eq!(world.admit(world.pay(&key, 0, needed.0, 2)), Ok(Admission::Replaced(first.id())));
    assert_eq!(nonces(&world.select(Limits::BLOCK)), [0, 1]);
    assert_eq!(world.admit(world.pay(&key, 2, 1, 1)).unwrap_err().to_string().split(' ').next(), Some("at"));
    let late = world.sign(
        &key,
        2,
        fee,
        0,
        Payload::Transfer(Transfer { to: AccountId::of(key.public()), amount: Amount(1) }),
    );
    assert_eq!(world.admit(late), Err(AdmitError::Expired { until: Height(0) }));
}

#[test]
fn a_fee_must_be_payable_after_all_that_comes_before() {
    let mut world = World::new(FEW, Params::default());
    let (key, fee) = (rich(), FFG.0);
    let balance = world.account(&key).balance.0;
    // Whether the first transfer succeeds or not, nothing is certain to be left.
    assert_eq!(world.admit(world.pay(&key, 0, fee, balance - fee)), Ok(Admission::Added));
    assert_eq!(world.admit(world.pay(&key, 1, fee, 1)), Err(AdmitError::Unpayable));
    let lock = Lock { node: NodeId::new([1; 32]), amount: Amount(balance) };
    assert_eq!(world.admit(world.sign(&key, 0, 2 * fee, 1000, Payload::Lock(lock))).map(drop), Ok(()));
    assert_eq!(world.admit(world.pay(&key, 1, fee, 1)), Err(AdmitError::Unpayable));
    // One that costs more takes along what follows and cannot be paid any more.
    assert_eq!(world.admit(world.pay(&key, 0, 3 * fee, 1)).map(drop), Ok(()));
    assert_eq!(world.admit(world.pay(&key, 1, fee, 1)), Ok(Admission::Added));
    assert_eq!(world.admit(world.pay(&key, 0, 4 * fee, balance)).map(drop), Ok(()));
    assert_eq!(world.pool.len(), 1);
}

#[test]
fn without_room_the_end_that_pays_least_goes() {
    let mut world = World::new(Bounds { transactions: 4, ..FEW }, Params::default());
    let key = rich();
    world.block(vec![]); // member 1 to 4 may have a reward by now
    for (nonce, fee) in [(0, 9), (1, 3), (2, 5), (3, 4)] {
        assert_eq!(world.admit(world.pay(&key, nonce, fee * FFG.0, 1)), Ok(Admission::Added));
    }
    let other = (1..=4).map(owner).find(|key| world.account(key).balance > Amount(0)).unwrap();
    assert_eq!(world.admit(world.pay(&other, 0, 4 * FFG.0, 1)), Err(AdmitError::Full), "it pays no more");
    assert_eq!(world.admit(world.pay(&other, 0, 6 * FFG.0, 1)), Ok(Admission::Added));
    assert_eq!(nonces(&world.select(Limits::BLOCK)), [0, 0, 1, 2]);
    // The end that pays 5 goes before the one that pays 3, which stands before it.
    assert_eq!(world.admit(world.pay(&other, 1, 6 * FFG.0, 1)), Ok(Admission::Added));
    assert_eq!(nonces(&world.select(Limits::BLOCK)), [0, 0, 1, 1]);
    // Nobody pushes out what its own transaction follows.
    assert_eq!(world.admit(world.pay(&key, 2, 20 * FFG.0, 1)).map(drop), Ok(()));
    assert_eq!(world.select(Limits::BLOCK).len(), 4);
}

#[test]
fn a_sender_has_a_share_only() {
    let mut world = World::new(FEW, Params::default());
    for nonce in 0..6 {
        world.admit(world.pay(&rich(), nonce, FFG.0, 1)).unwrap();
    }
    assert_eq!(world.admit(world.pay(&rich(), 6, 9 * FFG.0, 1)), Err(AdmitError::SenderFull));
}

#[test]
fn a_block_is_filled_within_its_limits() {
    let mut world = World::new(Bounds::default(), Params::default());
    for nonce in 0..20 {
        world.admit(world.pay(&rich(), nonce, FFG.0, 1)).unwrap();
    }
    let bytes = world.pay(&rich(), 0, FFG.0, 1).bytes();
    let limits = |transactions, bytes, checks| Limits { transactions, bytes, checks };
    assert_eq!(world.select(limits(7, usize::MAX, 0)).len(), 7);
    assert_eq!(world.select(limits(usize::MAX, 5 * bytes + 1, 0)).len(), 5);
    assert_eq!(world.select(limits(0, 0, 0)).len(), 0);
}

#[test]
fn what_was_included_or_waited_too_long_goes_and_what_followed_with_it() {
    let mut world = World::new(Bounds::default(), Params::default());
    let to = AccountId::of(owner(2).public());
    for (nonce, until) in [(0, 9), (1, 9), (2, 2), (3, 9)] {
        let transfer = Payload::Transfer(Transfer { to, amount: Amount(1) });
        world.admit(world.sign(&rich(), nonce, FFG.0, until, transfer)).unwrap();
    }
    world.block(vec![world.pay(&rich(), 0, 2 * FFG.0, 5)]); // by another proposer
    assert_eq!(nonces(&world.select(Limits::BLOCK)), [1, 2, 3]);
    world.block(vec![]);
    assert_eq!(nonces(&world.select(Limits::BLOCK)), [1], "what is good until block 2 cannot be in block 3");
    world.block(world.select(Limits::BLOCK));
    assert!(world.pool.is_empty() && world.pool.bytes() == 0 && world.pool.chains.is_empty());
}

/// What happens to a pool.
#[derive(Clone, Debug)]
enum Step {
    Admit {
        sender: u8,
        ahead: u64,
        fee: u128,
        kind: u8,
        amount: u128,
        until: u64,
    },
    /// A block of the best of the pool.
    Block {
        transactions: usize,
        bytes: usize,
        checks: usize,
    },
    /// A block of somebody who knows other transactions.
    Other {
        sender: u8,
        amount: u128,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let fee = prop_oneof![0..4_u128, Just(FFG.0), FFG.0..3 * FFG.0, Just(900 * FFG.0)];
    let amount = prop_oneof![0..4_u128, 0..1000 * FFG.0, Just(u128::MAX)];
    let admit = (0..4_u8, 0..7_u64, fee, 0..5_u8, amount.clone(), 0..9_u64);
    prop_oneof![
        12 => admit.prop_map(|(sender, ahead, fee, kind, amount, until)| {
            Step::Admit { sender, ahead, fee, kind, amount, until }
        }),
        2 => (0..9_usize, 0..3000_usize, 0..3_usize).prop_map(|(transactions, bytes, checks)| {
            Step::Block { transactions, bytes, checks }
        }),
        1 => (0..4_u8, amount).prop_map(|(sender, amount)| Step::Other { sender, amount }),
    ]
}

fn key(sender: u8) -> SecretKey {
    if sender == 0 { rich() } else { owner(sender) }
}

fn payload(kind: u8, amount: u128) -> Payload {
    let node = NodeId::new([3; 32]);
    match kind {
        0 => Payload::Lock(Lock { node, amount: Amount(amount) }),
        1 => Payload::ReportDead(ReportDead { by: node, node, epoch: holdfast_core::id::Epoch(0) }),
        2 => {
            let text = |length| holdfast_core::codec::Text::new("x".repeat(length)).unwrap();
            let weight = holdfast_proofs::genesis::Weight::ONE;
            Payload::Update(Update {
                node,
                operator: text(64),
                failure_domain: text(64),
                weight,
                serve: true,
            })
        }
        _ => {
            let to = AccountId::of(owner(1 + kind % 4).public());
            Payload::Transfer(Transfer { to, amount: Amount(amount) })
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Never a gap, never over a bound, and whatever is selected executes.
    #[test]
    fn a_pool_keeps_its_promises(free in any::<bool>(), steps in proptest::collection::vec(step(), 1..60)) {
        let params = if free { holdfast_ledger::testing::free() } else { Params::default() };
        let mut world = World::new(FEW, params);
        for step in steps {
            match step {
                Step::Admit { sender, ahead, fee, kind, amount, until } => {
                    let key = key(sender);
                    let nonce = world.account(&key).nonce + ahead;
                    let until = world.memory.header().height.0 + until;
                    let transaction = world.sign(&key, nonce, fee, until, payload(kind, amount));
                    let admitted = world.admit(transaction.clone());
                    prop_assert_eq!(admitted.is_ok(), world.pool.contains(&transaction) && admitted != Err(AdmitError::Known));
                }
                Step::Block { transactions, bytes, checks } => {
                    let selected = world.select(Limits { transactions, bytes, checks });
                    prop_assert!(selected.len() <= transactions);
                    prop_assert!(selected.iter().map(CheckedTransaction::bytes).sum::<usize>() <= bytes);
                    world.block(selected);
                }
                Step::Other { sender, amount } => {
                    let key = key(sender);
                    let account = world.account(&key);
                    let fee = account.balance.0.min(2 * FFG.0);
                    if world.params.fee_flat == Amount::ZERO || fee == 2 * FFG.0 {
                        world.block(vec![world.pay(&key, account.nonce, fee, amount)]);
                    }
                }
            }
        }
    }
}
