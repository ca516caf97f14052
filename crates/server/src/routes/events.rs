//! Events by range.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use holdfast_api::event::{self, EventSchema, Events, EventsSchema};
use holdfast_api::position::Position;
use holdfast_api::problem::{Problem, Reason};
use holdfast_ledger::receipt::EventPosition;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::reply::{Asked, Refusal, json, of_source, page};
use crate::routes::Api;
use crate::source::EventAt;

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Range {
    /// From this position on, `height.index`; from the earliest block that is kept if not given.
    #[param(value_type = Option<Position>)]
    from: Option<Position>,
    /// At most so many events, 1 to 256; 64 if not given.
    max: Option<u32>,
}

/// Events in their order. Ask again with `next` for those that follow.
#[utoipa::path(get, path = "/v1/events", tag = "events", params(Range), responses(
    (status = 200, description = "Some events", body = Events),
    (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn events(
    State(api): State<Api>,
    Asked(Range { from, max }): Asked<Range>,
) -> Result<Response, Refusal> {
    let max = page(max)?;
    let question = api.ask(move |source| {
        let failed = of_source(Reason::BlockPruned);
        let from = match from {
            Some(from) => from.into(),
            None => EventPosition { height: source.status().map_err(&failed)?.earliest, index: 0 },
        };
        source.events(from, max).map_err(&failed)
    });
    let found = question.await?;
    let events = found.events.iter().map(shown).collect();
    Ok(json(StatusCode::OK, &Events { schema: EventsSchema, events, next: found.next.into() }))
}

/// An event as it is told.
pub(crate) fn shown(at: &EventAt) -> event::EventAt {
    event::EventAt {
        schema: EventSchema,
        position: at.position.into(),
        transaction: at.transaction,
        event: (&at.event).into(),
    }
}
