use holdfast_proofs::testing::member;

use holdfast_proofs::header::Height;

use super::*;
use crate::epoch::validators;
use crate::testing::{TestChain, free, owner, rich};
use crate::transaction::Payload;

fn support(by: u8, action: &Action) -> Payload {
    Payload::Support(Support { by: member(by).node, action: action.clone() })
}

fn fee(flat: u128) -> Action {
    Action::Params(Params { fee_flat: holdfast_core::id::Amount(flat), ..free() })
}

fn params(chain: &TestChain) -> Params {
    Params::of(&chain.state()).unwrap()
}

#[test]
fn what_more_than_two_thirds_support_comes_with_the_next_epoch() {
    let mut chain = TestChain::new(4, free());
    chain.done(&owner(1), support(1, &fee(7)));
    chain.done(&owner(2), support(2, &fee(7)));
    assert_eq!(chain.fails(&owner(2), support(2, &fee(7))), Failure::Taken);
    assert_eq!(chain.fails(&owner(2), support(3, &fee(7))), Failure::Owner);
    chain.next_epoch();
    assert_eq!(params(&chain), free());
    let events = chain.done(&owner(3), support(3, &fee(7)));
    assert!(matches!(events[..], [Event::Decided(_)]));
    assert_eq!(params(&chain), free());
    chain.next_epoch();
    assert_eq!(params(&chain).fee_flat.0, 7);
    assert_eq!(chain.state().after::<Motion>(&[]).unwrap(), None);
}

#[test]
fn a_motion_that_waits_too_long_is_dropped() {
    let mut chain = TestChain::new(4, free());
    chain.done(&owner(1), support(1, &fee(7)));
    for _ in 0..MOTION_EPOCHS + 1 {
        assert!(chain.state().after::<Motion>(&[]).unwrap().is_some());
        chain.next_epoch();
    }
    assert_eq!(chain.state().after::<Motion>(&[]).unwrap(), None);
}

#[test]
fn parameters_that_break_a_rule_are_no_motion() {
    let mut chain = TestChain::new(4, free());
    let bad = [
        Params { unbond_epochs: 14, ..free() },
        Params { slash_percent: 101, ..free() },
        Params { profiles: Bounded::new(vec![]).unwrap(), ..free() },
        Params { fee_flat: holdfast_core::id::Amount(u128::MAX), ..free() },
    ];
    for params in bad {
        assert_eq!(chain.fails(&owner(1), support(1, &Action::Params(params))), Failure::Params);
    }
    assert_eq!(chain.fails(&rich(), support(9, &fee(1))), Failure::Unknown);
}

#[test]
fn motions_are_bounded() {
    let mut chain = TestChain::new(4, free());
    for flat in 0..MOTIONS_EACH as u128 {
        chain.done(&owner(1), support(1, &fee(flat)));
    }
    assert_eq!(chain.fails(&owner(1), support(1, &fee(1000))), Failure::Full);
    // What is there already can still be supported.
    chain.done(&owner(2), support(2, &fee(3)));
    chain.done(&owner(2), support(2, &fee(1000)));
    chain.done(&owner(1), support(1, &fee(1000)));
    // One that is accepted does not count.
    chain.done(&owner(3), support(3, &fee(3)));
    chain.done(&owner(3), support(3, &fee(1000)));
    chain.done(&owner(1), support(1, &fee(2000)));
    assert_eq!(chain.fails(&owner(1), support(1, &fee(3000))), Failure::Full);
}

/// There was room for 64 motions of all validators together: one of them took it, and nobody could remove it any more.
#[test]
fn one_validator_cannot_keep_others_from_governing() {
    let mut chain = TestChain::new(4, free());
    let first = chain.transaction(&owner(4), support(4, &fee(0))).body().nonce;
    let flood =
        (0..100).map(|at| chain.test.transaction(&owner(4), first + at, support(4, &fee(u128::from(at)))));
    let flood = flood.collect();
    chain.block(1000, flood);
    let remove = Action::Authority(SetAuthority { node: member(4).node, weight: None });
    for by in 1..=3 {
        chain.done(&owner(by), support(by, &remove));
    }
    chain.next_epoch();
    assert_eq!(validators(&chain.state()).unwrap().place(&member(4).node), None);
}

