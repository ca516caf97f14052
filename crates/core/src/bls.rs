//! BLS signatures over BLS12-381, minimal-signature-size variant: 48-byte signatures, 96-byte public keys.
//!
//! Many providers sign identical bytes, so their signatures add up to one that is checked with one pairing
//! equation against the sum of their keys. Adding keys is safe only if every owner has shown possession of
//! its secret key (otherwise a *rogue key* could cancel the others), hence [`PublicKeyBytes::prove_possession`]
//! or the word of those who checked that ([`PublicKeyBytes::admitted`]) is the only way from bytes to a [`PublicKey`].
//!
//! Ciphersuites: draft-irtf-cfrg-bls-signature, scheme "proof of possession".

use blst::BLST_ERROR;
use blst::min_sig as blst_min_sig;
use zeroize::Zeroizing;

use crate::fixed_bytes;
use crate::id::{NetworkId, NodeId};
use crate::purpose::{Purpose, Signable};

/// Domain separation of messages.
const MESSAGE_DST: &[u8] = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";
/// Domain separation of possession proofs.
const POSSESSION_DST: &[u8] = b"BLS_POP_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";

fixed_bytes!(
    /// A compressed point of G2 as it travels: not yet known to be a point, nor to be owned.
    PublicKeyBytes, 96
);
fixed_bytes!(
    /// A compressed point of G1 as it travels: a signature, a sum of signatures, or a possession proof.
    Signature, 48
);

/// Why a key or signature was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlsError {
    /// Not the encoding of a curve point in the right subgroup, or the identity.
    #[error("BLS public key is not a point of the group, or is the identity")]
    Key,
    /// The owner has not shown that it knows the secret key.
    #[error("proof of possession does not verify")]
    Possession,
    /// Not the encoding of a curve point in the right subgroup, or the identity.
    #[error("BLS signature is not a point of the group, or is the identity")]
    Encoding,
    /// The signature does not belong to these keys and this message.
    #[error("BLS signature does not verify")]
    Signature,
    /// A sum of nothing.
    #[error("nothing to aggregate")]
    Empty,
}

/// The object whose signature shows possession of a BLS key.
#[derive(Clone, Debug, PartialEq, Eq, serde_tuple::Serialize_tuple, serde_tuple::Deserialize_tuple)]
pub struct Possession {
    /// The node that claims the key.
    pub node: NodeId,
    /// The claimed key.
    pub key: PublicKeyBytes,
}

impl Signable for Possession {
    const PURPOSE: Purpose = Purpose::POSSESSION;
}

/// A public key that is a point of the group and whose owner has shown possession.
#[derive(Clone, Debug)]
pub struct PublicKey(blst_min_sig::PublicKey);

impl PublicKeyBytes {
    /// Checks that this is a point of the right subgroup and not the identity.
    ///
    /// # Errors
    /// [`BlsError::Key`] otherwise.
    pub fn validate(&self) -> Result<(), BlsError> {
        self.point().map(drop)
    }

    /// Turns bytes into a usable key, given `proof` that `node` of `network` possesses it.
    ///
    /// # Errors
    /// If the key is no point of the group, or the proof does not verify.
    pub fn prove_possession(
        &self,
        node: NodeId,
        network: &NetworkId,
        proof: &Signature,
    ) -> Result<PublicKey, BlsError> {
        let key = self.point()?;
        let input = Possession { node, key: *self }.signing_input(network);
        match proof.point()?.verify(false, &input, POSSESSION_DST, &[], &key, false) {
            BLST_ERROR::BLST_SUCCESS => Ok(PublicKey(key)),
            _ => Err(BlsError::Possession),
        }
    }

    /// A usable key whose possession somebody checked who is trusted for it: the validators of a ledger, when they admitted
    /// its owner. For everybody else [`PublicKeyBytes::prove_possession`] is the way.
    ///
    /// # Errors
    /// [`BlsError::Key`] if it is no point of the group.
    pub fn admitted(&self) -> Result<PublicKey, BlsError> {
        self.point().map(PublicKey)
    }

    fn point(&self) -> Result<blst_min_sig::PublicKey, BlsError> {
        blst_min_sig::PublicKey::key_validate(self.as_bytes()).map_err(|_| BlsError::Key)
    }
}

