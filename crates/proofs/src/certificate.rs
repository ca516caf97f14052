//! The certificate of availability: one statement, who signed it, and the sum of their signatures.

use data_encoding::BASE32_NOPAD;
use holdfast_core::bls::{self, BlsError, KeySum};
use holdfast_core::codec::{self, DecodeError};
use holdfast_core::planted::{self, Bug};
use holdfast_core::purpose::Signable;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::committee::Committee;
use crate::profile::Profile;
use crate::slots::{self, Bucket};
use crate::statement::{Statement, StatementError};

/// Longest certificate accepted, in bytes. With 255 slots it has about 330.
pub const CERTIFICATE_BYTES_MAX: usize = 1024;

/// Prefix of the text form.
const TEXT_PREFIX: &str = "hfc1";
/// Bytes of BLAKE3 at the end of the text form.
const CHECKSUM_BYTES: usize = 4;

/// Which slots signed: bit `i % 8` (least significant first) of byte `i / 8` is slot `i`; unused bits are zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signers {
    bits: Vec<u8>,
    slots: u16,
}

impl Signers {
    /// Nobody, out of `slots`.
    pub fn none(slots: u16) -> Self {
        Self { bits: vec![0; usize::from(slots).div_ceil(8)], slots }
    }

    /// Reads a bitmap of exactly the right length whose unused bits are zero.
    pub fn from_bytes(bytes: &[u8], slots: u16) -> Option<Self> {
        let signers = Self { bits: bytes.to_vec(), slots };
        let beyond = (usize::from(slots)..bytes.len() * 8).any(|slot| bit(bytes, slot));
        (bytes.len() == usize::from(slots).div_ceil(8) && !beyond).then_some(signers)
    }

    /// Adds a slot, and says whether it was new.
    ///
    /// # Panics
    /// If the slot is not one of the profile's.
    pub fn add(&mut self, slot: u16) -> bool {
        assert!(slot < self.slots, "slot {slot} of {}", self.slots);
        let new = !self.contains(slot);
        self.bits[usize::from(slot / 8)] |= 1 << (slot % 8);
        new
    }

    /// Whether a slot signed.
    pub fn contains(&self, slot: u16) -> bool {
        slot < self.slots && bit(&self.bits, slot.into())
    }

    /// The slots that signed, in order.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        (0..self.slots).filter(|slot| self.contains(*slot))
    }

    /// The bitmap.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bits
    }

    /// How many signed.
    pub fn count(&self) -> u16 {
        u16::try_from(self.iter().count()).expect("at most 255 slots")
    }
}

fn bit(bits: &[u8], index: usize) -> bool {
    bits[index / 8] >> (index % 8) & 1 == 1
}

/// Bytes of a bitmap of 255 slots.
const BITMAP_BYTES_MAX: usize = 32;

/// A bitmap that is no longer than one of the most slots.
pub mod bitmap {
    use serde::de::{Deserializer, Error};
    pub use serde_bytes::serialize;

    /// Reads one, and refuses it if it is too long.
    ///
    /// # Errors
    /// If it is longer, or no byte string.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let bytes: Vec<u8> = serde_bytes::deserialize(deserializer)?;
        match bytes.len() <= super::BITMAP_BYTES_MAX {
            true => Ok(bytes),
            false => Err(D::Error::custom("a bitmap of more than 255 slots")),
        }
    }
}

/// A certificate as it travels: not yet checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Certificate {
    /// What was said.
    pub statement: Statement,
    /// Bitmap of signers, in slot order.
    #[serde(with = "bitmap")]
    signers: Vec<u8>,
    /// Sum of their signatures.
    pub signature: bls::Signature,
}

/// Why a certificate was not accepted. The first reason found is given; the cheap ones come first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not a certificate.
    #[error("not a certificate")]
    Decode(#[from] DecodeError),
    /// Not the text form of a certificate.
    #[error("not the text form of a certificate, or mistyped")]
    Text,
    /// The statement cannot be believed.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The bitmap has the wrong length or bits beyond the last slot.
    #[error("signer bitmap does not fit {slots} slots")]
    Bitmap {
        /// Slots of the profile.
        slots: u16,
    },
    /// Fewer signers than a certificate needs.
    #[error("{signers} of {needed} needed signatures")]
    Quorum {
        /// Who signed.
        signers: u16,
        /// How many must.
        needed: u16,
    },
    /// The signature does not verify.
    #[error(transparent)]
    Signature(#[from] BlsError),
}

/// How two certificates of one statement came together. They always share a signer, for each has more than two thirds of
/// the slots; and a signature that is in a sum cannot be taken out of it. So sums are never added to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// The other adds nothing: all its signers are here.
    Contained,
    /// All signers are in the other, and more; it takes the place of this one.
    Grown,
    /// Each has a signer that the other lacks. The one with more signers is kept, the first of two equal ones; the
    /// missing slots can be asked for their receipts.
    Overlapping,
}

/// The certificates are about different statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the certificates are about different statements")]
pub struct OtherStatement;

/// A certificate that was checked against its committee. There is no other way to make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidCertificate {
    certificate: Certificate,
    profile: Profile,
    signers: Signers,
    slots: Vec<usize>,
}

