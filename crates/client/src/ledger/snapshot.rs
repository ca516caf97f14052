//! The whole state after a block, from one member: how a node begins without executing every block.

use holdfast_core::id::NodeId;
use holdfast_ledger::chunk::CHUNK_BYTES_MAX;
use holdfast_proofs::light::{Handover, SignedHeader};
use holdfast_protocol::chain::{ChainRequest, ChunkQuery, SNAPSHOT_ANSWER_BYTES_MAX, SnapshotAnswer};

use super::{AnswerError, LedgerClient};

impl LedgerClient {
    /// Asks a node to keep a state, and says after which block it is. That block is final and young.
    ///
    /// # Errors
    /// See [`AnswerError`].
    pub async fn snapshot_of(&mut self, node: &NodeId) -> Result<SignedHeader, AnswerError> {
        loop {
            let request = ChainRequest::Snapshot(self.light.validators().id());
            let SnapshotAnswer { handovers, header } =
                self.asker.data(node, &request, SNAPSHOT_ANSWER_BYTES_MAX).await?;
            if let Some(found) = self.judge_way(&handovers, &header)? {
                self.is_young(&found)?;
                return Ok(header);
            }
        }
    }

    /// Rows of a state that a node keeps: a chunk, of which nothing is checked; none at the end.
    ///
    /// # Errors
    /// See [`AnswerError`]; among them that the node does not keep it any more.
    pub async fn chunk_of(&self, node: &NodeId, query: ChunkQuery) -> Result<Option<Vec<u8>>, AnswerError> {
        let chunk = self.asker.bytes(node, &ChainRequest::Chunk(query), CHUNK_BYTES_MAX).await?;
        Ok(Some(chunk).filter(|chunk| !chunk.is_empty()))
    }

    /// Changes of validators since genesis, as far as this client followed them, each of which it checked.
    pub fn handovers(&self) -> &[Handover] {
        &self.handovers
    }
}
