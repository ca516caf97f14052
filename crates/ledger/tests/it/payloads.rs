//! Every payload, action and offence.

use holdfast_core::ed25519;
use holdfast_core::id::{Amount, BoxKey, CommitteeId, Epoch, OrderId, PieceRoot};
use holdfast_ledger::evidence::{Accuse, Offence, Pair, Signed};
use holdfast_ledger::governance::{Action, Allow, Measurement, SetAuthority, Support};
use holdfast_ledger::registry::{Register, Registration, ReportDead, Roles, Update};
use holdfast_ledger::stake::{Lock, Unlock, Withdraw};
use holdfast_ledger::storage::{Activate, Cancel, Claim, PlaceOrder, Renew};
use holdfast_ledger::transaction::{Payload, TRANSACTION_BYTES_MAX, Transfer};
use holdfast_proofs::header::{BlockHash, Height, Round};
use holdfast_proofs::profile::Profile;
use holdfast_proofs::statement::{Coding, Durability, Statement};
use holdfast_proofs::testing::TestNetwork;
use holdfast_proofs::vote::{Step, Vote};

use crate::golden::{ALL, account, bls_key, bytes, cid, node, params, parts, signature, text, weight};
use crate::wire_type::check_wire_type;

const PAYLOADS: &str = include_str!("../../testdata/payloads.json");

pub(crate) const ORDER: OrderId = OrderId::new([5; 32]);

pub(crate) fn registration() -> Registration {
    Registration {
        owner: account(3),
        roles: Roles::ALL,
        ed25519: ed25519::PublicKey::new([4; 32]),
        bls: bls_key(5),
        box_key: BoxKey::new([6; 32]),
        operator: text("hold"),
        failure_domain: text("fast"),
        weight: weight(16),
        peer: text("12D3"),
    }
}

pub(crate) fn vote(block: Option<BlockHash>) -> Vote {
    Vote { height: Height(258), round: Round(3), step: Step::Precommit, block }
}

fn statement(root: u8) -> Statement {
    Statement {
        epoch: Epoch(7),
        committee: CommitteeId::new([1; 32]),
        cid: cid(),
        piece_root: PieceRoot::new([root; 32]),
        piece_bytes: 12_345,
        coding: Coding::copies(Profile::COPY4),
        retain_until: Epoch(9),
        durability: Durability::SYNCED,
        read_price_max: Amount::ZERO,
        order: Some(ORDER),
    }
}

fn pair<T>(one: T, other: T) -> Pair<T> {
    Pair(Signed(one, signature(6)), Signed(other, signature(7)))
}

pub(crate) fn actions() -> [(&'static str, Action); 6] {
    let measurement = Measurement::new([2; 48]);
    let allow = |until: Option<u64>| Allow { measurement, from: Epoch(3), until: until.map(Epoch) };
    let authority = |weight| SetAuthority { node: node(1), weight };
    [
        ("parameters", Action::Params(params())),
        ("authority", Action::Authority(authority(Some(weight(16))))),
        ("no authority", Action::Authority(authority(None))),
        ("allow", Action::Allow(allow(Some(300)))),
        ("allow for good", Action::Allow(allow(None))),
        ("revoke", Action::Revoke(measurement)),
    ]
}

fn certificate() -> holdfast_proofs::certificate::Certificate {
    let network = TestNetwork::new(7);
    network.certificate(&network.statement(cid()), &[0, 1, 3]).certificate().clone()
}

fn payloads() -> Vec<(String, Payload)> {
    let node = node(1);
    let (operator, failure_domain) = (text("hold"), text("fast"));
    let register = Register {
        registration: registration(),
        possession: signature(7),
        consent: ed25519::Signature::new([8; 64]),
    };
    let accuse = |offence| Payload::Accuse(Accuse { node, offence });
    let votes = pair(vote(Some(BlockHash::new([8; 32]))), vote(None));
    let place = PlaceOrder {
        cid: cid(),
        piece_bytes: 12_345,
        profile: Profile::COPY4,
        epochs: 3660,
        price_max: Amount(3),
    };
    let all = [
        ("1 transfer", Payload::Transfer(Transfer { to: account(2), amount: Amount(258) })),
        ("2 register", Payload::Register(register)),
        (
            "3 update",
            Payload::Update(Update { node, operator, failure_domain, weight: weight(2), serve: true }),
        ),
        (
            "4 report dead",
            Payload::ReportDead(ReportDead { by: node, node: crate::golden::node(2), epoch: Epoch(7) }),
        ),
        ("5 lock", Payload::Lock(Lock { node, amount: Amount(u128::MAX) })),
        ("6 unlock", Payload::Unlock(Unlock { node, amount: Amount(1) })),
        ("7 withdraw", Payload::Withdraw(Withdraw { node })),
        ("8 accuse (votes)", accuse(Offence::Votes(votes))),
        ("8 accuse (statements)", accuse(Offence::Statements(pair(statement(3), statement(4))))),
        ("9 order", Payload::PlaceOrder(place)),
        ("10 activate", Payload::Activate(Activate { order: ORDER, certificate: certificate() })),
        ("11 renew", Payload::Renew(Renew { order: ORDER, epochs: 1, price_max: Amount(3) })),
        ("12 cancel", Payload::Cancel(Cancel { order: ORDER })),
        ("13 claim", Payload::Claim(Claim { order: ORDER })),
    ];
    let all = all.map(|(name, payload)| (name.to_owned(), payload));
    let support = actions().map(|(name, action)| {
        (format!("14 support ({name})"), Payload::Support(Support { by: node, action }))
    });
    all.into_iter().chain(support).collect()
}

#[test]
fn every_payload() {
    let payloads = payloads();
    for (name, payload) in &payloads {
        check_wire_type::<Payload>(payload, &parts(PAYLOADS, name), TRANSACTION_BYTES_MAX);
    }
    // None is left out.
    let found: usize = payloads.iter().map(|(_, payload)| holdfast_core::codec::encode(payload).len()).sum();
    assert_eq!(found, bytes(PAYLOADS, ALL).len());
}
