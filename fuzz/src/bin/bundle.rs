//! Bundles and their verdict: any bytes as a file, and any bytes as the body of a file with the right digest.
//!
//! What is read is written back to the same bytes. Under the network id that the verifier trusts, nothing is
//! proven but the one statement that the members of that network signed.

#![no_main]
#![forbid(unsafe_code)]

use std::sync::LazyLock;

use holdfast_core::id::Timestamp;
use holdfast_fuzz::{bounded, fixed};
use holdfast_proofs::bundle::Bundle;
use holdfast_proofs::verdict::{Status, judge as verdict};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    LazyLock::force(&fixed::NETWORK);
    bounded(data, judge);
});

fn judge(data: &[u8]) {
    check(data);
    check(&[&[0x82], data, &[0x58, 0x20], blake3::hash(data).as_bytes()].concat());
}

fn check(file: &[u8]) {
    let Ok(bundle) = Bundle::from_bytes(file) else { return };
    assert!(bundle.to_bytes() == file, "a second file of one bundle");

    let network = &fixed::NETWORK;
    let trusted = network.genesis.network();
    for (id, now) in [(trusted, Timestamp(1500)), (bundle.genesis.network(), bundle.genesis.start)] {
        let verdict = verdict(&bundle, &id, now);
        assert_eq!(verdict.status == Status::Invalid, verdict.proven.is_none());
        assert_eq!(verdict.failure().is_some(), verdict.proven.is_none());
        if let Some(proven) = verdict.proven.filter(|_| id == trusted) {
            assert_eq!(bundle.genesis, network.genesis);
            assert_eq!(bundle.proofs, network.proofs, "there is one possession proof per key");
            assert_eq!(bundle.committee, *network.committee.record());
            assert_eq!(proven.certificate.statement(), &fixed::statement(network), "forged");
            assert!(proven.certificate.signers().count() >= proven.certificate.profile().q);
        }
    }
}
