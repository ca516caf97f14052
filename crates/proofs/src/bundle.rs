//! The bundle: a certificate with all that a stranger needs to check it, except the network id.
//!
//! The network id must come from elsewhere, because anyone can found a network and sign for it.
//! Specification: docs/spec/bundle.md.

use holdfast_core::codec::{self, Bounded, DecodeError, Text};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::certificate::Certificate;
use crate::committee::CommitteeRecord;
use crate::genesis::{Genesis, GenesisProofs};
use crate::light::{Handover, SignedHeader};
use crate::row::RowProof;

/// Longest bundle accepted, in bytes: two member lists of 1,024 and their proofs.
pub const BUNDLE_BYTES_MAX: usize = 4 << 20;

/// Most changes of validators in one bundle.
pub const HANDOVERS_MAX: usize = 1024;

/// What stands before the digest at the end: a CBOR byte string of 32.
const DIGEST_HEAD: [u8; 2] = [0x58, 0x20];

/// A committee record's place in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct CommitteeProof {
    /// A header that the validators decided on, after the epoch began.
    pub header: SignedHeader,
    /// The way from its state root to the record's row.
    pub row: RowProof,
}

/// All that a stranger needs to check a certificate, besides the network id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Bundle {
    /// The founding object of the network.
    pub genesis: Genesis,
    /// Possession proofs of the members of genesis.
    pub proofs: GenesisProofs,
    /// The certificate.
    pub certificate: Certificate,
    /// The committee that the certificate names.
    pub committee: CommitteeRecord,
    /// The record's place under a finalised header. Null if the record follows from genesis.
    pub committee_proof: Option<CommitteeProof>,
    /// Changes of validators from genesis to that header.
    pub headers: Bounded<Handover, HANDOVERS_MAX>,
    /// How the CID was made from a file, as a hint: nobody signs it.
    pub import_profile: Option<Text<64>>,
}

/// Why bytes are no bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The bytes are not those that were written: a bad copy, not a lie.
    #[error("damaged after it was written, or no proof at all: its digest does not match")]
    Damaged,
    /// The digest is right but the content is no bundle.
    #[error("not a bundle")]
    Decode(#[from] DecodeError),
}

impl Bundle {
    /// The file: `[body, BLAKE3 of the body's bytes]`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let body = codec::encode(self);
        let digest = blake3::hash(&body);
        let mut bytes = Vec::with_capacity(body.len() + 35);
        bytes.push(0x82); // a list of two
        bytes.extend(body);
        bytes.extend(DIGEST_HEAD);
        bytes.extend(digest.as_bytes());
        bytes
    }

    /// Reads the file. The digest is checked first, so that damage is told from lies.
    ///
    /// # Errors
    /// See [`BundleError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > BUNDLE_BYTES_MAX {
            return Err(DecodeError::TooLong { bytes: bytes.len(), max: BUNDLE_BYTES_MAX }.into());
        }
        let (rest, digest) = bytes.split_last_chunk::<32>().ok_or(BundleError::Damaged)?;
        let body = rest
            .strip_prefix(&[0x82])
            .and_then(|rest| rest.strip_suffix(&DIGEST_HEAD))
            .ok_or(BundleError::Damaged)?;
        if blake3::hash(body).as_bytes() != digest {
            return Err(BundleError::Damaged);
        }
        Ok(codec::decode(body, BUNDLE_BYTES_MAX)?)
    }
}
