//! What others can make an engine keep.

use super::later::{HEIGHTS_AHEAD, MESSAGES_PER_SENDER};
use super::undecided::{POLKAS_MAX, ROUNDS_AHEAD, ROUNDS_BEHIND, ROUNDS_PER_DRIVER};
use super::*;
use crate::record::RECORD_BYTES_MAX;

fn running() -> Table {
    let mut table = Table::new(4);
    for seat in 1..4 {
        table.seats[seat].life = 0;
    }
    table.now = BlockTime(PARENT.0 + CONFIG.block_ms);
    table.give_start(0);
    table
}

#[test]
fn votes_and_proposals_for_thousands_of_rounds_leave_nothing() {
    let mut table = running();
    let from = table.node(1);
    for round in 0..1000 {
        let mut messages = vec![table.vote(1, round, Step::Prevote, None)];
        for tag in 0..3 {
            messages.push(table.proposal(round, None, table.header(round, tag)));
        }
        for message in messages {
            table.give(0, Input::Message { from, message });
        }
    }
    let undecided = table.undecided(0);
    let rounds = usize::try_from(ROUNDS_AHEAD + ROUNDS_BEHIND + 1).unwrap();
    assert!(undecided.driver.votes().rounds() <= rounds);
    assert!(undecided.proposals.len() <= 4 * rounds, "{}", undecided.proposals.len());
    assert_eq!(undecided.round(), Round(0));
}

#[test]
fn messages_of_later_heights_are_few_for_each_sender_and_none_of_strangers() {
    let mut table = running();
    for height in 2..500 {
        for round in 0..3 {
            for seat in [1, 2] {
                let mut signed = table.signed_vote(seat, round, Step::Prevote, None);
                signed.vote.height = Height(height);
                for from in [table.node(seat), NodeId::new([seat.try_into().unwrap(); 32])] {
                    table.give(0, Input::Message { from, message: Message::Vote(signed) });
                }
            }
        }
    }
    let engine = &table.seats[0].engine;
    assert_eq!(engine.later.len(), 2 * usize::try_from(HEIGHTS_AHEAD * 3).unwrap().min(MESSAGES_PER_SENDER));
    assert_eq!(engine.ahead.len(), 2);
    assert_eq!(engine.undecided_rounds(), 0);
}

#[test]
fn a_height_without_end_costs_no_more_than_a_short_one() {
    let mut table = Table::new(4);
    // Everybody votes for nobody's block: it is never found to be there.
    table.verdict = Box::new(|_, _| None);
    table.lost = Box::new(|_, _, message| matches!(message, Message::Proposal(_)));
    table.start();
    table.run(3_600_000);
    let undecided = table.undecided(0);
    assert!(undecided.round() > Round(40), "{}", undecided.round());
    assert!(
        undecided.driver.votes().rounds() <= usize::try_from(ROUNDS_PER_DRIVER + ROUNDS_BEHIND + 2).unwrap()
    );
    assert!(undecided.polkas.len() <= POLKAS_MAX);
    for seat in &table.seats {
        assert!(seat.engine.asks.len() <= 4, "{}", seat.engine.asks.len());
        assert!(seat.log.iter().all(|record| record.to_bytes().len() <= RECORD_BYTES_MAX));
    }
    // And it ends as soon as it can.
    table.lost = Box::new(|_, _, _| false);
    table.verdict = Box::new(|_, _| Some(true));
    table.run(100_000);
    assert!(table.agreed().is_some() && table.seats.iter().all(|seat| seat.decided.is_some()));
}

#[test]
fn what_was_said_is_said_again_at_growing_pauses() {
    let mut table = running();
    table.run(3000);
    let before = table.seats[0].effects.len();
    table.run(60_000);
    let said = table.seats[0].effects[before..].iter();
    let said = said.filter(|effect| matches!(effect, Effect::Broadcast(Message::Vote(_)))).count();
    // At 3, 7 and 15 seconds after it entered the round, then every eighth.
    assert!((6..=10).contains(&said), "{said} times in a minute");
}
