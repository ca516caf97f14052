//! What stands between requests and the types of the API: reading names and numbers, answering objects and problems.

use std::fmt::Display;
use std::str::FromStr;

use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use holdfast_api::PROBLEM_JSON;
use holdfast_api::problem::{Problem, Reason};
use holdfast_core::explain;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::error;

use crate::limits::{PAGE_DEFAULT, PAGE_MAX};
use crate::source::SourceError;

/// Names the program's version in every answer.
pub(crate) const VERSION: HeaderName = HeaderName::from_static("holdfast-version");

/// Seconds after which to try again what found no room.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// An object, as JSON.
pub(crate) fn json(status: StatusCode, object: &impl Serialize) -> Response {
    match serde_json::to_vec(object) {
        Ok(bytes) => answer(status, "application/json", bytes),
        Err(error) => {
            error!(%error, "an answer could not be written");
            Refusal::from(Problem::new(Reason::Internal, "the node failed; its log says why")).into_response()
        }
    }
}

fn answer(status: StatusCode, media_type: &'static str, bytes: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// What every answer says, problems of any layer included.
pub(crate) fn head(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    headers.insert(VERSION, HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
    response
}

/// A problem on its way out.
#[derive(Debug)]
pub(crate) struct Refusal(Problem);

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // A problem is plain data; an empty body would still carry the status.
        let mut response = answer(status, PROBLEM_JSON, serde_json::to_vec(&self.0).unwrap_or_default());
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS);
        }
        response
    }
}

/// What a source could not say, to whom it was asked for. Details of our own failures go to the log.
pub(crate) fn of_source(pruned: Reason) -> impl Fn(SourceError) -> Problem {
    move |failure| match failure {
        SourceError::Pruned { earliest } => {
            let detail = format!("this node keeps blocks from {earliest} on");
            Problem::new(pruned, detail).with("earliest", earliest.0)
        }
        SourceError::NotYet(what) => Problem::new(Reason::NotYet, what),
        SourceError::Local(_) => {
            error!(error = explain(&failure), "the ledger could not be asked");
            Problem::new(Reason::Internal, "the node failed; its log says why")
        }
    }
}

/// The one name in a path.
pub(crate) struct Named<T>(pub(crate) T);

impl<S: Send + Sync, T: FromStr<Err: Display>> FromRequestParts<S> for Named<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let refuse = |detail: String| Refusal::from(Problem::new(Reason::Parameter, detail));
        let name = Path::<String>::from_request_parts(parts, state).await;
        let Path(name) = name.map_err(|error| refuse(error.body_text()))?;
        name.parse().map(Self).map_err(|error| refuse(format!("the name in the path: {error}")))
    }
}

/// The fields behind `?`.
pub(crate) struct Asked<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        let refuse = |detail: String| Refusal::from(Problem::new(Reason::Parameter, detail));
        query.map(|Query(query)| Self(query)).map_err(|error| refuse(error.body_text()))
    }
}

/// How many entries a page shall have.
pub(crate) fn page(max: Option<u32>) -> Result<usize, Refusal> {
    let max = max.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&max) {
        let detail = format!("max is a number from 1 to {PAGE_MAX}");
        return Err(Problem::new(Reason::Parameter, detail).into());
    }
    usize::try_from(max).map_err(|_| Problem::new(Reason::Parameter, "max is too large").into())
}

/// Cuts a list that was asked for with one more than `max` entries, and says whether there was one more.
pub(crate) fn cut<T>(entries: &mut Vec<T>, max: usize) -> bool {
    let more = entries.len() > max;
    entries.truncate(max);
    more
}
