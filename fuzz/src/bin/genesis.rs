//! Genesis, possession proofs, committee records, and a genesis with its proofs; the first byte selects.
//!
//! What is accepted is encoded back to the same bytes. A committee needs a good proof from every member, and a
//! key has one.

#![no_main]
#![forbid(unsafe_code)]

use std::sync::LazyLock;

use holdfast_core::codec;
use holdfast_fuzz::script::Script;
use holdfast_fuzz::{bounded, fixed, wire};
use holdfast_proofs::committee::{Committee, CommitteeRecord};
use holdfast_proofs::genesis::{GENESIS_BYTES_MAX, Genesis, GenesisProofs};
use holdfast_proofs::slots::{self, Bucket};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    LazyLock::force(&fixed::NETWORK);
    bounded(data, judge);
});

fn judge(data: &[u8]) {
    let mut script = Script::new(data);
    match script.below(4) {
        0 => drop(genesis(script.rest())),
        1 => {
            let Some(proofs) = proofs(script.rest()) else { return };
            if proofs.keys(&fixed::NETWORK.genesis).is_ok() {
                assert_eq!(proofs, fixed::NETWORK.proofs, "there is one possession proof per key");
            }
        }
        2 => wire::check::<CommitteeRecord>(script.rest(), GENESIS_BYTES_MAX),
        _ => {
            let (Some(genesis), Some(proofs)) = (genesis(script.part()), proofs(script.rest())) else {
                return;
            };
            if let Ok(committee) = Committee::new(&genesis, &proofs) {
                assert_eq!(proofs.network, genesis.network());
                assert_eq!(committee.members().len(), proofs.members.len());
            }
        }
    }
}

fn genesis(bytes: &[u8]) -> Option<Genesis> {
    let genesis = Genesis::from_bytes(bytes).ok()?;
    assert_eq!(genesis.to_bytes(), bytes, "a second encoding");
    let record = CommitteeRecord::of_genesis(&genesis);
    wire::check::<CommitteeRecord>(&codec::encode(&record), GENESIS_BYTES_MAX);

    let mut places = slots::order(Bucket::of(&fixed::cid()), &record.members);
    places.sort_unstable();
    assert!(places.into_iter().eq(0..record.members.len()), "every member has one place in a bucket");
    Some(genesis)
}

fn proofs(bytes: &[u8]) -> Option<GenesisProofs> {
    let proofs = GenesisProofs::from_bytes(bytes).ok()?;
    assert_eq!(codec::encode(&proofs), bytes, "a second encoding");
    Some(proofs)
}
