//! Blocks.

use std::fmt;
use std::str::FromStr;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use holdfast_api::block::{self, BlockSchema, BlockTransaction};
use holdfast_api::problem::{Problem, Reason};
use holdfast_ledger::block::Height;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::reply::{Asked, Named, Refusal, json, of_source, page};
use crate::routes::Api;
use crate::source::Block;

/// A height, or the last block.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which {
    At(Height),
    Latest,
}

/// A text is neither.
#[derive(Debug)]
pub(crate) struct WhichError;

impl fmt::Display for WhichError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a height or `latest`")
    }
}

impl FromStr for Which {
    type Err = WhichError;

    fn from_str(text: &str) -> Result<Self, WhichError> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text {
            "latest" => Ok(Self::Latest),
            _ if digits => text.parse().map(|height| Self::At(Height(height))).map_err(|_| WhichError),
            _ => Err(WhichError),
        }
    }
}

/// Which transactions of the block.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Range {
    /// From this transaction on, counted from 0.
    from: Option<u32>,
    /// At most so many transactions, 1 to 256; 64 if not given.
    max: Option<u32>,
}

/// A block: its header, the decision on it, and some of its transactions with their receipts.
#[utoipa::path(get, path = "/v1/blocks/{height}", tag = "blocks",
    params(("height" = String, Path, description = "A height, or `latest`"), Range),
    responses(
        (status = 200, description = "The block", body = block::Block),
        (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn block(
    State(api): State<Api>,
    Named(which): Named<Which>,
    Asked(Range { from, max }): Asked<Range>,
) -> Result<Response, Refusal> {
    let max = page(max)?;
    let question = api.ask(move |source| {
        let failed = of_source(Reason::BlockPruned);
        let height = match which {
            Which::At(height) => height,
            Which::Latest => source.status().map_err(&failed)?.tip.height,
        };
        let block = source.block(height).map_err(&failed)?;
        block.ok_or_else(|| Problem::new(Reason::BlockUnknown, format!("block {height} is not decided yet")))
    });
    let block = question.await?;
    Ok(json(StatusCode::OK, &shown(&block, from.unwrap_or(0), max)))
}

fn shown(block: &Block, from: u32, max: usize) -> block::Block {
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let pairs = block.transactions.iter().zip(block.receipts.transactions.iter());
    let numbered = (0..).zip(pairs).skip_while(|(index, _)| *index < from).take(max);
    let transactions: Vec<_> = numbered
        .map(|(index, (transaction, receipt))| {
            let (transaction, receipt) = (transaction.into(), receipt.into());
            BlockTransaction { index, transaction, receipt }
        })
        .collect();
    let transaction_count = count(block.transactions.len());
    let next = transactions.last().map(|last| last.index + 1).filter(|next| *next < transaction_count);
    block::Block {
        schema: BlockSchema,
        header: (&block.header).into(),
        finality: block.finality.as_ref().map(block::Finality::from),
        transaction_count,
        event_count: count(block.receipts.events().count()),
        transactions,
        next,
    }
}
