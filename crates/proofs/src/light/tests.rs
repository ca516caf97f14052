use holdfast_core::bls::Signature;
use holdfast_core::id::NodeId;
use holdfast_core::purpose::Signable;

use super::*;
use crate::genesis::{ContentsHash, Weight};
use crate::header::{BlockHash, BlockTime, Round, StateRoot};
use crate::list::ListRoot;
use crate::testing::{TestNetwork, keys, member};
use crate::validators::{Validator, ValidatorsId};
use crate::vote::{Step, Vote};

fn set(numbers: &[u8]) -> ValidatorSet {
    let validator = |number: &u8| {
        let member = member(*number);
        Validator { node: member.node, bls: member.bls, weight: Weight::ONE }
    };
    ValidatorSet::new(numbers.iter().map(validator).collect()).unwrap()
}

fn network() -> TestNetwork {
    TestNetwork::with_ledger(4, ContentsHash::new([0; 32]))
}

fn header(height: u64, validators: &ValidatorSet, next: ValidatorsId) -> Header {
    Header {
        height: Height(height),
        parent: BlockHash::new([1; 32]),
        time: BlockTime(1_000_000 + height),
        round: Round(0),
        proposer: NodeId::new([0; 32]),
        seal: Signature::new([0; 48]),
        validators: validators.id(),
        next_validators: next,
        transactions: ListRoot::of([]),
        receipts: ListRoot::of([]),
        state: StateRoot::new([2; 32]),
    }
}

/// A decision of those members of a set, in a round.
fn decide(network: &TestNetwork, header: &Header, set: &ValidatorSet, by: &[u8], round: u32) -> Finality {
    let validators = Validators::admitted(set.clone()).unwrap();
    let block = Some(header.hash());
    let vote = Vote { height: header.height, round: Round(round), step: Step::Precommit, block };
    let input = vote.signing_input(&network.genesis.network());
    let votes: Vec<_> =
        by.iter().map(|by| (set.place(&member(*by).node).unwrap(), keys(*by).1.sign(&input))).collect();
    Finality::of(Round(round), &votes, &validators).unwrap()
}

fn signed(network: &TestNetwork, header: Header, set: &ValidatorSet, by: &[u8]) -> SignedHeader {
    let finality = decide(network, &header, set, by, 0);
    SignedHeader { header, finality }
}

fn light(network: &TestNetwork) -> LightClient {
    LightClient::of_genesis(&network.genesis, &network.proofs).unwrap()
}

#[test]
fn a_header_is_believed_when_more_than_two_thirds_decided_on_it() {
    let (network, set) = (network(), set(&[1, 2, 3, 4]));
    let mut light = light(&network);
    assert_eq!(light.validators().id(), set.id());
    let header = header(7, &set, set.id());
    let checked = light.check(signed(&network, header.clone(), &set, &[1, 2, 4])).unwrap();
    assert_eq!((checked.header(), checked.hash()), (&header, header.hash()));
    assert_eq!(light.newest(), Some(&checked));
    let few = light.check(signed(&network, header, &set, &[1, 2]));
    let quorum = FinalityError::Quorum { height: Height(7) };
    assert_eq!(few, Err(LightError::Finality { height: Height(7), source: quorum }));
}

#[test]
fn a_decision_is_about_one_header_of_one_network() {
    let (network, set) = (network(), set(&[1, 2, 3, 4]));
    let validators = Validators::admitted(set.clone()).unwrap();
    let good = header(7, &set, set.id());
    let finality = decide(&network, &good, &set, &[1, 2, 3], 2);
    let id = network.genesis.network();
    assert!(finality.verify(good.clone(), &id, &validators).is_ok());
    let changes: [fn(&mut Header); 4] = [
        |header| header.height = Height(8),
        |header| header.state = StateRoot::new([3; 32]),
        |header| header.time = BlockTime(0),
        |header| header.round = Round(1),
    ];
    for change in changes {
        let mut other = good.clone();
        change(&mut other);
        let refused = finality.verify(other, &id, &validators);
        assert!(matches!(refused, Err(FinalityError::Signature(_))), "{refused:?}");
    }
    let elsewhere = finality.verify(good.clone(), &NetworkId::new([9; 32]), &validators);
    assert!(matches!(elsewhere, Err(FinalityError::Signature(_))));
    // Decided in a round before it was made.
    let mut early = good.clone();
    early.round = Round(3);
    assert_eq!(finality.verify(early, &id, &validators), Err(FinalityError::Round));
    // By validators that the header does not name.
    let others = Validators::admitted(self::set(&[1, 2, 3])).unwrap();
    let refused = finality.verify(good, &id, &others);
    assert_eq!(refused, Err(FinalityError::Validators { height: Height(7) }));
}

/// A light client that follows every header once saw the last one of a set, and then believed nobody any more.
#[test]
fn whoever_saw_the_last_header_of_a_set_follows_the_next() {
    let (network, old, new) = (network(), set(&[1, 2, 3, 4]), set(&[1, 2, 3, 5]));
    let mut light = light(&network);
    let last = signed(&network, header(7, &old, new.id()), &old, &[1, 2, 3]);
    light.check(last.clone()).unwrap();
    // Another header of that height is no way on.
    let mut fork = header(7, &old, new.id());
    fork.state = StateRoot::new([3; 32]);
    let fork = Handover { last: signed(&network, fork, &old, &[1, 2, 3]), next: new.clone() };
    let order = LightError::Order { known: Height(7), found: Height(7) };
    assert_eq!(light.hand_over(fork), Err(order));
    light.hand_over(Handover { last, next: new.clone() }).unwrap();
    light.check(signed(&network, header(8, &new, new.id()), &new, &[2, 3, 5])).unwrap();
}

