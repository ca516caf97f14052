use holdfast_proofs::header::Round;
use holdfast_proofs::vote::Step;

use super::*;
use crate::engine::ToSign;

mod bounds;
mod restarts;
mod rules;
mod table;

use table::{CONFIG, HEIGHT, PARENT, Table};

/// The block that a seat voted for in a step of a round: `None` if it did not vote.
fn voted(
    table: &Table,
    seat: usize,
    round: u32,
    step: Step,
) -> Option<Option<holdfast_proofs::header::BlockHash>> {
    let votes = table.seats[seat].signed.iter().filter_map(|signed| match signed {
        ToSign::Vote(vote) => Some(vote),
        ToSign::Proposal(_) => None,
    });
    let mut found = votes.filter(|vote| vote.round == Round(round) && vote.step == step);
    found.next().map(|vote| vote.block)
}

#[test]
fn validators_decide_in_the_first_round_when_nothing_is_wrong() {
    for size in [4, 5, 7] {
        let mut table = Table::new(size);
        table.start();
        table.run(60_000);
        assert!(table.agreed().is_some());
        assert_eq!(table.now, BlockTime(PARENT.0 + CONFIG.block_ms), "not before it is time for a block");
        for seat in &table.seats {
            let (header, finality) = seat.decided.as_ref().unwrap();
            assert_eq!((header.height, header.round, finality.round), (HEIGHT, Round(0), Round(0)));
            assert!(seat.engine.timers.is_empty() && seat.engine.asks.len() == 0);
        }
    }
}

#[test]
fn a_crashed_proposer_costs_a_round() {
    let mut table = Table::new(4);
    let crashed = table.proposer(0);
    table.seats[crashed].life = 0;
    table.start();
    table.run(60_000);
    assert!(table.agreed().is_some());
    assert!(table.live().all(|seat| seat.decided.as_ref().unwrap().0.round == Round(1)));
}

#[test]
fn whoever_only_follows_decides_and_says_nothing() {
    let mut table = Table::new(4);
    let stranger = Identity { node: NodeId::new([9; 32]), ..table.seats[0].engine.identity };
    let mut follower = Authority::resume(CONFIG, stranger, []);
    let mut out = Vec::new();
    let start = Input::Start { height: HEIGHT, parent: PARENT, validators: table.validators.clone() };
    follower.step(PARENT, start, &mut out);
    follower.step(BlockTime(PARENT.0 + 1000), Input::Tick, &mut out);
    table.start();
    table.run(60_000);
    let said =
        table.seats.iter().enumerate().flat_map(|(seat, it)| it.effects.iter().map(move |e| (seat, e)));
    let said: Vec<_> = said
        .filter_map(|(seat, effect)| match effect {
            Effect::Broadcast(message) => Some((table.node(seat), message.clone())),
            _ => None,
        })
        .collect();
    for (from, message) in said {
        let mut more = Vec::new();
        follower.step(table.now, Input::Message { from, message }, &mut more);
        for effect in &more {
            if let Effect::Check { header, .. } = effect {
                let checked = Input::Checked { block: header.hash(), valid: true };
                follower.step(table.now, checked, &mut out);
            }
        }
        out.append(&mut more);
    }
    let decides = out.iter().filter(|effect| matches!(effect, Effect::Decide { .. })).count();
    assert_eq!(decides, 1);
    let silent =
        |effect: &Effect| matches!(effect, Effect::Decide { .. } | Effect::Check { .. } | Effect::WakeAt(_));
    assert!(out.iter().all(silent), "{out:?}");
}

#[test]
fn the_height_begins_soon_although_the_own_clock_is_hours_behind() {
    let mut table = Table::new(4);
    table.now = BlockTime(1);
    table.give_start(0);
    table.now = BlockTime(1 + CONFIG.block_ms);
    table.give(0, Input::Tick);
    assert_eq!(table.undecided(0).round(), Round(0));
}
