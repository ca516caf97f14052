use holdfast_core::codec;
use holdfast_proofs::vote::Step;

use super::*;

const A: Option<BlockHash> = Some(BlockHash::new([1; 32]));
const B: Option<BlockHash> = Some(BlockHash::new([2; 32]));

fn vote(height: u64, round: u32, step: Step, block: Option<BlockHash>) -> Vote {
    Vote { height: Height(height), round: Round(round), step, block }
}

fn head(height: u64, round: u32, block: Option<BlockHash>) -> ProposalHead {
    let block = block.unwrap();
    ProposalHead { height: Height(height), round: Round(round), pol_round: None, block }
}

#[test]
fn places_only_rise_and_the_same_may_be_signed_again() {
    let mut guard = Guard::default();
    guard.allow_proposal(&head(3, 1, A)).unwrap();
    for step in [Step::Prevote, Step::Precommit] {
        for _ in 0..2 {
            guard.allow(&vote(3, 1, step, A)).unwrap();
        }
        let mark = guard;
        for other in [B, None] {
            let refusal = Refusal::Contradiction { height: Height(3), round: Round(1), step: step.into() };
            assert_eq!(guard.allow(&vote(3, 1, step, other)), Err(refusal));
        }
        assert_eq!(guard, mark);
    }
    let late = Refusal::Late { height: Height(3), round: Round(1), step: 2 };
    for old in [vote(2, 9, Step::Precommit, A), vote(3, 0, Step::Precommit, A), vote(3, 1, Step::Prevote, A)]
    {
        assert_eq!(guard.allow(&old), Err(late), "{old:?}");
    }
    assert_eq!(guard.allow_proposal(&head(3, 1, A)), Err(late));
    guard.allow_proposal(&head(3, 2, B)).unwrap();
    let contradiction = Refusal::Contradiction { height: Height(3), round: Round(2), step: 0 };
    assert_eq!(guard.allow_proposal(&head(3, 2, A)), Err(contradiction));
    guard.allow(&vote(4, 0, Step::Prevote, None)).unwrap();
}

#[test]
fn no_order_of_questions_yields_a_contradiction() {
    let steps = [Step::Prevote, Step::Precommit];
    let votes: Vec<_> = (0..2)
        .flat_map(|height| (0..2).map(move |round| (height, round)))
        .flat_map(|(height, round)| steps.map(|step| (height, round, step)))
        .flat_map(|(height, round, step)| [A, B, None].map(|block| vote(height, round, step, block)))
        .collect();
    // A walk through all pairs, in an order that has nothing to do with theirs.
    let (mut guard, mut signed, mut at) = (Guard::default(), Vec::new(), 0);
    for _ in 0..5000 {
        at = (at * 31 + 17) % 9973;
        let vote = votes[at % votes.len()];
        if guard.allow(&vote).is_ok() {
            signed.push(vote);
        }
    }
    for (one, other) in signed.iter().flat_map(|one| signed.iter().map(move |other| (one, other))) {
        let same_place = Vote { block: None, ..*one } == Vote { block: None, ..*other };
        assert!(!same_place || one == other);
    }
    assert!(signed.len() > 4);
}

#[test]
fn the_longest_row_fits() {
    let guard = Guard { height: Height(u64::MAX), round: Round(u32::MAX), step: 2, block: A };
    assert!(codec::encode(&guard).len() <= GUARD_BYTES_MAX);
    assert_eq!(codec::decode(&codec::encode(&guard), GUARD_BYTES_MAX), Ok(guard));
    assert_eq!(codec::decode(&codec::encode(&Guard::default()), GUARD_BYTES_MAX), Ok(Guard::default()));
}