#[test]
fn weights_count() {
    let (network, mut all) = (network(), set(&[1, 2, 3, 4]).validators.to_vec());
    all[0].weight = Weight::new(16).unwrap();
    let heavy = all[0].node;
    let set = ValidatorSet::new(all).unwrap();
    let number = (1..=4).find(|number| member(*number).node == heavy).unwrap();
    let header = header(1, &set, set.id());
    let validators = Validators::admitted(set.clone()).unwrap();
    let id = network.genesis.network();
    let alone = decide(&network, &header, &set, &[number], 0);
    assert!(alone.verify(header.clone(), &id, &validators).is_ok());
    let rest: Vec<_> = (1..=4).filter(|other| *other != number).collect();
    let without = decide(&network, &header, &set, &rest, 0);
    assert!(matches!(without.verify(header, &id, &validators), Err(FinalityError::Quorum { .. })));
}

/// From four validators to others, one exchanged at a time.
#[test]
fn validators_hand_over_to_the_next() {
    let network = network();
    let mut light = light(&network);
    let sets = [set(&[1, 2, 3, 4]), set(&[2, 3, 4, 5]), set(&[3, 4, 5, 6])];
    let last = |height, from: &ValidatorSet, to: &ValidatorSet, by: &[u8]| Handover {
        last: signed(&network, header(height, from, to.id()), from, by),
        next: to.clone(),
    };
    let later = header(30, &sets[2], sets[2].id());
    let later = signed(&network, later, &sets[2], &[3, 5, 6]);
    let unknown = light.check(later.clone());
    assert!(matches!(unknown, Err(LightError::Finality { source: FinalityError::Validators { .. }, .. })));

    // The old ones decide; another list than the one that they named is refused.
    let mut other = last(10, &sets[0], &sets[1], &[1, 2, 3]);
    other.next = sets[2].clone();
    let source = ValidatorsError::Other;
    assert_eq!(light.hand_over(other), Err(LightError::Validators { height: Height(10), source }));
    assert!(light.hand_over(last(10, &sets[0], &sets[1], &[1, 2])).is_err(), "not decided");
    assert_eq!((light.validators().id(), light.newest()), (sets[0].id(), None), "nothing has changed");
    light.hand_over(last(10, &sets[0], &sets[1], &[1, 2, 3])).unwrap();
    // Backwards there is no way.
    let back = light.hand_over(last(10, &sets[1], &sets[0], &[2, 3, 4]));
    assert_eq!(back, Err(LightError::Order { known: Height(10), found: Height(10) }));
    light.hand_over(last(20, &sets[1], &sets[2], &[3, 4, 5])).unwrap();
    assert_eq!(light.check(later).unwrap().header().height, Height(30));
}

#[test]
fn turns_go_round_by_weight() {
    let mut all = set(&[1, 2, 3]).validators.to_vec();
    all[1].weight = Weight::new(2).unwrap();
    let set = ValidatorSet::new(all).unwrap();
    let turn = |height, round| set.place(&set.proposer(Height(height), Round(round)).node).unwrap();
    let turns: Vec<_> = (0..8).map(|height| turn(height, 0)).collect();
    assert_eq!(turns, [0, 1, 1, 2, 0, 1, 1, 2]);
    assert_eq!([turn(0, 1), turn(0, 3), turn(1, 3)], [1, 2, 0]);
    // 2^64 − 1 + 2^32 − 1 leaves 2 of four.
    assert_eq!(turn(u64::MAX, u32::MAX), 1);
}

#[test]
fn a_list_that_is_no_set_is_refused() {
    assert_eq!(ValidatorSet::new(vec![]), Err(ValidatorsError::Empty));
    let one = set(&[1]).validators.to_vec();
    let twice = ValidatorSet::new([one.clone(), one.clone()].concat());
    assert_eq!(twice, Err(ValidatorsError::Order { node: one[0].node }));
    let without = TestNetwork::new(4);
    let refused = LightClient::of_genesis(&without.genesis, &without.proofs);
    assert_eq!(refused.err(), Some(ValidatorsError::NoLedger));
}

#[test]
fn a_checkpoint_is_trusted_instead_of_genesis_and_nothing_before_it() {
    let network = network();
    let (first, second) = (set(&[0, 1, 2, 3]), set(&[1, 2, 3]));
    let last = header(100, &first, second.id());
    let back = header(200, &second, first.id());
    let checkpoint = Checkpoint::after(&back);
    assert!(!checkpoint.is_broken_by(&header(201, &first, first.id())));
    assert!(checkpoint.is_broken_by(&header(201, &second, second.id())));
    assert!(!checkpoint.is_broken_by(&header(202, &second, second.id())), "it says nothing of that one");

    let of =
        |set: &ValidatorSet| LightClient::of_checkpoint(network.genesis.network(), checkpoint, set.clone());
    assert!(matches!(of(&second), Err(ValidatorsError::Other)));
    let mut light = of(&first).unwrap();
    // What these validators decided on long ago leads to others, whose keys may be stolen by now.
    let old = Handover { last: signed(&network, last, &first, &[0, 1, 2]), next: second.clone() };
    let refused = LightError::Order { known: Height(200), found: Height(100) };
    assert_eq!(light.hand_over(old.clone()), Err(refused.clone()));
    assert_eq!(light.check(old.last), Err(refused));
    let now = header(300, &first, second.id());
    let next = Handover { last: signed(&network, now, &first, &[0, 1, 2]), next: second.clone() };
    light.hand_over(next).unwrap();
    assert_eq!(light.validators().id(), second.id());
}
