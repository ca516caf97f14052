//! Committees by which certificates are judged: the running one and, where there is a ledger, those of epochs that are over.

use std::collections::BTreeMap;

use holdfast_core::id::Epoch;
use holdfast_proofs::certificate::{Certificate, CertificateError, ValidCertificate};
use holdfast_proofs::committee::Committee;

use crate::ledger::LedgerClient;
use crate::network::Network;

/// Earlier epochs that are asked for at most: nodes may show certificates of any that they like.
const PAST_MAX: usize = 16;

/// The committees of a network, as far as they were asked for.
pub struct Committees {
    network: Network,
    ledger: Option<LedgerClient>,
    past: BTreeMap<Epoch, Option<Committee>>,
}

impl Committees {
    /// Knows the running committee; `ledger` is asked for earlier ones.
    pub fn new(network: Network, ledger: Option<LedgerClient>) -> Self {
        Self { network, ledger, past: BTreeMap::new() }
    }

    /// The network, with its running committee.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Checks a certificate of any epoch. One whose committee nobody shows is refused, as one of another committee.
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub async fn verify(&mut self, certificate: Certificate) -> Result<ValidCertificate, CertificateError> {
        let (epoch, running) = (certificate.statement.epoch, self.network.committee.record().epoch);
        if epoch < running
            && !self.past.contains_key(&epoch)
            && self.past.len() < PAST_MAX
            && let Some(ledger) = &mut self.ledger
        {
            let committee = ledger.committee(epoch).await;
            if let Err(error) = &committee {
                tracing::info!(%epoch, error = error as &dyn std::error::Error, "no committee of that epoch");
            }
            self.past.insert(epoch, committee.ok());
        }
        let past = self.past.get(&epoch).and_then(Option::as_ref);
        certificate.verify(past.unwrap_or(&self.network.committee))
    }
}
