//! Certificates that a provider keeps: it checks them, and adds its own signature where that is missing.

use std::sync::Arc;

use holdfast_core::block::BlockId;
use holdfast_core::codec;
use holdfast_proofs::certificate::{Certificate, CertificateError, ValidCertificate};
use holdfast_store::store::{CommitError, ReadError};
use tokio::sync::oneshot;

use super::members::Members;
use super::{Provider, blocking};
use crate::signer::SignError;

/// Why something about a certificate could not be told or kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum CertifyError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Sign(#[from] SignError),
    /// Our own signature does not fit the certificate.
    #[error("could not add the own signature")]
    Add(#[source] CertificateError),
}

/// What is to be done with a certificate.
struct Found {
    /// The certificate.
    new: ValidCertificate,
    /// Our own slot, if our signature is missing although we hold the piece and have promised it.
    unsigned: Option<u16>,
    /// Signers of the one that is kept; 0 if none is.
    kept: u16,
}

impl Provider {
    /// The certificate kept of a piece. It is checked now, because it came from a client.
    pub(crate) fn certificate(&self, cid: &BlockId) -> Result<Option<ValidCertificate>, ReadError> {
        let bytes = self.store.certificate(cid)?;
        Ok(bytes.and_then(|bytes| valid(&bytes, cid, &self.members)))
    }

    /// Our own slot among those of a certificate.
    pub(super) fn slot(&self, certificate: &ValidCertificate) -> Option<u16> {
        let place = self.members.of(certificate.statement())?.place(&self.node)?;
        let slot = certificate.slots().iter().position(|slot| *slot == place)?;
        Some(u16::try_from(slot).expect("at most 255 slots"))
    }

    /// Keeps the certificate that a put ends with. The first one is taken as it is, and checked when somebody asks for it;
    /// to replace another that is valid, it must be valid and larger.
    pub(super) async fn certify(self: &Arc<Self>, certificate: Certificate) {
        let cid = certificate.statement.cid;
        match self.store.certificate(&cid) {
            Ok(None) => self.store.certify_lazily(cid, certificate.to_bytes()),
            _ => {
                if let Err(error) = self.keep(certificate).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "a certificate was not kept");
                }
            }
        }
    }

    /// Keeps a certificate of a piece of which a slot is here, and sees to it that the piece comes here. Says whether the
    /// certificate was valid, and about such a piece.
    pub(super) async fn keep(self: &Arc<Self>, certificate: Certificate) -> Result<bool, CertifyError> {
        let this = self.clone();
        let checked = blocking(move || -> Result<_, ReadError> {
            let Some(new) = this.members.verify(certificate) else { return Ok(None) };
            let held = this.store.held(&new.statement().cid)?;
            let another = held.is_some_and(|row| row.root != new.statement().piece_root);
            if this.slot(&new).is_none() || another {
                return Ok(None);
            }
            Ok(Some((new, held.is_some())))
        });
        let Some((new, held)) = checked.await? else { return Ok(false) };
        let cid = new.statement().cid;
        self.grow(new).await?;
        if !held {
            self.pulls.want(cid);
        }
        Ok(true)
    }

    /// Adds our own signature to a certificate if it is missing and we owe it, and keeps the certificate if it then has
    /// more signers than the one that is kept. Answers it as it is now.
    pub(super) async fn grow(
        self: &Arc<Self>,
        new: ValidCertificate,
    ) -> Result<ValidCertificate, CertifyError> {
        let (this, cid) = (self.clone(), new.statement().cid);
        let Found { mut new, unsigned, kept } = blocking(move || this.look_at(new)).await?;
        if new.signers().count() + u16::from(unsigned.is_some()) <= kept {
            return Ok(new);
        }
        if let Some(slot) = unsigned {
            match self.signer.sign(new.statement().clone()).await {
                Ok(signature) => {
                    let committee = self.members.of(new.statement()).expect("the certificate is valid");
                    new.add(slot, &signature, &committee).map_err(CertifyError::Add)?;
                }
                // The certificate is worth keeping without our signature, which can still be asked for.
                Err(error) => tracing::error!(%cid, error = &error as &dyn std::error::Error, "did not sign"),
            }
        }
        if new.signers().count() <= kept {
            return Ok(new);
        }
        let (done, kept) = oneshot::channel();
        // Another may have come meanwhile.
        let (signers, members) = (new.signers().count(), self.members.clone());
        let replaces = move |kept: Option<&[u8]>| {
            kept.and_then(|kept| valid(kept, &cid, &members))
                .is_none_or(|kept| kept.signers().count() < signers)
        };
        self.store.certify(cid, new.certificate().to_bytes(), replaces, |result| {
            let _ = done.send(result); // whoever gave it may have gone
        });
        kept.await.unwrap_or(Err(CommitError::Stopped))?;
        tracing::debug!(%cid, signers = new.signers().count(), "kept a certificate");
        Ok(new)
    }

    fn look_at(&self, new: ValidCertificate) -> Result<Found, ReadError> {
        let statement = new.statement();
        let cid = statement.cid;
        let missing = self.slot(&new).filter(|slot| !new.signers().contains(*slot));
        let unsigned = match missing {
            Some(slot) if self.store.held(&cid)?.is_some() => {
                self.store.has_promised(&cid, &codec::encode(statement))?.then_some(slot)
            }
            _ => None,
        };
        let kept = self.certificate(&cid)?.map_or(0, |kept| kept.signers().count());
        Ok(Found { new, unsigned, kept })
    }
}

/// A certificate of the piece, if these bytes are one.
fn valid(bytes: &[u8], cid: &BlockId, members: &Members) -> Option<ValidCertificate> {
    let valid = members.verify(Certificate::from_bytes(bytes).ok()?)?;
    (valid.statement().cid == *cid).then_some(valid)
}
