//! Ed25519 (RFC 8032) with strict verification: no small-order keys, no malleable signatures.

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::fixed_bytes;

fixed_bytes!(
    /// An Ed25519 public key as it travels: not yet known to be a point.
    PublicKey, 32
);
fixed_bytes!(
    /// An Ed25519 signature as it travels.
    Signature, 64
);

/// Why a key or signature was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ed25519Error {
    /// No point of the curve, one of small order, or a second encoding of one.
    #[error("not a usable Ed25519 public key")]
    Key,
    /// The signature does not belong to this key and message.
    #[error("Ed25519 signature does not verify")]
    Signature,
}

impl PublicKey {
    /// Checks that the key is the one encoding of a point of large order.
    ///
    /// # Errors
    /// [`Ed25519Error::Key`] otherwise.
    pub fn validate(&self) -> Result<(), Ed25519Error> {
        self.point().map(drop)
    }

    /// Checks a signature over `message`.
    ///
    /// # Errors
    /// If the key is unusable or the signature does not verify.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), Ed25519Error> {
        let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
        self.point()?.verify_strict(message, &signature).map_err(|_| Ed25519Error::Signature)
    }

    fn point(&self) -> Result<VerifyingKey, Ed25519Error> {
        let point = VerifyingKey::from_bytes(self.as_bytes()).map_err(|_| Ed25519Error::Key)?;
        // One key, one encoding: ids are hashes of these bytes.
        let canonical = point.to_edwards().compress().as_bytes() == self.as_bytes();
        if point.is_weak() || !canonical { Err(Ed25519Error::Key) } else { Ok(point) }
    }
}

/// An Ed25519 secret key. It is wiped when dropped and never printed.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// Makes the key that belongs to a 32-byte seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The seed, for sealed storage.
    pub fn to_seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey::new(self.0.verifying_key().to_bytes())
    }

    /// Signs `message`.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature::new(self.0.sign(message).to_bytes())
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(ed25519)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_belong_to_key_and_message() {
        let key = SecretKey::from_seed(&[1; 32]);
        let signature = key.sign(b"hold");
        assert_eq!(key.public().verify(b"hold", &signature), Ok(()));
        assert_eq!(key.public().verify(b"fast", &signature), Err(Ed25519Error::Signature));
        let stranger = SecretKey::from_seed(&[2; 32]).public();
        assert_eq!(stranger.verify(b"hold", &signature), Err(Ed25519Error::Signature));
    }

    #[test]
    fn small_order_and_malformed_keys_are_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(PublicKey::new(identity).validate(), Err(Ed25519Error::Key));
        assert_eq!(PublicKey::new([0xff; 32]).validate(), Err(Ed25519Error::Key));
    }
}
