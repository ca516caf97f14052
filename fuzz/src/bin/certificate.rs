//! Certificates as bytes (first byte even) and as text (odd), checked against a fixed committee.
//!
//! What is accepted is written back to the same bytes or text. What verifies says what the members signed.

#![no_main]
#![forbid(unsafe_code)]

use std::sync::LazyLock;

use holdfast_fuzz::{bounded, fixed};
use holdfast_proofs::certificate::Certificate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    LazyLock::force(&fixed::LARGER);
    bounded(data, judge);
});

fn judge(data: &[u8]) {
    let Some((form, rest)) = data.split_first() else { return };
    let certificate = if form % 2 == 0 {
        let Ok(certificate) = Certificate::from_bytes(rest) else { return };
        assert_eq!(certificate.to_bytes(), rest, "a second encoding");
        assert_eq!(Certificate::from_text(&certificate.to_text()).as_ref(), Ok(&certificate));
        certificate
    } else {
        let Ok(text) = str::from_utf8(rest) else { return };
        let Ok(certificate) = Certificate::from_text(text) else { return };
        assert_eq!(certificate.to_text(), text, "a second text");
        certificate
    };
    if let Ok(valid) = certificate.clone().verify(&fixed::LARGER.committee) {
        assert_eq!(valid.statement(), &fixed::statement(&fixed::LARGER), "forged");
        assert_eq!(valid.certificate(), &certificate);
        assert!(valid.signers().count() >= valid.profile().q);
    }
}
