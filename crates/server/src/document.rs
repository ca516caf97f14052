//! The OpenAPI document: made of the routes and objects themselves, so that it cannot say anything else.

use axum::http::StatusCode;
use axum::response::Response;
use utoipa::OpenApi;

use crate::reply::json;
use crate::routes::{accounts, blocks, events, network, nodes, orders, rows, transactions};
use crate::stream;

/// What is documented.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Holdfast",
        description = "The HTTP API of a Holdfast node for the ledger. Unauthenticated; on loopback by default. \
                       Rows are proven: whoever does not trust the node checks them against the network id.",
    ),
    paths(
        network::status,
        network::params,
        network::committee,
        network::validators,
        nodes::nodes,
        nodes::node,
        blocks::block,
        transactions::submit,
        transactions::transaction,
        accounts::account,
        accounts::history,
        orders::orders,
        orders::order,
        events::events,
        stream::stream,
        rows::row,
        serve,
    )
)]
struct Document;

/// The document.
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// This document.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "network", responses(
    (status = 200, description = "An OpenAPI 3.1 document", body = serde_json::Value),
))]
pub(crate) async fn serve() -> Response {
    json(StatusCode::OK, &document())
}

#[cfg(test)]
mod tests;