impl Certificate {
    /// Reads a certificate; [`Certificate::verify`] checks it.
    ///
    /// # Errors
    /// If the bytes are no certificate.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CertificateError> {
        Ok(codec::decode(bytes, CERTIFICATE_BYTES_MAX)?)
    }

    /// The one encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The text form: `hfc1`, then lower-case base32 of the bytes and four bytes of their BLAKE3.
    pub fn to_text(&self) -> String {
        let mut bytes = self.to_bytes();
        let checksum = *blake3::hash(&bytes).as_bytes();
        bytes.extend_from_slice(&checksum[..CHECKSUM_BYTES]);
        format!("{TEXT_PREFIX}{}", BASE32_NOPAD.encode(&bytes).to_lowercase())
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// If it is mistyped or no certificate.
    pub fn from_text(text: &str) -> Result<Self, CertificateError> {
        let body = text.strip_prefix(TEXT_PREFIX).ok_or(CertificateError::Text)?;
        // Only a–z and 2–7: some other letters have upper-case forms that are plain ASCII.
        let known = |c| matches!(c, b'a'..=b'z' | b'2'..=b'7');
        if body.len() > CERTIFICATE_BYTES_MAX * 2 || !body.bytes().all(known) {
            return Err(CertificateError::Text);
        }
        let bytes =
            BASE32_NOPAD.decode(body.to_ascii_uppercase().as_bytes()).map_err(|_| CertificateError::Text)?;
        let (bytes, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(CertificateError::Text)?;
        if blake3::hash(bytes).as_bytes()[..CHECKSUM_BYTES] != *checksum {
            return Err(CertificateError::Text);
        }
        Self::from_bytes(bytes)
    }

    /// The slots that it names as signers, out of those of its coding, for people to look at: nothing is checked.
    /// `None` if the bitmap does not fit the coding.
    pub fn claimed_signers(&self) -> Option<Signers> {
        Signers::from_bytes(&self.signers, self.statement.coding.n)
    }

    /// Checks everything but time: statement, bitmap, quorum, and last the one signature.
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub fn verify(self, committee: &Committee) -> Result<ValidCertificate, CertificateError> {
        let profile = self.statement.validate(committee)?;
        let signers = Signers::from_bytes(&self.signers, profile.n)
            .ok_or(CertificateError::Bitmap { slots: profile.n })?;
        if signers.count() < profile.q && !planted::is(Bug::AcceptDuplicateSigner) {
            return Err(CertificateError::Quorum { signers: signers.count(), needed: profile.q });
        }
        let slots = slots_of(&self.statement, profile, committee);
        let keys = signers.iter().map(|slot| committee.key(slots[usize::from(slot)]));
        let input = self.statement.signing_input(committee.network());
        KeySum::of(keys)?.verify(&input, &self.signature)?;
        Ok(ValidCertificate { certificate: self, profile, signers, slots })
    }
}

/// The places, in the committee, of the slots of a statement's piece.
pub fn slots_of(statement: &Statement, profile: Profile, committee: &Committee) -> Vec<usize> {
    let mut slots = slots::order(Bucket::of(&statement.cid), committee.members());
    slots.truncate(profile.n.into());
    slots
}

impl ValidCertificate {
    /// Sums up receipts whose signatures were checked one by one or as a whole.
    ///
    /// # Errors
    /// If there are too few, a slot appears twice, or the sum does not verify.
    pub fn from_receipts(
        statement: Statement,
        receipts: &[(u16, bls::Signature)],
        committee: &Committee,
    ) -> Result<Self, CertificateError> {
        let profile = statement.validate(committee)?;
        let mut signers = Signers::none(profile.n);
        let mut signatures = Vec::with_capacity(receipts.len());
        for (slot, signature) in receipts {
            let new = *slot < profile.n && signers.add(*slot);
            if new {
                signatures.push(signature);
            } else if !planted::is(Bug::AcceptDuplicateSigner) {
                return Err(CertificateError::Bitmap { slots: profile.n });
            }
        }
        let signature = bls::Signature::sum(signatures)?;
        Certificate { statement, signers: signers.bits, signature }.verify(committee)
    }

    /// The bare certificate, to send or keep.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// What was said.
    pub fn statement(&self) -> &Statement {
        &self.certificate.statement
    }

    /// The profile under which the piece is kept.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Who signed, in slot order.
    pub fn signers(&self) -> &Signers {
        &self.signers
    }

    /// Places of the slots in the committee, in slot order.
    pub fn slots(&self) -> &[usize] {
        &self.slots
    }

    /// Adds one late receipt. A slot that signed already changes nothing.
    ///
    /// # Errors
    /// If the signature does not verify.
    pub fn add(
        &mut self,
        slot: u16,
        signature: &bls::Signature,
        committee: &Committee,
    ) -> Result<(), CertificateError> {
        if slot >= self.profile.n {
            return Err(CertificateError::Bitmap { slots: self.profile.n });
        }
        if self.signers.contains(slot) {
            return Ok(());
        }
        let input = self.statement().signing_input(committee.network());
        committee.key(self.slots[usize::from(slot)]).verify(&input, signature)?;
        self.certificate.signature = bls::Signature::sum([&self.certificate.signature, signature])?;
        self.signers.add(slot);
        self.certificate.signers.clone_from(&self.signers.bits);
        Ok(())
    }

    /// Makes the best of this certificate and another of the same statement. The number of signers never falls.
    ///
    /// # Errors
    /// If the other is about another statement.
    pub fn merge(&mut self, other: &Self) -> Result<Merge, OtherStatement> {
        // The statement names the committee, and that the network.
        if self.statement() != other.statement() {
            return Err(OtherStatement);
        }
        let adds = other.signers.iter().any(|slot| !self.signers.contains(slot));
        let lacks = self.signers.iter().any(|slot| !other.signers.contains(slot));
        if adds && other.signers.count() > self.signers.count() {
            self.clone_from(other);
        }
        Ok(match (adds, lacks) {
            (false, _) => Merge::Contained,
            (true, false) => Merge::Grown,
            (true, true) => Merge::Overlapping,
        })
    }
}

#[cfg(test)]
mod tests;