/// A sum of public keys, ready for one check.
#[derive(Clone, Debug)]
pub struct KeySum(blst_min_sig::AggregatePublicKey);

impl KeySum {
    /// Adds up keys.
    ///
    /// # Errors
    /// [`BlsError::Empty`] if there are none.
    pub fn of<'a>(keys: impl IntoIterator<Item = &'a PublicKey>) -> Result<Self, BlsError> {
        let keys: Vec<_> = keys.into_iter().map(|key| &key.0).collect();
        blst_min_sig::AggregatePublicKey::aggregate(&keys, false).map(Self).map_err(|_| BlsError::Empty)
    }

    /// Checks that `signature` is the sum of one signature over `message` from each key of this sum.
    ///
    /// # Errors
    /// [`BlsError::Encoding`] or [`BlsError::Signature`].
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), BlsError> {
        let sum = self.0.to_public_key();
        match signature.point()?.verify(false, message, MESSAGE_DST, &[], &sum, false) {
            BLST_ERROR::BLST_SUCCESS => Ok(()),
            _ => Err(BlsError::Signature),
        }
    }
}

impl PublicKey {
    /// Checks one signature over `message`.
    ///
    /// # Errors
    /// [`BlsError::Encoding`] or [`BlsError::Signature`].
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), BlsError> {
        match signature.point()?.verify(false, message, MESSAGE_DST, &[], &self.0, false) {
            BLST_ERROR::BLST_SUCCESS => Ok(()),
            _ => Err(BlsError::Signature),
        }
    }
}

impl Signature {
    /// Adds up signatures over identical bytes. They need only be points of the curve: whether the sum is one of the
    /// group, which alone counts, is seen when it is verified.
    ///
    /// # Errors
    /// [`BlsError::Empty`] if there are none, [`BlsError::Encoding`] if one is no point of the curve.
    pub fn sum<'a>(signatures: impl IntoIterator<Item = &'a Self>) -> Result<Self, BlsError> {
        let point = |signature: &Self| {
            let point = blst_min_sig::Signature::from_bytes(signature.as_bytes());
            point.map_err(|_| BlsError::Encoding)
        };
        let points = signatures.into_iter().map(point).collect::<Result<Vec<_>, _>>()?;
        let points: Vec<_> = points.iter().collect();
        let sum = blst_min_sig::AggregateSignature::aggregate(&points, false).map_err(|_| BlsError::Empty)?;
        Ok(Self::new(sum.to_signature().to_bytes()))
    }

    fn point(&self) -> Result<blst_min_sig::Signature, BlsError> {
        blst_min_sig::Signature::sig_validate(self.as_bytes(), true).map_err(|_| BlsError::Encoding)
    }
}

/// A BLS secret key. It is wiped when dropped and never printed.
pub struct SecretKey(blst_min_sig::SecretKey);

impl SecretKey {
    /// Derives a key from 32 bytes of fresh randomness (the draft's `KeyGen`).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(blst_min_sig::SecretKey::key_gen(seed, &[]).expect("32 bytes are enough for KeyGen"))
    }

    /// Restores a key from its scalar, or `None` if the bytes are no valid scalar.
    pub fn from_scalar(scalar: &[u8; 32]) -> Option<Self> {
        blst_min_sig::SecretKey::from_bytes(scalar).ok().map(Self)
    }

    /// The scalar, for sealed storage.
    pub fn to_scalar(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    pub fn public(&self) -> PublicKeyBytes {
        PublicKeyBytes::new(self.0.sk_to_pk().to_bytes())
    }

    /// Signs `message`.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature::new(self.0.sign(message, MESSAGE_DST, &[]).to_bytes())
    }

    /// Shows to `network` that `node` possesses this key.
    pub fn sign_possession(&self, node: NodeId, network: &NetworkId) -> Signature {
        let input = Possession { node, key: self.public() }.signing_input(network);
        Signature::new(self.0.sign(&input, POSSESSION_DST, &[]).to_bytes())
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(bls12-381)")
    }
}

#[cfg(test)]
mod tests;