/// A list of 129 is no set, so the old one stayed: with whoever was expelled or removed.
#[test]
fn there_are_no_more_authorities_than_a_set_holds() {
    let chain = TestChain::new(4, free());
    let mut state = chain.state();
    for number in 5..=128_u8 {
        let mut id = [0xee; 32];
        id[0] = number;
        state.put(&id, &Authority { weight: Weight::ONE });
    }
    let weight = Weight::new(2);
    let known = member(1).node;
    let stranger = NodeId::new([0xdd; 32]);
    assert!(fits(&state, &known).unwrap() && !fits(&state, &stranger).unwrap());
    for node in [known, stranger] {
        enact(&mut state, &Action::Authority(SetAuthority { node, weight })).unwrap();
    }
    let row = |state: &State<'_>, node: NodeId| state.get::<Authority>(node.as_bytes()).unwrap();
    assert_eq!(row(&state, known), Some(Authority { weight: Weight::new(2).unwrap() }));
    assert_eq!(row(&state, stranger), None);
    let stranger = Action::Authority(SetAuthority { node: stranger, weight });
    assert!(matches!(check(&state, &stranger), Err(Halt::Failed(Failure::Full))));
}

#[test]
fn authorities_change_with_the_epoch_and_headers_say_so() {
    let mut chain = TestChain::new(5, free());
    let remove = Action::Authority(SetAuthority { node: member(5).node, weight: None });
    for by in 1..=4 {
        chain.done(&owner(by), support(by, &remove));
    }
    let before = validators(&chain.state()).unwrap();
    assert_eq!((before.validators.len(), before.id()), (5, chain.ledger.header().validators));
    chain.next_epoch();
    let after = validators(&chain.state()).unwrap();
    let header = chain.ledger.header();
    assert_eq!((header.validators, header.next_validators), (before.id(), after.id()));
    assert_eq!(after.validators.len(), 4);
    chain.block(1000, vec![]);
    assert_eq!(chain.ledger.header().validators, after.id());
    // Back with more weight.
    let weight = Weight::new(3);
    let back = Action::Authority(SetAuthority { node: member(5).node, weight });
    assert_eq!(chain.fails(&owner(5), support(5, &back)), Failure::Owner);
    for by in 1..=3 {
        chain.done(&owner(by), support(by, &back));
    }
    chain.next_epoch();
    assert_eq!(validators(&chain.state()).unwrap().weight(), 7);
    // All three sets are kept, for those who follow headers alone.
    let (mut found, mut after) = (Vec::new(), None);
    while let Some((height, set)) = crate::epoch::validators_after(&chain.state(), after).unwrap() {
        found.push((height, set.validators.len()));
        after = Some(height);
    }
    let last = chain.ledger.header().height.0 + 1;
    assert_eq!([found[0], found[2]], [(Height(1), 5), (Height(last), 5)]);
    assert_eq!((found.len(), found[1].1), (3, 4));
}

/// A stranger cannot be made an authority.
#[test]
fn an_authority_is_a_registered_node() {
    let mut chain = TestChain::new(4, free());
    let stranger = Action::Authority(SetAuthority { node: member(9).node, weight: Weight::new(1) });
    assert_eq!(chain.fails(&owner(1), support(1, &stranger)), Failure::Unknown);
}

#[test]
fn measurements_are_allowed_for_a_time_and_revoked_at_once() {
    let mut chain = TestChain::new(4, free());
    let measurement = Measurement::new([5; 48]);
    let allow =
        |from, until| Action::Allow(Allow { measurement, from: Epoch(from), until: Some(Epoch(until)) });
    let allowed = |chain: &TestChain, epoch| is_allowed(&chain.state(), &measurement, Epoch(epoch)).unwrap();
    assert_eq!(chain.fails(&owner(1), support(1, &allow(3, 3))), Failure::Epoch);
    assert_eq!(chain.fails(&owner(1), support(1, &Action::Revoke(measurement))), Failure::Unknown);
    for by in 1..=3 {
        chain.done(&owner(by), support(by, &allow(2, 5)));
    }
    assert!(!allowed(&chain, 3));
    chain.next_epoch();
    assert_eq!([1, 2, 4, 5].map(|epoch| allowed(&chain, epoch)), [false, true, true, false]);
    for by in 1..=3 {
        assert!(allowed(&chain, 3));
        chain.done(&owner(by), support(by, &Action::Revoke(measurement)));
    }
    assert!(!allowed(&chain, 3));
    assert_eq!(chain.state().after::<Motion>(&[]).unwrap(), None);
}
