//! Beginning at a checkpoint instead of genesis.

use holdfast_core::id::NodeId;
use holdfast_net::Net;
use holdfast_proofs::checkpoint::Checkpoint;
use holdfast_proofs::light::LightClient;
use holdfast_proofs::validators::ValidatorSet;
use holdfast_protocol::chain::{ChainRequest, VALIDATORS_BYTES_MAX};

use super::asking::first_of;
use super::{AnswerError, LedgerClient, LedgerError};
use crate::network::Network;

impl LedgerClient {
    /// Trusts the validators after a block, of whom somebody told, and nobody before them. What it learns of changes of
    /// validators begins there: no proof that somebody else checks from genesis on can be made with it.
    ///
    /// # Errors
    /// If nobody shows these validators.
    pub async fn from_checkpoint(
        net: Net,
        network: Network,
        checkpoint: Checkpoint,
    ) -> Result<Self, LedgerError> {
        Self::new(net, network)?.at_checkpoint(checkpoint).await
    }

    /// The same, with what is known of the network.
    ///
    /// # Errors
    /// If nobody shows these validators.
    pub async fn at_checkpoint(&self, checkpoint: Checkpoint) -> Result<Self, LedgerError> {
        let id = *self.network().id();
        let (mut client, asker) = (self.clone(), self.asker.clone());
        let request = ChainRequest::Validators(checkpoint.validators);
        let ask =
            async |node: NodeId| asker.data::<ValidatorSet>(&node, &request, VALIDATORS_BYTES_MAX).await;
        let judge = |set| LightClient::of_checkpoint(id, checkpoint, set).map_err(AnswerError::from);
        let found = first_of(asker.nodes(client.first), ask, judge).await;
        let (node, light) = found.map_err(|error| client.nobody(error))?;
        (client.genesis, client.light, client.first) = (light.clone(), light, Some(node));
        client.handovers.clear();
        Ok(client)
    }
}
