//! Problems (RFC 9457): why a request was not answered, with a stable dotted reason.
//!
//! All statuses and reasons of the API stand here, in [`Reason`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $status:literal $title:literal $text:literal,)+) => {
        /// Why a request was not answered.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Reason { $($(#[doc = $doc])+ $name,)+ }

        impl Reason {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stable name for programs.
            pub fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// The status of the HTTP answer.
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status,)+ }
            }

            /// What that status is called.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }

            /// When it happens.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+),)+ }
            }
        }
    };
}

reasons! {
    /// A name or number in the path or in the query cannot be read.
    Parameter = 400 "Bad Request" "request.parameter",
    /// The body is not what its media type says, or was cut.
    Body = 400 "Bad Request" "request.body",
    /// Neither DAG-CBOR nor JSON.
    MediaType = 415 "Unsupported Media Type" "request.media_type",
    /// The body is longer than any transaction.
    TooLarge = 413 "Content Too Large" "request.too_large",
    /// The body did not arrive in time.
    Slow = 408 "Request Timeout" "request.slow",
    /// There is no such path.
    Route = 404 "Not Found" "route.unknown",
    /// The path is there, but not for this method.
    Method = 405 "Method Not Allowed" "route.method",
    /// No block of that height was decided yet.
    BlockUnknown = 404 "Not Found" "block.unknown",
    /// The node does not keep blocks that old.
    BlockPruned = 410 "Gone" "block.pruned",
    /// No such transaction is decided here or waits.
    TransactionUnknown = 404 "Not Found" "transaction.unknown",
    /// No such order, or it ended.
    OrderUnknown = 404 "Not Found" "order.unknown",
    /// No such node was ever registered.
    NodeUnknown = 404 "Not Found" "node.unknown",
    /// The bytes are no transaction.
    TransactionMalformed = 400 "Bad Request" "transaction.malformed",
    /// It is not signed by its sender for this network.
    TransactionSignature = 422 "Unprocessable Content" "transaction.signature",
    /// Its nonce is not the sender's next one.
    TransactionNonce = 409 "Conflict" "transaction.nonce",
    /// The last block that could hold it is decided.
    TransactionExpired = 422 "Unprocessable Content" "transaction.expired",
    /// It offers too small a fee.
    TransactionFee = 402 "Payment Required" "transaction.fee",
    /// Its sender cannot pay the fee.
    TransactionBalance = 402 "Payment Required" "transaction.balance",
    /// No more transactions can wait.
    MempoolFull = 503 "Service Unavailable" "mempool.full",
    /// Too many requests are worked on already.
    Busy = 503 "Service Unavailable" "server.busy",
    /// Too many event streams are open already.
    Streams = 503 "Service Unavailable" "server.streams",
    /// The node has nothing to say about this yet.
    NotYet = 503 "Service Unavailable" "server.not_yet",
    /// The answer took too long.
    Late = 504 "Gateway Timeout" "server.late",
    /// Something of the node's own failed; its log says what.
    Internal = 500 "Internal Server Error" "server.internal",
}

/// Why a request was not answered, as `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: `reason` says more.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: Box<str>,
    /// What the status is called.
    #[schema(value_type = String)]
    pub title: Box<str>,
    /// The status of the HTTP answer.
    pub status: u16,
    /// What went wrong in this case, for people.
    pub detail: String,
    /// Stable dotted name for programs.
    #[schema(value_type = String)]
    pub reason: Box<str>,
    /// Numbers and names that `detail` speaks of, for programs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = Object)]
    pub facts: BTreeMap<String, Value>,
}

impl Problem {
    /// A problem of this kind.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank".into(),
            title: reason.title().into(),
            status: reason.status(),
            detail: detail.into(),
            reason: reason.text().into(),
            facts: BTreeMap::new(),
        }
    }

    /// The same with a fact.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reason_is_dotted_and_one_of_a_kind() {
        let texts: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.text()).collect();
        assert_eq!(texts.len(), Reason::ALL.len());
        for text in texts {
            let word =
                |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            assert!(text.split_once('.').is_some_and(|(area, what)| word(area) && word(what)), "{text}");
        }
    }

    #[test]
    fn one_status_has_one_title() {
        for one in Reason::ALL {
            for other in Reason::ALL.iter().filter(|other| other.status() == one.status()) {
                assert_eq!(one.title(), other.title());
            }
            assert!((400..=504).contains(&one.status()));
        }
    }
}
