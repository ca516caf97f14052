//! Rows of the ledger with their proofs, for those who do not trust the node that answers.

use holdfast_core::codec;
use holdfast_core::id::hex;
use holdfast_ledger::block;
use holdfast_proofs::row::{RowKey, RowProof};
use holdfast_proofs::vote;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::block::{Finality, Header};
use crate::schema::{Hex, name};

name!(RowSchema, "holdfast/row/1");

/// A row, or that there is none, with everything that shows it: the proof leads to the header's state root, and the finality
/// shows that the validators decided on the header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Row {
    /// What this object is.
    pub schema: RowSchema,
    /// The row's address: number of the table, and key in the table.
    #[schema(value_type = Hex)]
    pub key: String,
    /// The row in DAG-CBOR; null if there is none.
    #[schema(value_type = Option<Hex>)]
    pub row: Option<String>,
    /// The proof in DAG-CBOR.
    #[schema(value_type = Hex)]
    pub proof: String,
    /// The header under whose state root the proof stands.
    pub header: Header,
    /// The decision on that header; null for the block of genesis, which needs none.
    pub finality: Option<Finality>,
}

impl Row {
    /// The answer about a row.
    pub fn new(
        key: &RowKey,
        row: Option<&[u8]>,
        proof: &RowProof,
        header: &block::Header,
        finality: Option<&vote::Finality>,
    ) -> Self {
        Self {
            schema: RowSchema,
            key: hex(key.as_bytes()),
            row: row.map(hex),
            proof: hex(&codec::encode(proof)),
            header: header.into(),
            finality: finality.map(Finality::from),
        }
    }
}
