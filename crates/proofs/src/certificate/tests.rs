use super::*;
use crate::testing::TestNetwork;
use holdfast_core::block::{BlockId, Codec};
use holdfast_core::id::{Amount, Epoch, OrderId, hex};

fn sample() -> (TestNetwork, Statement) {
    let network = TestNetwork::new(7);
    let statement = network.statement(BlockId::of(Codec::Raw, b"hold fast"));
    (network, statement)
}

#[test]
fn a_quorum_certifies_and_fewer_do_not() {
    let (network, statement) = sample();
    let certificate = network.certificate(&statement, &[0, 1, 3]);
    assert_eq!(certificate.signers().iter().collect::<Vec<_>>(), [0, 1, 3]);
    let bytes = certificate.certificate().to_bytes();
    let read = Certificate::from_bytes(&bytes).unwrap();
    assert_eq!(read.verify(&network.committee), Ok(certificate));

    let two: Vec<_> = [0, 2].map(|slot| network.receipt(&statement, slot)).into();
    assert_eq!(
        ValidCertificate::from_receipts(statement.clone(), &two, &network.committee),
        Err(CertificateError::Quorum { signers: 2, needed: 3 })
    );
    let twice: Vec<_> = [0, 1, 1].map(|slot| network.receipt(&statement, slot)).into();
    assert_eq!(
        ValidCertificate::from_receipts(statement, &twice, &network.committee),
        Err(CertificateError::Bitmap { slots: 4 })
    );
}

#[test]
fn a_certificate_only_grows() {
    let (network, statement) = sample();
    let mut grown = network.certificate(&statement, &[1, 2, 3]);
    let (slot, signature) = network.receipt(&statement, 0);
    let (_, wrong) = network.receipt(&statement, 1);
    assert_eq!(
        grown.add(slot, &wrong, &network.committee),
        Err(CertificateError::Signature(BlsError::Signature))
    );
    grown.add(slot, &signature, &network.committee).unwrap();
    grown.add(slot, &signature, &network.committee).unwrap();
    assert_eq!(grown, network.certificate(&statement, &[0, 1, 2, 3]));
    assert_eq!(grown.add(4, &signature, &network.committee), Err(CertificateError::Bitmap { slots: 4 }));
}

#[test]
fn the_larger_of_two_certificates_is_kept() {
    let network = TestNetwork::of((1..=7).map(crate::testing::member).collect(), Profile::copies(7).unwrap());
    let statement = network.statement(BlockId::of(Codec::Raw, b"hold fast"));
    let certificate = |slots: &[u16]| network.certificate(&statement, slots);
    let check = |one: &[u16], other: &[u16], expected: Merge, kept: &[u16]| {
        let mut merged = certificate(one);
        assert_eq!(merged.merge(&certificate(other)), Ok(expected), "{one:?} and {other:?}");
        assert_eq!(merged, certificate(kept), "{one:?} and {other:?}");
        assert!(merged.certificate().clone().verify(&network.committee).is_ok());
    };
    let five = [0, 1, 2, 3, 4];
    check(&five, &five, Merge::Contained, &five);
    check(&[0, 1, 2, 3, 4, 5], &five, Merge::Contained, &[0, 1, 2, 3, 4, 5]);
    check(&five, &[0, 1, 2, 3, 4, 6], Merge::Grown, &[0, 1, 2, 3, 4, 6]);
    check(&five, &[1, 2, 3, 4, 5], Merge::Overlapping, &five);
    check(&five, &[1, 2, 3, 4, 5, 6], Merge::Overlapping, &[1, 2, 3, 4, 5, 6]);
    check(&[1, 2, 3, 4, 5, 6], &five, Merge::Overlapping, &[1, 2, 3, 4, 5, 6]);

    let another = network.statement(BlockId::of(Codec::Raw, b"something else"));
    let mut merged = certificate(&five);
    assert_eq!(merged.merge(&network.certificate(&another, &five)), Err(OtherStatement));
    assert_eq!(merged, certificate(&five));
}

#[test]
fn any_two_certificates_share_a_signer() {
    for n in 1..=Profile::SLOTS_MAX {
        let q = Profile::copies(n).unwrap().q;
        // Not even the smallest quorum that a profile may have leaves room for another.
        let smallest = (1..=n).find(|q| Profile { k: 1, n, q: *q }.validate().is_ok()).unwrap();
        assert!(smallest <= q && smallest * 2 > n, "{n} slots");
    }
}

#[test]
fn the_golden_bytes_hold() {
    let (network, statement) = sample();
    let bytes = network.certificate(&statement, &[0, 1, 3]).certificate().to_bytes();
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("../../testdata/certificate.json")).unwrap();
    let parts: String =
        golden["parts"].as_array().unwrap().iter().map(|part| part["bytes"].as_str().unwrap()).collect();
    assert_eq!(hex(&bytes), parts);
    assert!(bytes.len() < 300, "{} bytes", bytes.len());
}

