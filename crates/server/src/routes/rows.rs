//! Rows with their proofs.

use std::fmt;
use std::str::FromStr;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use holdfast_api::problem::{Problem, Reason};
use holdfast_api::row::Row;
use holdfast_proofs::row::RowKey;

use crate::limits::ROW_KEY_BYTES_MAX;
use crate::reply::{Named, Refusal, json, of_source};
use crate::routes::Api;

/// The address of a row in hex.
#[derive(Debug)]
pub(crate) struct Address(RowKey);

/// A text is none.
#[derive(Debug)]
pub(crate) struct AddressError;

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected 1 to {ROW_KEY_BYTES_MAX} bytes in hex: the number of a table and the key in it")
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.len() > 2 * ROW_KEY_BYTES_MAX {
            return Err(AddressError);
        }
        let bytes = holdfast_api::hex::bytes(text).ok_or(AddressError)?;
        RowKey::from_bytes(bytes).map(Self).ok_or(AddressError)
    }
}

/// A row of the ledger after the last block, or its absence, with everything that proves it: nobody need trust this node.
#[utoipa::path(get, path = "/v1/rows/{key}", tag = "rows",
    params(("key" = holdfast_api::schema::Hex, Path, description = "Number of the table, one byte, and key in the table")),
    responses(
        (status = 200, description = "The row and its proof", body = Row),
        (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn row(
    State(api): State<Api>,
    Named(Address(key)): Named<Address>,
) -> Result<Response, Refusal> {
    let question = api.ask(move |source| {
        let proven = source.row(&key).map_err(of_source(Reason::Internal))?;
        Ok(Row::new(&key, proven.row.as_deref(), &proven.proof, &proven.header, proven.finality.as_ref()))
    });
    Ok(json(StatusCode::OK, &question.await?))
}
