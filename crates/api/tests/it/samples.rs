//! Objects of the ledger of every kind.

use holdfast_core::block::{BlockId, Codec};
use holdfast_core::codec::{Bounded, Text};
use holdfast_core::id::{Amount, CommitteeId, Epoch, NodeId, OrderId};
use holdfast_core::purpose::Signable;
use holdfast_core::{bls, ed25519};
use holdfast_ledger::account::AccountId;
use holdfast_ledger::block::{BlockHash, Height, Round};
use holdfast_ledger::evidence::{Accuse, Offence, Pair, Signed};
use holdfast_ledger::execute::Executed;
use holdfast_ledger::governance::{Action, Allow, Measurement, MotionId, SetAuthority, Support};
use holdfast_ledger::params::Params;
use holdfast_ledger::receipt::{
    Bonded, Decided, EpochBegan, Event, NodeChanged, OrderActive, OrderChanged, OrderEnded, OrderPaid,
    Rewarded, Slashed, Transferred,
};
use holdfast_ledger::registry::{Register, Registration, ReportDead, Roles, Status, Update};
use holdfast_ledger::stake::{Lock, Unlock, Withdraw};
use holdfast_ledger::storage::{Activate, Active, Cancel, Claim, Order, PlaceOrder, Renew};
use holdfast_ledger::testing::{self, TestChain};
use holdfast_ledger::transaction::{Payload, Transfer};
use holdfast_proofs::genesis::Weight;
use holdfast_proofs::profile::Profile;
use holdfast_proofs::testing::{TestNetwork, keys, member};
use holdfast_proofs::validators::Validators;
use holdfast_proofs::vote::{Finality, Step, Vote};

fn account() -> AccountId {
    AccountId::of(testing::rich().public())
}

fn node() -> NodeId {
    member(1).node
}

fn order() -> OrderId {
    OrderId::new([0x0d; 32])
}

fn cid() -> BlockId {
    BlockId::of(Codec::Raw, b"piece")
}

/// One of each kind.
pub(crate) fn payloads() -> Vec<Payload> {
    let amount = Amount(u128::MAX);
    let network = TestNetwork::new(4);
    let certificate = network.certificate(&network.statement(cid()), &[0, 1, 3]).certificate().clone();
    let signature = bls::Signature::new([0; 48]);
    let vote = Vote { height: Height(5), round: Round(0), step: Step::Prevote, block: None };
    let other = Vote { block: Some(BlockHash::new([1; 32])), ..vote };
    let votes = Offence::Votes(Pair(Signed(vote, signature), Signed(other, signature)));
    let statement = network.statement(cid());
    let statements = Pair(Signed(statement.clone(), signature), Signed(statement, signature));
    let measurement = Measurement::new([7; 48]);
    let text = |text: &str| Text::new(text).unwrap();
    let support = |action| Payload::Support(Support { by: node(), action });
    let registration = Registration {
        owner: account(),
        roles: Roles::PROVIDER,
        ed25519: keys(1).0.public(),
        bls: member(1).bls,
        box_key: member(1).box_key,
        operator: text("operator"),
        failure_domain: text("site"),
        weight: Weight::new(16).unwrap(),
        peer: text("12D3…"),
    };
    vec![
        Payload::Transfer(Transfer { to: account(), amount }),
        Payload::Register(Register {
            registration,
            possession: signature,
            consent: ed25519::Signature::new([0; 64]),
        }),
        Payload::Update(Update {
            node: node(),
            operator: text("other"),
            failure_domain: text(""),
            weight: Weight::ONE,
            serve: false,
        }),
        Payload::ReportDead(ReportDead { by: node(), node: member(2).node, epoch: Epoch(u64::MAX) }),
        Payload::Lock(Lock { node: node(), amount }),
        Payload::Unlock(Unlock { node: node(), amount }),
        Payload::Withdraw(Withdraw { node: node() }),
        Payload::Accuse(Accuse { node: node(), offence: votes }),
        Payload::Accuse(Accuse { node: node(), offence: Offence::Statements(statements) }),
        Payload::PlaceOrder(PlaceOrder {
            cid: cid(),
            piece_bytes: u64::MAX,
            profile: Profile::COPY4,
            epochs: 30,
            price_max: amount,
        }),
        Payload::Activate(Activate { order: order(), certificate }),
        Payload::Renew(Renew { order: order(), epochs: 1, price_max: Amount::ZERO }),
        Payload::Cancel(Cancel { order: order() }),
        Payload::Claim(Claim { order: order() }),
        support(Action::Params(Params::default())),
        support(Action::Authority(SetAuthority { node: node(), weight: None })),
        support(Action::Allow(Allow { measurement, from: Epoch(3), until: Some(Epoch(4)) })),
        support(Action::Revoke(measurement)),
    ]
}

/// One of each kind.
pub(crate) fn events() -> Vec<Event> {
    let (amount, order, node) = (Amount(1_500_000_000_000_000_000), order(), node());
    vec![
        Event::Transferred(Transferred { from: account(), to: account(), amount }),
        Event::Rewarded(Rewarded { to: account(), issued: amount, fees: Amount::ZERO }),
        Event::NodeChanged(NodeChanged { node, status: Status::Expelled }),
        Event::Bonded(Bonded { node, bonded: amount }),
        Event::Slashed(Slashed { node, taken: amount, burned: amount }),
        Event::OrderChanged(OrderChanged { order, until: Epoch(9), escrow: amount }),
        Event::OrderActive(OrderActive { order, cid: cid(), signers: 3, promised: Epoch(9) }),
        Event::OrderPaid(OrderPaid { order, to: account(), amount }),
        Event::OrderEnded(OrderEnded { order, refunded: amount }),
        Event::Decided(Decided { motion: MotionId::new([4; 32]) }),
        Event::EpochBegan(EpochBegan {
            epoch: Epoch(1),
            committee: CommitteeId::new([5; 32]),
            first: Height(8640),
            members: 4,
        }),
    ]
}

/// A ledger with one block.
pub(crate) struct Sample {
    pub(crate) chain: TestChain,
    pub(crate) executed: Executed,
    pub(crate) finality: Finality,
    pub(crate) order: OrderId,
    pub(crate) found: Order,
}

/// A ledger with a block in which an order was made.
pub(crate) fn chain() -> Sample {
    let mut chain = TestChain::new(4, testing::free());
    let place = PlaceOrder {
        cid: cid(),
        piece_bytes: 1000,
        profile: Profile::COPY4,
        epochs: 2,
        price_max: Amount(1),
    };
    let transaction = chain.transaction(&testing::rich(), Payload::PlaceOrder(place));
    let order = holdfast_ledger::storage::order_id(transaction.id());
    let executed = chain.block(1234, vec![transaction]);
    let mut found = Order::get(&chain.state(), &order).unwrap().unwrap();
    found.active = Some(Active {
        committee: Epoch(0),
        piece_root: holdfast_core::id::PieceRoot::new([3; 32]),
        promised: Epoch(2),
        signers: Bounded::new(vec![node()]).unwrap(),
        settled: Epoch(1),
    });
    let network = &chain.test.network;
    let validators = Validators::of_genesis(&network.genesis, &network.proofs).unwrap();
    let block = Some(executed.block().header.hash());
    let vote = Vote { height: Height(1), round: Round(0), step: Step::Precommit, block };
    let input = vote.signing_input(&network.genesis.network());
    let votes: Vec<_> = network.secrets.iter().map(|secret| secret.sign(&input)).enumerate().collect();
    let finality = Finality::of(Round(0), &votes[..3], &validators).unwrap();
    Sample { chain, executed, finality, order, found }
}
