//! What gets a vote, and what does not.

use holdfast_core::codec::Bounded;
use holdfast_core::purpose::Signable;
use holdfast_ledger::evidence::Offence;

use super::*;
use crate::message::SignedVote;
use crate::polka::Polka;

/// A table at which one seat, no proposer of the first rounds, hears only what the test says.
fn alone() -> (Table, usize) {
    let mut table = Table::new(4);
    let listener = (0..4).find(|seat| (0..3).all(|round| table.proposer(round) != *seat)).unwrap();
    for seat in (0..4).filter(|seat| *seat != listener) {
        table.seats[seat].life = 0;
    }
    table.now = BlockTime(PARENT.0 + CONFIG.block_ms);
    table.give_start(listener);
    (table, listener)
}

fn others(listener: usize) -> impl Iterator<Item = usize> {
    (0..4).filter(move |seat| *seat != listener)
}

fn hear(table: &mut Table, listener: usize, message: Message) {
    let from = table.node((listener + 1) % 4);
    table.give(listener, Input::Message { from, message });
    table.settle();
}

/// The listener votes for no block in this round.
fn end_round(table: &mut Table, listener: usize, round: u32) {
    for step in [Step::Prevote, Step::Precommit] {
        for seat in others(listener) {
            let vote = table.vote(seat, round, step, None);
            hear(table, listener, vote);
        }
    }
    table.now = BlockTime(table.now.0 + 1000 + 500 * u64::from(round));
    table.give(listener, Input::Tick);
    table.settle();
}

fn polka(table: &Table, round: u32, block: holdfast_proofs::header::BlockHash, seats: &[usize]) -> Polka {
    let votes = seats.iter().map(|seat| table.signed_vote(*seat, round, Step::Prevote, Some(block)));
    let votes: Vec<_> = seats.iter().copied().zip(votes).collect();
    let vote = votes[0].1.vote;
    let signed: Vec<_> = votes.iter().map(|(seat, signed)| (*seat, signed.signature)).collect();
    Polka::of(&vote, block, &signed, &table.validators).unwrap()
}

#[test]
fn a_block_with_a_wrong_time_gets_no_vote_and_may_still_be_decided() {
    for (shift, timely) in [(-10_001_i64, false), (-9_000, true), (0, true), (2000, true), (2001, false)] {
        let (mut table, me) = alone();
        table.now = BlockTime(PARENT.0 + 60_000);
        let mut header = table.header(0, 1);
        header.time = BlockTime(table.now.0.saturating_add_signed(shift));
        let block = header.hash();
        let proposal = table.proposal(0, None, header);
        hear(&mut table, me, proposal);
        assert_eq!(voted(&table, me, 0, Step::Prevote), Some(timely.then_some(block)), "{shift}");
        for step in [Step::Prevote, Step::Precommit] {
            for seat in others(me) {
                let vote = table.vote(seat, 0, step, Some(block));
                hear(&mut table, me, vote);
            }
        }
        assert_eq!(table.agreed(), Some(block), "{shift}");
    }
}

#[test]
fn a_header_that_is_not_what_it_must_be_gets_no_vote() {
    type Change = fn(&mut holdfast_proofs::header::Header);
    let changes: [Change; 6] = [
        |header| header.round = Round(1),
        |header| header.height = Height(2),
        |header| header.time = PARENT,
        |header| header.proposer = NodeId::new([1; 32]),
        |header| header.validators = holdfast_proofs::validators::ValidatorsId::new([1; 32]),
        |_| {},
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let (mut table, me) = alone();
        let mut header = table.header(0, 1);
        change(&mut header);
        let block = header.hash();
        let proposal = table.proposal(0, None, header);
        hear(&mut table, me, proposal);
        let expected = if at == 5 { Some(block) } else { None };
        assert_eq!(voted(&table, me, 0, Step::Prevote), Some(expected), "change {at}");
    }
}

#[test]
fn an_invalid_block_gets_no_vote() {
    let (mut table, me) = alone();
    table.verdict = Box::new(|_, _| Some(false));
    let proposal = table.proposal(0, None, table.header(0, 1));
    hear(&mut table, me, proposal);
    assert_eq!(voted(&table, me, 0, Step::Prevote), Some(None));
}

