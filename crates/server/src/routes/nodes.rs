//! Registered nodes.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use holdfast_api::node::{Node, NodeAnswer, NodeSchema, Nodes, NodesSchema};
use holdfast_api::problem::{Problem, Reason};
use holdfast_core::id::NodeId;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::reply::{Asked, Named, Refusal, cut, json, of_source, page};
use crate::routes::Api;
use crate::source::Registered;

fn shown(Registered { node, bond }: &Registered) -> Node {
    Node::new(node, bond)
}

/// One registered node, whatever became of it.
#[utoipa::path(get, path = "/v1/nodes/{id}", tag = "nodes",
    params(("id" = holdfast_api::schema::Hash, Path, description = "The node's id")),
    responses(
        (status = 200, description = "The node", body = NodeAnswer),
        (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn node(State(api): State<Api>, Named(id): Named<NodeId>) -> Result<Response, Refusal> {
    let at = api.ask(move |source| source.node(&id).map_err(of_source(Reason::Internal))).await?;
    let Some(node) = at.value else {
        return Err(Problem::new(Reason::NodeUnknown, format!("there is no node {id}")).into());
    };
    let answer = NodeAnswer { schema: NodeSchema, height: at.height, node: shown(&node) };
    Ok(json(StatusCode::OK, &answer))
}

/// Which nodes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Range {
    /// Nodes after this one.
    #[param(value_type = Option<holdfast_api::schema::Hash>)]
    after: Option<NodeId>,
    /// At most so many nodes, 1 to 256; 64 if not given.
    max: Option<u32>,
}

/// All registered nodes, ascending by id.
#[utoipa::path(get, path = "/v1/nodes", tag = "nodes", params(Range), responses(
    (status = 200, description = "Some of the nodes", body = Nodes),
    (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn nodes(
    State(api): State<Api>,
    Asked(Range { after, max }): Asked<Range>,
) -> Result<Response, Refusal> {
    let max = page(max)?;
    let question =
        api.ask(move |source| source.nodes(after.as_ref(), max + 1).map_err(of_source(Reason::Internal)));
    let mut at = question.await?;
    let more = cut(&mut at.value, max);
    let next = at.value.last().filter(|_| more).map(|last| last.node.member.node);
    let nodes = at.value.iter().map(shown).collect();
    Ok(json(StatusCode::OK, &Nodes { schema: NodesSchema, height: at.height, nodes, next }))
}
