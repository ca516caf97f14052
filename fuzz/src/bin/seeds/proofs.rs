//! Genesis, possession proofs, committee record, certificate and bundle.

use holdfast_core::codec::{self, Bounded};
use holdfast_core::id::Epoch;
use holdfast_fuzz::fixed::{self, LARGER, NETWORK};
use holdfast_fuzz::script::part;
use holdfast_proofs::bundle::Bundle;
use holdfast_proofs::certificate::Certificate;
use holdfast_proofs::genesis::GenesisProofs;

use crate::golden;

pub(crate) const GENESIS: &str = include_str!("../../../../crates/proofs/testdata/genesis.json");
pub(crate) const PROOFS: &str = include_str!("../../../../crates/proofs/testdata/proofs.json");
pub(crate) const COMMITTEE: &str = include_str!("../../../../crates/proofs/testdata/committee.json");
pub(crate) const CERTIFICATE: &str = include_str!("../../../../crates/proofs/testdata/certificate.json");
const BUNDLE: &str = include_str!("../../../../crates/proofs/testdata/bundle.json");

/// Files, and their bodies alone.
pub(crate) fn bundles() -> Vec<Vec<u8>> {
    let good = fixed::bundle();
    assert_eq!(good.to_bytes(), golden::bytes(BUNDLE), "the targets know the golden bundle");
    let mut later = good.clone();
    later.certificate.statement.retain_until = Epoch(2);
    let other = Bundle { certificate: fixed::certificate(&LARGER, &[0, 1, 3]), ..good.clone() };
    let founded = Bundle { genesis: LARGER.genesis.clone(), proofs: LARGER.proofs.clone(), ..other.clone() };
    let full = Bundle {
        committee: LARGER.committee.record().clone(),
        certificate: fixed::certificate(&LARGER, &[0, 1, 2, 3]),
        import_profile: None,
        ..founded.clone()
    };
    let bundles = [good, later, other, founded, full];
    let bodies = bundles.iter().map(codec::encode);
    bundles.iter().map(Bundle::to_bytes).chain(bodies).collect()
}

pub(crate) fn certificates() -> Vec<Vec<u8>> {
    let good = golden::bytes(CERTIFICATE);
    let good = Certificate::from_bytes(&good).expect("the golden certificate");
    assert_eq!(good, fixed::certificate(&LARGER, &[0, 1, 3]), "the targets know the golden certificate");
    let mut other = good.clone();
    other.statement.piece_bytes += 1;
    let certificates =
        [good, other, fixed::certificate(&LARGER, &[0, 1, 2, 3]), fixed::certificate(&NETWORK, &[1, 2, 3])];
    let forms = |certificate: &Certificate| {
        let text = certificate.to_text();
        [[&[0], &certificate.to_bytes()[..]].concat(), [&[1], text.as_bytes()].concat()]
    };
    certificates.iter().flat_map(forms).collect()
}

pub(crate) fn genesis() -> Vec<Vec<u8>> {
    let (genesis, proofs) = (golden::bytes(GENESIS), golden::bytes(PROOFS));
    // Good points of the group, each beside another's key.
    let mut swapped: Vec<_> = NETWORK.proofs.members.to_vec();
    (swapped[0].possession, swapped[1].possession) = (swapped[1].possession, swapped[0].possession);
    let swapped = Bounded::new(swapped).expect("as many as before");
    let swapped = codec::encode(&GenesisProofs { members: swapped, ..NETWORK.proofs.clone() });
    let larger = [part(&LARGER.genesis.to_bytes()), codec::encode(&LARGER.proofs)].concat();
    vec![
        [&[0], &genesis[..]].concat(),
        [&[0], &LARGER.genesis.to_bytes()[..]].concat(),
        [&[1], &proofs[..]].concat(),
        [&[1], &swapped[..]].concat(),
        [&[2], &golden::bytes(COMMITTEE)[..]].concat(),
        [&[3], &part(&genesis)[..], &proofs].concat(),
        [&[3], &larger[..]].concat(),
    ]
}
