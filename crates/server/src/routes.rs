//! Which path says what.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use holdfast_api::problem::{Problem, Reason};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::gate::Gate;
use crate::reply::{self, Refusal};
use crate::{LedgerSource, Limits, document, stream};

pub(crate) mod accounts;
pub(crate) mod blocks;
pub(crate) mod events;
pub(crate) mod network;
pub(crate) mod nodes;
pub(crate) mod orders;
pub(crate) mod rows;
pub(crate) mod transactions;

/// What every request may use.
#[derive(Clone)]
pub(crate) struct Api {
    source: Arc<dyn LedgerSource>,
    gate: Gate,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) limits: Limits,
    pub(crate) stopping: CancellationToken,
}

impl Api {
    pub(crate) fn new(source: Arc<dyn LedgerSource>, limits: Limits, stopping: CancellationToken) -> Self {
        let streams = Arc::new(Semaphore::new(limits.streams_max));
        Self { source, gate: Gate::new(limits.questions_max), streams, limits, stopping }
    }

    pub(crate) fn source(&self) -> &dyn LedgerSource {
        &*self.source
    }

    /// Asks the source, or refuses at once if too many ask.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn LedgerSource) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Refusal> {
        let source = self.source.clone();
        Ok(self.gate.ask(move || question(&*source)).await?)
    }

    /// Asks the source when there is room.
    pub(crate) async fn ask_in_turn<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn LedgerSource) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let source = self.source.clone();
        self.gate.wait(move || question(&*source)).await
    }
}

/// Every path there is.
pub(crate) fn table() -> Vec<(&'static str, MethodRouter<Api>)> {
    vec![
        ("/v1/status", get(network::status)),
        ("/v1/params", get(network::params)),
        ("/v1/committee", get(network::committee)),
        ("/v1/validators", get(network::validators)),
        ("/v1/nodes", get(nodes::nodes)),
        ("/v1/nodes/{id}", get(nodes::node)),
        ("/v1/blocks/{height}", get(blocks::block)),
        ("/v1/transactions", post(transactions::submit)),
        ("/v1/transactions/{id}", get(transactions::transaction)),
        ("/v1/accounts/{account}", get(accounts::account)),
        ("/v1/accounts/{account}/history", get(accounts::history)),
        ("/v1/accounts/{account}/orders", get(orders::orders)),
        ("/v1/orders/{id}", get(orders::order)),
        ("/v1/events", get(events::events)),
        ("/v1/events/stream", get(stream::stream)),
        ("/v1/rows/{key}", get(rows::row)),
        ("/v1/openapi.json", get(document::serve)),
    ]
}

/// All of them, with what holds for each request.
pub(crate) fn router(api: Api) -> Router {
    let add = |router: Router<Api>, (path, methods)| router.route(path, methods);
    table()
        .into_iter()
        .fold(Router::new(), add)
        .fallback(async || {
            Refusal::from(Problem::new(Reason::Route, "see /v1/openapi.json for what there is"))
        })
        .method_not_allowed_fallback(async || {
            Refusal::from(Problem::new(Reason::Method, "see the Allow header"))
        })
        .layer(from_fn_with_state(api.clone(), in_time))
        .layer(map_response(async |response: Response| reply::head(response)))
        .with_state(api)
}

/// Answers within the window. What was asked of the source goes on, and keeps its place in the gate.
async fn in_time(State(api): State<Api>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(api.limits.answer_window, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Refusal::from(Problem::new(Reason::Late, "the node is too busy to answer")).into_response(),
    }
}
