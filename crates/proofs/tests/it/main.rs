//! The objects of this crate on the wire, each byte labelled in `testdata`.

#![allow(clippy::unwrap_used)] // helpers outside of test functions are test code as well

mod ledger;
#[path = "../../../core/tests/it/wire_type.rs"]
mod wire_type;

use holdfast_core::block::{BlockId, Codec};
use holdfast_core::codec::{Bounded, Text};
use holdfast_core::id::hex;
use holdfast_proofs::bundle::{BUNDLE_BYTES_MAX, Bundle};
use holdfast_proofs::certificate::{CERTIFICATE_BYTES_MAX, Certificate};
use holdfast_proofs::committee::CommitteeRecord;
use holdfast_proofs::genesis::{GENESIS_BYTES_MAX, Genesis, GenesisProofs, PROOFS_BYTES_MAX};
use holdfast_proofs::testing::TestNetwork;
use proptest::prelude::*;
use wire_type::{check_wire_type, for_all, hostile};

const GENESIS: &str = include_str!("../../testdata/genesis.json");
const PROOFS: &str = include_str!("../../testdata/proofs.json");
const COMMITTEE: &str = include_str!("../../testdata/committee.json");
const CERTIFICATE: &str = include_str!("../../testdata/certificate.json");
const BUNDLE: &str = include_str!("../../testdata/bundle.json");

/// The bytes, in hex, of the parts whose labels start with `prefix`.
fn parts(golden: &str, prefix: &str) -> Vec<String> {
    let golden: serde_json::Value = serde_json::from_str(golden).unwrap();
    let text = |part: &serde_json::Value, key: &str| part[key].as_str().unwrap().to_owned();
    let parts = golden["parts"].as_array().unwrap().iter();
    let found: Vec<_> =
        parts.filter(|part| text(part, "what").starts_with(prefix)).map(|part| text(part, "bytes")).collect();
    assert!(!found.is_empty(), "no part is labelled {prefix:?}");
    found
}

fn bundle() -> Bundle {
    let network = TestNetwork::new(4);
    let statement = network.statement(BlockId::of(Codec::Raw, b"hold fast"));
    Bundle {
        genesis: network.genesis.clone(),
        proofs: network.proofs.clone(),
        certificate: network.certificate(&statement, &[0, 1, 2]).certificate().clone(),
        committee: network.committee.record().clone(),
        committee_proof: None,
        headers: Bounded::new(vec![]).unwrap(),
        import_profile: Some(Text::new("unixfs-v1-2025").unwrap()),
    }
}

#[test]
fn genesis_and_its_members() {
    let genesis = TestNetwork::new(4).genesis;
    check_wire_type::<Genesis>(&genesis, &parts(GENESIS, ""), GENESIS_BYTES_MAX);
    for (place, member) in genesis.members.iter().enumerate() {
        check_wire_type(member, &parts(GENESIS, &format!("member {place}: ")), GENESIS_BYTES_MAX);
    }
}

#[test]
fn possession_proofs() {
    let proofs = TestNetwork::new(4).proofs;
    check_wire_type::<GenesisProofs>(&proofs, &parts(PROOFS, ""), PROOFS_BYTES_MAX);
    for (place, proof) in proofs.members.iter().enumerate() {
        check_wire_type(proof, &parts(PROOFS, &format!("proof {place}: ")), PROOFS_BYTES_MAX);
    }
}

#[test]
fn committee_record() {
    let network = TestNetwork::new(4);
    check_wire_type::<CommitteeRecord>(network.committee.record(), &parts(COMMITTEE, ""), GENESIS_BYTES_MAX);
}

#[test]
fn certificate() {
    let network = TestNetwork::new(7);
    let statement = network.statement(BlockId::of(Codec::Raw, b"hold fast"));
    let certificate = network.certificate(&statement, &[0, 1, 3]).certificate().clone();
    check_wire_type::<Certificate>(&certificate, &parts(CERTIFICATE, ""), CERTIFICATE_BYTES_MAX);
}

#[test]
fn bundle_body() {
    let file = parts(BUNDLE, "");
    check_wire_type(&bundle(), &file[1..file.len() - 1], BUNDLE_BYTES_MAX);
}

/// The file around the body. That no flipped bit gets past its digest is tested beside the verdict.
#[test]
fn bundle_file() {
    let bytes = bundle().to_bytes();
    assert_eq!(hex(&bytes), parts(BUNDLE, "").concat());
    assert_eq!(Bundle::from_bytes(&bytes), Ok(bundle()));
    for end in 0..bytes.len() {
        assert!(Bundle::from_bytes(&bytes[..end]).is_err(), "cut after {end} bytes");
    }
    assert!(Bundle::from_bytes(&[&bytes[..], &[0]].concat()).is_err());

    let repaired = |body: &[u8]| [&[0x82], body, &[0x58, 0x20], blake3::hash(body).as_bytes()].concat();
    let body = bytes[1..bytes.len() - 34].to_vec();
    assert_eq!(repaired(&body), bytes);
    let same_again = |bytes: Vec<u8>| {
        if let Ok(read) = Bundle::from_bytes(&bytes) {
            prop_assert_eq!(read.to_bytes(), bytes);
        }
        Ok(())
    };
    for_all(&hostile(bytes), same_again);
    for_all(&hostile(body), |body| same_again(repaired(&body)));
}

/// What a file holds is read with these, which also check the rules.
#[test]
fn readers_accept_what_they_would_write() {
    let network = TestNetwork::new(4);
    for_all(&hostile(network.genesis.to_bytes()), |bytes| {
        if let Ok(genesis) = Genesis::from_bytes(&bytes) {
            prop_assert_eq!(genesis.to_bytes(), bytes);
        }
        Ok(())
    });
    for_all(&hostile(holdfast_core::codec::encode(&network.proofs)), |bytes| {
        if let Ok(proofs) = GenesisProofs::from_bytes(&bytes) {
            prop_assert_eq!(holdfast_core::codec::encode(&proofs), bytes);
            // Judging them is total as well.
            let _ = proofs.keys(&network.genesis);
        }
        Ok(())
    });
}
