//! The event stream: Server-Sent Events, one for each event of the ledger, in order and without end.
//!
//! 1. The reader says where it stopped, by `Last-Event-ID` or `from`. Without either it hears what comes from now on.
//! 2. A feed holds a position and one page. It reads the next page when its reader has taken the last one, and waits for
//!    a new block when there is none.
//! 3. A reader that does not take what it is sent loses its connection (`patience`), and comes back to where it was.
//!
//! The id of each event is its position, so a reader that was cut off anywhere goes on without loss or repetition.

use std::collections::VecDeque;
use std::convert::Infallible;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use holdfast_api::position::Position;
use holdfast_api::problem::{Problem, Reason};
use holdfast_ledger::block::Height;
use holdfast_ledger::receipt::EventPosition;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tracing::error;
use utoipa::IntoParams;

use crate::reply::{Asked, Refusal, of_source};
use crate::routes::{Api, events};
use crate::source::EventAt;

/// Where a stream begins.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Begin {
    /// From this position on, `height.index`. `Last-Event-ID` counts more; without both, from the next block on.
    #[param(value_type = Option<Position>)]
    from: Option<Position>,
}

/// Events as they happen (Server-Sent Events). The id of each is its position, its data an object as in `/v1/events`.
/// An event of the type `problem` is the last one.
#[utoipa::path(get, path = "/v1/events/stream", tag = "events",
    params(Begin, ("Last-Event-ID" = Option<Position>, Header, description = "The last event that was seen; the stream goes on behind it")),
    responses(
        (status = 200, description = "Events without end", body = holdfast_api::event::EventAt, content_type = "text/event-stream"),
        (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn stream(
    State(api): State<Api>,
    headers: HeaderMap,
    Asked(Begin { from }): Asked<Begin>,
) -> Result<Response, Refusal> {
    let seen = last_seen(&headers)?;
    let place = api.streams.clone().try_acquire_owned();
    let place =
        place.map_err(|_| Problem::new(Reason::Streams, "too many event streams are open; try again"))?;
    let tips = api.source().subscribe();
    let next = match (seen, from) {
        (Some(seen), _) => behind(seen),
        (None, Some(from)) => from.into(),
        (None, None) => {
            let status = api.ask(|source| source.status().map_err(of_source(Reason::Internal))).await?;
            beginning(status.tip.height.next())
        }
    };
    let heartbeat = KeepAlive::new().interval(api.limits.heartbeat).text("nothing new");
    let mut feed = Feed { api, next, page: VecDeque::new(), tips, ended: false, _place: place };
    // What is wrong from the beginning is answered with its own status.
    feed.read().await?;
    let events = stream::unfold(feed, |mut feed| async {
        let event = feed.event().await?;
        Some((Ok::<_, Infallible>(event), feed))
    });
    Ok(Sse::new(events).keep_alive(heartbeat).into_response())
}

fn last_seen(headers: &HeaderMap) -> Result<Option<Position>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let refuse = |error| Problem::new(Reason::Parameter, format!("Last-Event-ID: {error}"));
    text.parse().map(Some).map_err(refuse)
}

/// The position behind one.
fn behind(Position { height, index }: Position) -> EventPosition {
    match index.checked_add(1) {
        Some(index) => EventPosition { height, index },
        None => beginning(height.next()),
    }
}

/// The first position of a block; the last there is if there is no such block.
fn beginning(height: Option<Height>) -> EventPosition {
    let last = EventPosition { height: Height(u64::MAX), index: u32::MAX };
    height.map_or(last, |height| EventPosition { height, index: 0 })
}

/// What one stream holds.
struct Feed {
    api: Api,
    /// Where to read next.
    next: EventPosition,
    /// Read, and not yet taken.
    page: VecDeque<EventAt>,
    tips: watch::Receiver<Height>,
    ended: bool,
    _place: OwnedSemaphorePermit,
}

impl Feed {
    /// The next event, when there is one; none at the end.
    async fn event(&mut self) -> Option<Event> {
        let stopping = self.api.stopping.clone();
        tokio::select! {
            biased;
            () = stopping.cancelled() => None,
            event = self.take() => event,
        }
    }

    async fn take(&mut self) -> Option<Event> {
        while !self.ended {
            if let Some(at) = self.page.pop_front() {
                return self.told(&at);
            }
            let before = self.next;
            // Seen before the page is read: a block that comes meanwhile wakes the feed again.
            self.tips.mark_unchanged();
            if let Err(problem) = self.read().await {
                self.ended = true;
                return data(Event::default().event("problem"), &problem);
            }
            if self.next == before && self.tips.changed().await.is_err() {
                self.ended = true; // the node is gone
            }
        }
        None
    }

    async fn read(&mut self) -> Result<(), Problem> {
        let (next, max) = (self.next, self.api.limits.stream_page);
        let question = self
            .api
            .ask_in_turn(move |source| source.events(next, max).map_err(of_source(Reason::BlockPruned)));
        let page = question.await?;
        (self.page, self.next) = (page.events.into(), page.next);
        Ok(())
    }

    fn told(&mut self, at: &EventAt) -> Option<Event> {
        let told = events::shown(at);
        let event = Event::default().id(told.position.to_string()).event(told.event.kind());
        let event = data(event, &told);
        self.ended |= event.is_none();
        event
    }
}

/// An event with an object in it.
fn data(event: Event, object: &impl Serialize) -> Option<Event> {
    let text =
        serde_json::to_string(object).inspect_err(|error| error!(%error, "an event could not be written"));
    Some(event.data(text.ok()?))
}
