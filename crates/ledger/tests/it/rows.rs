//! Rows of every table, and the longest there can be.

use holdfast_core::codec;
use holdfast_core::ed25519;
use holdfast_core::id::{Amount, BoxKey, CommitteeId, Epoch, NetworkId, NodeId, PieceRoot, Salt, Timestamp};
use holdfast_ledger::account::Account;
use holdfast_ledger::epoch::Running;
use holdfast_ledger::evidence::FirstBlock;
use holdfast_ledger::governance::{Action, Allowed, Authority, Motion};
use holdfast_ledger::params::Params;
use holdfast_ledger::registry::{Node, Reports, Roles, Status};
use holdfast_ledger::stake::{Bond, UNBONDING_MAX, Unbonding};
use holdfast_ledger::state::Row;
use holdfast_ledger::storage::{Active, Expiry, Order};
use holdfast_ledger::supply::Supply;
use holdfast_proofs::committee::CommitteeRecord;
use holdfast_proofs::genesis::{MEMBERS_MAX, Member, PROFILES_MAX};
use holdfast_proofs::header::{Beacon, Height};
use holdfast_proofs::profile::Profile;
use holdfast_proofs::validators::{VALIDATORS_MAX, Validator, ValidatorSet};

use crate::blocks::validators;
use crate::golden::{account, bls_key, cid, list, node, params, parts, text, weight};
use crate::payloads::actions;
use crate::wire_type::check_wire_type;

const ROWS: &str = include_str!("../../testdata/rows.json");

fn row<R: Row + PartialEq + std::fmt::Debug>(name: &str, row: &R) {
    check_wire_type(row, &parts(ROWS, name), R::BYTES_MAX);
}

fn member() -> Member {
    Member {
        node: node(1),
        ed25519: ed25519::PublicKey::new([4; 32]),
        bls: bls_key(5),
        box_key: BoxKey::new([6; 32]),
        operator: text("hold"),
        failure_domain: text("fast"),
        weight: weight(16),
        salt: Salt::new([7; 32]),
        peer: text("12D3"),
    }
}

fn a_node() -> Node {
    let reports = Reports { epoch: Epoch(7), from: list(vec![node(1), node(2)]) };
    Node {
        owner: account(3),
        roles: Roles::PROVIDER,
        status: Status::Expelled,
        since: Height(258),
        member: member(),
        reports,
    }
}

fn order(ends: u64, active: Option<Active>) -> Order {
    Order {
        owner: account(3),
        cid: cid(),
        piece_bytes: 12_345,
        profile: Profile::COPY4,
        price: Amount(3),
        until: Epoch(9),
        escrow: Amount(444),
        ends: Epoch(ends),
        active,
    }
}

fn active(signers: Vec<NodeId>) -> Active {
    Active {
        committee: Epoch(7),
        piece_root: PieceRoot::new([4; 32]),
        promised: Epoch(9),
        signers: list(signers),
        settled: Epoch(8),
    }
}

fn motion() -> Motion {
    let [_, (_, action), ..] = actions();
    Motion { action, supporters: list(vec![node(1), node(2)]), accepted: true, until: Epoch(14) }
}

fn running() -> Running {
    Running {
        network: NetworkId::new([1; 32]),
        epoch: Epoch(7),
        committee: CommitteeId::new([2; 32]),
        first: Height(258),
        end: Timestamp(1_700_000_000),
        ending: false,
    }
}

#[test]
fn every_row() {
    row("account", &Account { balance: Amount(10_u128.pow(18)), nonce: 7 });
    row("supply", &Supply { issued: Amount(10_u128.pow(18)), burned: Amount(1) });
    row("parameters", &params());
    row("node", &a_node());
    // The row of a claim is the node's id.
    check_wire_type(&node(1), &parts(ROWS, "claim"), 34);
    row("running epoch", &running());
    row("validators", &validators());
    row("beacon", &Beacon::new([1; 32]));
    let part = |amount, free| Unbonding { amount: Amount(amount), free: Epoch(free) };
    row("bond", &Bond { bonded: Amount(5), unbonding: list(vec![part(6, 7), part(8, 300)]) });
    row("order (open)", &order(2, None));
    row("order (active)", &order(9, Some(active(vec![node(1), node(2), node(6)]))));
    row("expiry", &Expiry {});
    row("motion", &motion());
    row("measurement", &Allowed { from: Epoch(3), until: Some(Epoch(300)) });
    row("for good", &Allowed { from: Epoch(3), until: None });
    row("authority", &Authority { weight: weight(16) });
    row("first block", &FirstBlock(Height(258)));
}

fn fits<R: Row>(row: &R) {
    let bytes = codec::encode(row).len();
    assert!(bytes <= R::BYTES_MAX, "{bytes} bytes, of {} in table {}", R::BYTES_MAX, R::TABLE.number());
}

/// A row that is longer than its table allows is written, and never read again: the ledger would stand still.
#[test]
fn the_longest_rows_fit() {
    let most = Amount(u128::MAX);
    let (last, nodes) = (Epoch(u64::MAX), |count| vec![node(0xff); count]);
    fits(&Account { balance: most, nonce: u64::MAX });
    fits(&Supply { issued: most, burned: most });
    let params = Params {
        fee_flat: most,
        fee_byte: most,
        price_byte_epoch: most,
        bond_min: most,
        unbond_epochs: u64::MAX,
        evidence_epochs: u64::MAX,
        slash_percent: u8::MAX,
        profiles: list(vec![Profile { k: u16::MAX, n: u16::MAX, q: u16::MAX }; PROFILES_MAX]),
    };
    fits(&params);
    let long = text(&"x".repeat(64));
    let member = Member { operator: long.clone(), failure_domain: long.clone(), peer: long, ..member() };
    let reports = Reports { epoch: last, from: list(nodes(VALIDATORS_MAX)) };
    fits(&Node { since: Height(u64::MAX), member: member.clone(), reports, ..a_node() });
    let part = Unbonding { amount: most, free: last };
    fits(&Bond { bonded: most, unbonding: list(vec![part; UNBONDING_MAX]) });
    let keeps = Active { committee: last, promised: last, settled: last, ..active(nodes(255)) };
    let bytes = u64::MAX;
    let order = order(u64::MAX, Some(keeps));
    fits(&Order { piece_bytes: bytes, price: most, until: last, escrow: most, ..order });
    let action = Action::Params(params.clone());
    fits(&Motion { action, supporters: list(nodes(VALIDATORS_MAX)), accepted: false, until: last });
    fits(&Allowed { from: last, until: Some(last) });
    fits(&FirstBlock(Height(u64::MAX)));
    fits(&Running { epoch: last, first: Height(u64::MAX), end: Timestamp(u64::MAX), ..running() });
    let validator = Validator { node: node(0xff), bls: bls_key(0xff), weight: weight(16) };
    fits(&ValidatorSet { validators: list(vec![validator; VALIDATORS_MAX]) });
    fits(&CommitteeRecord {
        network: NetworkId::new([1; 32]),
        epoch: last,
        previous: Some(CommitteeId::new([1; 32])),
        start: Timestamp(u64::MAX),
        end: Timestamp(u64::MAX),
        profiles: params.profiles,
        members: list(vec![member; MEMBERS_MAX]),
    });
}
