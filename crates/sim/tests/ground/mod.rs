//! Networks of validators all of whose secrets are known, made once.

#![allow(dead_code)] // not every test needs all of it

use std::sync::OnceLock;

use holdfast_ledger::testing::{TestLedger, free, owner};
use holdfast_proofs::testing::keys;
use holdfast_sim::validators::{Ground, Seat};

/// The network with so many validators: four or seven.
pub(crate) fn ground(size: u8) -> &'static Ground {
    static FOUR: OnceLock<Ground> = OnceLock::new();
    static SEVEN: OnceLock<Ground> = OnceLock::new();
    let make = || {
        let ledger = TestLedger::new(size, free());
        let members = ledger.network.genesis.members.iter();
        let seats = members.map(|member| {
            let number = ledger.number(&member.node);
            Seat { node: member.node, secret: keys(number).1, owner: owner(number) }
        });
        let (network, seats) = (ledger.network.genesis.network(), seats.collect());
        Ground { network, founded: ledger.founded, seats }
    };
    match size {
        4 => FOUR.get_or_init(make),
        7 => SEVEN.get_or_init(make),
        _ => panic!("there is no network of {size}"),
    }
}

/// The network of a seed: two of three have four validators.
pub(crate) fn of_seed(seed: u64) -> &'static Ground {
    ground(if seed % 3 == 2 { 7 } else { 4 })
}
