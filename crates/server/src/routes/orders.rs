//! Orders for storage.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use holdfast_api::order::{Order, OrderAnswer, OrderSchema, Orders, OrdersSchema};
use holdfast_api::problem::{Problem, Reason};
use holdfast_core::id::OrderId;
use holdfast_ledger::account::AccountId;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::reply::{Asked, Named, Refusal, cut, json, of_source, page};
use crate::routes::Api;

/// One order that has not ended.
#[utoipa::path(get, path = "/v1/orders/{id}", tag = "orders",
    params(("id" = holdfast_api::schema::Hash, Path, description = "The order's id")),
    responses(
        (status = 200, description = "The order", body = OrderAnswer),
        (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn order(State(api): State<Api>, Named(id): Named<OrderId>) -> Result<Response, Refusal> {
    let at = api.ask(move |source| source.order(&id).map_err(of_source(Reason::Internal))).await?;
    let Some(order) = at.value else {
        let detail = format!("there is no order {id}, or it ended");
        return Err(Problem::new(Reason::OrderUnknown, detail).into());
    };
    let answer = OrderAnswer { schema: OrderSchema, height: at.height, order: Order::new(id, &order) };
    Ok(json(StatusCode::OK, &answer))
}

/// Which orders.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Range {
    /// Orders after this one.
    #[param(value_type = Option<holdfast_api::schema::Hash>)]
    after: Option<OrderId>,
    /// At most so many orders, 1 to 256; 64 if not given.
    max: Option<u32>,
}

/// Orders of an account that have not ended, ascending by id.
#[utoipa::path(get, path = "/v1/accounts/{account}/orders", tag = "orders",
    params(("account" = holdfast_api::schema::AccountText, Path, description = "Who pays"), Range),
    responses(
        (status = 200, description = "Some of the orders", body = Orders),
        (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn orders(
    State(api): State<Api>,
    Named(owner): Named<AccountId>,
    Asked(Range { after, max }): Asked<Range>,
) -> Result<Response, Refusal> {
    let max = page(max)?;
    let question = api.ask(move |source| {
        source.orders(&owner, after.as_ref(), max + 1).map_err(of_source(Reason::Internal))
    });
    let mut at = question.await?;
    let more = cut(&mut at.value, max);
    let next = at.value.last().filter(|_| more).map(|(id, _)| *id);
    let orders = at.value.iter().map(|(id, order)| Order::new(*id, order)).collect();
    Ok(json(StatusCode::OK, &Orders { schema: OrdersSchema, height: at.height, orders, next }))
}
