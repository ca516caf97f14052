//! Killed at any effect, and started again with what was written down.

use super::*;

/// Runs a height in which seat 0 is killed after so many effects and started again a while later. Answers whether it was killed.
fn killed_after(effects: usize, prepare: fn(&mut Table), others_too: bool) -> bool {
    let mut table = Table::new(4);
    prepare(&mut table);
    let victims = if others_too { 0..4 } else { 0..1 };
    for seat in victims.clone() {
        table.seats[seat].life = effects;
    }
    table.start();
    table.run(6500);
    let killed = table.seats[0].life == 0;
    let before = table.seats[0].life == 0 && table.seats[0].decided.is_none();
    let lock = lock(&table.seats[0].log);
    for seat in victims {
        if table.seats[seat].life == 0 {
            table.restart(seat);
        } else {
            table.seats[seat].life = usize::MAX;
        }
    }
    if before && table.seats[0].log.iter().any(|record| matches!(record, Record::Begin(_))) {
        // At once after the restart, before anything new is heard.
        let undecided = table.undecided(0);
        assert_eq!(undecided.locked.as_ref().map(|lock| lock.polka.block), lock, "after {effects} effects");
    }
    table.run(120_000);
    assert!(table.agreed().is_some(), "after {effects} effects");
    // Who decided was killed with its decision, which its host would have kept or got from others.
    let missing = table.seats.iter().filter(|seat| seat.decided.is_none()).count();
    assert!(missing <= 1 || others_too, "after {effects} effects, {missing} did not decide");
    killed
}

/// The block on which a log says that its owner is locked.
fn lock(log: &[Record]) -> Option<holdfast_proofs::header::BlockHash> {
    let mut locked = None;
    let mut newer = None;
    for record in log {
        match record {
            Record::Begin(begin) => locked = begin.locked.as_ref().map(|lock| lock.polka.block),
            Record::Lock(lock) => newer = Some(lock.polka.block),
            Record::Vote(vote) if vote.step == Step::Precommit && vote.block.is_none() => newer = None,
            _ => {}
        }
    }
    // A lock that was written down comes into force again even if its vote was not.
    newer.or(locked)
}

fn check(prepare: fn(&mut Table), others_too: bool) {
    let killed = (0..).take_while(|effects| killed_after(*effects, prepare, others_too)).count();
    assert!(killed > 8, "only {killed} places");
}

#[test]
fn one_that_is_killed_anywhere_in_a_smooth_height_goes_on() {
    check(|_| {}, false);
}

#[test]
fn all_that_are_killed_together_go_on() {
    check(|_| {}, true);
}

/// The first round ends with a lock at seat 0 alone. One that never hears of the block votes for none, the other two hear that vote
/// and not that of seat 0.
fn troubled(table: &mut Table) {
    let first = table.proposer(0);
    let unaware = (1..4).find(|seat| *seat != first).unwrap();
    table.lost = Box::new(move |from, to, message| match message {
        Message::Proposal(signed) => signed.proposal.round == Round(0) && to == unaware,
        Message::Vote(signed) => {
            signed.vote.round == Round(0) && signed.vote.step == Step::Prevote && from == 0
        }
        _ => false,
    });
}

#[test]
fn one_that_is_killed_anywhere_in_a_troubled_height_goes_on() {
    let mut table = Table::new(4);
    troubled(&mut table);
    table.start();
    table.run(60_000);
    assert!(voted(&table, 0, 0, Step::Precommit).flatten().is_some(), "it is locked");
    assert_eq!(voted(&table, 0, 1, Step::Prevote), Some(None));
    assert!(table.seats.iter().all(|seat| seat.decided.as_ref().unwrap().0.round == Round(1)));
    check(troubled, false);
}

#[test]
fn all_that_are_killed_together_in_a_troubled_height_go_on() {
    check(troubled, true);
}

#[test]
fn the_enclave_may_refuse_everything() {
    let mut table = Table::new(4);
    let silent = (table.proposer(0) + 1) % 4;
    table.refuses = vec![silent];
    table.start();
    table.run(60_000);
    assert!(table.agreed().is_some() && table.seats[silent].decided.is_some());
    assert!(table.seats[silent].signed.is_empty());
}

#[test]
fn a_signature_that_came_late_is_asked_for_again() {
    let mut table = Table::new(4);
    let crashed = (table.proposer(0) + 1) % 4;
    table.seats[crashed].life = 0;
    let silent = (table.proposer(0) + 2) % 4;
    table.refuses = vec![silent];
    table.start();
    table.run(2500);
    assert_eq!(table.agreed(), None, "two of four decide nothing");
    table.refuses.clear();
    table.run(3000);
    assert!(table.agreed().is_some());
    assert!(table.live().all(|seat| seat.decided.as_ref().unwrap().1.round == Round(0)));
}

#[test]
fn a_log_of_a_later_height_forbids_votes_until_then() {
    let mut table = Table::new(4);
    table.now = BlockTime(PARENT.0 + 5000);
    let validators = table.validators.clone();
    table.give(0, Input::Start { height: Height(9), parent: PARENT, validators });
    table.restart(0); // which starts height 1
    table.run(60_000);
    assert!(!table.undecided(0).votes);
    assert!(
        table.seats[0]
            .signed
            .iter()
            .all(|signed| matches!(signed, ToSign::Vote(vote) if vote.height == Height(9)))
    );
}

#[test]
fn records_without_a_beginning_say_nothing() {
    let mut table = Table::new(4);
    let vote = table.signed_vote(0, 0, Step::Prevote, None);
    table.seats[0].log = vec![Record::Vote(vote.vote), Record::Cast(vote)];
    table.restart(0);
    table.seats[0].log.clear();
    table.start();
    table.run(60_000);
    assert!(table.agreed().is_some());
}
