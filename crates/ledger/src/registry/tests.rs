use holdfast_core::bls::PublicKeyBytes;
use holdfast_proofs::committee::CommitteeRecord;
use holdfast_proofs::testing;

use super::*;
use crate::beacon::beacon;
use crate::testing::{TestChain, free, owner, rich};
use crate::transaction::Payload;

/// The registration of member 9 by its owner, changed before the node signs it.
fn registration(chain: &TestChain, change: impl FnOnce(&mut Registration)) -> Register {
    let member = testing::member(9);
    let mut registration = Registration {
        owner: AccountId::of(owner(9).public()),
        roles: Roles::ALL,
        ed25519: member.ed25519,
        bls: member.bls,
        box_key: member.box_key,
        operator: member.operator,
        failure_domain: member.failure_domain,
        weight: member.weight,
        peer: member.peer,
    };
    change(&mut registration);
    let network = chain.test.network.genesis.network();
    let (ed25519, bls) = testing::keys(9);
    Register {
        possession: bls.sign_possession(member.node, &network),
        consent: ed25519.sign(&registration.signing_input(&network)),
        registration,
    }
}

fn register(chain: &TestChain) -> Payload {
    Payload::Register(registration(chain, |_| {}))
}

fn update(number: u8, serve: bool) -> Payload {
    let member = testing::member(number);
    Payload::Update(Update {
        node: member.node,
        operator: member.operator,
        failure_domain: member.failure_domain,
        weight: member.weight,
        serve,
    })
}

fn running(chain: &TestChain) -> Running {
    Running::of(&chain.state()).unwrap()
}

fn record(chain: &TestChain) -> CommitteeRecord {
    let running = running(chain);
    let record: CommitteeRecord = chain.state().get(&running.epoch.0.to_be_bytes()).unwrap().unwrap();
    assert_eq!(record.id(), running.committee);
    record
}

fn members(chain: &TestChain) -> Vec<u8> {
    let mut numbers: Vec<_> =
        record(chain).members.iter().map(|member| chain.test.number(&member.node)).collect();
    numbers.sort_unstable();
    numbers
}

fn status(chain: &TestChain, number: u8) -> Status {
    Node::get(&chain.state(), &testing::member(number).node).unwrap().unwrap().status
}

#[test]
fn a_node_joins_with_the_next_epoch_and_leaves_with_another() {
    let mut chain = TestChain::new(4, free());
    chain.done(&owner(9), register(&chain));
    assert_eq!(members(&chain), [1, 2, 3, 4]);
    chain.block(1000, vec![]);
    let before = record(&chain);
    chain.next_epoch();
    let beacon = beacon(&chain.state(), chain.ledger.header().height).unwrap().unwrap();
    assert_eq!(members(&chain), [1, 2, 3, 4, 9]);
    let after = record(&chain);
    assert_eq!((after.epoch, after.previous), (Epoch(1), Some(before.id())));
    assert_eq!(after.start, before.end);
    let peer = testing::member(9).peer;
    let hosted = |peer: &str| hosted_by(&chain.state(), peer).unwrap();
    assert_eq!((hosted(peer.as_str()), hosted("12D3")), (Some(testing::member(9).node), None));
    let newcomer = after.members.iter().find(|member| member.node == testing::member(9).node).unwrap();
    assert_eq!(newcomer.salt, Salt::new(*beacon.as_bytes()));
    // Who was there keeps its salt, and so its slots.
    assert!(before.members.iter().all(|member| after.members.contains(member)));

    chain.done(&owner(9), update(9, false));
    assert_eq!((members(&chain), status(&chain, 9)), (vec![1, 2, 3, 4, 9], Status::Leaving));
    chain.next_epoch();
    assert_eq!((members(&chain), status(&chain, 9)), (vec![1, 2, 3, 4], Status::Gone));
    // Back again, under a new salt.
    chain.done(&owner(9), update(9, true));
    chain.block(1000, vec![]);
    chain.next_epoch();
    assert_eq!(members(&chain), [1, 2, 3, 4, 9]);
    let again = record(&chain);
    let again = again.members.iter().find(|member| member.node == testing::member(9).node).unwrap();
    assert_ne!(again.salt, newcomer.salt);
}

/// The salt is the beacon of the block that ends the epoch. Its proposer knows it a block earlier, if that was its own.
#[test]
fn nobody_joins_who_could_know_its_salt() {
    let mut chain = TestChain::new(4, free());
    chain.done(&owner(9), register(&chain));
    chain.next_epoch();
    assert_eq!(members(&chain), [1, 2, 3, 4]);
    chain.next_epoch();
    assert_eq!(members(&chain), [1, 2, 3, 4, 9]);
}

/// The hash of the parent block was the salt, and its proposer tried times and transactions until the slots of its own
/// newcomers suited it. It cannot choose its seal.
#[test]
fn a_proposer_cannot_try_salts() {
    let salt = |later_ms| {
        let mut chain = TestChain::new(4, free());
        chain.done(&owner(9), register(&chain));
        chain.block(later_ms, vec![]);
        chain.next_epoch();
        let node = Node::get(&chain.state(), &testing::member(9).node).unwrap().unwrap();
        (chain.ledger.header().parent, node.member.salt)
    };
    let ((one, salt_of_one), (other, salt_of_other)) = (salt(1000), salt(1001));
    assert_ne!((one, salt_of_one), (other, Salt::new([0; 32])));
    assert_eq!((salt_of_one, one == other), (salt_of_other, false));
}

