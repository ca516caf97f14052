//! Labelled bytes, and values that several objects hold.

use holdfast_core::block::{BlockId, Codec};
use holdfast_core::codec::{Bounded, Text};
use holdfast_core::id::{Amount, NodeId};
use holdfast_core::{bls, ed25519};
use holdfast_ledger::account::AccountId;
use holdfast_ledger::params::Params;
use holdfast_proofs::genesis::Weight;
use holdfast_proofs::profile::Profile;

/// The name of all objects of a file.
pub(crate) const ALL: &str = "";

/// The bytes, in hex, of the object of this name.
pub(crate) fn parts(golden: &str, name: &str) -> Vec<String> {
    let golden: serde_json::Value = serde_json::from_str(golden).unwrap();
    let is_its = |what: &str| {
        let rest = what.strip_prefix(name);
        rest.is_some_and(|rest| name == ALL || rest.starts_with([':', ' ']))
    };
    let parts = golden["parts"].as_array().unwrap().iter();
    let found: Vec<_> = parts
        .filter(|part| is_its(part["what"].as_str().unwrap()))
        .map(|part| part["bytes"].as_str().unwrap().to_owned())
        .collect();
    assert!(!found.is_empty(), "nothing is named {name:?}");
    found
}

/// The same as bytes.
pub(crate) fn bytes(golden: &str, name: &str) -> Vec<u8> {
    unhex(&parts(golden, name).concat())
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digit).collect()
}

pub(crate) fn account(number: u8) -> AccountId {
    AccountId::of(ed25519::PublicKey::new([number; 32]))
}

pub(crate) fn node(number: u8) -> NodeId {
    NodeId::new([number; 32])
}

pub(crate) fn cid() -> BlockId {
    BlockId::of(Codec::Raw, b"hold fast")
}

pub(crate) fn text(text: &str) -> Text<64> {
    Text::new(text).unwrap()
}

pub(crate) fn weight(weight: u8) -> Weight {
    Weight::new(weight).unwrap()
}

pub(crate) fn bls_key(number: u8) -> bls::PublicKeyBytes {
    bls::PublicKeyBytes::new([number; 96])
}

pub(crate) fn signature(number: u8) -> bls::Signature {
    bls::Signature::new([number; 48])
}

pub(crate) fn list<T: std::fmt::Debug, const MAX: usize>(items: Vec<T>) -> Bounded<T, MAX> {
    Bounded::new(items).unwrap()
}

pub(crate) fn params() -> Params {
    Params {
        fee_flat: Amount(1000),
        fee_byte: Amount(2),
        price_byte_epoch: Amount(3),
        bond_min: Amount(4),
        unbond_epochs: 21,
        evidence_epochs: 14,
        slash_percent: 50,
        profiles: list(vec![Profile::COPY4, Profile::copies(255).unwrap()]),
    }
}
