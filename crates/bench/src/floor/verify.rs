//! Checking one BLS signature with nothing but the library.

use std::time::Instant;

use blst::BLST_ERROR;
use blst::min_sig::{PublicKey, SecretKey, Signature};

use super::FloorError;
use crate::runner::median;

/// How messages are hashed to the curve; the same as in `holdfast_core::bls`.
const MESSAGE_DST: &[u8] = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";
/// As long as what is signed for a piece: tag, zero byte, network id and digest.
const MESSAGE_BYTES: usize = 23 + 1 + 32 + 32;

/// A signed message.
pub(super) struct Signed {
    secret: SecretKey,
    key: PublicKey,
    message: [u8; MESSAGE_BYTES],
    signature: [u8; 48],
}

impl Signed {
    /// Under a key that is always the same: it protects nothing.
    pub(super) fn new() -> Result<Self, FloorError> {
        let secret = SecretKey::key_gen(&[7; 32], &[]).map_err(|_| FloorError::Signature)?;
        let message = [9; MESSAGE_BYTES];
        let signature = secret.sign(&message, MESSAGE_DST, &[]).to_bytes();
        Ok(Self { key: secret.sk_to_pk(), secret, message, signature })
    }

    /// Signs once.
    pub(super) fn sign(&self) -> [u8; 48] {
        self.secret.sign(&self.message, MESSAGE_DST, &[]).to_bytes()
    }

    /// Checks the signature as it travels, under a key that is known to be good.
    pub(super) fn check(&self) -> Result<(), FloorError> {
        let signature = Signature::from_bytes(&self.signature).map_err(|_| FloorError::Signature)?;
        match signature.verify(true, &self.message, MESSAGE_DST, &[], &self.key, false) {
            BLST_ERROR::BLST_SUCCESS => Ok(()),
            _ => Err(FloorError::Signature),
        }
    }
}

/// Seconds of one check: the median of `rounds`.
pub(super) fn run(rounds: usize) -> Result<f64, FloorError> {
    let signed = Signed::new()?;
    let time = || {
        let started = Instant::now();
        signed.check()?;
        Ok(started.elapsed().as_secs_f64())
    };
    Ok(median((0..rounds.max(1)).map(|_| time()).collect::<Result<_, FloorError>>()?))
}
