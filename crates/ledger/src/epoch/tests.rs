use super::*;
use crate::testing::{TestChain, free};

/// The epoch's last block is the first whose time is at or after its end.
#[test]
fn an_epoch_ends_with_the_first_block_at_its_end() {
    let mut chain = TestChain::new(4, free());
    let running = |chain: &TestChain| Running::of(&chain.state()).unwrap();
    let end = running(&chain).end.0 * 1000;
    chain.block(end - chain.ledger.header().time.0 - 1, vec![]);
    assert_eq!(running(&chain).epoch, Epoch(0));
    let executed = chain.block(1, vec![]);
    let began = executed.receipts().events.iter().find_map(|event| match event {
        Event::EpochBegan(began) => Some(*began),
        _ => None,
    });
    let now = running(&chain);
    assert_eq!((now.epoch, now.first), (Epoch(1), Height(3)));
    assert_eq!(now.end.0 * 1000, 2 * end - 1_000_000);
    let EpochBegan { epoch, committee, first, members } = began.unwrap();
    assert_eq!((epoch, committee, first, members), (Epoch(1), now.committee, Height(3), 4));
    let first: FirstBlock = chain.state().get(&1_u64.to_be_bytes()).unwrap().unwrap();
    assert_eq!(first, FirstBlock(Height(3)));
}

/// After a long sleep of all validators the next epoch is as long as every other, from then on.
#[test]
fn a_late_end_makes_no_short_epoch() {
    let mut chain = TestChain::new(4, free());
    chain.block(5_000_000, vec![]);
    let running = Running::of(&chain.state()).unwrap();
    assert_eq!((running.epoch, running.end), (Epoch(1), Timestamp(1000 + 5000 + 1000)));
}

#[test]
fn every_record_names_the_one_before() {
    let mut chain = TestChain::new(4, free());
    let record = |chain: &TestChain, epoch: u64| -> CommitteeRecord {
        chain.state().get(&epoch.to_be_bytes()).unwrap().unwrap()
    };
    for epoch in 1..5 {
        chain.next_epoch();
        let (before, after) = (record(&chain, epoch - 1), record(&chain, epoch));
        assert_eq!((after.previous, after.start), (Some(before.id()), before.end));
        assert_eq!(after.network, before.network);
    }
}

/// More nodes than a committee holds: those with the least ids were taken, so who made itself small ids drove out members.
#[test]
fn newcomers_drive_no_member_out() {
    let chain = TestChain::new(4, free());
    let mut state = chain.state();
    let running = Running::of(&state).unwrap();
    let before: CommitteeRecord = state.get(&running.epoch.0.to_be_bytes()).unwrap().unwrap();
    let template: Node = Node::get(&state, &before.members[0].node).unwrap().unwrap();
    for number in 0..2000_u16 {
        let mut id = [0; 32];
        id[30..].copy_from_slice(&number.to_be_bytes());
        let member = Member { node: NodeId::new(id), ..template.member.clone() };
        state.put(&id, &Node { member, ..template.clone() });
    }
    let height = Height(7);
    crate::beacon::keep(&mut state, height, &holdfast_proofs::header::Beacon::new([7; 32]));
    let (time, proposer) = (chain.ledger.header().time, before.members[0].node);
    let context = Context::new(&running, height, time, validators(&state).unwrap(), proposer);
    let record = next_record(&mut state, &context, &running, Epoch(1)).unwrap();
    assert_eq!(record.members.len(), MEMBERS_MAX);
    assert!(record.members.is_sorted_by(|one, other| one.node < other.node));
    assert!(before.members.iter().all(|member| record.members.contains(member)));
    // Who waits has no salt yet.
    let salted = |number: u16| {
        let mut id = [0; 32];
        id[30..].copy_from_slice(&number.to_be_bytes());
        Node::get(&state, &NodeId::new(id)).unwrap().unwrap().member.salt == Salt::new([7; 32])
    };
    assert_eq!([salted(0), salted(1019), salted(1020), salted(1999)], [true, true, false, false]);
}
