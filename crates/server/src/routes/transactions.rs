//! Transactions: what became of them, and new ones.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use futures::StreamExt;
use holdfast_api::problem::{Problem, Reason};
use holdfast_api::transaction::{
    Accepted, AcceptedSchema, Decided, Submission, TransactionAnswer, TransactionSchema,
};
use holdfast_api::{DAG_CBOR, hex};
use holdfast_core::explain;
use holdfast_ledger::execute::Unfit;
use holdfast_ledger::transaction::{TRANSACTION_BYTES_MAX, Transaction, TransactionError, TransactionId};

use crate::limits::BODY_BYTES_MAX;
use crate::reply::{Named, Refusal, json, of_source};
use crate::routes::Api;
use crate::source::SubmitError;

/// A transaction: what was signed and, once it is decided, what became of it.
#[utoipa::path(get, path = "/v1/transactions/{id}", tag = "transactions",
    params(("id" = holdfast_api::schema::Hash, Path, description = "The transaction's id")),
    responses(
        (status = 200, description = "The transaction", body = TransactionAnswer),
        (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn transaction(
    State(api): State<Api>,
    Named(id): Named<TransactionId>,
) -> Result<Response, Refusal> {
    let found =
        api.ask(move |source| source.transaction(&id).map_err(of_source(Reason::BlockPruned))).await?;
    let Some(found) = found else {
        let detail = format!("transaction {id} neither waits here nor is in a block that is kept");
        return Err(Problem::new(Reason::TransactionUnknown, detail).into());
    };
    let decided = found.decided.map(|at| Decided::new(&at.header, at.index, &at.receipt));
    let transaction = (&found.transaction).into();
    Ok(json(StatusCode::OK, &TransactionAnswer { schema: TransactionSchema, transaction, decided }))
}

/// Gives the node a signed transaction. It waits for a block; the same one again is taken again.
#[utoipa::path(post, path = "/v1/transactions", tag = "transactions",
    request_body(description = "A signed transaction, in its one encoding or as JSON", content(
        (Submission = "application/json"),
        (Vec<u8> = "application/vnd.ipld.dag-cbor"),
    )),
    responses(
        (status = 202, description = "It waits for a block", body = Accepted),
        (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn submit(State(api): State<Api>, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let form = Form::of(&parts.headers)?;
    let read = read(&parts.headers, body, form);
    let late = || Problem::new(Reason::Slow, "the body did not arrive in time");
    let bytes = tokio::time::timeout(api.limits.body_window, read).await.map_err(|_| late())??;
    let transaction = Transaction::from_bytes(&form.transaction(bytes)?)
        .map_err(|error| Problem::new(Reason::TransactionMalformed, explain(&error)))?;
    let id = api.ask(move |source| source.submit(transaction).map_err(refused)).await?;
    let mut response = json(StatusCode::ACCEPTED, &Accepted { schema: AcceptedSchema, transaction: id });
    if let Ok(place) = HeaderValue::from_str(&format!("/v1/transactions/{id}")) {
        response.headers_mut().insert(LOCATION, place);
    }
    Ok(response)
}

/// How a body holds a transaction.
#[derive(Clone, Copy)]
enum Form {
    Cbor,
    Json,
}

impl Form {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let named = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = named.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            DAG_CBOR => Ok(Self::Cbor),
            "application/json" => Ok(Self::Json),
            _ => {
                let detail = format!("send {DAG_CBOR}, or application/json with the same in hex");
                Err(Problem::new(Reason::MediaType, detail))
            }
        }
    }

    fn bytes_max(self) -> usize {
        match self {
            Self::Cbor => TRANSACTION_BYTES_MAX,
            Self::Json => BODY_BYTES_MAX,
        }
    }

    fn transaction(self, body: Vec<u8>) -> Result<Vec<u8>, Problem> {
        let Self::Json = self else { return Ok(body) };
        let submission: Submission =
            serde_json::from_slice(&body).map_err(|error| Problem::new(Reason::Body, error.to_string()))?;
        let bytes = hex::bytes(&submission.transaction);
        bytes.ok_or_else(|| Problem::new(Reason::Body, "`transaction` is not hex"))
    }
}

async fn read(headers: &HeaderMap, body: Body, form: Form) -> Result<Vec<u8>, Problem> {
    let max = form.bytes_max();
    let too_large = || {
        let detail = format!("a transaction has at most {TRANSACTION_BYTES_MAX} bytes");
        Problem::new(Reason::TooLarge, detail).with("max", TRANSACTION_BYTES_MAX as u64)
    };
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if length.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > max as u64) {
        return Err(too_large()); // before a byte of it is read
    }
    let (mut bytes, mut parts) = (Vec::new(), body.into_data_stream());
    while let Some(part) = parts.next().await {
        let part = part.map_err(|_| Problem::new(Reason::Body, "the body broke off"))?;
        if bytes.len() + part.len() > max {
            return Err(too_large());
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

fn refused(error: SubmitError) -> Problem {
    let detail = explain(&error);
    match error {
        SubmitError::Refused(TransactionError::Decode(_)) => {
            Problem::new(Reason::TransactionMalformed, detail)
        }
        SubmitError::Refused(TransactionError::Signature(_)) => {
            Problem::new(Reason::TransactionSignature, detail)
        }
        SubmitError::Unfit(Unfit::Nonce { expected, found }) => {
            Problem::new(Reason::TransactionNonce, detail).with("expected", expected).with("found", found)
        }
        SubmitError::Unfit(Unfit::Expired { until }) => {
            Problem::new(Reason::TransactionExpired, detail).with("until", until.0)
        }
        SubmitError::Unfit(Unfit::Fee { needed, offered }) => Problem::new(Reason::TransactionFee, detail)
            .with("needed", needed.0.to_string())
            .with("offered", offered.0.to_string()),
        SubmitError::Unfit(Unfit::Unpayable) => Problem::new(Reason::TransactionBalance, detail),
        SubmitError::Full => Problem::new(Reason::MempoolFull, detail),
        SubmitError::Source(error) => of_source(Reason::BlockPruned)(error),
    }
}
