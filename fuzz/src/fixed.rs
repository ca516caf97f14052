//! Networks whose secrets only this crate knows: a certificate of theirs that no input may change.

use std::sync::LazyLock;

use holdfast_core::block::{BlockId, Codec};
use holdfast_core::codec::{Bounded, Text};
use holdfast_proofs::bundle::Bundle;
use holdfast_proofs::certificate::Certificate;
use holdfast_proofs::statement::Statement;
use holdfast_proofs::testing::TestNetwork;

/// The network of the golden bundle, genesis, possession proofs and committee record.
pub static NETWORK: LazyLock<TestNetwork> = LazyLock::new(|| TestNetwork::new(4));

/// The network of the golden certificate.
pub static LARGER: LazyLock<TestNetwork> = LazyLock::new(|| TestNetwork::new(7));

/// The piece about which the members of both networks said something.
pub fn cid() -> BlockId {
    BlockId::of(Codec::Raw, b"hold fast")
}

/// The only statement that members of a network ever signed.
pub fn statement(network: &TestNetwork) -> Statement {
    network.statement(cid())
}

/// A certificate of it.
pub fn certificate(network: &TestNetwork, slots: &[u16]) -> Certificate {
    network.certificate(&statement(network), slots).certificate().clone()
}

/// The golden bundle.
///
/// # Panics
/// Never: its lists and texts are short.
pub fn bundle() -> Bundle {
    Bundle {
        genesis: NETWORK.genesis.clone(),
        proofs: NETWORK.proofs.clone(),
        certificate: certificate(&NETWORK, &[0, 1, 2]),
        committee: NETWORK.committee.record().clone(),
        committee_proof: None,
        headers: Bounded::new(vec![]).expect("empty"),
        import_profile: Some(Text::new("unixfs-v1-2025").expect("short")),
    }
}

/// A piece of seven groups, the last of which is not full.
pub static PIECE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    (0..100_000_u32).flat_map(|place| place.wrapping_mul(2_654_435_761).to_be_bytes()).take(100_000).collect()
});

/// A key of a private piece as its file holds it.
pub fn key_text(key: &[u8; 32]) -> String {
    let checksum = blake3::hash(key);
    let letters = data_encoding::BASE32_NOPAD.encode(&[&key[..], &checksum.as_bytes()[..4]].concat());
    format!("hfk1{}", letters.to_ascii_lowercase())
}
