use holdfast_core::bls::PublicKeyBytes;
use holdfast_core::codec::Bounded;
use holdfast_proofs::genesis::Weight;
use holdfast_proofs::validators::Validator;

use super::*;
use crate::execute::{self, Draft};
use crate::testing::{TestChain, free};

#[test]
fn every_block_adds_to_the_beacon() {
    let mut chain = TestChain::new(4, free());
    let mut before = beacon(&chain.state(), Height(0)).unwrap().unwrap();
    assert_eq!(before.as_bytes(), chain.test.network.genesis.network().as_bytes());
    for height in 1..6 {
        chain.block(1000, vec![]);
        let now = beacon(&chain.state(), Height(height)).unwrap().unwrap();
        assert_eq!(now, before.after(&chain.ledger.header().seal));
        before = now;
    }
}

#[test]
fn only_the_proposers_own_seal_is_taken() {
    let chain = TestChain::new(4, free());
    let parent = chain.ledger.parent();
    let draft = chain.test.draft(parent, 1000);
    let other = chain.test.network.genesis.members.iter().find(|member| member.node != draft.proposer);
    let other = other.unwrap().node;
    let seal = chain.test.seal(parent, &other);
    let refused = execute::propose(parent, Draft { seal, ..draft }, vec![]);
    assert!(matches!(refused, Err(BlockError::Seal)));
    // Nor may another take the turn.
    let refused = execute::propose(parent, Draft { seal, proposer: other, ..draft }, vec![]);
    assert!(matches!(refused, Err(BlockError::Proposer)));
    let late = Draft { round: Round(1), proposer: draft.proposer, ..draft };
    assert!(matches!(execute::propose(parent, late, vec![]), Err(BlockError::Proposer)));
}

fn set(weights: &[u8]) -> ValidatorSet {
    let validator = |(at, weight): (usize, &u8)| Validator {
        node: NodeId::new([u8::try_from(at).unwrap(); 32]),
        bls: PublicKeyBytes::new([0; 96]),
        weight: Weight::new(*weight).unwrap(),
    };
    let validators = weights.iter().enumerate().map(validator).collect();
    ValidatorSet { validators: Bounded::new(validators).unwrap() }
}

#[test]
fn a_draw_waits_for_longer_than_one_operator_can_propose() {
    let of = |names: &[&str]| -> BTreeMap<NodeId, Text<64>> {
        let named = names.iter().enumerate().filter(|(_, name)| !name.is_empty());
        named
            .map(|(at, name)| (NodeId::new([u8::try_from(at).unwrap(); 32]), Text::new(*name).unwrap()))
            .collect()
    };
    let delay =
        |weights: &[u8], names: &[&str]| draw_height(Height(100), &set(weights), &of(names)).unwrap().0 - 100;
    assert_eq!(delay(&[1, 1, 1, 1], &["a", "b", "c", "d"]), 2);
    assert_eq!(delay(&[1, 1, 1, 1], &["a", "a", "b", "c"]), 3);
    // Around the end of the turn, and with weight.
    assert_eq!(delay(&[1, 1, 1, 2], &["a", "b", "c", "a"]), 4);
    assert_eq!(delay(&[2, 2], &["a", "a"]), 5);
    // Those of whom no operator is known are one each.
    assert_eq!(delay(&[1, 1, 1], &["", "", ""]), 2);
}
