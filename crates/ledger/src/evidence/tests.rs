use holdfast_core::id::PieceRoot;
use holdfast_proofs::header::{BlockHash, Round};
use holdfast_proofs::testing::{self, member};
use holdfast_proofs::vote::Step;

use super::*;
use crate::epoch::Running;
use crate::stake::{Bond, Lock};
use crate::testing::{TestChain, free, owner, rich};
use crate::transaction::{Payload, Transfer};

fn chain() -> TestChain {
    let mut chain = TestChain::new(5, Params { unbond_epochs: 3, evidence_epochs: 2, ..free() });
    let to = AccountId::of(owner(5).public());
    chain.done(&rich(), Payload::Transfer(Transfer { to, amount: Amount(1000) }));
    chain.done(&owner(5), Payload::Lock(Lock { node: member(5).node, amount: Amount(1000) }));
    chain
}

fn vote(height: u64, block: Option<u8>) -> Vote {
    let block = block.map(|block| BlockHash::new([block; 32]));
    Vote { height: Height(height), round: Round(0), step: Step::Precommit, block }
}

fn signed<T: Signable>(chain: &TestChain, by: u8, object: T) -> Signed<T> {
    let input = object.signing_input(&chain.test.network.genesis.network());
    let signature = testing::keys(by).1.sign(&input);
    Signed(object, signature)
}

fn votes(chain: &TestChain, by: u8, one: Vote, other: Vote) -> Payload {
    let offence = Offence::Votes(Pair(signed(chain, by, one), signed(chain, by, other)));
    Payload::Accuse(Accuse { node: member(5).node, offence })
}

#[test]
fn a_double_vote_costs_bond_and_place() {
    let mut chain = chain();
    let reporter = owner(9);
    chain.done(&reporter, votes(&chain, 5, vote(1, Some(1)), vote(1, None)));
    let node = Node::get(&chain.state(), &member(5).node).unwrap().unwrap();
    assert_eq!(node.status, Status::Expelled);
    assert_eq!(Bond::of(&chain.state(), &member(5).node).unwrap().bonded, Amount(500));
    assert_eq!(chain.balance(&reporter), Amount(50));
    assert_eq!(Supply::of(&chain.state()).unwrap().burned, Amount(450));
    assert_eq!(chain.fails(&reporter, votes(&chain, 5, vote(2, Some(1)), vote(2, None))), Failure::Status);
    // From the next epoch on it neither keeps pieces nor votes.
    assert!(crate::epoch::validators(&chain.state()).unwrap().place(&member(5).node).is_some());
    chain.next_epoch();
    assert!(crate::epoch::validators(&chain.state()).unwrap().place(&member(5).node).is_none());
    assert_eq!(chain.ledger.header().next_validators, crate::epoch::validators(&chain.state()).unwrap().id());
}

#[test]
fn two_pieces_under_one_cid_cost_the_same() {
    let mut chain = chain();
    let statement = chain
        .test
        .network
        .statement(holdfast_core::block::BlockId::of(holdfast_core::block::Codec::Raw, b"hold fast"));
    let other = Statement { piece_root: PieceRoot::new([9; 32]), ..statement.clone() };
    let accuse = |chain: &TestChain, one: &Statement, other: &Statement| {
        let offence =
            Offence::Statements(Pair(signed(chain, 5, one.clone()), signed(chain, 5, other.clone())));
        Payload::Accuse(Accuse { node: member(5).node, offence })
    };
    // A statement that is renewed is no offence.
    let renewed = Statement { retain_until: Epoch(9), ..statement.clone() };
    assert_eq!(chain.fails(&owner(9), accuse(&chain, &statement, &renewed)), Failure::Evidence);
    chain.done(&owner(9), accuse(&chain, &statement, &other));
    assert_eq!(Bond::of(&chain.state(), &member(5).node).unwrap().bonded, Amount(500));
}

#[test]
fn what_is_no_offence_costs_the_accuser_its_fee_alone() {
    let mut chain = chain();
    let cases = [
        votes(&chain, 5, vote(1, Some(1)), vote(1, Some(1))),
        votes(&chain, 5, vote(1, Some(1)), vote(2, Some(2))),
        votes(&chain, 5, vote(1, Some(1)), Vote { round: Round(1), ..vote(1, Some(2)) }),
        votes(&chain, 5, vote(1, Some(1)), Vote { step: Step::Prevote, ..vote(1, Some(2)) }),
    ];
    for case in cases {
        assert_eq!(chain.fails(&owner(9), case), Failure::Evidence);
    }
    let forged = votes(&chain, 4, vote(1, Some(1)), vote(1, Some(2)));
    assert_eq!(chain.fails(&owner(9), forged), Failure::Signature);
    assert_eq!(Bond::of(&chain.state(), &member(5).node).unwrap().bonded, Amount(1000));
}

#[test]
fn an_offence_can_be_shown_for_a_bounded_time() {
    let mut chain = chain();
    let height = chain.ledger.header().height.0;
    for _ in 0..2 {
        chain.next_epoch();
    }
    // Epoch 0 is the oldest that counts, and height 3 stands in it.
    assert_eq!(Running::of(&chain.state()).unwrap().epoch, Epoch(2));
    let in_time = votes(&chain, 5, vote(height, Some(1)), vote(height, Some(2)));
    let mut later = TestChain { test: chain.test, ledger: chain.ledger.clone() };
    later.next_epoch();
    assert_eq!(later.fails(&owner(9), in_time.clone()), Failure::Late);
    chain = TestChain { test: later.test, ledger: chain.ledger };
    chain.done(&owner(9), in_time);
}