#[test]
fn a_block_that_nobody_gives_is_waited_for_until_the_timeout() {
    let (mut table, me) = alone();
    table.verdict = Box::new(|_, _| None);
    let header = table.header(0, 1);
    let proposal = table.proposal(0, None, header.clone());
    hear(&mut table, me, proposal.clone());
    assert_eq!(voted(&table, me, 0, Step::Prevote), None);
    let checks = |table: &Table| {
        table.seats[me].effects.iter().filter(|effect| matches!(effect, Effect::Check { .. })).count()
    };
    assert_eq!(checks(&table), 1);
    hear(&mut table, me, proposal);
    assert_eq!(checks(&table), 2, "whoever sends it again has the block");
    table.run(1000);
    assert_eq!(checks(&table), 3, "it is asked for again");
    table.run(2500);
    assert_eq!(voted(&table, me, 0, Step::Prevote), Some(None));
    // It comes too late for a vote of the first step, and in time for the second.
    table.give(me, Input::Checked { block: header.hash(), valid: true });
    for seat in others(me) {
        let vote = table.vote(seat, 0, Step::Prevote, Some(header.hash()));
        hear(&mut table, me, vote);
    }
    assert_eq!(voted(&table, me, 0, Step::Precommit), Some(Some(header.hash())));
}

#[test]
fn an_old_block_is_voted_for_again_only_with_its_polka() {
    for (with_polka, late_polka) in [(false, false), (true, false), (false, true)] {
        let (mut table, me) = alone();
        let header = table.header(0, 1);
        end_round(&mut table, me, 0);
        assert_eq!(table.undecided(me).round(), Round(1));
        // Its time would be wrong for a fresh one.
        table.now = BlockTime(table.now.0 + 2000);
        let polka = Message::Polka(polka(&table, 0, header.hash(), &others(me).collect::<Vec<_>>()));
        let proposal = table.proposal(1, Some(0), header.clone());
        if with_polka {
            hear(&mut table, me, polka.clone());
        }
        hear(&mut table, me, proposal);
        if late_polka {
            assert_eq!(voted(&table, me, 1, Step::Prevote), None);
            hear(&mut table, me, polka);
        }
        let expected = (with_polka || late_polka).then_some(Some(header.hash()));
        assert_eq!(voted(&table, me, 1, Step::Prevote), expected);
    }
}

#[test]
fn a_polka_of_too_few_or_of_somebody_else_is_refused() {
    let (mut table, me) = alone();
    let header = table.header(0, 1);
    let good = polka(&table, 0, header.hash(), &others(me).collect::<Vec<_>>());
    let network = table.network.genesis.network();
    assert_eq!(good.verify(&network, &table.validators, &Pairing), Ok(()));
    let seats: Vec<_> = others(me).collect();
    let two: Vec<_> = seats[..2]
        .iter()
        .map(|seat| (*seat, table.signed_vote(*seat, 0, Step::Prevote, Some(header.hash())).signature))
        .collect();
    let vote = table.signed_vote(seats[0], 0, Step::Prevote, Some(header.hash())).vote;
    assert!(Polka::of(&vote, header.hash(), &two, &table.validators).is_err());
    let bytes = holdfast_core::codec::encode(&good);
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(other) = holdfast_core::codec::decode::<Polka>(&flipped, 1024) {
            assert!(other.verify(&network, &table.validators, &Pairing).is_err(), "bit {bit}");
        }
    }
    let mut other = good;
    other.round = Round(1);
    hear(&mut table, me, Message::Polka(other));
    assert!(table.seats[me].effects.iter().any(|effect| matches!(effect, Effect::Misbehaved { .. })));
    assert_eq!(table.undecided(me).round(), Round(0));
}

#[test]
fn a_lock_is_kept_until_a_newer_polka() {
    let (mut table, me) = alone();
    let (one, other) = (table.header(0, 1), table.header(1, 2));
    let proposal = table.proposal(0, None, one.clone());
    hear(&mut table, me, proposal);
    for seat in others(me) {
        let vote = table.vote(seat, 0, Step::Prevote, Some(one.hash()));
        hear(&mut table, me, vote);
    }
    assert_eq!(voted(&table, me, 0, Step::Precommit), Some(Some(one.hash())));
    end_round(&mut table, me, 0);
    let proposal = table.proposal(1, None, other.clone());
    hear(&mut table, me, proposal);
    assert_eq!(voted(&table, me, 1, Step::Prevote), Some(None), "it is locked on another");
    end_round(&mut table, me, 1);
    let polka = Message::Polka(polka(&table, 1, other.hash(), &others(me).collect::<Vec<_>>()));
    hear(&mut table, me, polka);
    let proposal = table.proposal(2, Some(1), other.clone());
    hear(&mut table, me, proposal);
    assert_eq!(voted(&table, me, 2, Step::Prevote), Some(Some(other.hash())), "the polka is newer");
}

