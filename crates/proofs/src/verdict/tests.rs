use super::*;
use crate::bundle::BundleError;
use crate::testing::TestNetwork;
use holdfast_core::block::{BlockId, Codec};
use holdfast_core::codec::{Bounded, Text};

fn sample() -> (TestNetwork, Bundle) {
    let network = TestNetwork::new(5);
    let statement = network.statement(BlockId::of(Codec::Raw, b"hold fast"));
    let bundle = Bundle {
        genesis: network.genesis.clone(),
        proofs: network.proofs.clone(),
        certificate: network.certificate(&statement, &[0, 1, 2]).certificate().clone(),
        committee: network.committee.record().clone(),
        committee_proof: (),
        headers: Bounded::new(vec![]).unwrap(),
        import_profile: Some(Text::new("unixfs-v1-2025").unwrap()),
    };
    (network, bundle)
}

fn status(bundle: &Bundle, network: &NetworkId, now: u64) -> Status {
    judge(bundle, network, Timestamp(now)).status
}

#[test]
fn status_follows_the_clock() {
    let (network, bundle) = sample();
    let id = network.genesis.network();
    let at = |now| status(&bundle, &id, now);
    assert_eq!(
        [at(999), at(1000), at(1999), at(2000)],
        [Status::Invalid, Status::Fresh, Status::Fresh, Status::Expired]
    );
    let verdict = judge(&bundle, &id, Timestamp(1500));
    assert!(verdict.steps.iter().all(|step| step.holds));
    assert_eq!(verdict.steps.len(), 8);
    assert_eq!(verdict.proven.unwrap().ends, Timestamp(2000));
}

#[test]
fn each_lie_fails_its_own_step() {
    let (network, bundle) = sample();
    let id = network.genesis.network();
    let other = TestNetwork::new(4);
    let fails = |change: &dyn Fn(&mut Bundle), expected: &str| {
        let mut changed = bundle.clone();
        change(&mut changed);
        let verdict = judge(&changed, &id, Timestamp(1500));
        assert_eq!(
            (verdict.status, verdict.failure().map(|step| step.name)),
            (Status::Invalid, Some(expected))
        );
        assert!(verdict.proven.is_none());
    };
    fails(&|b| b.genesis = other.genesis.clone(), "verify.network");
    fails(&|b| b.proofs = other.proofs.clone(), "verify.possession");
    fails(&|b| b.committee = other.committee.record().clone(), "verify.committee");
    fails(&|b| b.certificate.statement.piece_bytes += 1, "verify.signature");
    fails(&|b| b.certificate.statement.coding.q = 2, "verify.statement");
}

#[test]
fn a_well_formed_bundle_of_another_network_is_invalid() {
    let (_, bundle) = sample();
    let stranger = TestNetwork::new(4).genesis.network();
    let verdict = judge(&bundle, &stranger, Timestamp(1500));
    assert_eq!(verdict.failure().map(|step| step.name), Some("verify.network"));
}

#[test]
fn bundles_round_trip_and_damage_is_told_from_lies() {
    let (network, bundle) = sample();
    let bytes = bundle.to_bytes();
    assert_eq!(Bundle::from_bytes(&bytes), Ok(bundle.clone()));
    for end in (0..bytes.len()).step_by(11) {
        assert_eq!(Bundle::from_bytes(&bytes[..end]), Err(BundleError::Damaged));
    }
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Bundle::from_bytes(&flipped), Err(BundleError::Damaged), "bit {bit}");
    }
    // A liar who repairs the digest gets past it, and then fails at the first thing that is signed.
    let mut lie = bundle;
    lie.certificate.statement.piece_bytes = 1;
    let lie = Bundle::from_bytes(&lie.to_bytes()).unwrap();
    assert_eq!(status(&lie, &network.genesis.network(), 1500), Status::Invalid);
}

/// The digest cannot hide anything: with the digest repaired, still no flipped bit of what is signed or
/// hashed gives a valid verdict. Only the unsigned hint may change.
#[test]
fn no_flipped_bit_under_a_repaired_digest_is_valid() {
    let (network, mut bundle) = sample();
    bundle.import_profile = None;
    let id = network.genesis.network();
    let bytes = bundle.to_bytes();
    let body = bytes[1..bytes.len() - 34].to_vec();
    // Every bit of the certificate region is covered by the certificate's own test; here every 17th of all.
    for bit in (0..body.len() * 8).step_by(17) {
        let mut body = body.clone();
        body[bit / 8] ^= 1 << (bit % 8);
        let repaired = [&[0x82][..], &body, &[0x58, 0x20], blake3::hash(&body).as_bytes()].concat();
        if let Ok(read) = Bundle::from_bytes(&repaired) {
            assert_eq!(status(&read, &id, 1500), Status::Invalid, "bit {bit}");
        }
    }
}
