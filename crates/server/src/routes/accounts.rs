//! Accounts and their history.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use holdfast_api::account::{self, Account, AccountSchema, History, HistorySchema};
use holdfast_api::event::Event;
use holdfast_api::position::Position;
use holdfast_api::problem::{Problem, Reason};
use holdfast_api::transaction::Failure;
use holdfast_ledger::account::AccountId;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::reply::{Asked, Named, Refusal, cut, json, of_source, page};
use crate::routes::Api;
use crate::source::{HistoryEntry, Place};

/// What an account has. One that nobody ever paid has nothing.
#[utoipa::path(get, path = "/v1/accounts/{account}", tag = "accounts",
    params(("account" = holdfast_api::schema::AccountText, Path, description = "Which")),
    responses(
        (status = 200, description = "What it has", body = Account),
        (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn account(
    State(api): State<Api>,
    Named(id): Named<AccountId>,
) -> Result<Response, Refusal> {
    let at = api.ask(move |source| source.account(&id).map_err(of_source(Reason::Internal))).await?;
    let holdfast_ledger::account::Account { balance, nonce } = at.value;
    let answer = Account { schema: AccountSchema, height: at.height, account: id, balance, nonce };
    Ok(json(StatusCode::OK, &answer))
}

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Range {
    /// Entries before this position, `height.index`.
    #[param(value_type = Option<Position>)]
    before: Option<Position>,
    /// At most so many entries, 1 to 256; 64 if not given.
    max: Option<u32>,
}

/// What happened to an account, the newest first.
#[utoipa::path(get, path = "/v1/accounts/{account}/history", tag = "accounts",
    params(("account" = holdfast_api::schema::AccountText, Path, description = "Whose"), Range),
    responses(
        (status = 200, description = "Some of the history", body = History),
        (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn history(
    State(api): State<Api>,
    Named(id): Named<AccountId>,
    Asked(Range { before, max }): Asked<Range>,
) -> Result<Response, Refusal> {
    let max = page(max)?;
    let before = before.map(|Position { height, index }| Place { height, index });
    let question =
        api.ask(move |source| source.history(&id, before, max + 1).map_err(of_source(Reason::BlockPruned)));
    let mut found = question.await?;
    let more = cut(&mut found, max);
    let entries: Vec<_> = found.iter().map(shown).collect();
    let next = entries.last().filter(|_| more).map(|last| last.position);
    Ok(json(StatusCode::OK, &History { schema: HistorySchema, account: id, entries, next }))
}

fn shown(entry: &HistoryEntry) -> account::HistoryEntry {
    let Place { height, index } = entry.place;
    account::HistoryEntry {
        transaction: entry.transaction,
        fee: entry.fee,
        failure: entry.failure.map(Failure::from),
        events: entry.events.iter().map(Event::from).collect(),
        ..account::HistoryEntry::at(Position { height, index }, entry.time)
    }
}