#[test]
fn equivocation_is_shown_once() {
    let (mut table, me) = alone();
    let offender = others(me).next().unwrap();
    for tag in 1..6_u8 {
        let block = table.header(0, tag).hash();
        for round in 0..3 {
            let vote = table.vote(offender, round, Step::Prevote, Some(block));
            hear(&mut table, me, vote);
        }
    }
    let [accuse] = &table.seats[me].offences[..] else { panic!("{:?}", table.seats[me].offences) };
    assert_eq!(accuse.node, table.node(offender));
    assert!(accuse.offence.is_one());
    let key = table.validators.key(offender);
    assert!(accuse.offence.is_signed(key, &table.network.genesis.network()));
    assert!(matches!(accuse.offence, Offence::Votes(_)));
}

#[test]
fn older_heights_are_answered_and_answers_are_not() {
    let mut table = Table::new(4);
    let validators = table.validators.clone();
    table.now = BlockTime(PARENT.0 + 5000);
    table.give(0, Input::Start { height: Height(8), parent: PARENT, validators });
    let from = table.node(1);
    let message = table.vote(1, 0, Step::Prevote, None);
    table.give(0, Input::Message { from, message });
    let mut late = table.signed_vote(1, 0, Step::Prevote, None);
    late.vote.height = Height(7);
    let late = Input::Message { from, message: Message::Vote(late) };
    let answers = |table: &Table| {
        table.seats[0].effects.iter().filter(|effect| matches!(effect, Effect::Send { .. })).count()
    };
    table.give(0, late.clone());
    assert_eq!(answers(&table), 1, "a vote for the block before may just be late");
    table.now = BlockTime(table.now.0 + CONFIG.repeat_ms);
    table.give(0, Input::Tick);
    table.give(0, late);
    assert_eq!(answers(&table), 2, "by now somebody asks");
    let decided = Message::Decided(Decided { height: Height(7) });
    assert!(table.seats[0].effects.contains(&Effect::Send { to: from, message: decided.clone() }));
    let said = table.seats[0].effects.len();
    table.give(0, Input::Message { from, message: decided }); // which is known
    assert_eq!(table.seats[0].effects.len(), said);
    let message = Message::Decided(Decided { height: Height(8) });
    table.give(0, Input::Message { from, message });
    assert_eq!(table.seats[0].effects.last(), Some(&Effect::Behind { height: Height(8), peer: from }));
}

#[test]
fn whoever_is_far_behind_follows_the_reason_of_others() {
    let (mut table, me) = alone();
    let votes = |table: &Table, seats: usize, round| -> Vec<SignedVote> {
        others(me).take(seats).map(|seat| table.signed_vote(seat, round, Step::Prevote, None)).collect()
    };
    let said = |votes: Vec<SignedVote>| Message::Votes(Bounded::new(votes).unwrap());
    let too_few = said(votes(&table, 1, 500));
    hear(&mut table, me, too_few);
    assert_eq!(table.undecided(me).round(), Round(0));
    let mut forged = votes(&table, 2, 500);
    forged[1].signature = forged[0].signature;
    hear(&mut table, me, said(forged));
    assert_eq!(table.undecided(me).round(), Round(0));
    let enough = said(votes(&table, 2, 500));
    hear(&mut table, me, enough.clone());
    assert_eq!(table.undecided(me).round(), Round(500));
    // And passes it on.
    table.run(1500);
    assert!(table.seats[me].effects.contains(&Effect::Broadcast(enough)));
}

#[test]
fn a_vote_in_a_foreign_name_counts_for_nobody() {
    let (mut table, me) = alone();
    let forger = others(me).next().unwrap();
    for seat in others(me).skip(1) {
        let mut vote = table.signed_vote(seat, 0, Step::Prevote, None);
        vote.signature =
            table.network.secrets[forger].sign(&vote.vote.signing_input(&table.network.genesis.network()));
        hear(&mut table, me, Message::Vote(vote));
    }
    assert_eq!(table.undecided(me).driver.votes().rounds(), 0);
    let blamed = table.seats[me].effects.iter().filter(|effect| matches!(effect, Effect::Misbehaved { .. }));
    assert_eq!(blamed.count(), 2);
}