#[test]
fn no_flipped_bit_and_no_truncation_verifies() {
    let (network, statement) = sample();
    let bytes = network.certificate(&statement, &[0, 1, 3]).certificate().to_bytes();
    let verifies = |bytes: &[u8]| {
        Certificate::from_bytes(bytes).is_ok_and(|certificate| certificate.verify(&network.committee).is_ok())
    };
    assert!(verifies(&bytes));
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(!verifies(&flipped), "bit {bit}");
    }
    for end in 0..bytes.len() {
        assert!(!verifies(&bytes[..end]));
    }
    assert!(!verifies(&[&bytes[..], &[0]].concat()));
}

#[test]
fn statements_of_other_networks_epochs_and_profiles_are_refused() {
    let (network, statement) = sample();
    let signed = |statement: &Statement| {
        let receipts: Vec<_> = [0, 1, 2].map(|slot| network.receipt(statement, slot)).into();
        ValidCertificate::from_receipts(statement.clone(), &receipts, &network.committee).map(drop)
    };
    assert_eq!(signed(&statement), Ok(()));
    let refuse = |change: &dyn Fn(&mut Statement), expected: StatementError| {
        let mut changed = statement.clone();
        change(&mut changed);
        assert_eq!(signed(&changed), Err(CertificateError::Statement(expected)));
    };
    refuse(&|s| s.epoch = Epoch(1), StatementError::Committee);
    refuse(&|s| s.committee = holdfast_core::id::CommitteeId::new([1; 32]), StatementError::Committee);
    refuse(&|s| s.coding.n = 5, StatementError::Coding);
    refuse(&|s| s.retain_until = Epoch(0), StatementError::RetainUntil);
    refuse(&|s| s.retain_until = Epoch(u64::MAX), StatementError::RetainUntil);
    refuse(&|s| s.read_price_max = Amount(1), StatementError::Ledger);
    refuse(&|s| s.order = Some(OrderId::new([1; 32])), StatementError::Ledger);
    // The same members in a network with another name.
    let other = TestNetwork::new(6);
    let certificate = network.certificate(&statement, &[0, 1, 2]).certificate().clone();
    assert!(certificate.verify(&other.committee).is_err());
}

#[test]
fn the_text_form_round_trips_and_catches_typing_errors() {
    let (network, statement) = sample();
    let certificate = network.certificate(&statement, &[0, 1, 3]).certificate().clone();
    let text = certificate.to_text();
    assert!(text.starts_with("hfc1"));
    assert_eq!(Certificate::from_text(&text), Ok(certificate));
    for at in (4..text.len()).step_by(5) {
        let mut typo = text.clone().into_bytes();
        typo[at] = if typo[at] == b'a' { b'b' } else { b'a' };
        let typo = String::from_utf8(typo).unwrap();
        assert_eq!(Certificate::from_text(&typo), Err(CertificateError::Text));
    }
    assert_eq!(Certificate::from_text(&text.to_uppercase()), Err(CertificateError::Text));
    assert_eq!(Certificate::from_text("hfc1"), Err(CertificateError::Text));
    // Letters whose upper-case forms are plain S and I.
    for (plain, twin) in [('s', 'ſ'), ('i', 'ı')] {
        let twin = text.replacen(plain, &twin.to_string(), 1);
        assert_ne!(twin, text);
        assert_eq!(Certificate::from_text(&twin), Err(CertificateError::Text));
    }
}

#[test]
fn bitmaps_have_one_encoding() {
    assert!(Signers::from_bytes(&[0b0000_1011], 4).is_some());
    assert!(Signers::from_bytes(&[0b0001_0011], 4).is_none(), "a bit beyond the last slot");
    assert!(Signers::from_bytes(&[0b0000_1011, 0], 4).is_none(), "a byte too many");
    assert!(Signers::from_bytes(&[], 4).is_none());
}

/// One that was read from sixteen KiB of bitmap was kept without a look, in a record that can hold no more than that.
#[test]
fn no_certificate_of_more_than_255_slots_is_read() {
    let network = TestNetwork::new(4);
    let statement = network.statement(BlockId::of(Codec::Raw, b"x"));
    let mut certificate = network.certificate(&statement, &[0, 2, 3]).certificate().clone();
    certificate.signers = vec![1; 32];
    assert!(codec::decode::<Certificate>(&codec::encode(&certificate), 16_384).is_ok());
    certificate.signers.push(1);
    assert!(codec::decode::<Certificate>(&codec::encode(&certificate), 16_384).is_err());
}

#[test]
fn claimed_signers_are_read_without_a_check() {
    let network = TestNetwork::new(4);
    let statement = network.statement(BlockId::of(Codec::Raw, b"x"));
    let mut certificate = network.certificate(&statement, &[0, 2, 3]).certificate().clone();
    certificate.signature = bls::Signature::new([0; 48]);
    let claimed = certificate.claimed_signers().unwrap();
    assert_eq!(claimed.iter().collect::<Vec<_>>(), [0, 2, 3]);
    certificate.statement.coding.n = 9;
    assert_eq!(certificate.claimed_signers(), None, "one byte is too short for nine slots");
}
