//! The ledger's execution: blocks of transactions that bytes choose, by whomever, some with bytes changed before they are signed.
//!
//! No money is made or lost, no escrow is too small for what it owes, index and orders agree, names belong to nodes that are
//! there, and everybody comes to the same rows.

#![no_main]
#![forbid(unsafe_code)]

use std::sync::LazyLock;

use holdfast_fuzz::bounded;
use holdfast_fuzz::ledger::{FEES, FREE};
use holdfast_fuzz::script::Script;
use holdfast_ledger::testing::audit::audit;
use holdfast_ledger::testing::life::Life;
use libfuzzer_sys::fuzz_target;

/// Blocks of one input: enough for every order and bond to end.
const BLOCKS_MAX: usize = 64;

/// Most bytes that choose a transaction.
const CHOICES: u8 = 32;

fuzz_target!(|data: &[u8]| {
    LazyLock::force(&FREE);
    LazyLock::force(&FEES);
    bounded(data, judge);
});

fn judge(data: &[u8]) {
    let mut script = Script::new(data);
    let test = if script.below(2) == 0 { &*FREE } else { &*FEES };
    let mut life = Life::new(test);
    for _ in 0..BLOCKS_MAX {
        if script.is_over() {
            break;
        }
        let kind = script.byte();
        let mut waiting = Vec::new();
        for _ in 0..kind % 8 {
            let count = script.below(CHOICES);
            let choices: Vec<_> = (0..count).map(|_| script.byte()).collect();
            let transaction = life.transaction(&waiting, &mut choices.into_iter());
            waiting.push(transaction);
        }
        let later = if kind < 128 { 1 } else { life.rest_of_epoch() };
        life.block(later, waiting);
        audit(&life.state());
    }
}
