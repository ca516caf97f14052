//! Where the node and its network stand.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use holdfast_api::committee::{Committee, Validators};
use holdfast_api::params::{ParamsAnswer, ParamsSchema};
use holdfast_api::problem::{Problem, Reason};
use holdfast_api::status::{Status, StatusSchema, Tip};
use holdfast_core::id::NodeId;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::reply::{Asked, Refusal, json, of_source, page};
use crate::routes::Api;

/// Where the node stands: its last block, the running epoch, what waits.
#[utoipa::path(get, path = "/v1/status", tag = "network", responses(
    (status = 200, description = "Where the node stands", body = Status),
    (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn status(State(api): State<Api>) -> Result<Response, Refusal> {
    let status = api.ask(|source| source.status().map_err(of_source(Reason::Internal))).await?;
    let answer = Status {
        schema: StatusSchema,
        version: env!("CARGO_PKG_VERSION").into(),
        network: status.network,
        tip: Tip::of(&status.tip),
        earliest: status.earliest,
        epoch: status.epoch,
        committee: status.committee,
        syncing: status.syncing,
        mempool_transactions: status.mempool_transactions as u64,
    };
    Ok(json(StatusCode::OK, &answer))
}

/// The parameters in force: fees, prices, bonds, profiles.
#[utoipa::path(get, path = "/v1/params", tag = "network", responses(
    (status = 200, description = "The parameters", body = ParamsAnswer),
    (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn params(State(api): State<Api>) -> Result<Response, Refusal> {
    let at = api.ask(|source| source.params().map_err(of_source(Reason::Internal))).await?;
    let answer = ParamsAnswer { schema: ParamsSchema, height: at.height, params: (&at.value).into() };
    Ok(json(StatusCode::OK, &answer))
}

/// Which members of the committee.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Members {
    /// Members after this one.
    #[param(value_type = Option<holdfast_api::schema::Hash>)]
    after: Option<NodeId>,
    /// At most so many members, 1 to 256; 64 if not given.
    max: Option<u32>,
}

/// The committee of the running epoch, and some of its members.
#[utoipa::path(get, path = "/v1/committee", tag = "network", params(Members), responses(
    (status = 200, description = "The committee", body = Committee),
    (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn committee(
    State(api): State<Api>,
    Asked(Members { after, max }): Asked<Members>,
) -> Result<Response, Refusal> {
    let max = page(max)?;
    let at = api.ask(|source| source.committee().map_err(of_source(Reason::Internal))).await?;
    Ok(json(StatusCode::OK, &Committee::new(at.height, &at.value, after, max)))
}

/// Who decides about the next block: all validators, 128 at most.
#[utoipa::path(get, path = "/v1/validators", tag = "network", responses(
    (status = 200, description = "The validators", body = Validators),
    (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn validators(State(api): State<Api>) -> Result<Response, Refusal> {
    let at = api.ask(|source| source.validators().map_err(of_source(Reason::Internal))).await?;
    Ok(json(StatusCode::OK, &Validators::new(at.height, &at.value)))
}
