use holdfast_proofs::testing::member;

use super::*;
use crate::registry::Status;
use crate::testing::{TestChain, free, owner, rich};
use crate::transaction::{Payload, Transfer};

fn node(number: u8) -> NodeId {
    member(number).node
}

fn chain(bond_min: u128) -> TestChain {
    let params = Params { bond_min: Amount(bond_min), unbond_epochs: 3, evidence_epochs: 2, ..free() };
    let mut chain = TestChain::new(5, params);
    for number in 1..=5 {
        let to = AccountId::of(owner(number).public());
        chain.done(&rich(), Payload::Transfer(Transfer { to, amount: Amount(1000) }));
    }
    chain
}

fn lock(number: u8, amount: u128) -> Payload {
    Payload::Lock(Lock { node: node(number), amount: Amount(amount) })
}

fn unlock(number: u8, amount: u128) -> Payload {
    Payload::Unlock(Unlock { node: node(number), amount: Amount(amount) })
}

fn withdraw(number: u8) -> Payload {
    Payload::Withdraw(Withdraw { node: node(number) })
}

fn bond(chain: &TestChain, number: u8) -> Bond {
    Bond::of(&chain.state(), &node(number)).unwrap()
}

#[test]
fn bond_comes_back_after_all_offences_could_be_shown() {
    let mut chain = chain(0);
    assert_eq!(chain.fails(&rich(), lock(1, 10)), Failure::Owner);
    assert_eq!(chain.fails(&owner(1), lock(1, 0)), Failure::Nothing);
    chain.done(&owner(1), lock(1, 700));
    let locked = chain.balance(&owner(1)).0;
    assert_eq!(chain.fails(&owner(1), unlock(1, 701)), Failure::Balance);
    chain.done(&owner(1), unlock(1, 300));
    chain.done(&owner(1), unlock(1, 100));
    let bond_now = bond(&chain, 1);
    assert_eq!((bond_now.bonded, bond_now.total()), (Amount(300), Amount(700)));
    assert_eq!(bond_now.unbonding.to_vec(), [Unbonding { amount: Amount(400), free: Epoch(3) }]);
    for _ in 0..3 {
        assert_eq!(chain.fails(&owner(1), withdraw(1)), Failure::Nothing);
        chain.next_epoch();
    }
    let before = chain.balance(&owner(1)).0;
    assert!(before >= locked);
    let rewards = {
        chain.done(&owner(1), withdraw(1));
        chain.balance(&owner(1)).0 - before
    };
    // The block's own reward may have gone to the same owner.
    assert!(rewards % crate::supply::REWARD.0 == 400, "{rewards}");
    assert_eq!(bond(&chain, 1).total(), Amount(300));
}

#[test]
fn who_has_too_little_bond_is_no_member() {
    let mut chain = chain(100);
    for number in 1..=4 {
        chain.done(&owner(number), lock(number, 100));
    }
    chain.done(&owner(5), lock(5, 99));
    chain.next_epoch();
    let members = |chain: &TestChain| {
        let running = crate::epoch::Running::of(&chain.state()).unwrap();
        let record: holdfast_proofs::committee::CommitteeRecord =
            chain.state().get(&running.epoch.0.to_be_bytes()).unwrap().unwrap();
        record.members.len()
    };
    assert_eq!(members(&chain), 4);
    let status = Node::get(&chain.state(), &node(5)).unwrap().unwrap().status;
    assert_eq!(status, Status::Active);
    chain.done(&owner(5), lock(5, 1));
    chain.next_epoch();
    assert_eq!(members(&chain), 5);
}

#[test]
fn a_penalty_takes_what_is_on_its_way_back_as_well() {
    let mut chain = chain(0);
    chain.done(&owner(1), lock(1, 701));
    chain.done(&owner(1), unlock(1, 300));
    let mut state = chain.state();
    let taken = slash(&mut state, &chain.test.contents.params, &node(1)).unwrap();
    let left = Bond::of(&state, &node(1)).unwrap();
    // Half of 401, and half of 300; what is kept is rounded down.
    assert_eq!((taken, left.bonded, left.total()), (Amount(351), Amount(200), Amount(350)));
    let none = slash(&mut state, &chain.test.contents.params, &node(2)).unwrap();
    assert_eq!(none, Amount::ZERO);
}

#[test]
fn a_bond_has_a_bounded_number_of_parts() {
    let mut chain = chain(0);
    chain.done(&owner(1), lock(1, 100));
    for _ in 0..UNBONDING_MAX {
        chain.done(&owner(1), unlock(1, 1));
        chain.next_epoch();
    }
    assert_eq!(chain.fails(&owner(1), unlock(1, 1)), Failure::Full);
}
