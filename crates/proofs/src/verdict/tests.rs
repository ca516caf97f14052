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
        committee_proof: None,
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

/// Whoever founds a network with bad keys can sign for it; a verifier refuses it all the same, and says who.
#[test]
fn networks_with_garbage_identity_duplicate_or_rogue_keys_are_refused_by_name() {
    use holdfast_core::bls::PublicKeyBytes;

    let (_, bundle) = sample();
    let mut identity = [0; 96];
    identity[0] = 0xc0;
    let first = bundle.genesis.members[0].bls;
    let rogue = crate::testing::keys(99).1.public();
    for (key, expected) in [
        (PublicKeyBytes::new([0x11; 96]), "verify.genesis"),
        (PublicKeyBytes::new(identity), "verify.genesis"),
        (first, "verify.genesis"),
        (rogue, "verify.possession"),
    ] {
        let mut bad = bundle.clone();
        let mut members = bad.genesis.members.clone().into_inner();
        members[3].bls = key;
        let name = members[3].node.to_string();
        bad.genesis.members = Bounded::new(members).unwrap();
        bad.proofs.network = bad.genesis.network();
        if expected == "verify.possession" {
            // Everyone else shows possession to the new network.
            let mut proofs = bad.proofs.members.clone().into_inner();
            for proof in &mut proofs {
                let number =
                    (1..=5).find(|number| crate::testing::member(*number).node == proof.node).unwrap();
                proof.possession =
                    crate::testing::keys(number).1.sign_possession(proof.node, &bad.proofs.network);
            }
            bad.proofs.members = Bounded::new(proofs).unwrap();
        }
        let verdict = judge(&bad, &bad.genesis.network(), Timestamp(1500));
        let failure = verdict.failure().unwrap();
        assert_eq!((verdict.status, failure.name), (Status::Invalid, expected));
        assert!(failure.found.contains(&name), "{}", failure.found);
    }
}