#[test]
fn nobody_is_registered_against_its_will_or_with_a_key_of_others() {
    let mut chain = TestChain::new(4, free());
    let mut fails =
        |key: &ed25519::SecretKey, register: Register| chain.fails(key, Payload::Register(register));
    let probe = TestChain::new(4, free());
    let registration = |change: fn(&mut Registration)| registration(&probe, change);
    // By somebody else than the one that the node agreed to.
    assert_eq!(fails(&rich(), registration(|_| {})), Failure::Owner);
    let mut stolen = registration(|_| {});
    stolen.registration.owner = AccountId::of(rich().public());
    assert_eq!(fails(&rich(), stolen), Failure::Signature);
    // Without possession of the BLS key: a rogue key.
    let rogue = registration(|registration| registration.bls = testing::member(1).bls);
    assert_eq!(fails(&owner(9), rogue), Failure::Signature);
    let no_point = registration(|registration| registration.bls = PublicKeyBytes::new([7; 96]));
    assert_eq!(fails(&owner(9), no_point), Failure::Key);
    // With names of others.
    let peer = registration(|registration| registration.peer = testing::member(1).peer);
    assert_eq!(fails(&owner(9), peer), Failure::Taken);
    let box_key = registration(|registration| registration.box_key = testing::member(2).box_key);
    assert_eq!(fails(&owner(9), box_key), Failure::Taken);
    chain.done(&owner(9), register(&chain));
    assert_eq!(chain.fails(&owner(9), register(&chain)), Failure::Taken);
}

#[test]
fn only_its_owner_changes_a_node() {
    let mut chain = TestChain::new(4, free());
    assert_eq!(chain.fails(&owner(2), update(1, false)), Failure::Owner);
    assert_eq!(chain.fails(&owner(9), update(9, false)), Failure::Unknown);
    chain.done(&owner(1), update(1, false));
    chain.done(&owner(1), update(1, true));
    chain.next_epoch();
    assert_eq!(members(&chain), [1, 2, 3, 4]);
}

fn report(by: u8, about: u8, epoch: u64) -> Payload {
    let (by, node) = (testing::member(by).node, testing::member(about).node);
    Payload::ReportDead(ReportDead { by, node, epoch: Epoch(epoch) })
}

#[test]
fn a_member_that_dies_ends_the_epoch_early() {
    let mut chain = TestChain::new(5, free());
    chain.done(&owner(1), report(1, 5, 0));
    assert_eq!(chain.fails(&owner(1), report(1, 5, 0)), Failure::Taken);
    assert_eq!(chain.fails(&owner(2), report(2, 5, 1)), Failure::Late);
    assert_eq!(chain.fails(&owner(2), report(1, 5, 0)), Failure::Owner);
    chain.done(&owner(2), report(2, 5, 0));
    chain.done(&owner(3), report(3, 5, 0));
    assert_eq!((running(&chain).epoch, status(&chain, 5)), (Epoch(0), Status::Active));
    // Four of five are more than two thirds.
    chain.done(&owner(4), report(4, 5, 0));
    assert_eq!((running(&chain).epoch, status(&chain, 5)), (Epoch(1), Status::Dead));
    assert_eq!(members(&chain), [1, 2, 3, 4]);
    assert!(!running(&chain).ending);
    assert_eq!(record(&chain).start, chain.ledger.header().time.second());
    // The dead one comes back.
    chain.done(&owner(5), update(5, true));
    chain.block(1000, vec![]);
    chain.next_epoch();
    assert_eq!(members(&chain), [1, 2, 3, 4, 5]);
}

/// Whoever registers nodes that never answer would end one epoch after the other, and each is paid in full.
#[test]
fn a_dead_node_that_is_no_member_does_not_end_the_epoch() {
    let mut chain = TestChain::new(4, free());
    chain.done(&owner(9), register(&chain));
    for by in 1..=3 {
        chain.done(&owner(by), report(by, 9, 0));
    }
    assert_eq!((running(&chain).epoch, status(&chain, 9)), (Epoch(0), Status::Dead));
    chain.block(1000, vec![]);
    chain.next_epoch();
    assert_eq!(members(&chain), [1, 2, 3, 4]);
}

/// Reports of an epoch count in that epoch.
#[test]
fn reports_do_not_add_up_over_epochs() {
    let mut chain = TestChain::new(5, free());
    for by in [1, 2, 3] {
        chain.done(&owner(by), report(by, 5, 0));
    }
    chain.next_epoch();
    chain.done(&owner(4), report(4, 5, 1));
    assert_eq!(status(&chain, 5), Status::Active);
}

/// With fewer members than any profile has slots nothing could be stored: then those who were there stay.
#[test]
fn a_committee_is_never_too_small() {
    let mut chain = TestChain::new(4, free());
    chain.done(&owner(1), update(1, false));
    chain.next_epoch();
    assert_eq!(members(&chain), [1, 2, 3, 4]);
    assert_eq!(status(&chain, 1), Status::Leaving);
}

#[test]
fn an_update_of_weight_and_place_comes_with_the_next_epoch() {
    let mut chain = TestChain::new(4, free());
    let Payload::Update(mut update) = update(2, true) else { unreachable!() };
    (update.weight, update.operator) = (Weight::new(7).unwrap(), Text::new("another").unwrap());
    chain.done(&owner(2), Payload::Update(update));
    let find = |chain: &TestChain| {
        let record = record(chain);
        let member = record.members.iter().find(|member| member.node == testing::member(2).node);
        member.map(|member| (member.weight.get(), member.operator.to_string())).unwrap()
    };
    assert_eq!(find(&chain).0, 1);
    chain.next_epoch();
    assert_eq!(find(&chain), (7, "another".to_owned()));
}
